#include "Mixer.hpp"

#include <algorithm>
#include <cmath>

namespace rtsep {

namespace {
constexpr int64_t MASK = PLUGIN_CAPACITY - 1;
constexpr float FADE_STEP = 1.0f / float(FADE);

float towards(float value, float goal) {
    return value < goal ? std::min(goal, value + FADE_STEP) : std::max(goal, value - FADE_STEP);
}
}  // namespace

// Starts a ramp for every stem whose fader, mute or solo says something new.
void Mixer::aim(const Faders &faders, int64_t rate) {
    bool soloed = false;
    for (bool solo : faders.solo)
        soloed = soloed || solo;
    const int64_t length = std::max<int64_t>(1, rate * RAMP_MS / 1000);
    for (int64_t s = 0; s < SLOTS; ++s) {
        const bool silent = faders.mute[s] || (soloed && !faders.solo[s]);
        const float goal = silent ? 0.0f : faders.gain[s] * faders.master;
        if (!started) {
            gain[s] = target[s] = goal;
            ramp[s] = 0;
        } else if (goal != target[s]) {
            target[s] = goal;
            step[s] = (goal - gain[s]) / float(length);
            ramp[s] = length;
        }
    }
    dryOfMixTarget = faders.bypass ? 1.0f : 1.0f - faders.wet;
    dryOfStemsTarget = faders.bypass ? 1.0f : 0.0f;
    if (!started) {
        dryOfMix = dryOfMixTarget;
        dryOfStems = dryOfStemsTarget;
    }
}

// Gain of the dry mix: that of the loudest fader.
float Mixer::loudest() const { return std::max(0.0f, *std::max_element(gain, gain + SLOTS)); }

bool Mixer::steady() const {
    int64_t moving = offsetLeft;
    for (int64_t left : ramp)
        moving += left;
    return moving == 0 && wet == 1.0f;
}

// Remembers how far the last output is from what the new path would have played at frame `before`.
void Mixer::smoothFromHere(const View &view, const float *share, int64_t before) {
    const float there = before < view.header[ORIGIN] ? 0.0f : 1.0f;
    const float dry = (1.0f - wet) * loudest() * there;
    const int64_t p = before & MASK;
    for (int64_t s = 0; s < SLOTS; ++s)
        for (int64_t c = 0; c < CHANNELS; ++c) {
            const int64_t row = CHANNELS * s + c;
            float path = dry * share[s] * view.source[c][p];
            if (wet > 0.0f)
                path += wet * gain[s] * view.stems[row][p] * there;
            offset[row] = lastOut[row] - path;
        }
    offsetLeft = FADE;
}

// The usual case of playRun: stems are heard and nothing fades, ramps or is being smoothed.
void Mixer::playSteady(const View &view, float *const *out, int64_t first, int64_t last, int64_t tau) {
    for (int64_t c = 0; c < CHANNELS; ++c) {
        std::fill(out[c] + first, out[c] + last, 0.0f);
        for (int64_t s = SLOTS - 1; s >= 0; --s) {
            const int64_t row = CHANNELS * s + c;
            for (int64_t k = first; k < last; ++k) {
                const float value = gain[s] * view.stems[row][(tau + k - first) & MASK];
                out[CHANNELS + row][k] = value;
                out[c][k] += value;
            }
            lastOut[row] = out[CHANNELS + row][last - 1];
        }
    }
}

// Renders frames [first, last) from separated frames tau …, which all lie in one hop.
void Mixer::playRun(View &view, const float *share, float *const *out, bool present, int64_t first, int64_t last, int64_t tau) {
    if (!present && wet > 0.0f) {
        wet = 0.0f;
        smoothFromHere(view, share, tau - 1);
        hold = view.header[RATE] * HOLD_MS / 1000;
    }
    if (!present)
        view.header[DRY_FRAMES] += last - first;
    if (present && steady()) {
        playSteady(view, out, first, last, tau);
        return;
    }
    for (int64_t k = first; k < last; ++k) {
        const int64_t p = (tau + k - first) & MASK;
        for (int64_t s = 0; s < SLOTS; ++s)
            if (ramp[s] > 0) {
                gain[s] += step[s];
                if (--ramp[s] == 0)
                    gain[s] = target[s];
            }
        if (present && wet < 1.0f) {
            if (hold > 0)
                --hold;
            else
                wet = std::min(1.0f, wet + FADE_STEP);
            ++view.header[DRY_FRAMES];
        }
        float smoothing = 0.0f;
        if (offsetLeft > 0)
            smoothing = float(--offsetLeft) * FADE_STEP;
        const float dry = (1.0f - wet) * loudest();
        for (int64_t c = 0; c < CHANNELS; ++c) {
            float mix = 0.0f;
            for (int64_t s = SLOTS - 1; s >= 0; --s) {
                const int64_t row = CHANNELS * s + c;
                float value = wet > 0.0f ? gain[s] * view.stems[row][p] * wet : 0.0f;
                if (smoothing > 0.0f)
                    value += offset[row] * smoothing;
                mix += value;
                value += dry * share[s] * view.source[c][p];
                lastOut[row] = value;
                out[CHANNELS + row][k] = value;
            }
            out[c][k] = mix + dry * view.source[c][p];
        }
    }
}

// Fades between what was rendered and the delayed input, for dry/wet and bypass.
void Mixer::blend(const View &view, const float *share, float *const *out, int64_t n, int64_t tau, int64_t origin) {
    const bool idle = dryOfMix == 0.0f && dryOfMixTarget == 0.0f && dryOfStems == 0.0f && dryOfStemsTarget == 0.0f;
    for (int64_t k = 0; k < n && !idle; ++k) {
        dryOfMix = towards(dryOfMix, dryOfMixTarget);
        dryOfStems = towards(dryOfStems, dryOfStemsTarget);
        for (int64_t c = 0; c < CHANNELS; ++c) {
            const float dry = tau + k < origin ? 0.0f : view.source[c][(tau + k) & MASK];
            out[c][k] = out[c][k] * (1.0f - dryOfMix) + dry * dryOfMix;
            for (int64_t s = 0; s < SLOTS; ++s) {
                float *stem = out[CHANNELS + CHANNELS * s + c];
                stem[k] = stem[k] * (1.0f - dryOfStems) + dry * share[s] * dryOfStems;
            }
        }
    }
}

void Mixer::render(View &view, const Layout &layout, const Faders &faders, int64_t position, float *const *out, int64_t n) {
    float filled = 0.0f;
    for (int64_t s = 0; s < SLOTS; ++s)
        filled += float(layout.stemMask >> s & 1);
    float share[SLOTS];
    for (int64_t s = 0; s < SLOTS; ++s)
        share[s] = float(layout.stemMask >> s & 1) / filled;

    aim(faders, view.header[RATE]);
    const int64_t origin = view.header[ORIGIN];
    const int64_t tauFirst = position - layout.latency;
    if (!started) {
        lateHop = -1;
        wet = 1.0f;
        hold = offsetLeft = 0;
    } else if (latency != layout.latency) {
        smoothFromHere(view, share, tauFirst - 1);
    }
    latency = layout.latency;
    started = true;

    const int64_t epoch = view.get(EPOCH);
    for (int64_t k = 0; k < n;) {
        const int64_t tau = tauFirst + k;
        if (tau < origin) {  // before the music began: silence, which every model has separated already
            const int64_t end = std::min(n, k - tau + origin);
            for (int64_t row = 0; row < OUTPUTS; ++row)
                std::fill(out[row] + k, out[row] + end, 0.0f);
            std::fill(lastOut, lastOut + CHANNELS * SLOTS, 0.0f);
            std::copy(target, target + SLOTS, gain);  // nobody hears a ramp in silence
            std::fill(ramp, ramp + SLOTS, 0);
            k = end;
            continue;
        }
        const int64_t j = (tau + layout.modelLatency) / layout.hop;
        const int64_t end = std::min(n, k + (j + 1) * layout.hop - layout.modelLatency - tau);
        const bool present = load(view.tags + (j & (TAGS - 1))) == (epoch << 40 | (j + 1));
        const bool loaded = view.get(READY) == epoch && epoch > 0;
        if (!present && loaded && j >= view.get(FIRST_HOP) && lateHop != j) {
            lateHop = j;
            ++view.header[LATE_HOPS];
        }
        playRun(view, share, out, present, k, end, tau);
        if (!present && !loaded)
            hold = 0;  // the model is still loading: its first stems need not prove themselves
        k = end;
    }
    blend(view, share, out, n, tauFirst, origin);
    view.set(SEPARATED, wet > 0.0f ? 1 : 0);
}

}  // namespace rtsep
