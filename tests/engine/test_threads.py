"""Threads of the inference process, counted by the system."""

from __future__ import annotations

from pathlib import Path

from rtsep.engine.session import Engine, StreamFormat


def threads_of_the_model(count: int) -> int:
    """Start a model that is to compute with so many threads, and count all that its process has."""
    engine = Engine(StreamFormat(44_100, 256), model="bandnet", runtime="onnx", threads=count)
    engine.start()
    try:
        assert engine.supervisor.wait_until_running(120.0)
        return len(list(Path(f"/proc/{engine.supervisor.pid}/task").iterdir()))
    finally:
        engine.stop()


def test_the_model_computes_with_as_many_threads_as_it_was_told() -> None:
    assert threads_of_the_model(3) == threads_of_the_model(1) + 2
