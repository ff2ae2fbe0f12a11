"""Real-time priority from rtkit, the service that desktops run for programs without privileges: no limits to edit, no new log-in.

It is asked over D-Bus (`org.freedesktop.RealtimeKit1`, https://github.com/heftig/rtkit) and lends the priority on terms: the
process must have set `RLIMIT_RTTIME`, the processor time that it may spend without going to sleep, to `RTTimeUSecMax` (200 ms).
Past the soft limit the kernel warns with SIGXCPU, past the hard one it kills. The soft limit is therefore put at half of it; hops
longer than that do not ask, there is a short sleep after each hop, and the warning gives the priority back.

`python -m rtsep.engine.rtkit` tries it and says how it went; the limit it sets dies with it.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
import time
from typing import Any

from rtsep.engine.real_time import PRIORITY

_NAME = "org.freedesktop.RealtimeKit1"
_TIMEOUT_S = 3.0
_REST_S = 50e-6
_UNKNOWN = "org.freedesktop.DBus.Error.ServiceUnknown"


class Refused(Exception):
    """A sentence on why there is no priority from rtkit."""


class Lease:
    """Priority lent to the thread that makes this object. That thread calls `ask` and `rest`.

    Attributes:
        granted: whether it has it now.
        reason: sentence on why not; empty while the answer is still out.
    """

    def __init__(self) -> None:
        self.granted = False
        self.reason = ""
        self._thread = threading.get_native_id()

    def ask(self, longest_s: float) -> threading.Thread:
        """Ask in a thread of its own, as an answer may take its time. Main thread only, for it is the one that signals reach.

        Args:
            longest_s: what is computed at a stretch, in seconds.
        """
        signal.signal(signal.SIGXCPU, self._give_back)
        asker = threading.Thread(target=self._ask, args=(longest_s,), name="rtsep-rtkit", daemon=True)
        asker.start()
        return asker

    def _ask(self, longest_s: float) -> None:
        try:
            borrow(self._thread, longest_s)
        except Refused as refusal:
            self.reason = str(refusal)
        else:
            self.granted = True

    def rest(self) -> None:
        """Sleep for a moment, which sets the kernel's count of time without sleep back. Does nothing without the priority."""
        if self.granted:
            time.sleep(_REST_S)

    def _give_back(self, _signal: int, _frame: object) -> None:
        usual = os.SCHED_OTHER | os.SCHED_RESET_ON_FORK  # rtkit has set the flag, and only the privileged may take it away
        os.sched_setscheduler(0, usual, os.sched_param(0))
        self.granted = False
        self.reason = "The model computed for longer than rtkit allows; it goes on without real-time priority."


def borrow(thread: int, longest_s: float) -> None:
    """Ask for real-time priority for a thread of this process, and accept the limit that comes with it.

    Args:
        thread: the system's number of it.
        longest_s: what it computes at a stretch, in seconds.

    Raises:
        Refused: there is no bus, no rtkit, or it says no.
    """
    bus = _connect()
    try:
        with bus:
            allowed_us = int(_property(bus, "RTTimeUSecMax"))
            highest = int(_property(bus, "MaxRealtimePriority"))
            _limit(allowed_us, longest_s)
            _call(bus, "MakeThreadRealtime", "tu", (thread, min(PRIORITY, highest)))
    except TimeoutError:
        raise Refused(f"rtkit did not answer within {_TIMEOUT_S:g} s.") from None
    except (OSError, EOFError) as error:
        raise Refused(f"The D-Bus system bus went away: {error}.") from None


def _connect() -> Any:
    try:
        from jeepney.io.blocking import open_dbus_connection
    except ImportError:
        raise Refused("The Python package jeepney is missing. Install it with: pip install jeepney") from None
    try:
        return open_dbus_connection("SYSTEM")
    except Exception as error:  # addresses, sockets, authentication: what jeepney raises for them has no common base
        raise Refused(f"There is no D-Bus system bus to ask rtkit on: {error}.") from None


def _property(bus: Any, name: str) -> Any:
    from jeepney import Properties

    return _reply(bus, Properties(_address()).get(name))[0][1]


def _call(bus: Any, method: str, signature: str, body: tuple[int, ...]) -> None:
    from jeepney import new_method_call

    _reply(bus, new_method_call(_address(), method, signature, body))


def _address() -> Any:
    from jeepney import DBusAddress

    return DBusAddress("/org/freedesktop/RealtimeKit1", bus_name=_NAME, interface=_NAME)


def _reply(bus: Any, message: Any) -> Any:
    from jeepney.wrappers import DBusErrorResponse, unwrap_msg

    try:
        return unwrap_msg(bus.send_and_get_reply(message, timeout=_TIMEOUT_S))
    except DBusErrorResponse as error:
        if error.name == _UNKNOWN:
            raise Refused("rtkit is not installed. Install it with: apt install rtkit") from None
        raise Refused(f"rtkit says no: {' '.join(map(str, error.data))}.") from None


def _limit(allowed_us: int, longest_s: float) -> None:
    """Set RLIMIT_RTTIME: warned at half of what rtkit allows, killed at all of it."""
    _, hard = resource.getrlimit(resource.RLIMIT_RTTIME)
    hard = allowed_us if hard == resource.RLIM_INFINITY else min(hard, allowed_us)
    if longest_s * 1e6 > hard / 2:
        raise Refused(
            f"Hops of {longest_s * 1000:.0f} ms may compute for longer than rtkit's limit of {hard / 1000:.0f} ms lets them;"
            " shorter ones may not (rtsep models)."
        )
    resource.setrlimit(resource.RLIMIT_RTTIME, (hard // 2, hard))


def main() -> int:
    """Try, and say how it went; returns 0 if it was granted."""
    lease = Lease()
    lease.ask(longest_s=0.0).join()
    print("granted" if lease.granted else lease.reason)
    return 0 if lease.granted else 1


if __name__ == "__main__":
    sys.exit(main())
