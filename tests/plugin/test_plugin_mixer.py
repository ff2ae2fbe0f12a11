"""The plug-in's mixer is the engine's mixer, sample for sample, whatever happens."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rtsep.realtime import layout as at
from rtsep.realtime.callbacks import SCRATCH_FLOATS
from rtsep.realtime.mixer import render
from rtsep.realtime.segment import Context, Segment
from rtsep.stems import STEMS

PLUGIN = Path(__file__).parents[2] / "rtsep" / "plugin"
HOP, MODEL_LATENCY, LATENCY, EPOCH = 256, 100, 900, 3
FRAMES = 40_000


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    if shutil.which("g++") is None:
        pytest.skip("compiling the plug-in's mixer needs g++")
    built = tmp_path_factory.mktemp("probe") / "probe.so"
    flags = ["-std=gnu++17", "-O3", "-ffast-math", "-fno-fast-math", "-ffp-contract=off", "-shared", "-fPIC"]
    sources = [Path(__file__).with_name("mixer_probe.cpp"), PLUGIN / "Mixer.cpp"]
    subprocess.run(["g++", *flags, "-I", PLUGIN, *sources, "-o", built], check=True)
    loaded = ctypes.CDLL(str(built))
    loaded.probe_new.restype = ctypes.c_void_p
    return loaded


class Twins:
    """Both mixers over one segment that is full of sound; which hops are published is up to the test."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self.library = library
        self.segment = Segment.create(
            rate=44100, hop=HOP, model_latency=MODEL_LATENCY, latency=LATENCY, stems=STEMS, capacity=at.PLUGIN_CAPACITY
        )
        self.context = Context(self.segment, SCRATCH_FLOATS)
        self.header = self.segment.header
        self.header[at.EPOCH] = self.header[at.READY] = EPOCH
        rng = np.random.default_rng(1)
        self.segment.source[:, :FRAMES] = rng.standard_normal((2, FRAMES))
        self.segment.stems[:, :FRAMES] = rng.standard_normal((8, FRAMES))
        self.mixer = ctypes.c_void_p(library.probe_new())
        self.position = 0

    def publish(self, hop: int) -> None:
        self.segment.tags[hop & (at.TAGS - 1)] = at.tag(EPOCH, hop)

    def play(self, n: int, faders: list[float]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Render the next n frames by both; returns theirs and ours, `[OUTPUTS, n]`."""
        self.segment.params[: at.MASTER + 1] = faders[: at.MASTER + 1]
        ours = np.full((at.OUTPUTS, n), np.nan, np.float32)
        theirs = ours.copy()
        layout = (ctypes.c_int64 * 4)(HOP, MODEL_LATENCY, int(self.header[at.LATENCY]), 15)
        values = (ctypes.c_float * 15)(*faders)
        memory, out = ctypes.c_void_p(self.header.ctypes.data), ctypes.c_void_p(theirs.ctypes.data)
        start, frames = ctypes.c_int64(self.position), ctypes.c_int64(n)
        counted = self.header[[at.LATE_HOPS, at.DRY_FRAMES]].copy()
        render(self.context.words, ours, 0, n)
        by_engine = self.header[[at.LATE_HOPS, at.DRY_FRAMES]] - counted
        self.library.probe_render(self.mixer, memory, layout, values, start, out, frames)
        by_plugin = self.header[[at.LATE_HOPS, at.DRY_FRAMES]] - counted - by_engine
        assert list(by_plugin) == list(by_engine)
        self.position += n
        self.header[at.OUT_POS] = self.position
        return theirs, ours

    def close(self) -> None:
        self.library.probe_delete(self.mixer)
        self.segment.close()


UNITY = [1.0] * 4 + [0.0] * 8 + [1.0, 1.0, 0.0]
levels = st.sampled_from([0.0, 0.5, 1.0, 1.75])
switches = st.sampled_from([0.0, 0.0, 1.0])
fader_positions = st.tuples(*[levels] * 4, *[switches] * 8, levels)


@given(
    st.lists(
        st.tuples(st.sampled_from([16, 100, 256, 700]), fader_positions, st.booleans(), st.sampled_from([LATENCY, 1200])),
        min_size=4,
        max_size=24,
    )
)
def test_any_performance_sounds_the_same_in_the_plug_in_and_in_the_engine(library: ctypes.CDLL, events: list) -> None:
    twins = Twins(library)
    twins.play(2048, UNITY)  # beyond the silence before the music, also at the longer latency
    for n, faders, arrives, latency in events:
        if arrives:
            for hop in range((twins.position + n) // HOP):
                twins.publish(hop)
        twins.header[at.LATENCY] = latency
        theirs, ours = twins.play(n, [*faders, 1.0, 0.0])
        np.testing.assert_array_equal(theirs, ours)
    twins.close()


@pytest.fixture
def twins(library: ctypes.CDLL):
    pair = Twins(library)
    for hop in range(FRAMES // HOP):
        pair.publish(hop)
    yield pair
    pair.close()


def delayed(twins: Twins, first: int, n: int) -> NDArray[np.float32]:
    return twins.segment.source[:, first - LATENCY : first - LATENCY + n]


def test_bypass_ends_as_the_input_at_the_same_latency_and_begins_without_a_jump(twins: Twins) -> None:
    before, _ = twins.play(4096, UNITY)
    during, _ = twins.play(4096, [*UNITY[:14], 1.0])
    np.testing.assert_array_equal(during[:2, at.FADE :], delayed(twins, 4096 + at.FADE, 4096 - at.FADE))
    np.testing.assert_array_equal(during[2:4, at.FADE :], during[:2, at.FADE :] / 4)
    stems = twins.segment.stems[:, 4096 - LATENCY : 4096 - LATENCY + 8]
    np.testing.assert_allclose(during[0, :8], stems[0::2].sum(axis=0), atol=0.05)  # the first frames are still the stems
    assert before.shape == during.shape


def test_half_wet_is_the_mean_of_stems_and_input_and_leaves_the_stem_outputs_alone(twins: Twins) -> None:
    half = [*UNITY[:13], 0.5, 0.0]
    twins.play(4096, half)
    out, _ = twins.play(2048, half)
    stems = twins.segment.stems[:, 4096 - LATENCY : 4096 - LATENCY + 2048]
    np.testing.assert_allclose(out[0], (stems[0::2].sum(axis=0) + delayed(twins, 4096, 2048)[0]) / 2, atol=1e-5)
    np.testing.assert_array_equal(out[2:], stems)


def test_what_was_before_the_stream_began_is_never_heard(twins: Twins) -> None:
    twins.header[at.ORIGIN] = twins.header[at.OUT_POS] = twins.position = 8192
    out, _ = twins.play(LATENCY + 64, UNITY)
    assert not out[:, :LATENCY].any()
    np.testing.assert_array_equal(out[2:, LATENCY:], twins.segment.stems[:, 8192 : 8192 + 64])
