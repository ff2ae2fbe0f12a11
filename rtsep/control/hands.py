"""All hands of one performance together: the console and what asks it, MIDI in and out, the local socket, OSC and the mixer page.

One thread ticks 50 times a second. What fails in one hand is told and leaves the others at work. Control threads only.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path

from rtsep import paths
from rtsep.config import Rig
from rtsep.control.client import default_path
from rtsep.control.console import Console
from rtsep.control.local_socket import ControlServer
from rtsep.control.midi_feedback import Feedback
from rtsep.control.osc import OscServer
from rtsep.control.params import GROUP_NAMES
from rtsep.control.web.launcher import MixerPage, PageAddress
from rtsep.engine.session import Engine
from rtsep.fx.mailbox import PluginStates
from rtsep.io.midi_out import MidiSender
from rtsep.io.midi_ports import RESCAN_S, MidiListener

TICK_S = 0.02


class Hands:
    """What moves the mix while it plays.

    Attributes:
        console: does what is asked.
        osc: the OSC server, if the rig wants one.
        page: the mixer page, if there is one.
    """

    def __init__(
        self,
        engine: Engine,
        rig: Rig,
        *,
        rig_file: Path | None = None,
        page: PageAddress | None = None,
        plugins: PluginStates | None = None,
        tell: Callable[[str], None],
    ) -> None:
        """Install the rig's bindings; nothing runs yet.

        Args:
            engine: the engine.
            rig: its rig.
            rig_file: where learned bindings are written.
            page: where the mixer page is served; None for no page.
            plugins: states of the plug-ins among the effects.
            tell: takes sentences for the player.

        Raises:
            ConfigError: a binding cannot work.
            DeviceError: the page or OSC cannot listen there.
        """
        self._tell = tell
        self.console = Console(engine, rig, state=paths.state(), rig_file=rig_file, plugins=plugins, tell=tell)
        self._midi = MidiListener(engine.context, rig.midi.ports, on_event=tell)
        self._sender = MidiSender(rig.midi.out, on_open=lambda: self._feedback.forget())
        self._feedback = Feedback(
            engine.context,
            self.console.params,
            rig.midi.bind,
            self._sender.send,
            display=rig.midi.display == "mackie",
            groups={key: getattr(rig.groups, key).name for key in GROUP_NAMES},
        )
        self.console.on_rebind = self._feedback.rebind
        self._door = ControlServer(self.console, default_path())
        osc = rig.osc
        self.osc = OscServer(self.console, listen=osc.listen, port=osc.port, tell=tell) if osc.port else None
        self.page = MixerPage(engine, listen=page.listen, port=page.port) if page else None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rtsep-hands", daemon=True)

    def start(self) -> None:
        """Open ports and doors and begin to tick."""
        self._midi.start()
        try:
            if not self._door.start():
                self._tell("Another engine of yours is running already; rtsep ctl talks to that one.")
                self._door = ControlServer(self.console, self._door.path.with_name(f"control-{secrets.token_hex(4)}.sock"))
                self._door.start()  # for our own page
        except OSError as error:
            self._tell(f"rtsep ctl cannot reach this engine: {error}.")
        self._thread.start()
        if self.osc:
            self.osc.start()
        if self.page:
            self.page.start(self._door.path)

    def _run(self) -> None:
        scan_s = 0.0
        said = ""
        while not self._stop.wait(TICK_S):
            try:
                self.console.tick()
                if time.monotonic() >= scan_s:
                    self._sender.scan()
                    scan_s = time.monotonic() + RESCAN_S
                if self._sender.names:
                    self._feedback.look()
            except Exception as error:  # whatever goes wrong in here must not end the player's control
                if str(error) != said:
                    said = str(error)
                    self._tell(f"Control: {type(error).__name__}: {error}")

    def stop(self) -> None:
        """Save the state and close everything."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        if self.page:
            self.page.stop()
        if self.osc:
            self.osc.stop()
        self.console.stop()
        self._door.stop()
        self._midi.stop()
        self._sender.stop()
