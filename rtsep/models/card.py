"""Model cards: what there is to choose from, as data.

One TOML file per model in `configs/models/`. A card names the model, its licence and origin, the module that builds
it, and its tiers: named trade-offs between latency and quality. What a tier's `settings` mean is the builder's
business; it reads them into a struct of its own, so that a misspelt key is an error with a path.

The module named by `loader` offers

    describe(card, tier) -> SeparatorSpec                             cheap: no torch, no ONNX Runtime, no weights
    build(card, tier, runtime) -> Separator | WholeFileSeparator

if weights may be absent, as one sentence or none,

    missing(card) -> str                                              cheap: reads no weights

and, if the card names a `package` that carries the weights,

    prepare(card, *, progress, download, force)                       get and convert them
    verify(card)                                                      check them, changing nothing
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from rtsep import paths
from rtsep.errors import ConfigError

SettingsT = TypeVar("SettingsT", bound=msgspec.Struct)


class TierCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One trade-off of a model.

    Attributes:
        name: what the user types after `--tier`.
        summary: one line for listings.
        whole_file: it needs the whole file and cannot run live.
        settings: read by the model's own module.
    """

    name: str
    summary: str
    whole_file: bool = False
    settings: dict[str, Any] = {}

    def read(self, into: type[SettingsT]) -> SettingsT:
        """Return `settings` as the struct `into`.

        Raises:
            ConfigError: a key or a value does not fit.
        """
        try:
            return msgspec.convert(self.settings, into)
        except msgspec.ValidationError as error:
            raise ConfigError(f'Tier "{self.name}" of a model card does not fit the model: {error}.') from None


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file the weights are made from.

    Attributes:
        file: path inside the package that carries it.
        sha256: of the file as published.
    """

    file: str
    sha256: str


class ModelCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model.

    Attributes:
        name: what the user types after `--model`.
        summary: one line for listings.
        licence: of the weights, with the holder.
        origin: where architecture and weights come from.
        loader: module with `describe` and `build`.
        rate: Hz it works at.
        stems: what it finds, in its own order.
        live_tier: the tier when it runs live and none is named.
        file_tier: the tier for files.
        tiers: all of them, lowest latency first.
        package: published package that carries the weights, with its version; empty if they ship with rtsep.
        sources: the files in that package.
    """

    name: str
    summary: str
    licence: str
    origin: str
    loader: str
    rate: int
    stems: tuple[str, ...]
    live_tier: str
    file_tier: str
    tiers: tuple[TierCard, ...]
    package: str = ""
    sources: tuple[Source, ...] = ()

    @property
    def tier_names(self) -> list[str]:
        """Names of all tiers."""
        return [tier.name for tier in self.tiers]


def read_card(path: Path) -> ModelCard:
    """Read one card.

    Raises:
        ConfigError: the file is no card; the sentence names the file and the path inside it.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=ModelCard)
    except msgspec.DecodeError as error:  # covers ValidationError
        raise ConfigError(f"{path} is not a model card: {error}.") from None


@functools.cache
def read_cards() -> tuple[ModelCard, ...]:
    """Return all packaged cards, by file name."""
    return tuple(read_card(path) for path in sorted((paths.configs() / "models").glob("*.toml")))
