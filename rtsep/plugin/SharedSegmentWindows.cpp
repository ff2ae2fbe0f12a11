#ifdef _WIN32
#include "SharedSegment.hpp"

#include <cstdlib>
#include <cstring>
#include <string>
#include <windows.h>

#ifndef RTSEP_COMMAND
#define RTSEP_COMMAND "rtsep"
#endif

// The same meeting of plug-in and bridge with Windows' means: files in %LOCALAPPDATA%\rtsep\bridge (which is the user's own), shared
// so that they cannot be deleted while the plug-in lives and vanish with it, and a named semaphore beside the one in the header, which is
// unused. It is compiled by tools/build_plugin --windows; it has not been run.

namespace rtsep {

namespace {

std::string failed(const std::string &what) { return what + ": Windows error " + std::to_string(GetLastError()) + "."; }

}  // namespace

std::string meetingPlace(std::string &reason) {
    const char *chosen = std::getenv("RTSEP_BRIDGE_DIR");
    const char *local = std::getenv("LOCALAPPDATA");
    if (!(chosen && *chosen) && !local) {
        reason = "LOCALAPPDATA is not set, so there is no folder to meet the engine in.";
        return "";
    }
    const std::string parent = std::string(local ? local : "") + "\\rtsep";
    const std::string path = chosen && *chosen ? chosen : parent + "\\bridge";
    CreateDirectoryA(parent.c_str(), nullptr);
    if (!CreateDirectoryA(path.c_str(), nullptr) && GetLastError() != ERROR_ALREADY_EXISTS) {
        reason = failed(path + " cannot be made");
        return "";
    }
    return path;
}

std::string SharedSegment::create() {
    std::string reason;
    const std::string place = meetingPlace(reason);
    if (place.empty())
        return reason;
    const std::string process = std::to_string(GetCurrentProcessId());
    const DWORD sharing = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
    HANDLE made = INVALID_HANDLE_VALUE;
    std::string name;
    for (int number = 0; made == INVALID_HANDLE_VALUE && number < 1000; ++number) {
        name = process + "-" + std::to_string(number);
        finalPath = place + "\\" + name + ".segment";
        path = finalPath + ".new";
        if (GetFileAttributesA(finalPath.c_str()) == INVALID_FILE_ATTRIBUTES)
            made = CreateFileA(path.c_str(), GENERIC_READ | GENERIC_WRITE | DELETE, sharing, nullptr, CREATE_NEW,
                               FILE_ATTRIBUTE_TEMPORARY | FILE_FLAG_DELETE_ON_CLOSE, nullptr);
    }
    if (made == INVALID_HANDLE_VALUE)
        return failed(path + " cannot be made");
    file = made;
    mapping = CreateFileMappingA(made, nullptr, PAGE_READWRITE, 0, SEGMENT_BYTES, nullptr);
    memory = mapping ? MapViewOfFile(mapping, FILE_MAP_ALL_ACCESS, 0, 0, SEGMENT_BYTES) : nullptr;
    semaphore = CreateSemaphoreA(nullptr, 0, 0x7fffffff, ("Local\\rtsep-wake-" + name).c_str());
    if (memory == nullptr || semaphore == nullptr) {
        reason = failed(path + " cannot be mapped");
        close();
        return reason;
    }
    std::memset(memory, 0, SEGMENT_BYTES);
    return "";
}

std::string SharedSegment::publish() {
    if (!MoveFileA(path.c_str(), finalPath.c_str()))
        return failed(finalPath + " cannot be made");
    path = finalPath;
    return "";
}

void SharedSegment::close() {
    if (memory != nullptr)
        UnmapViewOfFile(memory);
    for (void *handle : {semaphore, mapping, file})
        if (handle != nullptr)
            CloseHandle(handle);
    memory = semaphore = mapping = file = nullptr;
}

void SharedSegment::wake() { ReleaseSemaphore(semaphore, 1, nullptr); }

bool bridgeRuns(const std::string &place) {
    const HANDLE lock = CreateFileA((place + "\\bridge.lock").c_str(), GENERIC_READ, 0, nullptr, OPEN_EXISTING, 0, nullptr);
    if (lock != INVALID_HANDLE_VALUE)
        CloseHandle(lock);
    return lock == INVALID_HANDLE_VALUE && GetLastError() == ERROR_SHARING_VIOLATION;
}

bool startBridge(const std::string &) {
    const char *given = std::getenv("RTSEP_BRIDGE_COMMAND");
    const std::string command = given ? given : RTSEP_COMMAND;
    if (command.empty())
        return false;
    std::string line = "\"" + command + "\" bridge --on-demand";
    STARTUPINFOA start{};
    start.cb = sizeof start;
    PROCESS_INFORMATION process{};
    if (!CreateProcessA(nullptr, &line[0], nullptr, nullptr, FALSE, DETACHED_PROCESS, nullptr, nullptr, &start, &process))
        return false;
    CloseHandle(process.hThread);
    CloseHandle(process.hProcess);
    return true;
}

}  // namespace rtsep
#endif
