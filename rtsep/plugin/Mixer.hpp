// From rings to outputs: gains with ramps, the fall-back to dry, and smoothing of every jump. Audio thread only.
//
// The same method as `rtsep/realtime/mixer.py`, which derives it, sample for sample (`tests/plugin/test_plugin_mixer.py` compares them), and
// two things that a plug-in has besides: dry/wet, and a bypass that keeps the latency. Both fade towards the input delayed by L;
// dry/wet concerns the mix only, bypass the stems too, each of which then carries its share of the dry mix as it does without an engine.
#pragma once

#include "rtsep_segment.h"

namespace rtsep {

// What the host's parameters ask for; gains linear.
struct Faders {
    float gain[SLOTS] = {1, 1, 1, 1};
    bool mute[SLOTS] = {};
    bool solo[SLOTS] = {};
    float master = 1;
    float wet = 1;
    bool bypass = false;
};

// What the bridge has laid out, all of one moment.
struct Layout {
    int64_t hop = 1024;
    int64_t modelLatency = 0;
    int64_t latency = 0;
    int64_t stemMask = 15;
};

class Mixer {
public:
    // Forgets the past: the next frame starts without ramp or smoothing. Not while `render` runs.
    void reset() { started = false; }

    // Fills frames [0, n) of all outputs from stream frame `position` on. Never allocates, locks or waits.
    // out: OUTPUTS rows, mix left and right, then left and right of each stem; none may be null or shared.
    void render(View &view, const Layout &layout, const Faders &faders, int64_t position, float *const *out, int64_t n);

private:
    void aim(const Faders &faders, int64_t rate);
    void smoothFromHere(const View &view, const float *share, int64_t before);
    void playRun(View &view, const float *share, float *const *out, bool present, int64_t first, int64_t last, int64_t tau);
    void playSteady(const View &view, float *const *out, int64_t first, int64_t last, int64_t tau);
    void blend(const View &view, const float *share, float *const *out, int64_t n, int64_t tau, int64_t origin);
    float loudest() const;
    bool steady() const;

    bool started = false;
    float gain[SLOTS] = {}, step[SLOTS] = {}, target[SLOTS] = {};
    int64_t ramp[SLOTS] = {};
    float lastOut[CHANNELS * SLOTS] = {}, offset[CHANNELS * SLOTS] = {};
    int64_t offsetLeft = 0;
    int64_t hold = 0;
    int64_t lateHop = -1;
    int64_t latency = 0;
    float wet = 1;          // stems against dry, by presence
    float dryOfMix = 0;     // the host's dry/wet and bypass, faded
    float dryOfStems = 0;
    float dryOfMixTarget = 0, dryOfStemsTarget = 0;
};

}  // namespace rtsep
