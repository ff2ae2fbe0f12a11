"""What runs a net, and what it says when it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from rtsep import paths
from rtsep.errors import WeightsError
from rtsep.models import runtime


def test_a_file_that_is_no_graph_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"not a graph")
    with pytest.raises(WeightsError, match=r"cannot load .*net\.onnx"):
        runtime.open_session(tmp_path / "net.onnx")


def test_auto_takes_torch_only_where_there_is_a_cuda_device() -> None:
    assert runtime.choose("auto") == ("torch" if torch.cuda.is_available() else "onnx")
    assert runtime.choose("torch") == "torch"


@pytest.fixture
def three_threads() -> Iterator[None]:
    runtime.use_threads(3)
    yield
    runtime.use_threads(1)
    torch.set_num_threads(1)


def test_nets_compute_with_as_many_threads_as_the_process_was_told(three_threads: None) -> None:
    graph = next(paths.DATA.rglob("*.onnx"))
    assert runtime.open_session(graph).get_session_options().intra_op_num_threads == 3
    runtime.torch_net(torch.nn.Linear(3, 2))
    assert torch.get_num_threads() == 3


def test_a_torch_module_becomes_a_function_of_arrays() -> None:
    module = torch.nn.Linear(3, 2)
    array = np.ones((1, 3), np.float32)
    with torch.inference_mode():
        expected = module(torch.ones(1, 3)).numpy()
    result = runtime.torch_net(module)(array)
    assert result.dtype == np.float32
    assert np.abs(result - expected).max() < 1e-6
