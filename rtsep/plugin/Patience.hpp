// How long a block may wait for hops that are not there yet. Audio thread only.
//
// A live callback must never wait; an export must never have a hole. Not every host tells the two apart, the clock does: one that
// calls for 50 ms of audio within 5 ms is 45 ms *ahead*. Waiting for as long as the host is ahead costs a live host nothing, since
// it only gives back time that was gained. Being ahead by LEAD_S is no live callback at all, so a running model is then waited for up
// to HOP_S. A live host may split its longest block into pieces and call them at once, so that much never counts as a lead. The
// lead is forgotten slowly (LEAK), so that the drift between the sound card's clock and ours never adds up; after a pause it starts
// again from zero, and jitter of a live host, which first falls behind and then catches up, never makes it positive.
//
// Most hosts say it (lv2:freeWheeling, VST3's process mode, clap.render), and a user may (parameter "Offline"): then also a model that
// is loading is waited for, up to OFFLINE_S for one hop.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace rtsep {

class Patience {
public:
    static constexpr double LEAD_S = 0.05;
    static constexpr double SLACK_S = 0.005;
    static constexpr double HOP_S = 2.0;
    static constexpr double OFFLINE_S = 20.0;
    static constexpr double BEHIND_S = 0.05;
    static constexpr double PAUSE_S = 0.25;
    static constexpr double LEAK = 0.001;
    static constexpr double STALL_S = 1.0;
    static constexpr double OFFLINE_STALL_S = 8.0;

    static double now() {
        return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
    }

    // A block of `seconds` begins; no block of this host is longer than `longest` seconds.
    void block(double seconds, double longest) {
        const double time = now();
        const double passed = time - last;
        if (last == 0 || passed > PAUSE_S)
            lead = 0;
        else
            lead = std::max(-BEHIND_S, (lead + previous - passed) * (1 - LEAK * passed));
        slack = longest + SLACK_S;
        previous = seconds;
        last = time;
    }

    // Notes the bridge's heartbeat; whether it is younger than STALL_S. An export asks for less: its machine may be busy.
    bool bridgeLives(int64_t beat, bool offline) {
        if (beat != seenBeat) {
            seenBeat = beat;
            seenAt = now();
        }
        return beat != 0 && now() - seenAt < (offline ? OFFLINE_STALL_S : STALL_S);
    }

    // Seconds that a block may wait. offline: the host or the user said so; running: the model is loaded and its bridge alive.
    double seconds(bool offline, bool alive, bool running) const {
        if (!alive)
            return 0;
        if (offline)
            return OFFLINE_S;
        if (running && lead > LEAD_S + slack)
            return HOP_S;
        return running ? std::max(0.0, lead - slack) : 0;
    }

private:
    double last = 0, lead = 0, previous = 0, slack = 0, seenAt = 0;
    int64_t seenBeat = 0;
};

}  // namespace rtsep
