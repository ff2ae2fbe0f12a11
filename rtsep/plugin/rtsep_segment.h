// The memory that a plug-in instance shares with `rtsep bridge` and its inference process.
//
// This is the C++ side of `rtsep/realtime/layout.py`, which explains every word; `tests/plugin/test_protocol.py` compares the two name
// by name. The plug-in makes the file (mode 0600), holds a lock on it as long as it lives and removes it when it goes; the bridge
// opens it. Words are 64 bit. Each has one writer, named in layout.py; words that hand over data are stored with release and loaded
// with acquire order.
//
//   header[HEADER_WORDS] int64 | tags[TAGS] int64 | params[PARAMS] float | meters[METERS] float
//   source[CHANNELS][capacity] float | stems[CHANNELS * SLOTS][capacity] float | played[OUTPUTS][PLAYED] float (unused by plug-ins)
//
// Rings are indexed by absolute frame number modulo the capacity. Handshake:
//   1. plug-in: fills the header, MAGIC_WORD last, then gives the file its final name; asks with HOST_REQUEST + 1;
//   2. bridge: BRIDGE_VERSION; if versions agree LAYOUT_COUNT + 1, the layout, LAYOUT_FOR = HOST_REQUEST, LAYOUT_COUNT + 1;
//   3. audio: source and IN_W by the plug-in, semaphore WAKE at each hop edge, stems and tags by the inference process.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rtsep {

constexpr int64_t CHANNELS = 2;
constexpr int64_t SLOTS = 4;
constexpr int64_t OUTPUTS = 10;
constexpr int64_t MAGIC = 0x7274736570303031;
constexpr int64_t VERSION = 1;

constexpr int64_t HEADER_WORDS = 512;
constexpr int64_t TAGS = 4096;
constexpr int64_t PARAMS = 128;
constexpr int64_t METERS = 16;
constexpr int64_t PLAYED = 65536;
constexpr int64_t PLUGIN_CAPACITY = 262144;
constexpr int64_t MAX_BLOCK = 8192;

constexpr int64_t IN_W = 0;
constexpr int64_t OUT_POS = 8;
constexpr int64_t CYCLES = 9;
constexpr int64_t LATE_HOPS = 10;
constexpr int64_t DRY_FRAMES = 11;
constexpr int64_t SEPARATED = 12;
constexpr int64_t BAD_INPUT = 13;
constexpr int64_t NEXT_HOP = 16;
constexpr int64_t READY = 18;
constexpr int64_t FIRST_HOP = 25;
constexpr int64_t MAGIC_WORD = 32;
constexpr int64_t VERSION_WORD = 33;
constexpr int64_t RATE = 34;
constexpr int64_t HOP = 35;
constexpr int64_t MODEL_LATENCY = 36;
constexpr int64_t LATENCY = 37;
constexpr int64_t CAPACITY = 38;
constexpr int64_t EPOCH = 39;
constexpr int64_t FREEWHEEL = 40;
constexpr int64_t STOP = 41;
constexpr int64_t STEM_MASK = 43;
constexpr int64_t END = 44;
constexpr int64_t WAKE = 64;

constexpr int64_t HOST_PID = 256;
constexpr int64_t HOST_REQUEST = 257;
constexpr int64_t HOST_BLOCK = 258;
constexpr int64_t HOST_TIER = 259;
constexpr int64_t ORIGIN = 260;
constexpr int64_t RESET_HOP = 261;
constexpr int64_t BRIDGE_VERSION = 264;
constexpr int64_t BRIDGE_PID = 265;
constexpr int64_t BRIDGE_BEAT = 266;
constexpr int64_t LAYOUT_COUNT = 267;
constexpr int64_t LAYOUT_FOR = 268;
constexpr int64_t BRIDGE_STATE = 269;
constexpr int64_t HOST_MODEL = 272;
constexpr int64_t HOST_MODEL_WORDS = 8;
constexpr int64_t MESSAGE = 288;
constexpr int64_t MESSAGE_WORDS = 64;

constexpr int64_t BRIDGE_ABSENT = 0;
constexpr int64_t BRIDGE_LOADING = 1;
constexpr int64_t BRIDGE_RUNNING = 2;
constexpr int64_t BRIDGE_FAILED = 3;
constexpr int64_t BRIDGE_REFUSED = 4;

constexpr int64_t GAIN = 0;
constexpr int64_t MUTE = 4;
constexpr int64_t SOLO = 8;
constexpr int64_t MASTER = 12;

constexpr int64_t FADE = 1024;
constexpr int64_t RAMP_MS = 5;
constexpr int64_t HOLD_MS = 200;

constexpr size_t TAGS_OFFSET = 8 * HEADER_WORDS;
constexpr size_t PARAMS_OFFSET = TAGS_OFFSET + 8 * TAGS;
constexpr size_t METERS_OFFSET = PARAMS_OFFSET + 4 * PARAMS;
constexpr size_t SOURCE_OFFSET = METERS_OFFSET + 4 * METERS;
constexpr size_t STEMS_OFFSET = SOURCE_OFFSET + 4 * CHANNELS * PLUGIN_CAPACITY;
constexpr size_t SEGMENT_BYTES = STEMS_OFFSET + 4 * CHANNELS * SLOTS * PLUGIN_CAPACITY + 4 * OUTPUTS * PLAYED;

inline int64_t load(const int64_t *word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
inline void store(int64_t *word, int64_t value) { __atomic_store_n(word, value, __ATOMIC_RELEASE); }

// A mapped segment as typed rows; owns nothing.
struct View {
    int64_t *header = nullptr;
    int64_t *tags = nullptr;
    float *params = nullptr;
    float *source[CHANNELS] = {};
    float *stems[CHANNELS * SLOTS] = {};

    View() = default;

    explicit View(void *memory) {
        char *base = static_cast<char *>(memory);
        header = reinterpret_cast<int64_t *>(base);
        tags = reinterpret_cast<int64_t *>(base + TAGS_OFFSET);
        params = reinterpret_cast<float *>(base + PARAMS_OFFSET);
        for (int64_t c = 0; c < CHANNELS; ++c)
            source[c] = reinterpret_cast<float *>(base + SOURCE_OFFSET) + c * PLUGIN_CAPACITY;
        for (int64_t row = 0; row < CHANNELS * SLOTS; ++row)
            stems[row] = reinterpret_cast<float *>(base + STEMS_OFFSET) + row * PLUGIN_CAPACITY;
    }

    int64_t get(int64_t word) const { return load(header + word); }
    void set(int64_t word, int64_t value) { store(header + word, value); }
};

}  // namespace rtsep
