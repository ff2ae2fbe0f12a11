// The plug-in as DPF sees it: ports, parameters and state. What it does is in EngineLink.

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "DistrhoPlugin.hpp"

#include "EngineLink.hpp"
#include "HostMode.hpp"
#include "Parameters.hpp"

__thread bool rtsep::hostExports = false;
__thread bool rtsep::hostBeginsAnew = false;
__thread float *const *rtsep::hostOutputs = nullptr;

START_NAMESPACE_DISTRHO

using namespace rtsep;

namespace {

const char *const OUTPUT_NAMES[OUTPUTS / CHANNELS] = {"Mix", "Vocals", "Drums", "Bass", "Other"};
const char *const OUTPUT_SYMBOLS[OUTPUTS / CHANNELS] = {"mix", "vocals", "drums", "bass", "other"};
const char *const CONDITIONS[] = {"no engine", "loading", "running", "failed", "refused"};

enum States : uint32_t { S_MODEL, S_LATENCY, S_STATUS, STATES };
const char *const STATE_KEYS[STATES] = {"model", "latency", "status"};

}  // namespace

class RtsepPlugin : public Plugin {
public:
    RtsepPlugin() : Plugin(PARAMETERS, 0, STATES) {
        for (uint32_t i = 0; i < PARAMETERS; ++i)
            values[i] = defaultOf(i);
        setLatency(EngineLink::FIRST_LATENCY);
    }

protected:
    const char *getLabel() const override { return RTSEP_STEREO ? "rtsep_stereo" : "rtsep_stems"; }
    const char *getDescription() const override { return "Separates the track into stems with the rtsep engine."; }
    const char *getMaker() const override { return "rtsep"; }
    const char *getLicense() const override { return "GPL-3.0-or-later"; }
    uint32_t getVersion() const override { return d_version(0, 1, 0); }
    int64_t getUniqueId() const override { return RTSEP_STEREO ? d_cconst('R', 't', 's', 'S') : d_cconst('R', 't', 's', 'M'); }

    void initAudioPort(bool input, uint32_t index, AudioPort &port) override {
        const uint32_t bus = index / CHANNELS;
        const char *side = index % CHANNELS == 0 ? "L" : "R";
        port.name = String(input ? "Input" : OUTPUT_NAMES[bus]) + " " + side;
        port.symbol = String(input ? "in" : OUTPUT_SYMBOLS[bus]) + "_" + side;
        // A group is a bus: the mix is the main one, each stem has its own.
        port.groupId = input || bus == 0 ? uint32_t(kPortGroupStereo) : bus - 1;
    }

    void initPortGroup(uint32_t groupId, PortGroup &group) override {
        if (groupId >= uint32_t(SLOTS))
            return;
        group.name = OUTPUT_NAMES[groupId + 1];
        group.symbol = OUTPUT_SYMBOLS[groupId + 1];
    }

    void initParameter(uint32_t index, Parameter &parameter) override {
        const ParameterInfo &info = TABLE[index];
        if (info.kind == Kind::bypass) {
            parameter.initDesignation(kParameterDesignationBypass);
            return;
        }
        parameter.name = info.name;
        parameter.symbol = info.symbol;
        parameter.hints = kParameterIsAutomatable;
        parameter.ranges = ParameterRanges(defaultOf(index), 0.0f, 1.0f);
        switch (info.kind) {
        case Kind::level:
            parameter.unit = "dB";
            parameter.ranges = ParameterRanges(0.0f, SILENCE_DB, MAX_GAIN_DB);
            break;
        case Kind::flag:
            parameter.hints |= kParameterIsBoolean;
            break;
        case Kind::number:
            parameter.hints |= kParameterIsInteger;
            parameter.ranges.max = MAX_TIER;
            break;
        case Kind::condition:
            parameter.hints = kParameterIsOutput | kParameterIsInteger;
            parameter.ranges.max = float(BRIDGE_REFUSED);
            parameter.enumValues.count = uint8_t(BRIDGE_REFUSED + 1);
            parameter.enumValues.values = new ParameterEnumerationValue[BRIDGE_REFUSED + 1];
            for (int64_t i = 0; i <= BRIDGE_REFUSED; ++i)
                parameter.enumValues.values[i] = ParameterEnumerationValue(float(i), CONDITIONS[i]);
            break;
        case Kind::count:
            parameter.hints = kParameterIsOutput | kParameterIsInteger;
            parameter.ranges.max = 1e6f;
            break;
        case Kind::share:
        case Kind::bypass:
            break;
        }
    }

