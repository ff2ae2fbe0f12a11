"""BandNet: a causal band-split recurrent separator whose weights are shared by all bands.

Each band of the spectrum becomes one vector ("token") per frame. A block lets every token remember (a GRU over time, one set of
weights for all bands) and then lets the bands talk (a small MLP along the band axis, one for all features). The head turns the
tokens into real masks per stem, channel and bin that add up to one by softmax, so that the stems always add up to the mix.

Band splitting follows Luo & Yu, "Music Source Separation with Band-Split RNN" (TASLP 2023); sharing one small GRU instead of one
large LSTM keeps the weights in cache, which is what a hop-by-hop run on one CPU core is bound by. GRU, not LSTM: its state is
bounded by one, so an endless stream cannot make it drift.

One `forward` serves training (many frames), streaming (one frame) and ONNX export: state in, state out, nothing hidden.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtsep.models.bandnet_config import BandNetConfig

FEATURES = 8
"""Inputs per bin: compressed magnitudes of left, right, mid and side, then compressed left and right as re/im."""

COMPRESSION = 0.3
"""Exponent of the magnitude compression: 60 dB of level become a factor of 8."""


class _OncePerBand(nn.Module):
    """A module that also takes weights from when all bands, or all features, had the same ones: each gets a copy of them."""

    def __init__(self) -> None:
        super().__init__()
        self.register_load_state_dict_pre_hook(self._share)  # type: ignore[no-untyped-call]

    @staticmethod
    def _share(module: nn.Module, state_dict: dict[str, Tensor], prefix: str, *_: object) -> None:
        for name, own in module.named_parameters(recurse=False):
            given = state_dict.get(prefix + name)
            if given is None and name == "bias" and prefix + "gain" in state_dict:  # norms had no bias
                given = torch.zeros(())
            if given is not None and given.shape != own.shape:
                column = given.unsqueeze(-1) if own.shape[-1] == 1 and given.ndim == 1 else given
                state_dict[prefix + name] = column.expand_as(own).clone()


class RmsNorm(_OncePerBand):
    """Divide by the root mean square of the last axis, times a learned gain, plus a bias; both of each band.

    They are what lets weights that all bands share treat a bass note other than a cymbal.
    """

    def __init__(self, bands: int, width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(bands, 1, 1, width))
        self.bias = nn.Parameter(torch.zeros(bands, 1, 1, width))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `[bands, batch, frames, width]`."""
        return functional.rms_norm(x, x.shape[-1:], eps=1e-6) * self.gain + self.bias


