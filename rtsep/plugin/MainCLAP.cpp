// DPF's CLAP plug-in, and what it leaves out (see HostMode.hpp): the extension clap.render, by which a host says that it exports, and
// reset(), by which it says that what comes does not go on from what came.
//
// DPF's plug-in is a table of functions in memory that its own destroy() frees; here it lies at the beginning of a larger piece of
// memory, with three of its entries replaced.

#define clap_entry dpfEntry
#include "DistrhoPluginMain.cpp"
#undef clap_entry

#include "HostMode.hpp"

START_NAMESPACE_DISTRHO

namespace {

// As in CLAP's ext/render.h, which DPF does not carry.
constexpr char RENDER[] = "clap.render";
constexpr int32_t RENDER_OFFLINE = 1;

struct Render {
    bool(CLAP_ABI *has_hard_realtime_requirement)(const clap_plugin_t *plugin);
    bool(CLAP_ABI *set)(const clap_plugin_t *plugin, int32_t mode);
};

struct Hosted {
    clap_plugin_t plugin;
    bool exports;     // written by the main thread, read by the audio thread
    bool beginsAnew;  // audio thread: reset() was called and is not yet obeyed
};

Hosted *hostedOf(const clap_plugin_t *plugin) { return reinterpret_cast<Hosted *>(const_cast<clap_plugin_t *>(plugin)); }

const Render render = {
    [](const clap_plugin_t *) { return false; },
    [](const clap_plugin_t *plugin, int32_t mode) {
        __atomic_store_n(&hostedOf(plugin)->exports, mode == RENDER_OFFLINE, __ATOMIC_RELAXED);
        return true;
    }};

void CLAP_ABI reset(const clap_plugin_t *plugin) { hostedOf(plugin)->beginsAnew = true; }

clap_process_status CLAP_ABI process(const clap_plugin_t *plugin, const clap_process_t *data) {
    Hosted *hosted = hostedOf(plugin);
    rtsep::hostExports = __atomic_load_n(&hosted->exports, __ATOMIC_RELAXED);
    rtsep::hostBeginsAnew = hosted->beginsAnew;
    const clap_process_status status = clap_plugin_process(plugin, data);
    hosted->beginsAnew = rtsep::hostBeginsAnew;  // a call without frames does not get to it
    return status;
}

const void *CLAP_ABI getExtension(const clap_plugin_t *plugin, const char *name) {
    return std::strcmp(name, RENDER) == 0 ? &render : clap_plugin_get_extension(plugin, name);
}

const clap_plugin_t *CLAP_ABI create(const clap_plugin_factory_t *factory, const clap_host_t *host, const char *id) {
    const clap_plugin_t *made = clap_create_plugin(factory, host, id);
    auto *hosted = made ? static_cast<Hosted *>(std::malloc(sizeof(Hosted))) : nullptr;
    if (hosted == nullptr)
        return made;
    *hosted = {*made, false, false};
    hosted->plugin.reset = reset;
    hosted->plugin.process = process;
    hosted->plugin.get_extension = getExtension;
    std::free(const_cast<clap_plugin_t *>(made));
    return &hosted->plugin;
}

const clap_plugin_factory_t factory = {clap_get_plugin_count, clap_get_plugin_descriptor, create};

const void *CLAP_ABI getFactory(const char *id) {
    return std::strcmp(id, CLAP_PLUGIN_FACTORY_ID) == 0 ? &factory : nullptr;
}

}  // namespace

END_NAMESPACE_DISTRHO

DISTRHO_PLUGIN_EXPORT
const clap_plugin_entry_t clap_entry = {CLAP_VERSION, DISTRHO_NAMESPACE::clap_plugin_entry_init,
                                        DISTRHO_NAMESPACE::clap_plugin_entry_deinit, DISTRHO_NAMESPACE::getFactory};
