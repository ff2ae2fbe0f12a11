#include "EngineLink.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#ifdef _WIN32
#include <process.h>
#define getpid _getpid
#else
#include <unistd.h>
#endif

namespace rtsep {

namespace {

constexpr int64_t MASK = PLUGIN_CAPACITY - 1;
constexpr double ANSWER_S = 5.0;   // a bridge that runs answers within a hundredth of this, on an idle machine
constexpr double START_S = 8.0;    // a bridge that was just started has to load Python first: 0.2 s
constexpr auto POLL = std::chrono::microseconds(20);

// -ffast-math of the framework would remove std::isfinite; the exponent cannot lie.
bool finite(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return (bits & 0x7f800000u) != 0x7f800000u;
}

std::string text(const int64_t *words, int64_t count) {
    const char *bytes = reinterpret_cast<const char *>(words);
    return std::string(bytes, strnlen(bytes, size_t(8 * count)));
}

}  // namespace

bool EngineLink::open(int64_t rate) {
    problem = segment.create();
    if (!problem.empty())
        return false;
    shared = segment.view();
    shared.header[VERSION_WORD] = VERSION;
    shared.header[RATE] = rate;
    shared.header[HOP] = layout.hop;
    shared.header[LATENCY] = layout.latency;
    shared.header[CAPACITY] = PLUGIN_CAPACITY;
    shared.header[STEM_MASK] = layout.stemMask;
    shared.header[END] = -1;
    shared.header[HOST_PID] = getpid();
    std::fill(shared.params, shared.params + SLOTS, 1.0f);
    shared.params[MASTER] = 1.0f;
    sendModel();
    shared.set(MAGIC_WORD, MAGIC);
    problem = segment.publish();
    if (!problem.empty())
        segment.close();
    return problem.empty();
}

void EngineLink::activate(int64_t rate, int64_t longestBlock) {
    if (layout.latency == 0)
        layout.latency = FIRST_LATENCY;
    if (!segment.exists() && !open(rate)) {
        layout.latency = 0;
        shownState = BRIDGE_FAILED;
        return;
    }
    if (shared.header[RATE] != rate || shared.header[HOST_BLOCK] != longestBlock) {
        shared.set(RATE, rate);
        shared.set(HOST_BLOCK, longestBlock);
        ask();
    }
    place = meetingPlace(problem);
    if (bridgeRuns(place)) {
        awaitLayout(ANSWER_S);
    } else if (startBridge(place)) {
        startedAt = Patience::now();
        awaitLayout(START_S);
    }
    adoptLayout();
    beginStream();
}

// Asks the bridge for a layout that fits what the header says now. Any thread.
void EngineLink::ask() { __atomic_fetch_add(shared.header + HOST_REQUEST, 1, __ATOMIC_RELEASE); }

void EngineLink::awaitLayout(double seconds) {
    const double until = Patience::now() + seconds;
    const auto answered = [&] { return shared.get(LAYOUT_FOR) == shared.get(HOST_REQUEST) || shared.get(BRIDGE_STATE) == BRIDGE_REFUSED; };
    while (!answered() && Patience::now() < until)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

// Takes the bridge's layout if it is new and whole; else the present one stays. Any one thread at a time.
void EngineLink::adoptLayout() {
    const int64_t count = shared.get(LAYOUT_COUNT);
    if (count == seenLayout || count % 2 != 0)
        return;
    const Layout fresh{shared.get(HOP), shared.get(MODEL_LATENCY), shared.get(LATENCY), shared.get(STEM_MASK)};
    if (shared.get(LAYOUT_COUNT) == count && fresh.hop > 0 && fresh.stemMask != 0) {
        layout = fresh;
        seenLayout = count;
    }
}

// The stream begins with the next hop, so that the model need not forget in the middle of one.
void EngineLink::beginStream() {
    if (!segment.exists())
        return;
    const int64_t old = shared.get(IN_W);
    const int64_t start = (old + layout.hop - 1) / layout.hop * layout.hop;
    for (float *ring : shared.source)
        for (int64_t t = old; t < start; ++t)
            ring[t & MASK] = 0.0f;
    shared.set(ORIGIN, start);
    shared.set(RESET_HOP, start / layout.hop);
    shared.set(OUT_POS, start);
    shared.set(IN_W, start);
    segment.wake();
    mixer.reset();
}

void EngineLink::listen(const float *const *in, int64_t n) {
    const int64_t start = shared.header[IN_W];
    for (int64_t c = 0; c < CHANNELS; ++c)
        for (int64_t k = 0; k < n; ++k) {
            float value = in[c][k];
            if (!finite(value)) {
                value = 0.0f;
                ++shared.header[BAD_INPUT];
            }
            shared.source[c][(start + k) & MASK] = value;
        }
    shared.set(IN_W, start + n);
    if ((start + n) / layout.hop != start / layout.hop)
        segment.wake();
}

void EngineLink::waitForModel(int64_t n, bool offline) {
    double began = -1;
    while (true) {
        adoptLayout();  // the model may change while it is waited for
        const int64_t last = shared.header[OUT_POS] + n - 1 - layout.latency;
        const int64_t needed = (last + layout.modelLatency) / layout.hop;
        const int64_t epoch = shared.get(EPOCH), next = shared.get(NEXT_HOP);
        const bool running = epoch > 0 && shared.get(READY) == epoch;
        if (last < shared.header[ORIGIN] || (running && next > needed) || next == gaveUpAt)
            return;
        const double now = Patience::now();
        began = began < 0 ? now : began;
        const bool expected = startedAt > 0 && now - startedAt < Patience::OFFLINE_S && shared.get(BRIDGE_PID) == 0;
        const bool alive = patience.bridgeLives(shared.get(BRIDGE_BEAT), offline) || expected;
        const bool wanted = shared.get(BRIDGE_STATE) < BRIDGE_FAILED;
        const double limit = patience.seconds(offline, alive && wanted, running);
        if (now - began >= limit) {
            if (limit > 0)
                gaveUpAt = next;
            return;
        }
        std::this_thread::sleep_for(POLL);
    }
}

void EngineLink::process(const float *const *in, float *const *out, int64_t n, const Faders &faders, int64_t tier, bool offline) {
    if (!segment.exists()) {  // no memory to delay in: the host was told no latency either
        for (int64_t row = CHANNELS; row < OUTPUTS; ++row)
            std::fill(out[row], out[row] + n, 0.0f);
        for (int64_t c = 0; c < CHANNELS; ++c)
            std::copy(in[c], in[c] + n, out[c]);
        return;
    }
    const double rate = double(shared.header[RATE]);
    patience.block(double(n) / rate, double(std::max(n, shared.header[HOST_BLOCK])) / rate);
    if (tier != sentTier) {
        sentTier = tier;
        shared.set(HOST_TIER, tier);
        ask();
    }
    std::copy(faders.gain, faders.gain + SLOTS, shared.params + GAIN);  // for the bridge to show
    std::copy(faders.mute, faders.mute + SLOTS, shared.params + MUTE);
    std::copy(faders.solo, faders.solo + SLOTS, shared.params + SOLO);
    shared.params[MASTER] = faders.master;
    const bool lives = patience.bridgeLives(shared.get(BRIDGE_BEAT), offline);
    const int64_t told = shared.get(BRIDGE_STATE);  // a bridge of another version says that it refuses, and nothing ever after
    shownState = lives || told == BRIDGE_REFUSED ? told : BRIDGE_ABSENT;
    shared.set(FREEWHEEL, offline);
    listen(in, n);
    waitForModel(n, offline);
    mixer.render(shared, layout, faders, shared.header[OUT_POS], out, n);
    shared.set(OUT_POS, shared.header[OUT_POS] + n);
    ++shared.header[CYCLES];
}

void EngineLink::sendModel() {
    char *bytes = reinterpret_cast<char *>(shared.header + HOST_MODEL);
    std::strncpy(bytes, wantedModel.c_str(), 8 * HOST_MODEL_WORDS - 1);
}

void EngineLink::chooseModel(const std::string &name) {
    if (name == wantedModel)
        return;
    wantedModel = name;
    if (segment.exists()) {
        sendModel();
        ask();
    }
}

std::string EngineLink::message() const {
    if (!problem.empty())
        return problem;
    if (!segment.exists())
        return "";
    const int64_t spoken = shared.get(BRIDGE_VERSION);
    if (spoken != 0 && spoken != VERSION)
        return "The engine speaks version " + std::to_string(spoken) + " of the segment and this plug-in version " +
               std::to_string(VERSION) + ": build the plug-in anew with tools/build_plugin, then load the project again.";
    if (spoken == 0 || (shared.header[CYCLES] > 0 && shownState == BRIDGE_ABSENT))
        return "No engine yet: the input passes through with the same delay. Start one with: rtsep bridge";
    return text(shared.header + MESSAGE, MESSAGE_WORDS);
}

}  // namespace rtsep
