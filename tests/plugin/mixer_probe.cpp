// The plug-in's mixer behind plain C calls, for test_plugin_mixer.py.
#include "Mixer.hpp"

extern "C" {

void *probe_new() { return new rtsep::Mixer; }

void probe_delete(void *mixer) { delete static_cast<rtsep::Mixer *>(mixer); }

// faders: 4 gains, 4 mutes, 4 solos, master, wet, bypass. out: OUTPUTS rows of n frames.
void probe_render(void *mixer, void *memory, const int64_t *layout, const float *faders, int64_t position, float *out, int64_t n) {
    rtsep::View view(memory);
    rtsep::Faders wanted;
    for (int s = 0; s < 4; ++s) {
        wanted.gain[s] = faders[s];
        wanted.mute[s] = faders[4 + s] > 0;
        wanted.solo[s] = faders[8 + s] > 0;
    }
    wanted.master = faders[12];
    wanted.wet = faders[13];
    wanted.bypass = faders[14] > 0;
    float *rows[rtsep::OUTPUTS];
    for (int64_t row = 0; row < rtsep::OUTPUTS; ++row)
        rows[row] = out + row * n;
    static_cast<rtsep::Mixer *>(mixer)->render(view, {layout[0], layout[1], layout[2], layout[3]}, wanted, position, rows, n);
}
}
