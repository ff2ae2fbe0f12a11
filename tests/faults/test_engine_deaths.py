"""An engine that is told to end, killed, frozen or ends in an error: who notices, what is left behind, and what comes back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import jack
import pytest
import soundfile

from rtsep.engine.guardian import CRASHED
from rtsep.errors import DeviceError
from rtsep.io.loop import reported_to_jack, through_jack
from tests.faults.restarting_server import RestartingServer
from tests.faults.running_command import RunningCommand, alive
from tests.faults.test_jack_faults import wires_of
from tests.faults.test_process_faults import eventually

DOWN = "hop to fill"
"""A line of the latency table: the engine is down to work."""


@pytest.fixture
def daw(server: RestartingServer) -> Iterator[tuple[jack.Client, list[int]]]:
    """A client with one input, and the number of cycles it has run."""
    client, cycles = server.client("daw"), [0]

    @client.set_process_callback
    def process(_frames: int) -> None:
        cycles[0] += 1

    client.inports.register("from_rtsep")
    client.activate()
    yield client, cycles
    client.deactivate()
    client.close()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_ends_by_itself_with_code_0_and_takes_its_processes_with_it(how: signal.Signals) -> None:
    run = RunningCommand("--backend", "null")
    try:
        assert run.says(DOWN)
        family = run.family()
        run.process.send_signal(how)
        assert run.process.wait(30.0) == 0
        assert eventually(lambda: not any(map(alive, family)))
        assert not run.lines[-1].startswith("The engine")
    finally:
        run.end()


def test_a_second_ctrl_c_ends_it_at_once_and_leaves_no_process_either() -> None:
    run = RunningCommand("--backend", "null")
    try:
        assert run.says(DOWN)
        family = run.family()
        for _ in range(2):
            run.process.send_signal(signal.SIGINT)
            time.sleep(0.005)
        assert run.process.wait(30.0) in (0, 130)
        assert eventually(lambda: not any(map(alive, family)))
    finally:
        run.end()


@pytest.mark.parametrize("options", [["--backend", "nul"], ["--tier", "1ms"], ["--model", "passthrough", "--input", "nobody-s"]])
def test_wrong_usage_and_missing_devices_are_said_once_and_not_tried_again(options: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", "rtsep.cli", "run", *options], capture_output=True, text=True, check=False)
    assert done.returncode in (1, 2)
    assert [line for line in done.stderr.splitlines() if line.startswith("rtsep: ")][1:] == []
    assert "again" not in done.stderr


def test_a_parent_that_is_killed_takes_the_engine_along() -> None:
    run = RunningCommand("--backend", "null")
    try:
        assert run.says(DOWN)
        family = run.family()
        run.process.kill()
        assert eventually(lambda: not any(map(alive, family)))
    finally:
        run.end()


@pytest.mark.jack
def test_an_engine_that_is_killed_leaves_the_graph_and_no_process_and_other_clients_go_on(
    daw: tuple[jack.Client, list[int]],
) -> None:
    client, cycles = daw
    run = RunningCommand("--backend", "jack", "--no-restart")
    try:
        assert run.says(DOWN)
        assert eventually(lambda: bool(client.get_ports("rtsep:mix_1")))
        client.connect("rtsep:mix_1", "daw:from_rtsep")
        model = run.engine()
        run.process.send_signal(signal.SIGKILL)
        assert eventually(lambda: not client.get_ports("rtsep:.*"))
        at_death = cycles[0]
        assert eventually(lambda: cycles[0] > at_death + 50)
        assert eventually(lambda: not alive(model))
    finally:
        run.end()


@pytest.mark.jack
def test_a_killed_engine_is_started_again_with_its_connections_and_faders_and_records_on(
    server: RestartingServer, daw: tuple[jack.Client, list[int]], tmp_path: Path
) -> None:
    client, cycles = daw
    run = RunningCommand("--backend", "jack", "--record", str(tmp_path / "takes"), home=tmp_path)
    kept = tmp_path / "state" / "last.toml"

    def saved() -> float:
        return float(tomllib.loads(kept.read_text())["last"]["stem.vocals.gain_db"])

    try:
        assert run.says(DOWN)
        assert eventually(lambda: bool(client.get_ports("rtsep:vocals_1")))
        client.connect("system:capture_2", "rtsep:in_1")
        client.connect("rtsep:vocals_1", "daw:from_rtsep")
        run.ctl("set", "stem.vocals.gain_db", "-7.5")
        assert eventually(lambda: kept.exists() and saved() == pytest.approx(-7.5))
        for life in (1, 2):
            first = run.engine()
            before = cycles[0]
            os.kill(first, signal.SIGKILL)
            assert run.says("The engine was ended by SIGKILL. It starts again", times=life)
            assert run.says(DOWN, times=1 + life)
            assert run.engine() != first
            assert eventually(lambda: wires_of(server, "rtsep:in_1") == {"system:capture_2"})
            assert eventually(lambda: wires_of(server, "rtsep:vocals_1") == {"daw:from_rtsep"})
            assert wires_of(server, "rtsep:mix_1") == set()
            assert cycles[0] > before
            assert float(run.ctl("get", "stem.vocals.gain_db")) == pytest.approx(-7.5)
        run.process.send_signal(signal.SIGTERM)
        assert run.process.wait(30.0) == 0
        assert not any("SIGTERM" in line for line in run.lines)
        takes = list((tmp_path / "takes").iterdir())
        assert len(takes) == 3
        for take in takes:
            files = list(take.glob("*.wav"))
            assert len(files) == 6  # mix, four stems, input
            assert len({soundfile.info(file).frames for file in files}) == 1
            assert soundfile.info(files[0]).frames > 0
    finally:
        run.end()


def test_a_killed_engine_comes_back_with_the_model_changed_by_hand_and_records_as_it_did(tmp_path: Path) -> None:
    run = RunningCommand("--backend", "null", home=tmp_path)

    def status() -> dict[str, object]:
        return json.loads(run.ctl("status", "--json") or "{}")  # type: ignore[no-any-return]

    def die(lives: int) -> None:
        os.kill(run.engine(), signal.SIGKILL)
        assert run.says(DOWN, times=lives)
        assert eventually(lambda: status().get("state") == "separated")
        assert status()["model"] == "passthrough 46ms"

    try:
        assert run.says(DOWN)
        run.ctl("model", "46ms")
        run.ctl("record", "on")
        assert eventually(lambda: run.left() == {**run.left(), "model": ["passthrough", "46ms"], "recording": True})
        die(lives=2)
        assert status()["recording"]
        run.ctl("record", "off")
        assert eventually(lambda: run.left()["recording"] is False)
        die(lives=3)
        assert not status()["recording"]
        assert len(list((tmp_path / "state" / "recordings").iterdir())) == 2
    finally:
        run.end()


@pytest.mark.jack
def test_an_engine_that_is_frozen_for_a_while_comes_back_at_the_same_latency(server: RestartingServer) -> None:
    def measured() -> int:
        try:
            return through_jack("rtsep:mix_1", "rtsep:in_1").frames
        except DeviceError:  # it may have lost its server, and be on the way back
            return -1

    run = RunningCommand("--backend", "jack")
    try:
        assert run.says(DOWN)
        time.sleep(0.5)
        engine = run.engine()
        before = through_jack("rtsep:mix_1", "rtsep:in_1").frames
        os.kill(engine, signal.SIGSTOP)
        time.sleep(1.5)
        os.kill(engine, signal.SIGCONT)
        assert eventually(lambda: measured() == before)
        assert reported_to_jack("rtsep:in_1", "rtsep:mix_1") == before
        run.process.send_signal(signal.SIGINT)
        assert run.process.wait(30.0) == 0
        assert not any("no sign of life" in line for line in run.lines)
        assert run.says(DOWN)
    finally:
        run.end()


LIVES = """
import os, signal, sys
from rtsep.engine import guardian, restarts
from rtsep.errors import DeviceError

