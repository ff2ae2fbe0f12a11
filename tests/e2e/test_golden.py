"""A piece comes out as it came out before: to the bit where bits are defined, within 1e-4 where a network computes."""

from __future__ import annotations

import json

import numpy as np

from rtsep.models import registry
from rtsep.models.passthrough import SHARES
from rtsep.stems import STEMS
from tests.e2e.golden import MODEL, REFERENCE, TIER, digest, piece, separated, some_samples

GOLDEN = json.loads(REFERENCE.read_text())
TOLERANCE = 1e-4


def test_16_bits_of_the_identity_are_the_same_on_every_machine() -> None:
    stems = separated("passthrough", "46ms", "--int16")
    by_hand = {stem: np.round(piece() * SHARES[stem]) / 32_768 for stem in STEMS}
    assert digest(by_hand) == digest(stems) == GOLDEN["passthrough_int16_sha256"]


def test_the_packaged_model_makes_of_the_piece_what_it_made_before() -> None:
    weights = registry.load(MODEL, TIER).spec.weights_sha256
    assert weights == GOLDEN["weights_sha256"], "other weights: if they are meant, python -m tests.e2e.golden"
    found, kept = some_samples(separated(MODEL, TIER, "--float32")), GOLDEN["samples"]
    assert GOLDEN["model"] == f"{MODEL} {TIER}"
    for stem in STEMS:
        assert np.sqrt(np.mean(np.square(kept[stem]))) > 20 * TOLERANCE  # there is something to compare
        assert np.abs(np.array(found[stem]) - kept[stem]).max() <= TOLERANCE, stem
