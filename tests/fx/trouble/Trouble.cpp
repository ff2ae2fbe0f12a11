// A delay of 64 frames with a volume that it remembers in its state only: "learn" takes it over from "level".
// The parameter "trouble" makes it crash, hang and the like, from the next block on.

#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "DistrhoPlugin.hpp"

START_NAMESPACE_DISTRHO

namespace {

enum Parameters : uint32_t { P_TROUBLE, P_LEVEL, P_LEARN, PARAMETERS };
enum Troubles { NONE, CRASH, NOT_A_NUMBER, SLOW, LATER, HANG, CRASH_IN_A_THREAD, TROUBLES };
constexpr uint32_t LATENCY = 64, MORE_LATENCY = 256;

void crash() { std::raise(SIGSEGV); }

void crashSoon() {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    crash();
}

}  // namespace

class Trouble : public Plugin {
public:
    Trouble() : Plugin(PARAMETERS, 0, 1) { setLatency(LATENCY); }

protected:
    const char *getLabel() const override { return "Trouble"; }
    const char *getDescription() const override { return "Makes trouble when told to."; }
    const char *getMaker() const override { return "rtsep"; }
    const char *getLicense() const override { return "GPL-3.0-or-later"; }
    uint32_t getVersion() const override { return d_version(1, 0, 0); }
    int64_t getUniqueId() const override { return d_cconst('R', 't', 's', 'T'); }

    void initParameter(uint32_t index, Parameter &parameter) override {
        static const char *const NAMES[PARAMETERS] = {"trouble", "level", "learn"};
        parameter.name = parameter.symbol = NAMES[index];
        parameter.hints = kParameterIsAutomatable | (index == P_TROUBLE ? kParameterIsInteger : 0);
        parameter.ranges.min = 0.0f;
        parameter.ranges.max = index == P_TROUBLE ? TROUBLES - 1 : 1.0f;
        parameter.ranges.def = index == P_LEVEL ? 1.0f : 0.0f;
    }

    void initState(uint32_t, State &state) override {
        state.key = "memory";
        state.defaultValue = "1";
    }

    void setState(const char *, const char *value) override { memory = value; }
    String getState(const char *) const override { return String(memory.c_str()); }
    float getParameterValue(uint32_t index) const override { return values[index]; }

    void setParameterValue(uint32_t index, float value) override {
        values[index] = value;
        if (index == P_TROUBLE)
            setLatency(trouble() == LATER ? MORE_LATENCY : LATENCY);
    }

    void activate() override {
        for (auto &line : lines)
            line.assign(MORE_LATENCY, 0.0f);
    }

    void run(const float **inputs, float **outputs, uint32_t frames) override {
        switch (trouble()) {
        case CRASH: crash(); break;
        case SLOW: std::this_thread::sleep_for(std::chrono::milliseconds(60)); break;
        case HANG: std::this_thread::sleep_for(std::chrono::hours(1)); break;
        case CRASH_IN_A_THREAD: std::thread(crashSoon).detach(); break;
        default: break;
        }
        if (values[P_LEARN] > 0.5f)
            memory = std::to_string(values[P_LEVEL]);
        const float gain = trouble() == NOT_A_NUMBER ? NAN : std::strtof(memory.c_str(), nullptr);
        const uint32_t late = trouble() == LATER ? MORE_LATENCY : LATENCY;
        for (int channel = 0; channel < 2; ++channel) {
            std::vector<float> &line = lines[channel];
            for (uint32_t i = 0; i < frames; ++i) {
                line.push_back(inputs[channel][i]);
                outputs[channel][i] = gain * line[line.size() - 1 - late];
            }
            line.erase(line.begin(), line.end() - MORE_LATENCY);
        }
    }

private:
    int trouble() const { return static_cast<int>(std::lround(values[P_TROUBLE])); }

    float values[PARAMETERS] = {0.0f, 1.0f, 0.0f};
    std::string memory = "1";
    std::vector<float> lines[2] = {std::vector<float>(MORE_LATENCY), std::vector<float>(MORE_LATENCY)};

    DISTRHO_DECLARE_NON_COPYABLE_WITH_LEAK_DETECTOR(Trouble)
};

Plugin *createPlugin() { return new Trouble(); }

END_NAMESPACE_DISTRHO