guardian._LOOK_S = restarts.HEALTHY_S = 0.0
guardian.RestartPolicy.wait_s = lambda self, ran_s, permanent, honest=guardian.RestartPolicy.wait_s: (
    None if honest(self, 0.0, permanent=permanent) is None else 0.0
)

def perform(life):
    life.keep("lives", life.recall("lives", 0) + 1)
    print(f"life {life.number}, of {life.recall('lives', 0)}", flush=True)
    exec(sys.argv[1])
    return 0

try:
    code = guardian.keep_alive(perform, tell=print)
except DeviceError:
    code = 1
sys.exit(code)
"""


def lives(deed: str) -> tuple[int, list[str]]:
    """Exit code and words of a performance that does a deed in each of its lives; back-offs take no time."""
    done = subprocess.run([sys.executable, "-c", LIVES, deed], capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, [line for line in done.stdout.splitlines() if line.startswith("life")]


def test_what_dies_each_time_is_given_up_after_five_restarts() -> None:
    code, words = lives("os.kill(os.getpid(), signal.SIGSEGV)")
    assert code == 128 + signal.SIGSEGV
    assert words == [f"life {n}, of {n + 1}" for n in range(6)]


def test_an_exception_that_nobody_expected_is_a_death_too() -> None:
    code, words = lives("1 / 0")
    assert (code, len(words)) == (CRASHED, 6)


def test_a_device_that_is_missing_at_the_start_ends_it_and_one_that_is_missing_later_is_waited_for() -> None:
    assert lives("raise DeviceError('gone')") == (1, ["life 0, of 1"])
    code, words = lives("""
if life.number == 0: os.kill(os.getpid(), signal.SIGKILL)
if life.number < 3: raise DeviceError('gone')
""")
    assert (code, len(words)) == (0, 4)


@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_an_engine_that_is_told_to_end_is_never_started_again(how: str) -> None:
    _, words = lives(f"os.kill(os.getpid(), signal.{how}); import time; time.sleep(10)")
    assert words == ["life 0, of 1"]


def test_the_parent_has_loaded_neither_numpy_nor_numba_nor_torch() -> None:
    script = "import sys, rtsep.commands.run; print(*{'numpy', 'numba', 'torch', 'threading'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
