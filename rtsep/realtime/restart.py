"""After the device stood still, what it plays next rises from silence over `RISE_MS`. Audio thread only.

A driver that stops does not ask first: what it was playing is cut off, and the next thing that can be done about it is not to cut
in. Whoever sees that it stood still counts `STARTS` up. If time went on meanwhile (another block size), playing goes on with
the next frame; if not (a device that was gone), `ORIGIN` says where its new input begins, and nothing of before is heard.

`ORIGIN` and the latency are read when `STARTS` is found changed, so they are written first.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from rtsep.realtime import layout as at
from rtsep.realtime.atomics import load_acquire, load_relaxed


@njit(nogil=True, error_model="numpy", cache=True)
def notice_restart(h, counts, first):  # type: ignore[no-untyped-def]
    """Before block frame `first` is rendered: note from which input frame on there is something to hear."""
    starts = load_acquire(h, at.STARTS)
    if counts[at.C_STARTED] == 0:
        counts[at.C_ORIGIN] = -h[at.RATE]  # long ago: the first start has a silence of its own, the latency
    elif counts[at.C_STARTS] != starts:
        latency = load_relaxed(h, at.LATENCY)
        counts[at.C_ORIGIN] = max(load_relaxed(h, at.ORIGIN), h[at.OUT_POS] + first - latency)
        counts[at.C_LATENCY] = latency  # no jump to smooth: before it is silence
        counts[at.C_OFFSET] = 0
    counts[at.C_STARTS] = starts


@njit(nogil=True, error_model="numpy", cache=True)
def rise(h, counts, outs, first, last, tau):  # type: ignore[no-untyped-def]
    """Silence what lies before the origin in block frames [first, last), which play input frames tau …; fade in what follows."""
    origin, span = counts[at.C_ORIGIN], h[at.RATE] * at.RISE_MS // 1000
    end = min(last, first + origin + span - tau)
    for k in range(first, end):
        age = max(0, tau + k - first - origin)
        gain = np.float32(age) / np.float32(span)
        for c in range(at.OUTPUTS):
            outs[c, k] *= gain
