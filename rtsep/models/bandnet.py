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

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtsep.models.bandnet_config import BandNetConfig

FEATURES = 8
"""Inputs per bin: compressed magnitudes of left, right, mid and side, then compressed left and right as re/im."""

COMPRESSION = 0.3
"""Exponent of the magnitude compression: 60 dB of level become a factor of 8."""


class RmsNorm(nn.Module):
    """Divide by the root mean square of the last axis, times a learned gain."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `[..., width]`."""
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * self.gain


class SharedGru(nn.Module):
    """`nn.GRU` for many frames; for one frame the same equations in plain operators, which export and run faster."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.gru = nn.GRU(width, hidden, batch_first=True)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Run `x: [rows, frames, width]` from `state: [rows, hidden]`; return `[rows, frames, hidden]` and the new state."""
        if x.shape[1] > 1:
            y, last = self.gru(x, state.unsqueeze(0).to(x.dtype))
            return y, last[0]
        gru = self.gru
        input_weight, state_weight, input_bias, state_bias = gru.all_weights[0]
        of_input = functional.linear(x[:, 0], input_weight, input_bias)
        of_state = functional.linear(state, state_weight, state_bias)
        both = 2 * self.hidden
        gates = torch.sigmoid(of_input[:, :both] + of_state[:, :both])
        reset, keep = gates[:, : self.hidden], gates[:, self.hidden :]
        proposal = torch.tanh(of_input[:, both:] + reset * of_state[:, both:])
        state = proposal + keep * (state - proposal)
        return state.unsqueeze(1), state


class Block(nn.Module):
    """Memory per band, then exchange between bands; both residual."""

    def __init__(self, bands: int, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.time_norm = RmsNorm(width)
        self.gru = SharedGru(width, hidden)
        self.time_out = nn.Linear(hidden, width)
        self.band_norm = RmsNorm(width)
        self.band_in = nn.Linear(bands, 2 * bands)
        self.band_out = nn.Linear(2 * bands, bands)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Map `x: [batch, frames, bands, width]` with `state: [batch * bands, hidden]`."""
        batch, frames, bands, width = x.shape
        y = self.time_norm(x).transpose(1, 2).reshape(batch * bands, frames, width)
        y, state = self.gru(y, state)
        x = x + self._thinned(self.time_out(y).reshape(batch, bands, frames, width).transpose(1, 2))
        y = self.band_norm(x).transpose(2, 3)
        y = self.band_out(functional.gelu(self.band_in(y), approximate="tanh"))
        return x + self._thinned(y.transpose(2, 3)), state

    def _thinned(self, y: Tensor) -> Tensor:
        """Leave out features of bands while training, the same ones in all frames (Gal & Ghahramani 2016)."""
        if not self.dropout or not self.training:
            return y
        return y * functional.dropout(torch.ones_like(y[:, :1]), self.dropout)


def compressed_features(spectrum: Tensor) -> Tensor:
    """Features of each bin, without any memory.

    Magnitudes of left, right, mid and side carry level and panning in a form that one linear layer can use; re/im keep the phase
    slope across bins, which tells where inside the window an attack sits.

    Args:
        spectrum: `[batch, frames, 2, bins, 2]`, re/im last.

    Returns:
        `[batch, frames, bins, FEATURES]`.
    """
    left, right = spectrum[:, :, 0], spectrum[:, :, 1]
    ways = torch.stack((left, right, 0.5 * (left + right), 0.5 * (left - right)), 2)
    power = ways.square().sum(-1) + 1e-5
    magnitudes = power.pow(0.5 * COMPRESSION)
    phasors = spectrum * power[:, :, :2].pow(0.5 * (COMPRESSION - 1.0)).unsqueeze(-1)
    phasors = phasors.transpose(2, 3).flatten(-2)
    return torch.cat((magnitudes.transpose(2, 3), phasors), -1)


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
        self.stack = nn.ModuleList(Block(config.band_count, width, config.hidden, dropout) for _ in range(config.blocks))
        self.head_norm = RmsNorm(width)
        self.head = nn.Linear(width, width)
        self.decoders = nn.ParameterList(
            nn.Parameter(torch.randn(count, width, bins * outputs) * 0.5 * width**-0.5) for count, bins in config.bands
        )
        self.decoder_biases = nn.ParameterList(
            nn.Parameter(torch.zeros(count, 1, bins * outputs)) for count, bins in config.bands
        )

    @torch.no_grad()
    def calibrate(self, spectra: Tensor) -> None:
        """Standardise features by those of some minutes of music, `[batch, frames, channels, bins, 2]`."""
        features = compressed_features(spectra[:, :, :, : self.config.masked_bins]).flatten(0, 1)
        self.feature_mean.copy_(features.mean(0))
        self.feature_scale.copy_(1.0 / (features.std(0) + 1e-3))

    def init_state(self, batch: int = 1) -> Tensor:
        """Return the state after silence: `[blocks, batch * bands, hidden]` zeros."""
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
        batch, frames = spectrum.shape[:2]
        features = compressed_features(spectrum[:, :, :, : self.config.masked_bins])
        x = self._encode((features - self.feature_mean) * self.feature_scale)
        states = []
        for index, block in enumerate(self.stack):
            x, block_state = block(x, state[index])
            states.append(block_state)
        logits = self._decode(torch.tanh(self.head(self.head_norm(x))))
        shape = (batch, frames, len(self.config.stems), self.config.channels, self.config.masked_bins)
        return torch.softmax(logits.reshape(shape).float(), 2), torch.stack(states).float()

    def _encode(self, features: Tensor) -> Tensor:
        """One linear map per band: `[batch, frames, bins, FEATURES]` to `[batch, frames, bands, width]`."""
        batch, frames = features.shape[:2]
        flat = features.reshape(batch * frames, -1)
        tokens, start = [], 0
        for (count, bins), weight in zip(self.config.bands, self.encoders, strict=True):
            stop = start + count * bins * FEATURES
            part = flat[:, start:stop].reshape(batch * frames, count, bins * FEATURES)
            tokens.append(torch.bmm(part.transpose(0, 1), weight).transpose(0, 1))
            start = stop
        return (torch.cat(tokens, 1) + self.band_bias).reshape(batch, frames, self.config.band_count, -1)

    def _decode(self, tokens: Tensor) -> Tensor:
        """One linear map per band: `[batch, frames, bands, width]` to `[batch * frames, stems * channels, masked_bins]`."""
        rows = tokens.shape[0] * tokens.shape[1]
        flat = tokens.reshape(rows, self.config.band_count, -1)
        outputs = len(self.config.stems) * self.config.channels
        logits, start = [], 0
        for (count, bins), weight, bias in zip(self.config.bands, self.decoders, self.decoder_biases, strict=True):
            part = torch.baddbmm(bias.to(flat.dtype), flat[:, start : start + count].transpose(0, 1), weight.to(flat.dtype))
            part = part.reshape(count, rows, outputs, bins).permute(1, 2, 0, 3)
            logits.append(part.reshape(rows, outputs, count * bins))
            start += count
        return torch.cat(logits, 2)
