"""The laws of `rtsep.models.separator`, written once for every implementation.

Each law takes a separator and raises AssertionError with a sentence. Inputs are noise that is louder and softer in
turns, so that level controls and recurrent states have something to follow.
"""

from __future__ import annotations

import copy

import numpy as np

from rtsep.engine.pipeline import separate, separate_array
from rtsep.models.separator import Audio, Separator, State

TOLERANCE = 1e-5
"""Float32 products of differently shaped calls differ by up to 2e-6 at full scale (measured on BandNet)."""


def noise(separator: Separator, hops: int, seed: int = 0) -> Audio:
    """`[channels, hops * hop]` of noise whose level changes from hop to hop."""
    random = np.random.default_rng(seed)
    spec = separator.spec
    signal = random.standard_normal((spec.channels, hops, spec.hop)) * random.uniform(0.02, 0.3, (1, hops, 1))
    return signal.reshape(spec.channels, -1).astype(np.float32)


def run(separator: Separator, mix: Audio, state: State | None = None) -> Audio:
    """Step through whole hops and join what comes out, delayed by the latency."""
    state = separator.init_state() if state is None else state
    hop = separator.spec.hop
    parts = [separator.step(mix[:, start : start + hop], state).copy() for start in range(0, mix.shape[1], hop)]
    return np.concatenate(parts, axis=2)


def hops_to_hear(separator: Separator, extra: int = 2) -> int:
    """Hops until the first frame has come out, and some."""
    return -(-separator.spec.latency // separator.spec.hop) + extra


def check_shapes(separator: Separator) -> None:
    """Stems have the declared shape in float32, and the input is left alone."""
    spec = separator.spec
    mix = noise(separator, 1)
    given = mix.copy()
    stems = separator.step(mix, separator.init_state())
    assert stems.shape == (len(spec.stems), spec.channels, spec.hop)
    assert stems.dtype == np.float32
    assert np.array_equal(mix, given), "step wrote into its input"


def check_unity(separator: Separator) -> None:
    """The stems add up to the input delayed by the declared latency."""
    hops = hops_to_hear(separator)
    mix = noise(separator, hops)
    latency = separator.spec.latency
    total = run(separator, mix).sum(axis=0)
    assert np.abs(total[:, :latency]).max(initial=0) < TOLERANCE, "something came out before anything went in"
    error = np.abs(total[:, latency:] - mix[:, : mix.shape[1] - latency]).max()
    assert error < TOLERANCE, f"stems add up to the input only within {error:.2g}"


def check_impulse(separator: Separator, position: int) -> None:
    """One frame of sound comes out `spec.latency` frames later, and nothing beside it."""
    hops = hops_to_hear(separator, 4)
    mix = np.zeros((separator.spec.channels, hops * separator.spec.hop), np.float32)
    position %= 2 * separator.spec.hop
    mix[:, position] = 0.5
    total = run(separator, mix).sum(axis=0)
    measured = int(np.argmax(np.abs(total[0]))) - position
    assert measured == separator.spec.latency, f"measured {measured}, declared {separator.spec.latency}"
    total[:, position + measured] -= 0.5
    assert np.abs(total).max() < TOLERANCE


def check_chunking(separator: Separator, sizes: list[int]) -> None:
    """A song cut into blocks of any sizes gives what the whole song gives, through the pipeline that files use."""
    song = noise(separator, 3)[:, : sum(sizes)]
    cuts = np.cumsum(sizes)[:-1]
    whole = separate_array(song, separator)
    pieces = np.concatenate([whole[..., :0], *separate(np.split(song, cuts, axis=1), separator)], axis=2)
    assert pieces.shape == whole.shape == (len(separator.spec.stems), *song.shape)
    assert np.abs(pieces - whole).max(initial=0) < TOLERANCE


def check_state_is_the_only_memory(separator: Separator) -> None:
    """Two streams may share a separator, and a copied state goes on as the original does."""
    hops = hops_to_hear(separator, 3)
    first, second = noise(separator, hops, seed=1), noise(separator, hops, seed=2)
    alone = run(separator, first), run(separator, second)
    states = separator.init_state(), separator.init_state()
    hop, outputs = separator.spec.hop, ([], [])
    for start in range(0, first.shape[1], hop):
        for which, mix in enumerate((first, second)):
            state = copy.deepcopy(states[which])
            outputs[which].append(separator.step(mix[:, start : start + hop], state).copy())
            states[which].clear()
            states[which].update(state)
    for which in (0, 1):
        assert np.array_equal(np.concatenate(outputs[which], axis=2), alone[which]), "streams disturb each other"


def check_reset(separator: Separator) -> None:
    """A new state has forgotten everything."""
    mix = noise(separator, hops_to_hear(separator), seed=3)
    fresh = run(separator, mix)
    state = separator.init_state()
    run(separator, noise(separator, 2, seed=4), state)
    assert np.array_equal(run(separator, mix), fresh)


def check_silence(separator: Separator) -> None:
    """A new state is that of a stream which has heard only silence.

    Not for resampled separators: their two grids of hops meet differently after each device hop.
    """
    mix = noise(separator, hops_to_hear(separator), seed=3)
    fresh = run(separator, mix)
    quiet = np.zeros((separator.spec.channels, 3 * separator.spec.hop), np.float32)
    after_silence = run(separator, np.concatenate([quiet, mix], axis=1))[..., quiet.shape[1] :]
    error = np.abs(after_silence - fresh).max()
    assert error < TOLERANCE, f"silence before the music changes it by {error:.2g}"


def check_causality(separator: Separator, poisoned_hop: int) -> None:
    """A NaN leaves everything that was given out before it untouched."""
    spec = separator.spec
    mix = noise(separator, poisoned_hop + hops_to_hear(separator), seed=5)
    clean = run(separator, mix)
    position = poisoned_hop * spec.hop
    mix[:, position:] = np.nan
    poisoned = run(separator, mix)
    assert np.array_equal(poisoned[..., :position], clean[..., :position]), "the future changed the past"
    assert np.isnan(poisoned[..., position:].sum()), "the poison never arrived: the test proves nothing"
