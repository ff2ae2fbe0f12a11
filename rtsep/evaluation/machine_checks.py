"""Will this machine let audio through in time: priorities, locked memory, processor?

Real-time priority is tried out rather than read from limits, since root and capabilities allow what limits do not show. The trial
is made in a thread of its own: on Linux a priority belongs to a thread, and this one ends at once. If it fails, rtkit is asked by
a process of its own, for what it lends comes with a limit that stays.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from rtsep.evaluation.findings import Finding, ok, warn
from rtsep.evaluation.machine import cores, processor
from rtsep.models.runtime import cuda_devices

_LIMITS_FILE = "/etc/security/limits.d/95-audio.conf"
_MEMLOCK_MB = 256
"""What JACK's server, a client and the rings take, rounded up."""

_FREQUENCY = Path("/sys/devices/system/cpu")


def may_use_realtime_priority() -> bool:
    """Whether the system grants SCHED_FIFO to a thread of this process."""
    granted: list[bool] = []

    def ask() -> None:
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
            granted.append(True)
        except (OSError, AttributeError):
            granted.append(False)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    return granted[0]


def realtime_priority() -> Finding:
    """Priority over other programs for audio and inference."""
    limit = resource.getrlimit(resource.RLIMIT_RTPRIO)[1] if hasattr(resource, "RLIMIT_RTPRIO") else 0
    if may_use_realtime_priority():
        return ok("Real-time priority", f"granted (rtprio limit {_limit(limit)})")
    asked = subprocess.run([sys.executable, "-m", "rtsep.engine.rtkit"], capture_output=True, text=True, check=False)
    if asked.returncode == 0:
        return ok("Real-time priority", f"granted by rtkit, for hops of up to 100 ms (rtprio limit {_limit(limit)})")
    return warn(
        "Real-time priority",
        f"not granted (rtprio limit {_limit(limit)}); hops may be late while other programs are busy. {asked.stdout.strip()}",
        f"Put '@audio - rtprio 95' into {_LIMITS_FILE}, join the group (adduser $USER audio), and log in again",
    )


def locked_memory() -> Finding:
    """Memory that must never be swapped out."""
    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
    unlimited = limit == resource.RLIM_INFINITY or os.geteuid() == 0  # root is not held to it
    text = "unlimited" if unlimited else f"{limit // 2**20} MB"
    if unlimited or limit >= _MEMLOCK_MB * 2**20:
        return ok("Locked memory", text)
    advice = f"Put '@audio - memlock unlimited' into {_LIMITS_FILE} and log in again"
    return warn("Locked memory", f"at most {text}; JACK asks for about {_MEMLOCK_MB} MB", advice)


def governor() -> Finding:
    """Whether the processor keeps its speed between hops."""
    chosen = {file.read_text().strip() for file in _FREQUENCY.glob("cpu[0-9]*/cpufreq/scaling_governor")}
    if not chosen:
        return ok("CPU governor", "none: the speed is not this system's to choose")
    if chosen == {"performance"}:
        return ok("CPU governor", "performance")
    advice = "While playing: sudo cpupower frequency-set -g performance (apt install linux-cpupower)"
    return warn("CPU governor", f"{', '.join(sorted(chosen))}: each hop begins at a low clock", advice)


def processors() -> Iterator[Finding]:
    """Cores, and CUDA if there is any."""
    count = cores()
    text = f"{processor()}, {count} {'cores' if count > 1 else 'core'}, load {os.getloadavg()[0]:.1f}"
    if count < 2:
        yield warn("Processor", text, "Audio and model share one core: choose a light tier")
    else:
        yield ok("Processor", text)
    devices = cuda_devices()
    yield ok("CUDA", f"{devices} device(s): models run there" if devices else "none: models run on the CPU")


def _limit(value: int) -> str:
    return "unlimited" if value == resource.RLIM_INFINITY else str(value)
