// DPF's VST3 plug-in, and what it leaves out (see HostMode.hpp): process_mode, by which a host says that it exports, and every output
// bus but the first.
//
// Interfaces of DPF's VST3 objects are tables of functions in the objects themselves, so one entry of each is replaced as it comes
// into being: the factory's create_instance, the component's query_interface, the processor's process.

#define GetPluginFactory dpfPluginFactory
#include "DistrhoPluginMain.cpp"
#undef GetPluginFactory

#include <algorithm>

#include "HostMode.hpp"

START_NAMESPACE_DISTRHO

namespace {

constexpr int32_t SIDES = 2;
constexpr int32_t BUSES = DISTRHO_PLUGIN_NUM_OUTPUTS / SIDES;

v3_result V3_API process(void *self, v3_process_data *data) {
    float *outputs[BUSES * SIDES] = {};
    for (int32_t bus = 0; data->outputs != nullptr && bus < std::min(data->num_output_buses, BUSES); ++bus) {
        v3_audio_bus_buffers &wanted = data->outputs[bus];
        wanted.channel_silence_bitset = 0;
        for (int32_t side = 0; wanted.channel_buffers_32 != nullptr && side < std::min(wanted.num_channels, SIDES); ++side)
            outputs[SIDES * bus + side] = wanted.channel_buffers_32[side];
    }
    rtsep::hostOutputs = outputs;
    rtsep::hostExports = data->process_mode == V3_OFFLINE;
    const v3_result result = dpf_audio_processor::process(self, data);
    rtsep::hostOutputs = nullptr;
    return result;
}

v3_result V3_API queryInterface(void *self, const v3_tuid iid, void **found) {
    const v3_result result = dpf_component::query_interface_component(self, iid, found);
    if (result == V3_OK && v3_tuid_match(iid, v3_audio_processor_iid))
        (*static_cast<dpf_audio_processor **>(*found))->proc.process = process;
    return result;
}

v3_result V3_API createInstance(void *self, const v3_tuid kind, const v3_tuid iid, void **made) {
    const v3_result result = dpf_factory::create_instance(self, kind, iid, made);
    if (result == V3_OK && v3_tuid_match(kind, *reinterpret_cast<const v3_tuid *>(&dpf_tuid_class)))
        (*static_cast<dpf_component **>(*made))->query_interface = queryInterface;
    return result;
}

}  // namespace

END_NAMESPACE_DISTRHO

DISTRHO_PLUGIN_EXPORT
const void *GetPluginFactory(void);

const void *GetPluginFactory(void) {
    USE_NAMESPACE_DISTRHO
    const void *factory = dpfPluginFactory();
    (*static_cast<dpf_factory *const *>(factory))->v1.create_instance = createInstance;
    return factory;
}