class GroupedLinear(_OncePerBand):
    """Some linear maps side by side, each over its own group."""

    def __init__(self, groups: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = inputs**-0.5
        self.weight = nn.Parameter(torch.empty(groups, outputs, inputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(groups, outputs, 1).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        """Map `[groups, inputs, columns]` to `[groups, outputs, columns]`."""
        return torch.baddbmm(self.bias.to(x.dtype), self.weight.to(x.dtype), x)

    def from_right(self, x: Tensor) -> Tensor:
        """The same for few columns: `[groups, columns, inputs]` to `[groups, columns, outputs]`."""
        return torch.matmul(x, self.weight.transpose(1, 2)) + self.bias.transpose(1, 2)


class SharedGru(nn.Module):
    """`nn.GRU` for many frames; for one frame the same equations in plain operators, which export and run faster."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.gru = nn.GRU(width, hidden, batch_first=True)
        self.scan: Callable[[nn.GRU, Tensor, Tensor], tuple[Tensor, Tensor]] | None = None
        """A faster way through many frames, see `rtsep.training.gru_scan`."""

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Run `x: [rows, frames, width]` from `state: [rows, hidden]`; return `[rows, frames, hidden]` and the new state."""
        if x.shape[1] > 1 and self.scan is not None:
            return self.scan(self.gru, x, state)
        if x.shape[1] > 1:
            y, last = self.gru(x, state.unsqueeze(0).to(x.dtype))
            return y, last[0]
        gru = self.gru
        input_weight, state_weight, input_bias, state_bias = gru.all_weights[0]
        both = 2 * self.hidden
        rows = x.squeeze(1)
        of_input = functional.linear(rows, input_weight[:both], input_bias[:both] + state_bias[:both])
        gates = torch.sigmoid(torch.addmm(of_input, state, state_weight[:both].t()))
        reset, keep = gates.chunk(2, 1)
        of_state = functional.linear(state, state_weight[both:], state_bias[both:])
        proposal = torch.tanh(torch.addcmul(functional.linear(rows, input_weight[both:], input_bias[both:]), reset, of_state))
        state = proposal + keep * (state - proposal)
        return state.unsqueeze(1), state


class Block(nn.Module):
    """Memory per band, then exchange between bands; both residual."""

    def __init__(self, config: BandNetConfig, dropout: float) -> None:
        super().__init__()
        bands, width = config.band_count, config.width
        self.dropout, self.groups = dropout, config.exchange_groups
        self.time_norm = RmsNorm(bands, width)
        self.gru = SharedGru(width, config.hidden)
        self.time_out = nn.Linear(config.hidden, width)
        self.band_norm = RmsNorm(bands, width)
        self.band_in = GroupedLinear(self.groups, bands, 2 * bands)
        self.band_out = GroupedLinear(self.groups, 2 * bands, bands)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Map `x: [bands, batch, frames, width]` with `state: [bands * batch, hidden]`."""
        bands, batch, frames, width = x.shape
        y, state = self.gru(self.time_norm(x).reshape(bands * batch, frames, width), state)
        x = x + self._thinned(self.time_out(y).reshape(x.shape))
        y = self._exchanged(self.band_norm(x).reshape(bands, batch * frames, width)).reshape(x.shape)
        return x + self._thinned(y), state

    def _exchanged(self, y: Tensor) -> Tensor:
        """What bands tell each other, of `[bands, rows, width]`: one matrix product from the left per group of features."""
        bands, rows, width = y.shape
        if rows == 1:  # features of a group are the rows of a product from the right: biases then lie along what is added
            y = y.reshape(bands, width).t().reshape(self.groups, -1, bands)
            y = functional.gelu(self.band_in.from_right(y), approximate="tanh")
            return self.band_out.from_right(y).reshape(width, bands).t()
        y = y.reshape(bands, rows, self.groups, -1).permute(2, 0, 1, 3).reshape(self.groups, bands, -1)
        y = self.band_out(functional.gelu(self.band_in(y), approximate="tanh"))
        return y.reshape(self.groups, bands, rows, -1).permute(1, 2, 0, 3)

    def _thinned(self, y: Tensor) -> Tensor:
        """Leave out features of bands while training, the same ones in all frames (Gal & Ghahramani 2016)."""
        if not self.dropout or not self.training:
            return y
        return y * functional.dropout(torch.ones_like(y[:, :, :1]), self.dropout)


def compressed_features(spectrum: Tensor) -> Tensor:
    """Features of each bin, without any memory.

    Magnitudes of left, right, mid and side carry level and panning in a form that one linear layer can use; re/im keep the phase
    slope across bins, which tells where inside the window an attack sits.

    Args:
        spectrum: `[batch, frames, 2, bins, 2]`, re/im last.

    Returns:
        `[batch, frames, bins, FEATURES]`.
    """
    planes = spectrum.transpose(3, 4)  # bins last: what runs over bins is then one sweep through memory
    left, right = planes[:, :, 0], planes[:, :, 1]
    ways = torch.stack((left, right, 0.5 * (left + right), 0.5 * (left - right)), 2)
    level = (ways.square().sum(3) + 1e-5).log()
    magnitudes = (level * (0.5 * COMPRESSION)).exp()
    phasors = planes * (level[:, :, :2] * (0.5 * (COMPRESSION - 1.0))).exp().unsqueeze(3)
    return torch.cat((magnitudes, phasors.flatten(2, 3)), 2).transpose(2, 3)


class Patterns(nn.Module):
    """Small filters along frequency, the same in the whole spectrum: a partial, a vibrato, an attack look alike anywhere.

    Bands know only what their own bins have taught them; a voice at another pitch is a new pattern to each of them. The same
    few filters for all bins carry over, and give every bin its own part in the mask (after the convolutions of Choi et al.,
    "Investigating U-Nets with various intermediate blocks", ISMIR 2020). Nothing along time: that is the GRU's.
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv1d(FEATURES if step == 1 else count, count, 7, padding=3 * step, dilation=step) for step in (1, 2, 4)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map features `[rows, FEATURES, bins]` to patterns `[rows, count, bins]`."""
        first, *more = self.layers
        x = functional.gelu(first(x), approximate="tanh")
        for layer in more:
            x = x + functional.gelu(layer(x), approximate="tanh")
        return x


class BandNet(nn.Module):
    """The network; see the module's text."""

    feature_mean: Tensor
    feature_scale: Tensor

    def __init__(self, config: BandNetConfig, dropout: float = 0.0) -> None:
        """Make a network with random weights; `dropout` is the share of each block's output that training leaves out."""
        super().__init__()
        self.config = config
        width, outputs = config.width, len(config.stems) * config.channels
        # What the features of each bin usually are: high bins are hundreds of times quieter than low ones, and inputs that hardly
        # vary around a large mean make the first layer learn slowly. Set once from music, before training.
        self.register_buffer("feature_mean", torch.zeros(config.masked_bins, FEATURES))
        self.register_buffer("feature_scale", torch.ones(config.masked_bins, FEATURES))
        self.encoders = nn.ParameterList(
            nn.Parameter(torch.randn(count, bins * FEATURES, width) * (bins * FEATURES) ** -0.5) for count, bins in config.bands
        )
        self.band_bias = nn.Parameter(torch.zeros(config.band_count, width))
        self.stack = nn.ModuleList(Block(config, dropout) for _ in range(config.blocks))
        self.head_norm = RmsNorm(config.band_count, width)
        self.head = nn.Linear(width, width)
        self.decoders = nn.ParameterList(
            nn.Parameter(torch.randn(count, width, bins * outputs) * 0.5 * width**-0.5) for count, bins in config.bands
        )
        self.decoder_biases = nn.ParameterList(
            nn.Parameter(torch.zeros(count, 1, bins * outputs)) for count, bins in config.bands
        )
        if config.patterns:
            self.patterns = Patterns(config.patterns)
            # Nothing at first: a network that has learnt without patterns goes on from where it was.
            self.pattern_encoders = nn.ParameterList(
                nn.Parameter(torch.zeros(count, bins * config.patterns, width)) for count, bins in config.bands
            )
            self.pattern_head = nn.Linear(width, outputs * config.patterns, bias=False)
            nn.init.zeros_(self.pattern_head.weight)

    @torch.no_grad()
    def calibrate(self, spectra: Tensor) -> None:
        """Standardise features by those of some minutes of music, `[batch, frames, channels, bins, 2]`."""
        features = compressed_features(spectra[:, :, :, : self.config.masked_bins]).flatten(0, 1)
        self.feature_mean.copy_(features.mean(0))
        self.feature_scale.copy_(1.0 / (features.std(0) + 1e-3))

    def init_state(self, batch: int = 1) -> Tensor:
        """Return the state after silence: `[blocks, bands * batch, hidden]` zeros."""
        config = self.config
        return torch.zeros(config.blocks, batch * config.band_count, config.hidden, device=self.band_bias.device)

    def forward(self, spectrum: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Masks of the given frames.

        Args:
            spectrum: `[batch, frames, channels, bins, 2]` re/im of the mix.
            state: from `init_state` or the previous call.

        Returns:
            Masks `[batch, frames, stems, channels, masked_bins]` in 0..1, adding up to 1 over stems; the new state.
        """
        x, patterns = self._encode(spectrum)
        states = []
        for block, block_state in zip(self.stack, state.flatten(0, 1).chunk(len(self.stack)), strict=True):
            x, block_state = block(x, block_state)
            states.append(block_state)
        return self._decode(x, patterns), torch.cat(states).reshape(state.shape).float()

    def _encode(self, spectrum: Tensor) -> tuple[Tensor, Tensor | None]:
        """Features, and one linear map per band: to `[bands, batch, frames, width]`; and patterns `[rows, count, bins]`."""
        batch, frames = spectrum.shape[:2]
        rows = batch * frames
        features = compressed_features(spectrum[:, :, :, : self.config.masked_bins])
        features = ((features - self.feature_mean) * self.feature_scale).reshape(rows, -1, FEATURES)
        tokens = _per_band(features, self.config.bands, self.encoders)
        patterns = None
        if self.config.patterns:
            patterns = self.patterns(features.transpose(1, 2))
            more = _per_band(patterns.transpose(1, 2), self.config.bands, self.pattern_encoders)
            tokens = [token + further for token, further in zip(tokens, more, strict=True)]
        x = torch.cat(tokens) + self.band_bias.unsqueeze(1)
        return x.reshape(self.config.band_count, batch, frames, -1), patterns

    def _decode(self, x: Tensor, patterns: Tensor | None) -> Tensor:
        """One linear map per band: `[bands, batch, frames, width]` to masks; bands also say which pattern belongs to whom."""
        batch, frames = x.shape[1:3]
        rows, stems, channels = batch * frames, len(self.config.stems), self.config.channels
        outputs = stems * channels
        flat = torch.tanh(self.head(self.head_norm(x))).reshape(self.config.band_count, rows, -1)
        owners = None if patterns is None else self.pattern_head(flat).reshape(-1, rows, outputs, self.config.patterns)
        logits, start, low = [], 0, 0
        for (count, bins), weight, bias in zip(self.config.bands, self.decoders, self.decoder_biases, strict=True):
            part = torch.baddbmm(bias.to(flat.dtype), flat[start : start + count], weight.to(flat.dtype))
            part = part.reshape(count, rows, outputs, bins)
            if owners is not None and patterns is not None:
                own = patterns[:, :, low : low + count * bins].reshape(rows, -1, count, bins).permute(2, 0, 1, 3)
                part = part + torch.matmul(owners[start : start + count], own)
            logits.append(part.permute(1, 2, 0, 3).reshape(rows, outputs, count * bins))
            start, low = start + count, low + count * bins
        powers = torch.cat(logits, 2).reshape(batch, frames, stems, channels, -1).float()
        # Not `softmax`, which ONNX Runtime computes along the last axis only, with the stems moved there and back.
        powers = (powers - powers.detach().amax(2, keepdim=True)).exp()
        return powers / powers.sum(2, keepdim=True)


def _per_band(x: Tensor, bands: tuple[tuple[int, int], ...], weights: nn.ParameterList) -> list[Tensor]:
    """Map `[rows, bins, features]` by one matrix per band; per run of equal bands `[count, rows, width]`."""
    rows, _, features = x.shape
    mapped, start = [], 0
    for (count, bins), weight in zip(bands, weights, strict=True):
        part = x[:, start : start + count * bins].reshape(rows, count, bins * features)
        mapped.append(torch.bmm(part.transpose(0, 1), weight.to(part.dtype)))
        start += count * bins
    return mapped
