"""Two nets side by side on one transform: Spleeter says what is sung, our own net divides the rest.

Both hear the mix at the same time and mask the low-delay STFT of our own net, so the latency is that net's alone, where the
latencies of nets in a row add up. In every bin the vocals get a mean of what both nets give them; what is left goes to drums,
bass and other in the proportions of our own net. Above 11 kHz, where Spleeter sees nothing, our own net is alone. The masks of a
bin add up to one, hence the stems to the delayed input.

Spleeter looks at 4096 frames every 1024, whatever the hop. A net with hops of 512 frames uses each of its masks twice, the second
time 12 ms old, and every second hop takes longer to compute.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtsep.dsp.stft import StreamingStft
from rtsep.dsp.windows import low_delay_pair
from rtsep.models.bandnet_config import BandNetConfig
from rtsep.models.bandnet_stream import FrameNet, masks_of_frame
from rtsep.models.separator import Audio, SeparatorSpec, State
from rtsep.models.spleeter_shape import BINS, FFT, HOP
from rtsep.models.spleeter_stream import Magnitudes, SpleeterWindow

OWN_SHARE = 0.3
"""Weight of our own net in the vocals. On 20 s of seven validation songs at 46 ms it gains 0.23 dB of mean SDR over none, and 0.5
would gain 0.28; but some of those songs share singers with our training, and on the real one 0.3 is best. A blend of both nets'
logits, fitted at four frequencies on six songs, was no better on the seventh than the best share."""

Masks = NDArray[np.float32]


def share_out(masks: Masks, sung: Magnitudes) -> Masks:
    """Masks of both nets as one.

    Args:
        masks: of our own net, `[4, channels, bins]`, vocals first, other last, adding up to one.
        sung: Spleeter's mask of the vocals, `[channels, seen]` for the lowest `seen <= bins` bins.

    Returns:
        `[4, channels, bins]`, adding up to one.
    """
    vocals, seen = masks[0].copy(), sung.shape[1]
    vocals[:, :seen] += np.float32(1.0 - OWN_SHARE) * (sung - vocals[:, :seen])
    shared: Masks = masks * ((1.0 - vocals) / np.maximum(masks[1:].sum(0), np.float32(1e-9)))
    shared[0] = vocals
    shared[-1] = 1.0 - shared[:-1].sum(0)
    return shared


class SideBySide:
    """A `Separator` of vocals, drums, bass and other."""

    def __init__(self, window: SpleeterWindow, net: FrameNet, config: BandNetConfig, spec: SeparatorSpec) -> None:
        """Take Spleeter, one transform at a time, and our own net with its configuration, whose hop divides 1024 frames."""
        self.spec = spec
        self._window, self._net, self._config = window, net, config
        self._stft = StreamingStft(low_delay_pair(config.window, config.hop, config.synthesis))
        self._covered = config.masked_bins
        self._coarser = FFT // config.window

    def init_state(self) -> State:
        """Return the memory of a stream that has heard only silence."""
        config = self._config
        memory = self._stft.init_state((config.channels,), (len(config.stems), config.channels))
        return memory | {
            "hidden": np.zeros((config.blocks, config.band_count, config.hidden), np.float32),
            "spleeter": self._window.init_state(),
            "heard": np.zeros((config.channels, FFT), np.float32),
            "sung": np.zeros((config.channels, BINS), np.float32),
            "until_next": 0,
        }

    def step(self, mix: Audio, state: State) -> Audio:
        """Separate one hop, see `Separator.step`."""
        heard, hop, covered = state["heard"], self.spec.hop, self._covered
        heard[:, :-hop] = heard[:, hop:]
        heard[:, -hop:] = mix
        if not state["until_next"]:
            # Broken input passes with the mix and is gone with its window; the past that Spleeter keeps would hold it for longer.
            sound = heard if np.isfinite(heard).all() else np.zeros_like(heard)
            state["sung"] = self._window.masks(sound, state["spleeter"])[:, 0].copy()
            state["until_next"] = HOP
        state["until_next"] -= hop
        spectrum = self._stft.analyse(mix, state)
        masks, state["hidden"] = masks_of_frame(self._net, spectrum[:, 0], state["hidden"])
        stems = np.zeros((len(self._config.stems), *spectrum.shape), np.complex64)
        stems[..., 0, :covered] = share_out(masks, state["sung"][:, :: self._coarser]) * spectrum[:, 0, :covered]
        stems[-1, ..., covered:] = spectrum[..., covered:]
        return self._stft.synthesise(stems, state)
