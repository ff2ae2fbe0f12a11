// The file behind a plug-in instance's segment: made, locked and removed by the plug-in. Not for the audio thread, except `wake`.
//
// All instances of a user meet in one folder that only this user can enter: /run/user/UID/rtsep where the system has made
// /run/user/UID, else /dev/shm/rtsep-UID. It depends on the user alone and not on the environment, so a DAW from the desktop and a bridge
// from a terminal meet. RTSEP_BRIDGE_DIR names another folder (tests). The lock tells whether an instance lives: the system releases it
// however the DAW ends, and whoever finds a file without one removes it.
#pragma once

#include <string>

#include "rtsep_segment.h"

namespace rtsep {

class SharedSegment {
public:
    SharedSegment() = default;
    ~SharedSegment() { close(); }
    SharedSegment(const SharedSegment &) = delete;
    SharedSegment &operator=(const SharedSegment &) = delete;

    // Makes the segment; the header still has to be filled. Returns an empty string, or why it could not be made.
    std::string create();

    // Shows the filled segment to the bridge: from now on it has its final name. Returns an empty string or a reason.
    std::string publish();

    void close();

    bool exists() const { return memory != nullptr; }
    View view() const { return View(memory); }

    // Posts the semaphore WAKE. Audio thread.
    void wake();

private:
    void *memory = nullptr;
    std::string path;           // its name now, to be removed by close()
    std::string finalPath;
#ifdef _WIN32
    void *file = nullptr, *mapping = nullptr, *semaphore = nullptr;
#else
    int descriptor = -1;
#endif
};

// The folder where instances and bridge meet, made if need be; empty, with a reason, if it is not this user's own.
std::string meetingPlace(std::string &reason);

// Whether a bridge holds the lock `bridge.lock` of the meeting place.
bool bridgeRuns(const std::string &place);

// Starts `rtsep bridge --on-demand` in the background; whether it did. The command is RTSEP_BRIDGE_COMMAND of the environment, else the
// one this plug-in was built with, else `rtsep` of the PATH. RTSEP_BRIDGE_COMMAND= (empty) starts nothing.
bool startBridge(const std::string &place);

}  // namespace rtsep
