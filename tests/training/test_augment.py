"""Augmentation changes how a stem sounds and nothing about when."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from rtsep.training import augment, mastering, rooms

RATE = 44100


def tone(hz: float = 441.0, seconds: float = 0.5) -> np.ndarray:
    wave = 0.3 * np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE)) / RATE)
    return np.stack([wave, 0.5 * wave]).astype(np.float32)


def test_speed_moves_pitch_and_length_together() -> None:
    fast = augment.change_speed(tone(seconds=1.0).T, 1.25, RATE).T
    assert fast.shape[1] == pytest.approx(RATE / 1.25, abs=2)
    spectrum = np.abs(np.fft.rfft(fast[0]))
    assert np.argmax(spectrum) * RATE / fast.shape[1] == pytest.approx(441.0 * 1.25, abs=2.0)


def test_tempo_moves_length_and_leaves_pitch() -> None:
    fast = augment.change_tempo(tone(seconds=1.0).T, 1.25, RATE).T
    assert fast.shape == (2, pytest.approx(RATE / 1.25, rel=0.02))
    spectrum = np.abs(np.fft.rfft(fast[0] * np.hanning(fast.shape[1])))
    assert np.argmax(spectrum) * RATE / fast.shape[1] == pytest.approx(441.0, abs=3.0)


@pytest.mark.parametrize(("equaliser", "room"), [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0)])
def test_filters_never_sound_before_their_input(equaliser: float, room: float) -> None:
    x = np.zeros((2, RATE // 2), np.float32)
    x[:, 10000] = 1.0
    y = rooms.filter_stem(x, np.random.default_rng(1), RATE, equaliser, room)
    assert y.shape == x.shape
    assert y.dtype == np.float32
    if not equaliser:  # an equaliser without phase rings a little before, a room must not
        assert np.abs(y[:, :10000]).max() < 1e-5
    assert np.abs(y[:, 10000]).min() > 0.2
    assert not np.allclose(y, x)


def test_an_equaliser_stays_within_its_depth() -> None:
    for seed in range(20):
        curve_db = 20 * np.log10(rooms.random_equaliser(np.random.default_rng(seed), 4097, RATE, depth_db=6.0))
        assert curve_db.max() <= 6.01
        assert curve_db.min() >= -9.01
        assert np.abs(np.diff(curve_db[100:])).max() < 0.2  # smooth


def test_saturation_bends_peaks_and_leaves_quiet_samples() -> None:
    x = tone()
    x[:, 5000] = 3.0
    y = augment.saturate(x, np.random.default_rng(3), probability=1.0)
    assert np.abs(y).max() < 3.0
    quiet = np.abs(x) < 0.01
    assert np.allclose(y[quiet], x[quiet], rtol=0.01)


def test_place_keeps_what_both_sides_hold() -> None:
    for seed in range(20):
        y = augment.place(tone(), np.random.default_rng(seed))
        assert y.dtype == np.float32
        ratio = np.abs(y[0]) + np.abs(y[1])
        assert ratio.max() == pytest.approx(0.45, rel=0.15)


@pytest.mark.parametrize("stem", augment.PRODUCTION)
def test_a_produced_stem_keeps_its_level_and_its_time(stem: str) -> None:
    x = np.zeros((2, 2 * RATE), np.float32)
    x[:, RATE:] = tone(seconds=1.0)
    for seed in range(20):
        y = augment.produce(x, np.random.default_rng(seed), RATE, stem, probability=1.0)
        assert y.shape == x.shape
        assert y.dtype == np.float32
        assert np.sqrt(np.mean(y**2)) == pytest.approx(np.sqrt(np.mean(x**2)), rel=0.01)
        assert np.abs(y[:, : RATE - 2048]).max() < 0.02 * np.abs(y).max()  # nothing sounds before it does


def test_a_produced_voice_is_limited() -> None:
    x = tone()
    x[:, 5000] = 4.0
    for seed in range(10):
        y = augment.produce(x, np.random.default_rng(seed), RATE, "vocals", 1.0)
        assert np.abs(y).max() < 10 ** (18.5 / 20) * np.sqrt(np.mean(y**2)) < np.abs(x).max()


def test_production_is_drawn_from_the_seed_and_only_as_often_as_asked() -> None:
    x = tone()
    first, again, other = (augment.produce(x, np.random.default_rng(seed), RATE, "vocals", 1.0) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)
    assert augment.produce(x, np.random.default_rng(1), RATE, "vocals", 0.0) is x


def test_silence_is_produced_to_silence() -> None:
    for seed in range(10):
        assert not augment.produce(np.zeros((2, RATE), np.float32), np.random.default_rng(seed), RATE, "other", 1.0).any()


def test_a_harmony_is_the_same_voice_at_another_pitch() -> None:
    x = tone(seconds=2.0)
    y = augment.harmonise(x, np.random.default_rng(4), RATE)
    ratio = 2.0 ** (np.random.default_rng(4).choice((-12, -5, -4, -3, 3, 4, 5, 7, 12)) / 12.0)
    spectrum = np.abs(np.fft.rfft((y - x)[0] * np.hanning(y.shape[1])))
    assert np.argmax(spectrum) * RATE / y.shape[1] == pytest.approx(441.0 * ratio, rel=0.02)


def test_an_amplifier_adds_overtones_to_a_bass_and_leaves_its_low_end() -> None:
    x = tone(hz=82.0, seconds=1.0)
    before = np.abs(np.fft.rfft(x[0]))
    shares_db = []
    for seed in range(20):
        y = augment.amplify(x, np.random.default_rng(seed), RATE)
        assert y.shape == x.shape
        assert y.dtype == np.float32
        after = np.abs(np.fft.rfft(y[0]))
        assert after[82] == pytest.approx(before[82], rel=0.35)
        shares_db.append(20 * np.log10(np.linalg.norm(after[200:]) / after[82]))
    assert max(shares_db) > -3.0
    assert min(shares_db) > -25.0
    assert np.ptp(shares_db) > 8.0, "no two amplifiers alike"


def test_an_overdrive_fills_the_gaps_between_overtones() -> None:
    chord = tone(hz=110.0, seconds=1.0) + tone(hz=165.0, seconds=1.0)
    above_db = []
    for seed in range(20):
        y = augment.overdrive(chord, np.random.default_rng(seed), RATE)
        assert y.shape == chord.shape
        assert y.dtype == np.float32
        power = np.abs(np.fft.rfft(y[0])) ** 2
        above_db.append(10 * np.log10(power[200:].sum() / power.sum()))
        # Sums and differences of the two notes, where neither has an overtone.
        assert power[[55, 275]].min() > 10 * power[[60, 280]].max()
    assert np.median(above_db) > -15.0
    assert np.ptp(above_db) > 3.0, "no two amplifiers alike"


def test_a_bend_wavers_around_the_pitch_and_keeps_the_time() -> None:
    x = tone(hz=441.0, seconds=4.0)
    times = np.arange(x.shape[1]) / RATE
    widest_cents, delays_ms = [], []
    for seed in range(20):
        y = augment.bend(x, np.random.default_rng(seed), RATE)
        assert y.shape == x.shape
        assert y.dtype == np.float32
        np.testing.assert_allclose(y[1], 0.5 * y[0], atol=1e-6)
        # The analytic signal: positive frequencies alone.
        turns = np.unwrap(np.angle(np.fft.ifft(np.fft.fft(y[0]) * (np.fft.fftfreq(y.shape[1]) > 0))))[RATE // 10 : -RATE // 10]
        hz = np.diff(turns[::441]) / (2 * np.pi * 0.01)
        widest_cents.append(np.abs(1200 * np.log2(hz / 441.0)).max())
        late = turns / (2 * np.pi * 441.0) - times[RATE // 10 : -RATE // 10]
        delays_ms.append(1e3 * np.ptp(late))
    assert max(widest_cents) > 40.0
    assert max(widest_cents) < 400.0
    assert max(delays_ms) < 60.0


def test_a_sweep_moves_a_resonance_over_the_overtones() -> None:
    seconds = 4
    times = np.arange(seconds * RATE) / RATE
    # Louder and softer by turns, for the sweeps that follow the loudness.
    saw = (2.0 * (82.0 * times % 1.0) - 1.0) * (0.55 + 0.45 * np.sin(2.0 * np.pi * times))
    x = np.stack((saw, saw)).astype(np.float32)

    def brightness_hz(y: augment.Stereo) -> np.ndarray:
        spectra = np.abs(np.fft.rfft(y[0].reshape(seconds * 10, -1) * np.hanning(RATE // 10), axis=1)) ** 2
        return spectra @ np.fft.rfftfreq(RATE // 10, 1.0 / RATE) / spectra.sum(1)

    octaves = []
    for seed in range(20):
        y = augment.sweep(x, np.random.default_rng(seed), RATE)
        assert y.shape == x.shape
        assert y.dtype == np.float32
        octaves.append(float(np.ptp(np.log2(brightness_hz(y)))))
    assert float(np.ptp(np.log2(brightness_hz(x)))) < 0.1
    assert np.median(octaves) > 0.3
    assert max(octaves) > 1.5


@pytest.mark.parametrize("treatment", [augment.amplify, augment.bend, augment.overdrive, augment.sweep])
def test_silence_stays_silent(treatment: Callable[..., augment.Stereo]) -> None:
    assert not treatment(np.zeros((2, RATE), np.float32), np.random.default_rng(1), RATE).any()


def vowel(pitch_hz: float, formant_hz: float, seconds: float = 2.0) -> augment.Stereo:
    """Pulses through one resonance."""
    pulses = (np.arange(int(seconds * RATE)) % (RATE / pitch_hz) < 1.0).astype(np.float32)
    sung = augment.pedalboard.PeakFilter(formant_hz, 30.0, 4.0)(np.stack((pulses, pulses)), RATE)
    return np.asarray(sung / 40.0, np.float32)


def test_a_reshaped_throat_moves_the_formant_and_keeps_the_pitch() -> None:
    x = vowel(150.0, 900.0)
    moves_db = []
    for seed in range(12):
        y = augment.reshape_throat(x, np.random.default_rng(seed), RATE)
        assert y.shape == x.shape
        assert y.dtype == np.float32
        power = np.abs(np.fft.rfft(y[0, RATE // 2 : RATE // 2 + RATE] * np.hanning(RATE))) ** 2
        assert power[145:156].sum() > 0.8 * power[80:220].sum(), "the pitch stays at 150 Hz"
        moves_db.append(10 * np.log10(power[1040:1220].sum() / power[590:770].sum()))  # the resonance lies between
    assert min(moves_db) < -6.0
    assert max(moves_db) > 6.0


def test_a_ring_makes_a_knock_sound_on_at_a_low_pitch() -> None:
    x = np.zeros((2, RATE), np.float32)
    x[:, 1000:1050] = 1.0
    pitches_hz = set()
    for seed in range(12):
        y = augment.ring(x, np.random.default_rng(seed), RATE)
        assert not y[:, :1000].any()
        assert np.abs(y[:, 3000:]).max() > 10 * np.abs(x[:, 3000:]).max()
        pitches_hz.add(int(np.argmax(np.abs(np.fft.rfft(y[0])))))
    assert all(30 <= hz <= 130 for hz in pitches_hz)
    assert len(pitches_hz) > 6


def test_a_doubling_guitar_sounds_above_the_bass_and_when_it_does() -> None:
    bass = np.zeros((2, 2 * RATE), np.float32)
    bass[:, RATE:] = tone(hz=55.0, seconds=1.0)
    for seed in range(8):
        guitar = augment.double(bass, np.random.default_rng(seed), RATE)
        assert guitar.shape == bass.shape
        assert np.abs(guitar[:, : RATE // 2]).max() < 0.02 * np.abs(guitar).max()
        power = np.abs(np.fft.rfft(guitar[0, RATE:])) ** 2
        assert power[100:].sum() > 0.9 * power.sum()
        assert power[105:116].max() > 10 * power[50:60].max()


def test_a_duck_makes_room_for_the_kick_and_comes_back() -> None:
    drums = np.zeros((2, 2 * RATE), np.float32)
    drums[:, RATE : RATE + 4000] = tone(hz=50.0, seconds=0.1)[:, :4000]
    for seed in range(8):
        gain = mastering.duck(drums, np.random.default_rng(seed), RATE)
        assert gain.shape == drums.shape[1:]
        assert gain[: RATE - 1024].min() == 1.0
        assert -1e-6 <= gain[RATE : RATE + 4000].min() < 0.71
        assert gain[-1] > 0.9
        assert np.abs(np.diff(gain)).max() < 0.01, "no clicks"


def test_glue_turns_loud_passages_down_and_leaves_quiet_ones() -> None:
    mix = tone(seconds=2.0)
    mix[:, :RATE] *= 0.1
    for seed in range(8):
        gain = mastering.glue(mix, np.random.default_rng(seed), RATE)
        assert gain.shape == mix.shape[1:]
        assert gain[1000 : RATE - 1024].min() == 1.0
        assert 0.2 < gain[-RATE // 4 :].mean() < 1.0


@pytest.mark.parametrize("treatment", [augment.double, augment.reshape_throat, augment.ring])
def test_silence_is_not_disturbed(treatment: Callable[..., augment.Stereo]) -> None:
    assert not treatment(np.zeros((2, RATE), np.float32), np.random.default_rng(1), RATE).any()


@pytest.mark.parametrize("gain", [mastering.duck, mastering.glue])
def test_the_gain_beside_silence_is_one(gain: Callable[..., np.ndarray]) -> None:
    assert np.array_equal(gain(np.zeros((2, RATE), np.float32), np.random.default_rng(1), RATE), np.ones(RATE, np.float32))
