"""A CLAP host as small as a test needs: load, list ports and parameters, process blocks, save and restore state.

Follows the C headers of CLAP 1.1 (clap/entry.h, plugin.h, process.h, events.h, ext/*.h). The host offers the latency extension
only and calls everything from one thread.
"""

from __future__ import annotations

import ctypes as c
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_P = c.c_void_p
T = TypeVar("T", bound=c.Structure)


class _Version(c.Structure):
    _fields_ = [("major", c.c_uint32), ("minor", c.c_uint32), ("revision", c.c_uint32)]


class _Entry(c.Structure):
    _fields_ = [
        ("version", _Version),
        ("init", c.CFUNCTYPE(c.c_bool, c.c_char_p)),
        ("deinit", c.CFUNCTYPE(None)),
        ("get_factory", c.CFUNCTYPE(_P, c.c_char_p)),
    ]


class _Descriptor(c.Structure):
    _fields_ = [("version", _Version), ("id", c.c_char_p), ("name", c.c_char_p)]


_REQUEST = c.CFUNCTYPE(None, _P)
_GET_HOST_EXTENSION = c.CFUNCTYPE(_P, _P, c.c_char_p)


class _Host(c.Structure):
    _fields_ = [
        ("version", _Version),
        ("data", _P),
        ("name", c.c_char_p),
        ("vendor", c.c_char_p),
        ("url", c.c_char_p),
        ("host_version", c.c_char_p),
        ("get_extension", _GET_HOST_EXTENSION),
        ("request_restart", _REQUEST),
        ("request_process", _REQUEST),
        ("request_callback", _REQUEST),
    ]


class _HostLatency(c.Structure):
    _fields_ = [("changed", _REQUEST)]


class _Factory(c.Structure):
    _fields_ = [
        ("count", c.CFUNCTYPE(c.c_uint32, _P)),
        ("descriptor", c.CFUNCTYPE(c.POINTER(_Descriptor), _P, c.c_uint32)),
        ("create", c.CFUNCTYPE(_P, _P, c.POINTER(_Host), c.c_char_p)),
    ]


class _Plugin(c.Structure):
    _fields_ = [
        ("descriptor", _P),
        ("data", _P),
        ("init", c.CFUNCTYPE(c.c_bool, _P)),
        ("destroy", c.CFUNCTYPE(None, _P)),
        ("activate", c.CFUNCTYPE(c.c_bool, _P, c.c_double, c.c_uint32, c.c_uint32)),
        ("deactivate", c.CFUNCTYPE(None, _P)),
        ("start_processing", c.CFUNCTYPE(c.c_bool, _P)),
        ("stop_processing", c.CFUNCTYPE(None, _P)),
        ("reset", c.CFUNCTYPE(None, _P)),
        ("process", c.CFUNCTYPE(c.c_int32, _P, _P)),
        ("get_extension", c.CFUNCTYPE(_P, _P, c.c_char_p)),
        ("on_main_thread", c.CFUNCTYPE(None, _P)),
    ]


class _AudioBuffer(c.Structure):
    _fields_ = [
        ("data32", c.POINTER(_P)),
        ("data64", _P),
        ("channels", c.c_uint32),
        ("latency", c.c_uint32),
        ("constant_mask", c.c_uint64),
    ]


_LIST_SIZE = c.CFUNCTYPE(c.c_uint32, _P)
_LIST_GET = c.CFUNCTYPE(_P, _P, c.c_uint32)
_LIST_PUSH = c.CFUNCTYPE(c.c_bool, _P, _P)


class _InputEvents(c.Structure):
    _fields_ = [("context", _P), ("size", _LIST_SIZE), ("get", _LIST_GET)]


class _OutputEvents(c.Structure):
    _fields_ = [("context", _P), ("try_push", _LIST_PUSH)]


class _ParamValue(c.Structure):
    _fields_ = [
        ("size", c.c_uint32),
        ("time", c.c_uint32),
        ("space_id", c.c_uint16),
        ("type", c.c_uint16),
        ("flags", c.c_uint32),
        ("param_id", c.c_uint32),
        ("cookie", _P),
        ("note_id", c.c_int32),
        ("port_index", c.c_int16),
        ("channel", c.c_int16),
        ("key", c.c_int16),
        ("value", c.c_double),
    ]


_PARAM_VALUE = 5