    void initState(uint32_t index, State &state) override {
        state.key = STATE_KEYS[index];
        state.label = STATE_KEYS[index];
        state.hints = index == S_MODEL ? kStateIsHostWritable : index == S_STATUS ? kStateIsHostReadable : kStateIsOnlyForDSP;
    }

    String getState(const char *key) const override {
        if (std::strcmp(key, STATE_KEYS[S_MODEL]) == 0)
            return String(link.model().c_str());
        if (std::strcmp(key, STATE_KEYS[S_STATUS]) == 0)
            return String(link.message().c_str());
        return String(std::to_string(link.latency()).c_str());
    }

    void setState(const char *key, const char *value) override {
        if (std::strcmp(key, STATE_KEYS[S_MODEL]) == 0) {
            link.chooseModel(value);
        } else if (std::strcmp(key, STATE_KEYS[S_LATENCY]) == 0) {
            const long frames = std::strtol(value, nullptr, 10);
            if (frames > 0 && frames < PLUGIN_CAPACITY / 2 && !active) {
                link.rememberLatency(frames);
                setLatency(uint32_t(frames));
            }
        }
    }

    float getParameterValue(uint32_t index) const override {
        if (index == P_ENGINE)
            return float(link.state());
        if (index == P_LATE)
            return float(link.lateHops());
        return values[index];
    }

    void setParameterValue(uint32_t index, float value) override { values[index] = value; }

    void activate() override {
        active = true;
        link.activate(int64_t(getSampleRate() + 0.5), int64_t(getBufferSize()));
        setLatency(uint32_t(link.latency()));
        const std::string said = link.message();
        if (!said.empty())
            d_stderr("rtsep: %s", said.c_str());
    }

    void run(const float **inputs, float **outputs, uint32_t frames) override {
        Faders faders;
        for (uint32_t s = 0; s < SLOTS; ++s) {
            faders.gain[s] = gainOf(values[PER_STEM * s]);
            faders.mute[s] = values[PER_STEM * s + 1] > 0.5f;
            faders.solo[s] = values[PER_STEM * s + 2] > 0.5f;
        }
        faders.master = gainOf(values[P_MASTER]);
        faders.wet = values[P_WET];
        faders.bypass = values[P_BYPASS] > 0.5f;
        if (hostBeginsAnew) {
            hostBeginsAnew = false;
            link.beginStream();
        }
        const bool offline = hostExports || values[P_OFFLINE] > 0.5f;
        float *const *wanted = hostOutputs ? hostOutputs : outputs;
        for (uint32_t done = 0; done < frames;) {
            const uint32_t n = std::min<uint32_t>(frames - done, MAX_BLOCK);
            const float *in[CHANNELS] = {inputs[0] + done, inputs[1] + done};
            float *out[OUTPUTS];
            for (uint32_t row = 0; row < OUTPUTS; ++row)
                out[row] = row < DISTRHO_PLUGIN_NUM_OUTPUTS && wanted[row] ? wanted[row] + done : unheard[row];
            link.process(in, out, n, faders, int64_t(values[P_TIER] + 0.5f), offline);
            done += n;
        }
        setLatency(uint32_t(link.latency()));
    }

private:
    EngineLink link;
    std::atomic<float> values[PARAMETERS];
    bool active = false;
    float unheard[OUTPUTS][MAX_BLOCK] = {};  // rows that nobody wants

    DISTRHO_DECLARE_NON_COPYABLE_WITH_LEAK_DETECTOR(RtsepPlugin)
};

Plugin *createPlugin() { return new RtsepPlugin(); }

END_NAMESPACE_DISTRHO
