"""What JACK's server tells and asks outside the cycle. JACK's notification thread only.

The server waits until its question about latencies is answered, ten seconds at the most, and serves no other request meanwhile;
whatever it told before is in front of the question. In Python all that takes the GIL, and if the thread that holds it is waiting
for the server (python-rtmidi opens, connects and closes its JACK ports that way), each waits for the other. So the listeners
are compiled.

Another block size is told while nobody hears anything: jackd has stopped its driver and starts it again when every client has
answered (`JackServer::SetBufferSize`), PipeWire leaves out the cycles of a client that has not (`check_buffer_frames`). Whoever
answers late prolongs the silence. The latency of the new block is worked out here too, since it is asked for next.
"""

from __future__ import annotations

import numpy as np
from numba import carray, cfunc, njit, types

from rtsep.realtime import layout as at
from rtsep.realtime.atomics import (
    as_int64,
    as_uint32,
    call_i32_of_i64,
    call_i32_of_i64_i32_i64,
    load_relaxed,
    store_release,
)


@njit(nogil=True, error_model="numpy", cache=True)
def _pass_on(ctx, mode, sources, source_count, sinks, sink_count):  # type: ignore[no-untyped-def]
    """Give every sink port the range of all connected source ports, plus our latency."""
    ours = load_relaxed(carray(as_int64(ctx[at.A_HEADER]), at.HEADER_WORDS), at.LATENCY)
    reach = carray(as_uint32(ctx[at.A_LATENCY_RANGE]), 2)  # jack_latency_range_t: least, greatest
    low, high, connected = np.int64(0), np.int64(0), False
    for i in range(source_count):
        port = ctx[sources + i]
        if call_i32_of_i64(ctx[at.F_PORT_CONNECTED], port) == 0:
            continue
        call_i32_of_i64_i32_i64(ctx[at.F_GET_LATENCY], port, np.int32(mode), ctx[at.A_LATENCY_RANGE])
        low = min(low, np.int64(reach[0])) if connected else np.int64(reach[0])
        high = max(high, np.int64(reach[1]))
        connected = True
    reach[0], reach[1] = np.uint32(low + ours), np.uint32(high + ours)
    for i in range(sink_count):
        call_i32_of_i64_i32_i64(ctx[at.F_SET_LATENCY], ctx[sinks + i], np.int32(mode), ctx[at.A_LATENCY_RANGE])


@cfunc(types.void(types.int32, types.CPointer(types.int64)), error_model="numpy", cache=True)
def jack_latency(mode, context):  # type: ignore[no-untyped-def]
    """JackLatencyCallback: outputs lag inputs by our latency, forwards for capture, backwards for playback."""
    ctx = carray(context, at.CONTEXT_WORDS)
    if mode == at.CAPTURE:
        _pass_on(ctx, mode, at.IN_PORTS, at.CHANNELS, at.OUT_PORTS, at.OUTPUTS)
    else:
        _pass_on(ctx, mode, at.OUT_PORTS, at.OUTPUTS, at.IN_PORTS, at.CHANNELS)


@njit(nogil=True, error_model="numpy", cache=True)
def waiting_frames(hop, block):  # type: ignore[no-untyped-def]
    """The part of `rtsep.engine.latency.schedule` that depends on the block: n - gcd(H, n)."""
    a, b = hop, block
    while b != 0:
        a, b = b, a % b
    return block - a


@cfunc(types.int32(types.uint32, types.CPointer(types.int64)), error_model="numpy", cache=True)
def jack_block_size(frames, context):  # type: ignore[no-untyped-def]
    """JackBufferSizeCallback: the latency becomes that of the new block, and what is played next rises from silence."""
    h = carray(as_int64(carray(context, at.CONTEXT_WORDS)[at.A_HEADER]), at.HEADER_WORDS)
    hop, before, block = h[at.HOP], h[at.BLOCK], np.int64(frames)
    if block == before:  # PipeWire says what it runs at to whoever joins
        return np.int32(0)
    if h[at.PLAYING] == 0:
        h[at.LATENCY] += waiting_frames(hop, block) - waiting_frames(hop, before)
    h[at.BLOCK] = block
    store_release(h, at.STARTS, h[at.STARTS] + 1)
    return np.int32(0)


@cfunc(types.int32(types.CPointer(types.int64)), error_model="numpy", cache=True)
def jack_xrun(context):  # type: ignore[no-untyped-def]
    """JackXRunCallback: count."""
    h = carray(as_int64(carray(context, at.CONTEXT_WORDS)[at.A_HEADER]), at.HEADER_WORDS)
    h[at.XRUNS] += 1
    return np.int32(0)


@cfunc(types.void(types.int32, types.CPointer(types.int64)), error_model="numpy", cache=True)
def jack_freewheel(starting, context):  # type: ignore[no-untyped-def]
    """JackFreewheelCallback: from now on the host would rather wait than have a hole, or no longer."""
    h = carray(as_int64(carray(context, at.CONTEXT_WORDS)[at.A_HEADER]), at.HEADER_WORDS)
    store_release(h, at.FREEWHEEL, np.int64(starting != 0))


@cfunc(types.void(types.uint32, types.uint32, types.int32, types.CPointer(types.int64)), error_model="numpy", cache=True)
def jack_wire(source, sink, connected, context):  # type: ignore[no-untyped-def]
    """JackPortConnectCallback: note the two port numbers for whoever keeps the names of our connections."""
    log = carray(as_int64(carray(context, at.CONTEXT_WORDS)[at.A_WIRES]), 1 + 3 * at.WIRES)
    entry = 1 + 3 * (log[0] % at.WIRES)
    log[entry] = source
    log[entry + 1] = sink
    log[entry + 2] = connected
    store_release(log, 0, log[0] + 1)
