// What the host says of the call that is running on this thread: that it exports, that the stream begins anew, where outputs go.
// Audio thread.
//
// DPF 1.6 passes the first on for LV2 only (port "offline"), the second, CLAP's reset(), not at all, and of a VST3's outputs the first
// bus. MainVST3.cpp and MainCLAP.cpp, which stand around DPF's own sources, read them from VST3's process data, from CLAP's render
// extension and from its reset(). They belong to a call and not to an instance: a host may run several instances at once on several
// threads, and whatever it says holds from the beginning to the end of one process().
#pragma once

// initial-exec: lies beside the thread's stack from its beginning, while the default model allocates at the first use.
#if defined(__linux__)
#define RTSEP_OF_THIS_CALL __attribute__((tls_model("initial-exec")))
#else
#define RTSEP_OF_THIS_CALL
#endif

namespace rtsep {

extern __thread bool hostExports RTSEP_OF_THIS_CALL;

// Cleared by whoever obeys it.
extern __thread bool hostBeginsAnew RTSEP_OF_THIS_CALL;

// One address per output of the plug-in, null for those that the host does not want; null where DPF's own are right.
extern __thread float *const *hostOutputs RTSEP_OF_THIS_CALL;

}  // namespace rtsep
