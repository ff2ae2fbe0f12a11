"""Our own causal nets, from their card to a live separator. Nothing here imports torch or ONNX Runtime before a net is opened."""

from __future__ import annotations

import msgspec

from rtsep.models import bandnet_package as package
from rtsep.models.bandnet_config import BandNetConfig
from rtsep.models.bandnet_stream import BandNetStream, FrameNet, latency_terms, onnx_frame_net
from rtsep.models.card import ModelCard, TierCard
from rtsep.models.runtime import choose
from rtsep.models.separator import Separator, SeparatorSpec


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a tier of the card may say.

    Attributes:
        package: folder in `rtsep/data/models`.
    """

    package: str


def describe(card: ModelCard, tier: TierCard) -> SeparatorSpec:
    """Return what a tier promises.

    Raises:
        WeightsError: the package is absent.
    """
    facts = package.read_facts(package.folder(tier.read(Settings).package))
    return SeparatorSpec(
        name=card.name,
        tier=tier.name,
        rate=facts.model.rate,
        hop=facts.model.hop,
        stems=facts.model.stems,
        latency_terms=latency_terms(facts.model),
        licence=card.licence,
        weights_sha256=facts.weights_sha256,
        channels=facts.model.channels,
    )


def open_frames(tier: TierCard, runtime: str) -> tuple[FrameNet, BandNetConfig]:
    """Load the net of a tier without the stream around it; torch runs on the CPU here.

    Raises:
        WeightsError: the weights are absent or altered.
    """
    where = package.folder(tier.read(Settings).package)
    facts = package.read_facts(where)
    if choose(runtime) == "onnx":
        return onnx_frame_net(package.verified(where, package.GRAPH, facts.graph_sha256)), facts.model
    from rtsep.models.bandnet_torch import load_net, torch_frame_net

    return torch_frame_net(load_net(package.verified(where, package.WEIGHTS, facts.weights_sha256), facts.model)), facts.model


def build(card: ModelCard, tier: TierCard, runtime: str) -> Separator:
    """Make the separator of a tier.

    Raises:
        WeightsError: the weights are absent or altered.
    """
    where, spec = package.folder(tier.read(Settings).package), describe(card, tier)
    facts = package.read_facts(where)
    if choose(runtime) == "onnx":
        graph = package.verified(where, package.GRAPH, facts.graph_sha256)
        return BandNetStream(onnx_frame_net(graph), facts.model, spec)
    from rtsep.models.bandnet_torch import BandNetTorch, load_net

    return BandNetTorch(load_net(package.verified(where, package.WEIGHTS, facts.weights_sha256), facts.model), spec)
