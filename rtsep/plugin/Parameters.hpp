// The parameters a host can show and automate: one table, in the order of their indices.
#pragma once

#include <cmath>

#include "Mixer.hpp"

namespace rtsep {

// Parameters of a stem come three together: gain, mute, solo.
constexpr uint32_t PER_STEM = 3;
constexpr uint32_t P_MASTER = PER_STEM * SLOTS;
constexpr uint32_t P_WET = P_MASTER + 1;
constexpr uint32_t P_TIER = P_MASTER + 2;
constexpr uint32_t P_OFFLINE = P_MASTER + 3;
constexpr uint32_t P_BYPASS = P_MASTER + 4;
constexpr uint32_t P_ENGINE = P_MASTER + 5;  // from here: told by the plug-in
constexpr uint32_t P_LATE = P_MASTER + 6;
constexpr uint32_t PARAMETERS = P_MASTER + 7;

constexpr float SILENCE_DB = -120.0f;
constexpr float MAX_GAIN_DB = 12.0f;
constexpr float MAX_TIER = 8.0f;

enum class Kind { level, flag, share, number, bypass, condition, count };

struct ParameterInfo {
    const char *name, *symbol;
    Kind kind;
};

// Symbols are those of rtsep's ParamStore with `_` for `.`: vocals_gain_db is stem.vocals.gain_db.
constexpr ParameterInfo TABLE[PARAMETERS] = {
    {"Vocals", "vocals_gain_db", Kind::level},
    {"Vocals mute", "vocals_mute", Kind::flag},
    {"Vocals solo", "vocals_solo", Kind::flag},
    {"Drums", "drums_gain_db", Kind::level},
    {"Drums mute", "drums_mute", Kind::flag},
    {"Drums solo", "drums_solo", Kind::flag},
    {"Bass", "bass_gain_db", Kind::level},
    {"Bass mute", "bass_mute", Kind::flag},
    {"Bass solo", "bass_solo", Kind::flag},
    {"Other", "other_gain_db", Kind::level},
    {"Other mute", "other_mute", Kind::flag},
    {"Other solo", "other_solo", Kind::flag},
    {"Master", "master_gain_db", Kind::level},
    {"Wet", "wet", Kind::share},
    {"Tier", "tier", Kind::number},
    {"Offline", "offline", Kind::flag},
    {"Bypass", "bypass", Kind::bypass},
    {"Engine", "engine", Kind::condition},
    {"Late hops", "late_hops", Kind::count},
};

inline float defaultOf(uint32_t index) { return index == P_WET ? 1.0f : 0.0f; }

inline float gainOf(float level_db) { return level_db <= SILENCE_DB ? 0.0f : std::pow(10.0f, level_db / 20.0f); }

}  // namespace rtsep
