"""What the compiler made of the callbacks: nothing is called but our own code, and words between threads are atomic."""

from __future__ import annotations

import platform
import re
from typing import Any

import numpy as np
import pytest
from numba import cfunc, types

from rtsep.realtime.callbacks import jack_process, portaudio_process
from rtsep.realtime.notifications import jack_block_size, jack_freewheel, jack_latency, jack_wire, jack_xrun

CALLBACKS = {"jack": jack_process, "portaudio": portaudio_process}

HARMLESS = ("llvm.", "NRT_MemInfo_call_dtor")
"""Instructions; and what would free an array whose last reference is dropped, which arrays over foreign memory never reach."""


class Reached:
    """Everything that a callback can get to.

    Cached machine code cannot be inspected, so it is compiled once more. The walk starts behind the wrapper through which C
    calls: that one asks for the GIL to report an exception, and code that raises none never gets there.
    """

    def __init__(self, callback: Any) -> None:
        fresh = cfunc(callback._sig, error_model="numpy")(callback._pyfunc)
        llvm = fresh.inspect_llvm()
        bodies = dict(re.findall(r'^define [^@]*@"?([^"(]+)"?\([^\n]*\{\n(.*?)^\}', llvm, re.MULTILINE | re.DOTALL))
        waiting = [fresh.native_name.removeprefix("cfunc.")]
        assert waiting[0] in bodies
        seen: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting += re.findall(r'call[^@\n]*@"?([\w.$%\-]+)"?\(', bodies.get(name, ""))
        self.foreign = sorted(name for name in seen if name not in bodies and not name.startswith(HARMLESS))
        self.code = "\n".join(bodies[name] for name in seen if name in bodies)


@pytest.fixture(scope="module", params=CALLBACKS)
def reached(request: pytest.FixtureRequest) -> Reached:
    return Reached(CALLBACKS[request.param])


def test_a_callback_neither_allocates_nor_raises_nor_calls_anybody_by_name(reached: Reached) -> None:
    assert reached.foreign == []
    for call in ("NRT_MemInfo_alloc", "NRT_Allocate", "numba_do_raise", "numba_gil_ensure"):
        assert call not in reached.code


@pytest.mark.parametrize(  # parameters are float32, which the compiler moves as 32-bit words
    "word",
    [
        r"load atomic i64, .* acquire",
        r"store atomic i64 .* release",
        r"load atomic i32, .* monotonic",
        r"store atomic i32 .* monotonic",
    ],
)
def test_words_between_threads_are_loaded_and_stored_atomically(reached: Reached, word: str) -> None:
    assert re.search(word, reached.code)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the word that switches denormals off is SSE's")
def test_a_callback_switches_denormals_off_and_gives_back_what_was_set(reached: Reached) -> None:
    assert len(re.findall(r"call void @llvm\.x86\.sse\.ldmxcsr", reached.code)) >= 2


@pytest.mark.parametrize("listener", [jack_latency, jack_block_size, jack_xrun, jack_freewheel, jack_wire])
def test_what_the_server_says_outside_the_cycle_never_asks_for_the_gil(listener: Any) -> None:
    assert Reached(listener).foreign == []


def test_an_allocation_and_an_exception_would_be_found() -> None:
    @cfunc(types.float64(types.int64))
    def careless(n):  # type: ignore[no-untyped-def]
        if n > 100:
            raise ValueError
        return np.zeros(n).sum()

    foreign = Reached(careless).foreign
    assert any("NRT_MemInfo_alloc" in name or "NRT_Allocate" in name for name in foreign), foreign
