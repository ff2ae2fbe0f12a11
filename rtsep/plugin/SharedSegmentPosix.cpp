#ifndef _WIN32
#include "SharedSegment.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <semaphore.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef RTSEP_COMMAND
#define RTSEP_COMMAND "rtsep"
#endif

extern char **environ;

namespace rtsep {

static_assert(sizeof(sem_t) <= 64, "the semaphore must fit between WAKE and HISTOGRAM");

namespace {

std::string failed(const std::string &what) { return what + ": " + std::strerror(errno) + "."; }

bool ownFolder(const std::string &path, struct stat &info) {
    return lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == geteuid();
}

std::string defaultPlace() {
    const std::string user = std::to_string(geteuid());
    struct stat info {};
    const std::string session = "/run/user/" + user;
    if (ownFolder(session, info))
        return session + "/rtsep";
    const char *temporary = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    return std::string(temporary) + "/rtsep-" + user;
}

}  // namespace

std::string meetingPlace(std::string &reason) {
    const char *chosen = std::getenv("RTSEP_BRIDGE_DIR");
    const std::string path = chosen && *chosen ? chosen : defaultPlace();
    struct stat info {};
    if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
        reason = failed(path + " cannot be made");
        return "";
    }
    if (!ownFolder(path, info) || (info.st_mode & 077) != 0) {
        reason = path + " does not belong to this user alone. Remove it, or make it yours with mode 0700.";
        return "";
    }
    return path;
}

std::string SharedSegment::create() {
    std::string reason;
    const std::string place = meetingPlace(reason);
    if (place.empty())
        return reason;
    for (int number = 0; descriptor < 0 && number < 1000; ++number) {
        finalPath = place + "/" + std::to_string(getpid()) + "-" + std::to_string(number) + ".segment";
        path = finalPath + ".new";
        if (access(finalPath.c_str(), F_OK) == 0)
            continue;
        descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (descriptor < 0 && errno != EEXIST)
            return failed(path + " cannot be made");
    }
    if (descriptor < 0 || flock(descriptor, LOCK_EX | LOCK_NB) != 0 || fchmod(descriptor, 0600) != 0 ||
        ftruncate(descriptor, SEGMENT_BYTES) != 0) {
        reason = failed(path + " cannot be made");
        close();
        return reason;
    }
    void *mapped = mmap(nullptr, SEGMENT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (mapped == MAP_FAILED) {
        reason = failed(path + " cannot be mapped");
        close();
        return reason;
    }
    memory = mapped;
    std::memset(memory, 0, SEGMENT_BYTES);  // touch every page now, not on the audio thread
#ifndef __APPLE__  // has no unnamed semaphores: there the inference process wakes by its own clock
    sem_init(reinterpret_cast<sem_t *>(view().header + WAKE), 1, 0);
#endif
    return "";
}

std::string SharedSegment::publish() {
    if (rename(path.c_str(), finalPath.c_str()) != 0)
        return failed(finalPath + " cannot be made");
    path = finalPath;
    return "";
}

void SharedSegment::close() {
    if (memory != nullptr)
        munmap(memory, SEGMENT_BYTES);
    if (descriptor >= 0) {
        unlink(path.c_str());
        ::close(descriptor);
    }
    memory = nullptr;
    descriptor = -1;
}

void SharedSegment::wake() {
#ifndef __APPLE__
    sem_post(reinterpret_cast<sem_t *>(view().header + WAKE));
#endif
}

bool bridgeRuns(const std::string &place) {
    const int lock = open((place + "/bridge.lock").c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (lock < 0)
        return false;
    const bool taken = flock(lock, LOCK_SH | LOCK_NB) != 0;
    ::close(lock);
    return taken;
}

bool startBridge(const std::string &place) {
    const char *given = std::getenv("RTSEP_BRIDGE_COMMAND");
    const std::string command = given ? given : RTSEP_COMMAND;
    if (command.empty())
        return false;
    // The shell puts the bridge into the background and ends at once, so that no child is left for the host to wait for.
    const std::string log = place + "/bridge.log";
    const char *line = "command -v \"$0\" >/dev/null || exit 1; \"$0\" bridge --on-demand </dev/null >/dev/null 2>\"$1\" &";
    const char *words[] = {"sh", "-c", line, command.c_str(), log.c_str(), nullptr};
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
#ifdef POSIX_SPAWN_SETSID
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
#endif
    pid_t shell = 0;
    const int refused = posix_spawn(&shell, "/bin/sh", nullptr, &attributes, const_cast<char *const *>(words), environ);
    posix_spawnattr_destroy(&attributes);
    int status = 0;
    return refused == 0 && waitpid(shell, &status, 0) == shell && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace rtsep
#endif
