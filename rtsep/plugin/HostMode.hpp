// Whether the host says of the call that is running on this thread that it exports. Audio thread.
//
// DPF 1.6 passes this on for LV2 only (port "offline"). MainVST3.cpp and MainCLAP.cpp, which stand around DPF's own sources, read it
// from VST3's process data and from CLAP's render extension. It belongs to a call and not to an instance: a host may run several
// instances at once on several threads, and whatever it says holds from the beginning to the end of one process().
#pragma once

namespace rtsep {

// initial-exec: lies beside the thread's stack from its beginning, while the default model allocates at the first use.
#if defined(__linux__)
extern __thread bool hostExports __attribute__((tls_model("initial-exec")));
#else
extern __thread bool hostExports;
#endif

}  // namespace rtsep
