// A VST3 host that gives every output bus its own buffers, as DAWs do and pedalboard does not. Arguments: plug-in, frames, frames per
// block. Sends a ramp 1, 2, 3, … through an export and prints, per output, the frame at which it begins and its first step.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <vector>

#include <travesty/audio_processor.h>
#include <travesty/component.h>
#include <travesty/factory.h>

int main(int, char **words) {
    void *library = dlopen(words[1], RTLD_NOW);
    reinterpret_cast<bool (*)(void *)>(dlsym(library, "ModuleEntry"))(library);
    auto **factory = reinterpret_cast<v3_plugin_factory_cpp **>(reinterpret_cast<void *(*)()>(dlsym(library, "GetPluginFactory"))());
    v3_class_info kind;
    (*factory)->v1.get_class_info(factory, 0, &kind);
    v3_component_cpp **component = nullptr;
    v3_audio_processor_cpp **processor = nullptr;
    (*factory)->v1.create_instance(factory, kind.class_id, v3_component_iid, reinterpret_cast<void **>(&component));
    (*component)->base.initialize(component, nullptr);
    (*component)->query_interface(component, v3_audio_processor_iid, reinterpret_cast<void **>(&processor));

    const int32_t frames = std::atoi(words[2]), block = std::atoi(words[3]);
    const int32_t buses = (*component)->comp.get_bus_count(component, V3_AUDIO, V3_OUTPUT);
    (*component)->comp.activate_bus(component, V3_AUDIO, V3_INPUT, 0, true);
    for (int32_t bus = 0; bus < buses; ++bus)
        (*component)->comp.activate_bus(component, V3_AUDIO, V3_OUTPUT, bus, true);
    v3_process_setup setup = {V3_OFFLINE, V3_SAMPLE_32, block, 44100.0};
    (*processor)->proc.setup_processing(processor, &setup);
    (*component)->comp.set_active(component, true);
    (*processor)->proc.set_processing(processor, true);

    std::vector<float> in(frames), out(2 * buses * frames, -1.0f);
    for (int32_t t = 0; t < frames; ++t)
        in[t] = float(t + 1);
    for (int32_t t = 0; t < frames; t += block) {
        float *inputs[2] = {&in[t], &in[t]};
        std::vector<float *> rows;
        for (int32_t row = 0; row < 2 * buses; ++row)
            rows.push_back(&out[row * frames + t]);
        v3_audio_bus_buffers input{}, outputs[16]{};
        input.num_channels = 2;
        input.channel_buffers_32 = inputs;
        for (int32_t bus = 0; bus < buses; ++bus) {
            outputs[bus].num_channels = 2;
            outputs[bus].channel_buffers_32 = &rows[2 * bus];
        }
        v3_process_data data{};
        data.process_mode = V3_OFFLINE;
        data.symbolic_sample_size = V3_SAMPLE_32;
        data.nframes = block;
        data.num_input_buses = 1;
        data.num_output_buses = buses;
        data.inputs = &input;
        data.outputs = outputs;
        (*processor)->proc.process(processor, &data);
    }
    const uint32_t latency = (*processor)->proc.get_latency_samples(processor);
    for (int32_t row = 0; row < 2 * buses; ++row) {
        const float *heard = &out[row * frames];
        int32_t first = 0;
        while (first < frames && heard[first] == 0.0f)
            ++first;
        std::printf("%u %d %g %g\n", latency, first, heard[first], heard[frames - 1]);
    }
    std::fflush(stdout);
    (*processor)->proc.set_processing(processor, false);
    (*component)->comp.set_active(component, false);
    std::_Exit(0);
}
