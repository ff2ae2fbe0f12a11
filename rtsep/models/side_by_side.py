"""Two nets side by side on one transform: Spleeter says what is sung, our own net divides the rest.

Both hear the mix at the same time and mask one STFT, so the latencies of the nets do not add up. In every bin the vocals get a
mean of what both nets give them; what is left goes to drums, bass and other in the proportions of our own net. Above 11 kHz,
where Spleeter sees nothing, our own net is alone. The masks of a bin add up to one, hence the stems to the delayed input. They
divide each bin with the help of where in the stereo field the stems stand (`rtsep.dsp.wiener`).

That STFT is the one of Spleeter's tier: where there is time to look ahead, windows that overlap by three quarters of 4096
frames are a better use of 70 ms than three transforms of the future (0.1 to 0.3 dB of vocals and 0.1 to 0.5 of drums,
`tools/training/README.md`). Our own net was trained on its own windows and goes on to see those.

Spleeter looks at 4096 frames every 1024, whatever the hop. A net with hops of 512 frames uses each of its masks twice, the
second time 12 ms old, and every second hop takes longer to compute; both mask the STFT of our own net. With hops of 1024, a
tier of Spleeter may run at every E-th transform only and look ahead, with masks for the oldest E of the newest N; the spectra
and our own masks wait for them.

Worked example: N = 2, E = 1, hops of 1024, synthesis windows of 4096. A step takes 1024 frames and masks the transform before
the newest; the latency is 3072 + 1024 frames, heard after 5120 = 116 ms at 44.1 kHz.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtsep.dsp.stft import StreamingStft, spectra
from rtsep.dsp.wiener import divider
from rtsep.dsp.windows import low_delay_pair
from rtsep.models.bandnet_config import BandNetConfig
from rtsep.models.bandnet_stream import FrameNet, masks_of_frame, to_all_bins
from rtsep.models.separator import Audio, SeparatorSpec, State
from rtsep.models.spleeter_shape import BINS, FFT, HOP
from rtsep.models.spleeter_stream import Magnitudes, SpleeterWindow

OWN_SHARE = 0.15
"""Weight of our own net in the vocals. On 30 s of seven validation songs at 116 ms, 0.2, 0.15 and 0.1 give the same vocals
within 0.01 dB (5.57, 5.57, 5.56); but most of those songs share singers with our training, and on the one that does not every
0.05 less is 0.1 dB better. A blend of both nets' logits, fitted at four frequencies on six songs, was no better on the
seventh."""

REMAINDER = -1
"""`other`, to which all above the masks goes."""

Masks = NDArray[np.float32]


def share_out(masks: Masks, sung: Magnitudes) -> Masks:
    """Masks of both nets as one.

    Args:
        masks: of our own net, `[4, ..., bins]`, vocals first, other last, adding up to one.
        sung: Spleeter's mask of the vocals, `[..., seen]` for the lowest `seen <= bins` bins.

    Returns:
        `[4, ..., bins]`, adding up to one.
    """
    vocals, seen = masks[0].copy(), sung.shape[-1]
    vocals[..., :seen] += np.float32(1.0 - OWN_SHARE) * (sung - vocals[..., :seen])
    shared: Masks = masks * ((1.0 - vocals) / np.maximum(masks[1:].sum(0), np.float32(1e-9)))
    shared[0] = vocals
    shared[-1] = 1.0 - shared[:-1].sum(0)
    return shared


class SideBySide:
    """A `Separator` of vocals, drums, bass and other."""

    def __init__(self, window: SpleeterWindow, net: FrameNet, config: BandNetConfig, spec: SeparatorSpec) -> None:
        """Take Spleeter, our own net with its configuration, and what both promise together (`rtsep.models.cascade.describe`)."""
        self.spec = spec
        self._window, self._net, self._config = window, net, config
        own = low_delay_pair(config.window, config.hop, config.synthesis)
        self._own_window = own.analysis
        self._stft = StreamingStft(window.pair if config.hop == HOP else own)
        self._divider = divider(len(config.stems), config.channels, self._stft.bins, config.hop, config.rate)
        self._covered = config.masked_bins
        self._coarser = FFT // config.window
        self._transforms = spec.hop // config.hop
        self._waiting = (spec.latency - self._stft.pair.latency) // HOP

    def init_state(self) -> State:
        """Return the memory of a stream that has heard only silence."""
        config = self._config
        memory = self._stft.init_state((config.channels,), (len(config.stems), config.channels))
        return (
            memory
            | self._divider.init_state()
            | {
                "hidden": np.zeros((config.blocks, config.band_count, config.hidden), np.float32),
                "spleeter": self._window.init_state(),
                "heard": np.zeros((config.channels, FFT + (self._window.every - 1) * HOP), np.float32),
                "sung": np.zeros((config.channels, self._window.every, BINS), np.float32),
                "until_next": 0,
                "spectra": np.zeros((config.channels, self._waiting, self._stft.bins), np.complex64),
                "masks": np.zeros((len(config.stems), config.channels, self._waiting, self._covered), np.float32),
            }
        )

    def step(self, mix: Audio, state: State) -> Audio:
        """Separate one hop, see `Separator.step`."""
        self._listen(mix, state)
        transforms, masks = self._divide(mix, state)
        shared = share_out(masks, state["sung"][..., :: self._coarser])
        stems = np.empty((len(masks), *transforms.shape), np.complex64)
        for index in range(self._transforms):
            all_bins = to_all_bins(shared[:, :, index], self._stft.bins, REMAINDER)
            stems[:, :, index] = self._divider.split(all_bins, transforms[:, index], state)
        return self._stft.synthesise(stems, state)

    def _listen(self, mix: Audio, state: State) -> None:
        """Ask Spleeter for masks of vocals when it is its turn: `state["sung"]`, `[channels, every, BINS]`."""
        heard = state["heard"]
        heard[:, : -self.spec.hop] = heard[:, self.spec.hop :]
        heard[:, -self.spec.hop :] = mix
        if not state["until_next"]:
            # Broken input passes with the mix and is gone with its window; the past that Spleeter keeps would hold it for longer.
            sound = heard if np.isfinite(heard).all() else np.zeros_like(heard)
            state["sung"] = self._window.masks(sound, state["spleeter"]).copy()
            state["until_next"] = self._window.every * HOP
        state["until_next"] -= self.spec.hop

    def _divide(self, mix: Audio, state: State) -> tuple[NDArray[np.complex64], Masks]:
        """Return spectra `[channels, transforms, bins]` whose turn it is, and our own masks for them; newer ones wait."""
        seen = spectra(np.concatenate((state["history"], mix), 1), self._own_window, self._config.hop)
        transforms = self._stft.analyse(mix, state)
        masks = np.empty((len(self._config.stems), len(mix), self._transforms, self._covered), np.float32)
        for index in range(self._transforms):
            masks[:, :, index], state["hidden"] = masks_of_frame(self._net, seen[:, index], state["hidden"])
        if self._waiting:
            transforms, masks = np.concatenate((state["spectra"], transforms), 1), np.concatenate((state["masks"], masks), 2)
            state["spectra"], state["masks"] = transforms[:, self._transforms :], masks[:, :, self._transforms :]
        return transforms[:, : self._transforms], masks[:, :, : self._transforms]
