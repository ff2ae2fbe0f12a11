// What the plug-in is called, for DPF. Two plug-ins come from this source: RTSEP_STEREO=1 is the one for hosts without multiple outputs.
#pragma once

#define DISTRHO_PLUGIN_BRAND "rtsep"
#define DISTRHO_PLUGIN_BRAND_ID Rtsp
#define DISTRHO_PLUGIN_HAS_UI 0
#define DISTRHO_PLUGIN_IS_RT_SAFE 1
#define DISTRHO_PLUGIN_NUM_INPUTS 2
#define DISTRHO_PLUGIN_WANT_LATENCY 1
#define DISTRHO_PLUGIN_WANT_STATE 1
#define DISTRHO_PLUGIN_WANT_FULL_STATE 1
#define DISTRHO_PLUGIN_LV2_CATEGORY "lv2:UtilityPlugin"
#define DISTRHO_PLUGIN_CLAP_FEATURES "audio-effect", "utility", "stereo"

#if RTSEP_STEREO
#define DISTRHO_PLUGIN_NAME "rtsep stereo"
#define DISTRHO_PLUGIN_URI "urn:rtsep:plugin:stereo"
#define DISTRHO_PLUGIN_CLAP_ID "rtsep.stereo"
#define DISTRHO_PLUGIN_UNIQUE_ID RtsS
#define DISTRHO_PLUGIN_NUM_OUTPUTS 2
#define DISTRHO_PLUGIN_VST3_CATEGORIES "Fx|Stereo"
#else
#define DISTRHO_PLUGIN_NAME "rtsep stems"
#define DISTRHO_PLUGIN_URI "urn:rtsep:plugin:stems"
#define DISTRHO_PLUGIN_CLAP_ID "rtsep.stems"
#define DISTRHO_PLUGIN_UNIQUE_ID RtsM
#define DISTRHO_PLUGIN_NUM_OUTPUTS 10
#define DISTRHO_PLUGIN_VST3_CATEGORIES "Fx|Spatial"
#endif
