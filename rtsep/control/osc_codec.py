"""Open Sound Control 1.0 datagrams, decoded strictly: what is not exactly right is an error, never a guess.

Taken are the types i, f, s, T and F, bundles at most `MAX_DEPTH` deep with at most `MAX_ELEMENTS` messages. Time tags are not
waited for: a fader moves when it is told to. Addresses are printable ASCII without the signs that patterns use; patterns
themselves are not matched. Everything is bounded by the datagram's own length, so no datagram costs more than it weighs.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

MAX_DEPTH = 4
MAX_ELEMENTS = 64
MAX_DATAGRAM = 8192
_BUNDLE = b"#bundle\0"

Argument = int | float | str | bool


class OscError(ValueError):
    """A datagram is not OSC 1.0, or not what is taken here."""


class Message(NamedTuple):
    """An address and its arguments."""

    address: str
    arguments: tuple[Argument, ...]


def decode(datagram: bytes) -> list[Message]:
    """Read the messages of a datagram, in order.

    Raises:
        OscError: it is malformed in any way; nothing of it counts then.
    """
    if len(datagram) > MAX_DATAGRAM:
        raise OscError("longer than 8 KiB")
    messages: list[Message] = []
    _packet(datagram, 0, messages)
    return messages


def _packet(data: bytes, depth: int, messages: list[Message]) -> None:
    if not data or len(data) % 4:
        raise OscError("its size is not a multiple of 4")
    if data.startswith(_BUNDLE):
        _bundle(data, depth, messages)
        return
    if len(messages) >= MAX_ELEMENTS:
        raise OscError(f"more than {MAX_ELEMENTS} messages")
    messages.append(_message(data))


def _bundle(data: bytes, depth: int, messages: list[Message]) -> None:
    if depth >= MAX_DEPTH:
        raise OscError(f"bundles deeper than {MAX_DEPTH}")
    if len(data) < 16:
        raise OscError("a bundle without time tag")
    at = 16
    elements = 0
    while at < len(data):
        if len(data) - at < 4:
            raise OscError("an element without size")
        (size,) = struct.unpack_from(">i", data, at)
        at += 4
        elements += 1
        if size <= 0 or size % 4 or size > len(data) - at or elements > MAX_ELEMENTS:
            raise OscError("an element whose size cannot be")
        _packet(data[at : at + size], depth + 1, messages)
        at += size


def _message(data: bytes) -> Message:
    address, at = _string(data, 0)
    if not address.startswith("/") or any(sign in ' #*,?[]{}"' for sign in address):
        raise OscError("not an address")
    tags, at = _string(data, at)
    if not tags.startswith(","):
        raise OscError("no type tags")
    arguments: list[Argument] = []
    for tag in tags[1:]:
        if tag in "TF":
            arguments.append(tag == "T")
        elif tag == "s":
            text, at = _string(data, at)
            arguments.append(text)
        elif tag in "if":
            if len(data) - at < 4:
                raise OscError("an argument is missing")
            arguments.append(struct.unpack_from(">i" if tag == "i" else ">f", data, at)[0])
            at += 4
        else:
            raise OscError("a type that is not taken")
    if at != len(data):
        raise OscError("bytes are left over")
    return Message(address, tuple(arguments))


def _string(data: bytes, at: int) -> tuple[str, int]:
    end = data.find(b"\0", at)
    if end < 0:
        raise OscError("a string without end")
    after = at + (end - at) // 4 * 4 + 4
    if after > len(data) or data[end:after].strip(b"\0"):
        raise OscError("a string that is not padded with zeros")
    text = data[at:end]
    if not all(0x20 <= byte < 0x7F for byte in text):
        raise OscError("a string that is not printable ASCII")
    return text.decode("ascii"), after


def encode(address: str, *arguments: Argument) -> bytes:
    """Write a message."""
    tags, body = ",", b""
    for argument in arguments:
        if isinstance(argument, bool):
            tags += "T" if argument else "F"
        elif isinstance(argument, int):
            tags, body = tags + "i", body + struct.pack(">i", argument)
        elif isinstance(argument, float):
            tags, body = tags + "f", body + struct.pack(">f", argument)
        else:
            tags, body = tags + "s", body + _padded(argument)
    return _padded(address) + _padded(tags) + body


def _padded(text: str) -> bytes:
    data = text.encode("ascii", "replace")
    return data + b"\0" * (4 - len(data) % 4)
