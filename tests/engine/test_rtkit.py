"""Priority from rtkit: the real service behind a bus of our own, asked by processes that the system itself grants nothing."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jeepney import DBus
from jeepney.io.blocking import Proxy, open_dbus_connection

RTKIT, POLKIT = "/usr/libexec/rtkit-daemon", "/usr/lib/polkit-1/polkitd"
UNPRIVILEGED = ("setpriv", "--bounding-set=-sys_nice", "prlimit", "--rtprio=0")
"""Root without the right to real-time priority; what it starts has none either."""

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>{address}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/><allow user="*"/>
  </policy>
</busconfig>
"""

ENGINE = """
import os, sys, time
from rtsep.engine.session import Engine
from rtsep.io.null import NullBackend
backend = NullBackend()
engine = Engine(backend.open(), model="passthrough", tier=sys.argv[1])
backend.start(engine)
engine.start()
assert engine.supervisor.wait_until_running(60.0), engine.supervisor.reason
fifo = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
until = time.monotonic() + float(sys.argv[2])
while time.monotonic() < until and os.sched_getscheduler(engine.supervisor.pid) != fifo:
    time.sleep(0.05)
print(os.sched_getscheduler(engine.supervisor.pid) == fifo, os.sched_getparam(engine.supervisor.pid).sched_priority)
time.sleep(1.0)
print(engine.status().restarts, engine.status().hops > 0)
backend.stop()
engine.stop()
"""

GREEDY = """
import os, time
from rtsep.engine.rtkit import Lease
lease = Lease()
lease.ask(longest_s=0.0).join()
print(lease.granted)
began = time.thread_time()
while time.thread_time() - began < 0.16:  # more than the soft limit, less than the hard one
    pass
print(lease.granted, os.sched_getscheduler(0) == os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, lease.reason)
"""


def asked(command: tuple[str, ...], address: str) -> subprocess.CompletedProcess[str]:
    """Run Python without rights of its own, on a bus."""
    return subprocess.run(
        [*UNPRIVILEGED, sys.executable, *command],
        env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": address},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@contextlib.contextmanager
def running(*command: str) -> Iterator[None]:
    """A service, for as long as it is needed."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def eventually(wanted: Callable[[], bool], what: str) -> None:
    """Wait for a service to come up."""
    until = time.monotonic() + 30.0
    while not wanted():
        assert time.monotonic() < until, what
        time.sleep(0.02)


def owned(name: str) -> bool:
    """Whether the bus answers and somebody has this name on it."""
    try:
        with open_dbus_connection("SYSTEM") as connection:
            return bool(Proxy(DBus(), connection).NameHasOwner(name)[0])
    except OSError:
        return False


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of a system bus with nobody on it. It has no file, as its services become users who could not reach one of ours."""
    if os.geteuid() != 0:
        pytest.skip("rtkit's daemon and a system bus can only be started by root")
    address = f"unix:abstract=rtsep-test-{secrets.token_hex(4)}"
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
    (tmp_path / "bus.conf").write_text(BUS.format(address=address))
    with running("dbus-daemon", f"--config-file={tmp_path / 'bus.conf'}", "--nofork"):
        eventually(lambda: owned("org.freedesktop.DBus"), "bus")
        yield address


@pytest.fixture
def rtkit(bus: str) -> Iterator[str]:
    """Address of a bus with polkit, which says who may, and rtkit, which does."""
    options = ("--scheduling-policy=FIFO", "--no-canary", "--no-limit-resources")
    with running(POLKIT, "--no-debug"), running(RTKIT, *options):
        for name in ("org.freedesktop.PolicyKit1", "org.freedesktop.RealtimeKit1"):
            eventually(lambda name=name: owned(name), name)  # type: ignore[misc]
        yield bus


def test_rtkit_grants_what_the_limits_do_not(rtkit: str) -> None:
    refused = asked(("-c", "import os; os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))"), rtkit)
    assert "PermissionError" in refused.stderr
    tried = asked(("-m", "rtsep.engine.rtkit"), rtkit)
    assert (tried.returncode, tried.stdout) == (0, "granted\n")


def test_the_model_of_a_running_engine_gets_priority_from_rtkit_and_keeps_it(rtkit: str) -> None:
    done = asked(("-c", ENGINE, "12ms", "30"), rtkit)
    assert done.stdout == "True 4\n0 True\n", done.stderr


def test_whoever_computes_for_too_long_gives_the_priority_back_and_lives(rtkit: str) -> None:
    done = asked(("-c", GREEDY), rtkit)
    assert done.returncode == 0
    first, second = done.stdout.splitlines()
    assert first == "True"
    assert second == "False True The model computed for longer than rtkit allows; it goes on without real-time priority."


def test_hops_that_are_longer_than_the_limit_do_not_ask(rtkit: str) -> None:
    lease = "from rtsep.engine.rtkit import Lease; lease = Lease(); lease.ask(longest_s=0.37).join(); print(lease.reason)"
    done = asked(("-c", lease), rtkit)
    assert done.stdout.startswith("Hops of 370 ms may compute for longer than rtkit's limit of 200 ms lets them")


def test_a_bus_without_rtkit_is_a_sentence(bus: str) -> None:
    tried = asked(("-m", "rtsep.engine.rtkit"), bus)
    assert (tried.returncode, tried.stdout) == (1, "rtkit is not installed. Install it with: apt install rtkit\n")


@pytest.mark.parametrize("address", ["unix:path=/nowhere/bus", "nonsense"])
def test_no_bus_is_a_sentence(address: str) -> None:
    tried = subprocess.run(
        [sys.executable, "-m", "rtsep.engine.rtkit"],
        env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": address},
        capture_output=True,
        text=True,
        check=False,
    )
    assert tried.returncode == 1
    assert tried.stdout.startswith("There is no D-Bus system bus to ask rtkit on: ")
    assert "Traceback" not in tried.stderr


def test_an_engine_without_a_bus_runs_all_the_same(bus: str) -> None:
    done = asked(("-c", ENGINE, "12ms", "0"), bus + "-gone")
    assert done.stdout == "False 0\n0 True\n", done.stderr


def test_doctor_says_that_rtkit_grants_it(rtkit: str) -> None:
    done = asked(("-m", "rtsep.cli", "doctor", "--quick"), rtkit)
    assert "ok    Real-time priority          granted by rtkit" in done.stdout


def test_doctor_says_why_rtkit_does_not_and_what_to_type(bus: str) -> None:
    done = asked(("-m", "rtsep.cli", "doctor", "--quick"), bus)
    assert "rtkit is not installed. Install it with: apt install rtkit" in done.stdout
    assert "@audio - rtprio 95" in done.stdout