class _Process(c.Structure):
    _fields_ = [
        ("steady_time", c.c_int64),
        ("frames", c.c_uint32),
        ("transport", _P),
        ("inputs", c.POINTER(_AudioBuffer)),
        ("outputs", c.POINTER(_AudioBuffer)),
        ("input_count", c.c_uint32),
        ("output_count", c.c_uint32),
        ("in_events", c.POINTER(_InputEvents)),
        ("out_events", c.POINTER(_OutputEvents)),
    ]


class _PortInfo(c.Structure):
    _fields_ = [
        ("id", c.c_uint32),
        ("name", c.c_char * 256),
        ("flags", c.c_uint32),
        ("channels", c.c_uint32),
        ("type", c.c_char_p),
        ("in_place_pair", c.c_uint32),
    ]


class _Ports(c.Structure):
    _fields_ = [
        ("count", c.CFUNCTYPE(c.c_uint32, _P, c.c_bool)),
        ("get", c.CFUNCTYPE(c.c_bool, _P, c.c_uint32, c.c_bool, c.POINTER(_PortInfo))),
    ]


class _ParamInfo(c.Structure):
    _fields_ = [
        ("id", c.c_uint32),
        ("flags", c.c_uint32),
        ("cookie", _P),
        ("name", c.c_char * 256),
        ("module", c.c_char * 1024),
        ("min", c.c_double),
        ("max", c.c_double),
        ("default", c.c_double),
    ]


class _Params(c.Structure):
    _fields_ = [
        ("count", c.CFUNCTYPE(c.c_uint32, _P)),
        ("info", c.CFUNCTYPE(c.c_bool, _P, c.c_uint32, c.POINTER(_ParamInfo))),
        ("value", c.CFUNCTYPE(c.c_bool, _P, c.c_uint32, c.POINTER(c.c_double))),
    ]


class _Latency(c.Structure):
    _fields_ = [("get", c.CFUNCTYPE(c.c_uint32, _P))]


_STREAM = c.CFUNCTYPE(c.c_int64, _P, _P, c.c_uint64)


class _Stream(c.Structure):
    _fields_ = [("context", _P), ("call", _STREAM)]


class _State(c.Structure):
    _fields_ = [
        ("save", c.CFUNCTYPE(c.c_bool, _P, c.POINTER(_Stream))),
        ("load", c.CFUNCTYPE(c.c_bool, _P, c.POINTER(_Stream))),
    ]


class _Render(c.Structure):
    _fields_ = [
        ("has_hard_realtime_requirement", c.CFUNCTYPE(c.c_bool, _P)),
        ("set", c.CFUNCTYPE(c.c_bool, _P, c.c_int32)),
    ]


