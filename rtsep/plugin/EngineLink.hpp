// A plug-in instance without its plug-in format: the stream of one host through one segment.
#pragma once

#include <atomic>
#include <string>

#include "Mixer.hpp"
#include "Patience.hpp"
#include "SharedSegment.hpp"

namespace rtsep {

class EngineLink {
public:
    // Frames of delay until an engine has said its own.
    static constexpr int64_t FIRST_LATENCY = 4096;

    // Main thread, before audio runs: makes the segment at the first call, asks the bridge (started if there is none) for a layout and
    // waits for the answer a bounded time; then the stream begins anew, with silence before it.
    void activate(int64_t rate, int64_t longestBlock);

    // Audio thread. in: CHANNELS rows; out: OUTPUTS rows, see Mixer. Rows of `in` are read before any of `out` is written.
    // n: at most MAX_BLOCK. offline: the host says that it is not live.
    void process(const float *const *in, float *const *out, int64_t n, const Faders &faders, int64_t tier, bool offline);

    // From the next frame on nothing is heard of what came before, and the model forgets it. Audio thread, or before audio runs.
    void beginStream();

    // Frames of delay that the host has to be told. Any thread.
    int64_t latency() const { return layout.latency; }

    // The delay that a project remembered, for a time in which there is no engine. Main thread, before activate.
    void rememberLatency(int64_t frames) { layout.latency = frames; }

    // Name of the model to ask for, empty for the bridge's choice. Main thread.
    void chooseModel(const std::string &name);
    std::string model() const { return wantedModel; }

    // A BRIDGE_… condition, for the host to show. Any thread.
    int64_t state() const { return shownState; }

    // What is wrong or going on, as a sentence. Main thread.
    std::string message() const;

    int64_t lateHops() const { return segment.exists() ? shared.header[LATE_HOPS] : 0; }

private:
    bool open(int64_t rate);
    void ask();
    void sendModel();
    void awaitLayout(double seconds);
    void adoptLayout();
    void listen(const float *const *in, int64_t n);
    void waitForModel(int64_t n, bool offline);

    SharedSegment segment;
    View shared;
    Layout layout;
    Mixer mixer;
    Patience patience;
    std::string place, problem, wantedModel;
    std::atomic<int64_t> shownState{BRIDGE_ABSENT};
    int64_t sentTier = 0;
    int64_t seenLayout = 0;
    int64_t gaveUpAt = -1;  // NEXT_HOP at which a wait ended in vain: there is no second wait for the same hop
    double startedAt = 0;   // when this instance started a bridge
};

}  // namespace rtsep
