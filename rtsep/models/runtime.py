"""Run a net: ONNX Runtime on the CPU, torch on CUDA.

On a CPU, ONNX Runtime takes half the time of eager torch and, with one thread and no spinning, leaves the other
cores to the audio; a second thread waits for the slower of the two whenever anything else runs (measured: up to
thirty times slower under load). One thread is therefore usual, and `use_threads` is for a machine where `rtsep doctor`
measured that more are needed. Denormals count as zero, because decaying reverb is full of them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.errors import WeightsError

Net = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""One float32 array in, one out."""


_threads = 1


def use_threads(count: int) -> None:
    """Let the nets that this process opens from now on compute with so many CPU threads, as torch has it for a process too."""
    global _threads
    _threads = count


def cpu_threads() -> int:
    """CPU threads that a net computes with."""
    return _threads


def choose(runtime: str) -> str:
    """Resolve "auto": "torch" if there is a CUDA device, else "onnx"."""
    if runtime != "auto":
        return runtime
    return "torch" if cuda_devices() else "onnx"


def cuda_devices() -> int:
    """Count CUDA devices by asking the driver, which takes a millisecond where importing torch takes a second."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    ready = driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
    return count.value if ready else 0


def open_session(path: Path) -> Any:
    """Open an ONNX graph for the CPU.

    Returns:
        An `onnxruntime.InferenceSession`.

    Raises:
        WeightsError: ONNX Runtime refuses the file.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a dozen exception types without a common base
        raise WeightsError(f"ONNX Runtime cannot load {path}: {str(error).splitlines()[0]}") from error


def onnx_net(path: Path) -> Net:
    """Return a graph with one input and one output as a function."""
    session = open_session(path)
    (source,), (result,) = session.get_inputs(), session.get_outputs()

    def run(array: NDArray[np.float32]) -> NDArray[np.float32]:
        output: NDArray[np.float32] = session.run([result.name], {source.name: array})[0]
        return output

    return run


def torch_net(module: Any) -> Net:
    """Return a torch module as a function, on the first CUDA device if there is one, else on the CPU."""
    import torch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu":
        torch.set_num_threads(_threads)
        torch.set_flush_denormal(True)
    module = module.eval().requires_grad_(False).to(device)

    def run(array: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            output: NDArray[np.float32] = module(torch.from_numpy(array).to(device)).cpu().numpy()
        return output

    return run
