"""BandNet hop by hop in torch: everything from the FFT to the overlap-add stays on the device.

On CUDA the hop is captured once as a graph over static buffers, so that a hop costs one launch instead of some two hundred; only
the hop of the mix goes up and the hops of the stems come down. On a CPU the same function runs as it is, which is how tests
reach it. The contract's state lives in the caller's dict; it is copied to the static buffers and back, which costs
microseconds on the device.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtsep.dsp import wiener
from rtsep.dsp.windows import low_delay_pair
from rtsep.models.bandnet import BandNet
from rtsep.models.bandnet_config import BandNetConfig
from rtsep.models.bandnet_stream import FrameNet
from rtsep.models.runtime import cpu_threads
from rtsep.models.separator import Audio, SeparatorSpec, State

WARM_UP_HOPS = 3
"""Eager hops before capture: libraries choose their kernels and allocate their workspaces in them."""


def load_net(path: Path, config: BandNetConfig) -> BandNet:
    """Read float16 weights into a float32 network."""
    from safetensors.torch import load_file

    net = BandNet(config)
    net.load_state_dict({name: tensor.float() for name, tensor in load_file(path).items()})
    return net


def torch_frame_net(net: BandNet) -> FrameNet:
    """One frame at a time on the CPU, for callers that bring their own transform."""
    net = net.eval().requires_grad_(False)
    torch.set_num_threads(cpu_threads())
    torch.set_flush_denormal(True)

    def run(spectrum: NDArray[np.float32], state: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        with torch.inference_mode():
            masks, new_state = net(torch.from_numpy(spectrum), torch.from_numpy(state))
        return masks.numpy(), new_state.numpy()

    return run


class BandNetTorch:
    """A `Separator`."""

    def __init__(self, net: BandNet, spec: SeparatorSpec, device: str | None = None) -> None:
        self.spec = spec
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        if self.device.type == "cpu":
            torch.set_num_threads(cpu_threads())
            torch.set_flush_denormal(True)
        config = net.config
        self._net = net.eval().requires_grad_(False).to(self.device)
        self._config = config
        pair = low_delay_pair(config.window, config.hop, config.synthesis)
        self._analysis = torch.from_numpy(pair.analysis).to(self.device)
        self._synthesis = torch.from_numpy(pair.synthesis).to(self.device)
        self._input = torch.zeros(config.channels, config.hop, device=self.device)
        self._output = torch.zeros(len(config.stems), config.channels, config.hop, device=self.device)
        self._pool = torch.from_numpy(np.stack(wiener.pooled(config.bins))).to(self.device)
        self._memory: dict[str, Tensor] = self._silence()
        self._graph = self._capture() if self.device.type == "cuda" else None

    def _silence(self) -> dict[str, Tensor]:
        config = self._config
        return {
            "window": torch.zeros(config.channels, config.window, device=self.device),
            "tail": torch.zeros(len(config.stems), config.channels, config.latency, device=self.device),
            "hidden": self._net.init_state(),
            "covariances": torch.zeros(len(config.stems), 4, config.bins, device=self.device),
        }

    def init_state(self) -> State:
        """Return the memory of a stream that has heard only silence; tensors on the device."""
        return dict(self._silence())

    def step(self, mix: Audio, state: State) -> Audio:
        """Separate one hop, see `Separator.step`."""
        with torch.inference_mode():
            self._input.copy_(torch.from_numpy(mix))
            for name, buffer in self._memory.items():
                buffer.copy_(state[name])
            if self._graph is None:
                self._advance()
            else:
                self._graph.replay()
            for name, buffer in self._memory.items():
                state[name].copy_(buffer)
            stems: Audio = self._output.cpu().numpy().astype(np.float32, copy=True)
        return stems

    def _advance(self) -> None:
        """One hop over the static buffers; no allocation outside torch's own pool, no synchronisation."""
        config, memory = self._config, self._memory
        window = torch.cat((memory["window"][:, config.hop :], self._input), 1)
        memory["window"].copy_(window)
        spectrum = torch.fft.rfft(window * self._analysis)
        # Broken input passes with the mix and is gone with its window; the memory of the net would keep it for ever.
        planes = torch.view_as_real(spectrum)
        seen = torch.where(torch.isfinite(planes).all(), planes, torch.zeros_like(planes))
        masks, hidden = self._net(seen[None, None], memory["hidden"])
        memory["hidden"].copy_(hidden)
        above = torch.zeros(len(config.stems), 1, config.bins - config.masked_bins, device=self.device)
        above[config.stems.index("other")] = 1.0
        gains = torch.cat((masks[0, 0], above.expand(-1, config.channels, -1)), -1)
        stems = self._split(gains, spectrum) if config.channels == wiener.CHANNELS else gains * spectrum
        pieces = torch.fft.irfft(stems, config.window)[..., -config.synthesis :] * self._synthesis
        self._output.copy_(pieces[..., : config.hop] + memory["tail"])
        memory["tail"].copy_(pieces[..., config.hop :])

    def _split(self, masks: Tensor, spectrum: Tensor) -> Tensor:
        """What `rtsep.dsp.wiener` does: masks `[stems, 2, bins]` and a spectrum `[2, bins]` to stems."""
        covariances, floor, faintest = self._memory["covariances"], float(wiener.FLOOR), float(wiener.FAINTEST)
        power = spectrum.real.square() + spectrum.imag.square()
        cross = spectrum[0] * spectrum[1].conj()
        sure = masks.square()
        both = sure[:, 0] * sure[:, 1]
        new = torch.stack(
            (sure[:, 0].square() * power[0], sure[:, 1].square() * power[1], both * cross.real, both * cross.imag), 1
        )
        moved = new + float(wiener.keep(self._config.hop, self._config.rate)) * (covariances - new)
        total = power.sum(0)
        covariances.copy_(torch.where((total > 0) & total.isfinite(), moved, covariances))
        covariances.masked_fill_(covariances.abs() <= faintest, 0.0)

        # In float64: differences of sums over bins as loud as bass and as faint as breath.
        sums = torch.nn.functional.pad(covariances.double().cumsum(-1), (1, 0))
        places = (sums[..., self._pool[1]] - sums[..., self._pool[0]]).float()
        trace = places[:, :2].sum(1, keepdim=True)
        heard = trace > faintest
        places = torch.where(heard, places / trace, torch.zeros_like(places))
        places[:, :2] += torch.where(heard, floor, floor + 0.5)

        share = (masks * power).sum(1, keepdim=True)
        whole = share.sum(0)
        left, right, real, imag = (share * places).sum(0) / whole
        middle = torch.complex(real, imag)
        scale = 1.0 / ((left * right - real.square() - imag.square()) * whole)
        y0, y1 = scale * (right * spectrum[0] - middle * spectrum[1]), scale * (left * spectrum[1] - middle.conj() * spectrum[0])
        r = torch.complex(places[:, 2], places[:, 3])
        filtered = share * torch.stack((places[:, 0] * y0 + r * y1, r.conj() * y0 + places[:, 1] * y1), 1)
        return torch.where((whole > faintest) & whole.isfinite(), filtered, masks * spectrum)

    def _capture(self) -> torch.cuda.CUDAGraph:
        with torch.inference_mode():
            side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(WARM_UP_HOPS):
                    self._advance()
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                self._advance()
        return graph
