// A CLAP host whose only purpose is to catch what an audio thread must not do. Arguments: plug-in, blocks, frames per block.
//
// It defines malloc and its kin, pthread_mutex_lock and open itself, so that calls from the plug-in come here as well, and counts them
// while the plug-in's process() runs. Prints "allocations locks files".
#include <clap/entry.h>
#include <clap/ext/latency.h>
#include <clap/plugin-factory.h>

#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/types.h>
#include <vector>

static thread_local bool audio = false;
static std::atomic<int> allocations{0}, locks{0}, files{0};

extern "C" {
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void __libc_free(void *);

void *malloc(size_t n) { allocations += audio; return __libc_malloc(n); }
void *calloc(size_t n, size_t m) { allocations += audio; return __libc_calloc(n, m); }
void *realloc(void *p, size_t n) { allocations += audio; return __libc_realloc(p, n); }
void free(void *p) { allocations += audio && p; __libc_free(p); }

int pthread_mutex_lock(pthread_mutex_t *mutex) {
    static auto real = reinterpret_cast<int (*)(pthread_mutex_t *)>(dlsym(RTLD_NEXT, "pthread_mutex_lock"));
    locks += audio;
    return real(mutex);
}

int open(const char *path, int flags, ...) {
    static auto real = reinterpret_cast<int (*)(const char *, int, mode_t)>(dlsym(RTLD_NEXT, "open"));
    files += audio;
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return real(path, flags, mode);
}
}

static const void *extension(const clap_host *, const char *name) {
    static const clap_host_latency latency = {[](const clap_host *) {}};
    return std::strcmp(name, CLAP_EXT_LATENCY) == 0 ? &latency : nullptr;
}

int main(int, char **words) {
    void *library = dlopen(words[1], RTLD_NOW);
    const auto *entry = static_cast<const clap_plugin_entry *>(dlsym(library, "clap_entry"));
    entry->init(words[1]);
    const auto *factory = static_cast<const clap_plugin_factory *>(entry->get_factory(CLAP_PLUGIN_FACTORY_ID));
    const auto ignore = [](const clap_host *) {};
    const clap_host host = {CLAP_VERSION, nullptr, "probe", "", "", "1", extension, ignore, ignore, ignore};
    const clap_plugin *plugin = factory->create_plugin(factory, &host, factory->get_plugin_descriptor(factory, 0)->id);
    const uint32_t n = uint32_t(std::atoi(words[3]));
    plugin->init(plugin);
    plugin->activate(plugin, 44100, 1, n);
    plugin->start_processing(plugin);

    std::vector<float> sound(12 * n, 0.25f);
    float *in[2] = {&sound[0], &sound[n]};
    float *out[10];
    for (uint32_t row = 0; row < 10; ++row)
        out[row] = &sound[(2 + row) * n];
    const clap_audio_buffer input = {in, nullptr, 2, 0, 0};
    clap_audio_buffer outputs[5];
    for (uint32_t bus = 0; bus < 5; ++bus)
        outputs[bus] = {out + 2 * bus, nullptr, 2, 0, 0};
    clap_event_param_value change = {{sizeof change, 0, 0, CLAP_EVENT_PARAM_VALUE, 0}, 0, nullptr, -1, -1, -1, -1, 0.0};
    const clap_input_events events = {
        &change, [](const clap_input_events *) { return 1u; },
        [](const clap_input_events *list, uint32_t) -> const clap_event_header * {
            return &static_cast<clap_event_param_value *>(list->ctx)->header;
        }};
    const clap_output_events told = {nullptr, [](const clap_output_events *, const clap_event_header *) { return true; }};
    for (int block = 0; block < std::atoi(words[2]); ++block) {
        change.param_id = clap_id(block % 17);  // every input parameter in turn, "Offline" and "Tier" too
        change.value = block / 17 % 2;
        const clap_process process = {int64_t(block) * n, n, nullptr, &input, outputs, 1, 5, &events, &told};
        audio = true;
        if (block % 100 == 50)
            plugin->reset(plugin);
        plugin->process(plugin, &process);
        audio = false;
    }
    std::printf("%d %d %d\n", allocations.load(), locks.load(), files.load());
    plugin->stop_processing(plugin);
    plugin->deactivate(plugin);
    plugin->destroy(plugin);
}
