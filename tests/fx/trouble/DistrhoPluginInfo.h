// A plug-in that makes trouble when it is told to, for the tests of effects; built by conftest.py with Debian's dpf-source.
#pragma once

#define DISTRHO_PLUGIN_BRAND "rtsep"
#define DISTRHO_PLUGIN_BRAND_ID Rtsp
#define DISTRHO_PLUGIN_NAME "Trouble"
#define DISTRHO_PLUGIN_URI "urn:rtsep:test:trouble"
#define DISTRHO_PLUGIN_UNIQUE_ID RtsT
#define DISTRHO_PLUGIN_HAS_UI 0
#define DISTRHO_PLUGIN_IS_RT_SAFE 0
#define DISTRHO_PLUGIN_NUM_INPUTS 2
#define DISTRHO_PLUGIN_NUM_OUTPUTS 2
#define DISTRHO_PLUGIN_WANT_LATENCY 1
#define DISTRHO_PLUGIN_WANT_STATE 1
#define DISTRHO_PLUGIN_WANT_FULL_STATE 1
