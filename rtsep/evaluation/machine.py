"""What this machine is, in the few words that figures need beside them."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import msgspec

from rtsep import __version__


class Machine(msgspec.Struct, frozen=True):
    """Processor, cores that this process may use, load by others, systems."""

    processor: str
    cores: int
    load: float
    """Processes that want a core, averaged over the last minute; above `cores`, figures suffer."""
    system: str
    python: str
    rtsep: str

    def __str__(self) -> str:
        """One line."""
        cores = f"{self.cores} cores (load {self.load:.1f})"
        return f"{self.processor}, {cores}, {self.system}, Python {self.python}, rtsep {self.rtsep}"


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """Name of the processor, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def this_machine() -> Machine:
    """Look."""
    system = platform.system()
    return Machine(processor(), cores(), os.getloadavg()[0], system, platform.python_version(), __version__)
