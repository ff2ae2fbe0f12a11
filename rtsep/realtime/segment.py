"""The shared segment and the audio thread's context, as numpy arrays over raw memory.

The segment is an anonymous file that exists only as an open descriptor, handed to the inference process when that is started.
It has no name in the file system: nobody else can open it, and nothing is left behind however the processes end.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import tempfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.realtime import layout as at
from rtsep.stems import STEMS


def _regions(capacity: int) -> list[tuple[str, type[np.generic], tuple[int, ...]]]:
    return [
        ("header", np.int64, (at.HEADER_WORDS,)),
        ("tags", np.int64, (at.TAGS,)),
        ("params", np.float32, (at.PARAMS,)),
        ("meters", np.float32, (at.METERS,)),
        ("source", np.float32, (at.CHANNELS, capacity)),
        ("stems", np.float32, (at.CHANNELS * at.SLOTS, capacity)),
        ("played", np.float32, (at.OUTPUTS, at.PLAYED)),
    ]


def bytes_of(capacity: int) -> int:
    """Size of a segment whose rings have `capacity` frames."""
    return sum(int(np.prod(shape)) * np.dtype(kind).itemsize for _, kind, shape in _regions(capacity))


def _anonymous_file(size: int) -> int:
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("rtsep")
    else:
        descriptor, path = tempfile.mkstemp(prefix="rtsep-")
        os.unlink(path)  # noqa: PTH108  the descriptor keeps it alive
    os.ftruncate(descriptor, size)
    os.set_inheritable(descriptor, True)
    return descriptor


class Segment:
    """Memory that the audio process and the inference process share.

    Attributes:
        header: int64 words, see `layout`.
        tags: int64, one published mark per hop.
        params: float32 parameter targets.
        meters: float32 peaks.
        source: `[CHANNELS, capacity]` float32 ring of the input.
        stems: `[SLOTS * CHANNELS, capacity]` float32 ring of separated audio, at the place of the input it belongs to.
        played: `[OUTPUTS, PLAYED]` float32 ring of what was heard, output frame t at `t & (PLAYED - 1)`.
    """

    header: NDArray[np.int64]
    tags: NDArray[np.int64]
    params: NDArray[np.float32]
    meters: NDArray[np.float32]
    source: NDArray[np.float32]
    stems: NDArray[np.float32]
    played: NDArray[np.float32]

    def __init__(self, descriptor: int, capacity: int) -> None:
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, bytes_of(capacity))
        offset = 0
        for name, kind, shape in _regions(capacity):
            count = int(np.prod(shape))
            setattr(self, name, np.frombuffer(self._memory, kind, count, offset).reshape(shape))
            offset += count * np.dtype(kind).itemsize

    @classmethod
    def create(
        cls, *, rate: int, hop: int, model_latency: int, latency: int, stems: tuple[str, ...], capacity: int = 0
    ) -> Segment:
        """Make the segment of one engine run, with faders at unity.

        Args:
            rate: frames per second of input and output.
            hop: frames per model step.
            model_latency: frames by which a step's output lags behind its input.
            latency: frames from input to output.
            stems: names the model fills.
            capacity: frames per ring, a power of two, if more than these figures need.
        """
        capacity = max(capacity, at.capacity_for(latency + model_latency, hop))
        segment = cls(_anonymous_file(bytes_of(capacity)), capacity)
        segment.header[at.MAGIC_WORD] = at.MAGIC
        segment.header[at.VERSION_WORD] = at.VERSION
        segment.header[at.CAPACITY] = capacity
        segment.header[at.END] = -1
        segment.lay_out(rate=rate, hop=hop, model_latency=model_latency, latency=latency, stems=stems)
        for first, count in ((at.GAIN, at.SLOTS), (at.WIDTH, at.SLOTS), (at.GROUP_GAIN, at.GROUPS)):
            segment.params[first : first + count] = 1.0
        segment.params[[at.MASTER, at.BLEND]] = 1.0
        segment.meters[at.LIMITER_GAIN] = 1.0
        ctypes.CDLL(None).sem_init(ctypes.c_void_p(segment.wake_address), 1, 0)
        segment.source[:] = 0.0  # touch every page now, not in the callback
        segment.played[:] = 0.0
        return segment

    def lay_out(self, *, rate: int, hop: int, model_latency: int, latency: int, stems: tuple[str, ...]) -> None:
        """Describe the model to the audio thread, as in `create`; only while no published hop is valid."""
        words = {
            at.RATE: rate,
            at.HOP: hop,
            at.MODEL_LATENCY: model_latency,
            at.LATENCY: latency,
            at.STEM_MASK: sum(1 << slot for slot, name in enumerate(STEMS) if name in stems),
        }
        for word, value in words.items():
            self.header[word] = value
        self.stems[:] = 0.0  # slots that this model does not fill are silent; also touches every page now, not in the callback

    @property
    def capacity(self) -> int:
        """Frames in each ring."""
        return int(self.header[at.CAPACITY])

    @property
    def wake_address(self) -> int:
        """Address of the semaphore that tells the model of a complete hop."""
        return int(self.header.ctypes.data) + 8 * at.WAKE

    def wake(self) -> None:
        """Tell the model that there is something to do. Any thread."""
        ctypes.CDLL(None).sem_post(ctypes.c_void_p(self.wake_address))

    def take_meters(self) -> NDArray[np.float32]:
        """Peaks since the last call, linear: the outputs in order, then the inputs. Control thread."""
        peaks = self.meters[: at.OUTPUTS + at.CHANNELS].copy()
        self.meters[: at.OUTPUTS + at.CHANNELS] = 0.0
        return peaks

    def close(self) -> None:
        """Give the descriptor back; the memory goes when the last array over it does."""
        os.close(self.descriptor)


class Context:
    """What the audio thread needs beside the segment: its own state, MIDI tables, scratch memory and C functions.

    Keep it alive as long as a callback may run.
    """

    def __init__(self, segment: Segment, scratch_floats: int = 0) -> None:
        from rtsep.realtime.atomics import function_address

        self.segment = segment
        self.words: NDArray[np.int64] = np.zeros(at.CONTEXT_WORDS, np.int64)
        self.mixer: NDArray[np.float32] = np.zeros(at.MIXER_FLOATS, np.float32)
        self.counts: NDArray[np.int64] = np.zeros(at.MIXER_COUNTS, np.int64)
        self.midi_map: NDArray[np.int32] = np.full((at.MIDI_KINDS, 17, 128), -1, np.int32)
        self.bindings: NDArray[np.int32] = np.zeros((at.BINDINGS, at.BINDING_WORDS), np.int32)
        self.midi_state: NDArray[np.float32] = np.zeros((at.BINDINGS, at.STATE_WORDS), np.float32)
        self.midi_registers: NDArray[np.int32] = np.zeros((16, at.REGISTERS), np.int32)
        self.midi_registers[:, at.R_NRPN] = -1
        self.signals: NDArray[np.int64] = np.zeros(1 + at.SIGNALS, np.int64)
        self.midi_log: NDArray[np.int64] = np.zeros(1 + at.MIDI_LOG, np.int64)
        self.curves: NDArray[np.float32] = np.zeros((at.BINDINGS, 128), np.float32)
        self.scratch: NDArray[np.float32] = np.zeros(max(8, scratch_floats), np.float32)
        arrays: dict[int, NDArray[Any]] = {
            at.A_HEADER: segment.header,
            at.A_TAGS: segment.tags,
            at.A_PARAMS: segment.params,
            at.A_METERS: segment.meters,
            at.A_INPUT: segment.source,
            at.A_STEMS: segment.stems,
            at.A_PLAYED: segment.played,
            at.A_MIXER: self.mixer,
            at.A_COUNTS: self.counts,
            at.A_MIDI_MAP: self.midi_map,
            at.A_BINDINGS: self.bindings,
            at.A_CURVES: self.curves,
            at.A_MIDI_STATE: self.midi_state,
            at.A_MIDI_REGISTERS: self.midi_registers,
            at.A_SIGNALS: self.signals,
            at.A_MIDI_LOG: self.midi_log,
            at.A_SCRATCH: self.scratch,
        }
        for word, array in arrays.items():
            self.words[word] = array.ctypes.data
        self.words[at.F_SEM_POST] = function_address("sem_post")
        self.words[at.F_USLEEP] = function_address("usleep")