class ClapPlugin:
    """One instance of a CLAP plug-in.

    Attributes:
        outputs: name and channels of each output bus.
        restarts_asked: how often it asked to be deactivated and activated again, as it must when its latency changes.
    """

    def __init__(self, path: Path) -> None:
        self._library = c.CDLL(str(path))
        entry = _Entry.in_dll(self._library, "clap_entry")
        assert entry.init(str(path).encode())
        factory_address = entry.get_factory(b"clap.plugin-factory")
        factory = c.cast(factory_address, c.POINTER(_Factory)).contents
        identity = factory.descriptor(factory_address, 0).contents.id
        self.restarts_asked = 0
        nothing = _REQUEST(lambda _host: None)
        self._latency = _HostLatency(nothing)
        offered = {b"clap.latency": c.addressof(self._latency)}
        extension = _GET_HOST_EXTENSION(lambda _host, name: offered.get(name))
        restart = _REQUEST(self._count_restart)
        self._host = _Host(_Version(1, 1, 7), None, b"test", b"", b"", b"1", extension, restart, nothing, nothing)
        self._address = factory.create(factory_address, c.byref(self._host), identity)
        assert self._address
        self._plugin = c.cast(self._address, c.POINTER(_Plugin)).contents
        assert self._plugin.init(self._address)
        self._params = self._extension(b"clap.params", _Params)
        self._ids = self._parameters()
        self.outputs = self._ports(is_input=False)
        self._steady = 0

    def _count_restart(self, _host: int) -> None:
        self.restarts_asked += 1

    def _extension(self, name: bytes, kind: type[T]) -> T:
        address = self._plugin.get_extension(self._address, name)
        assert address, name
        return c.cast(address, c.POINTER(kind)).contents

    def _parameters(self) -> dict[str, int]:
        info = _ParamInfo()
        found = {}
        for index in range(self._params.count(self._address)):
            assert self._params.info(self._address, index, c.byref(info))
            found[info.name.decode()] = info.id
        return found

    def _ports(self, *, is_input: bool) -> list[tuple[str, int]]:
        ports, info = self._extension(b"clap.audio-ports", _Ports), _PortInfo()
        found = []
        for index in range(ports.count(self._address, is_input)):
            assert ports.get(self._address, index, is_input, c.byref(info))
            found.append((info.name.decode(), info.channels))
        return found

    @property
    def latency(self) -> int:
        """Frames that the plug-in reports now."""
        return int(self._extension(b"clap.latency", _Latency).get(self._address))

    def __getitem__(self, name: str) -> float:
        value = c.c_double()
        assert self._params.value(self._address, self._ids[name], c.byref(value))
        return value.value

    def export(self, *, yes: bool = True) -> None:
        """Tell it that what comes is an export, or is not."""
        assert self._extension(b"clap.render", _Render).set(self._address, int(yes))

    def activate(self, rate: int, longest_block: int) -> None:
        """Get ready for audio."""
        assert self._plugin.activate(self._address, rate, 1, longest_block)
        assert self._plugin.start_processing(self._address)

    def reset(self) -> None:
        """Say that what comes next does not go on from what came."""
        self._plugin.reset(self._address)

    def deactivate(self) -> None:
        """End audio."""
        self._plugin.stop_processing(self._address)
        self._plugin.deactivate(self._address)

    def destroy(self) -> None:
        """Give the instance back."""
        self._plugin.destroy(self._address)

    def process(self, mix: NDArray[np.float32], **changes: float) -> NDArray[np.float32]:
        """Process `[2, n]`, with parameters changed at its first frame.

        Args:
            mix: `[2, n]` float32.
            **changes: value by parameter name, `_` for a blank.

        Returns:
            `[channels of all output buses, n]`; NaN wherever the plug-in wrote nothing.
        """
        n = mix.shape[1]
        mix = np.ascontiguousarray(mix)
        out = np.full((sum(channels for _, channels in self.outputs), n), np.nan, np.float32)
        rows = iter(out)
        inputs = _AudioBuffer(_pointers(mix), None, 2)
        outputs = (_AudioBuffer * len(self.outputs))()
        for bus, (_, channels) in zip(outputs, self.outputs, strict=True):
            bus.data32 = _pointers([next(rows) for _ in range(channels)])
            bus.channels = channels
        events = [self._event(name.replace("_", " "), value) for name, value in changes.items()]
        in_events = _InputEvents(None, _LIST_SIZE(lambda _l: len(events)), _LIST_GET(lambda _l, i: c.addressof(events[i])))
        out_events = _OutputEvents(None, _LIST_PUSH(lambda _l, _event: True))
        process = _Process(
            self._steady, n, None, c.pointer(inputs), outputs, 1, len(outputs), c.pointer(in_events), c.pointer(out_events)
        )
        assert self._plugin.process(self._address, c.byref(process)) > 0
        self._steady += n
        return out

    def _event(self, name: str, value: float) -> _ParamValue:
        return _ParamValue(c.sizeof(_ParamValue), 0, 0, _PARAM_VALUE, 0, self._ids[name], None, -1, -1, -1, -1, value)

    def save(self) -> bytes:
        """Return the state a project would keep."""
        kept = bytearray()

        def write(_stream: int, data: int, size: int) -> int:
            kept.extend(c.string_at(data, size))
            return size

        assert self._extension(b"clap.state", _State).save(self._address, c.byref(_Stream(None, _STREAM(write))))
        return bytes(kept)

    def load(self, state: bytes) -> None:
        """Restore a state."""
        left = bytearray(state)

        def read(_stream: int, data: int, size: int) -> int:
            part = bytes(left[:size])
            c.memmove(data, part, len(part))
            del left[: len(part)]
            return len(part)

        assert self._extension(b"clap.state", _State).load(self._address, c.byref(_Stream(None, _STREAM(read))))


def _pointers(rows: NDArray[np.float32] | list[NDArray[np.float32]]) -> c.Array[c.c_void_p]:
    return (_P * len(rows))(*[row.ctypes.data for row in rows])
