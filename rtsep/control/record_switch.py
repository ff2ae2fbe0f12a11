"""The parameter that records: whoever moves it, by MIDI, OSC, page or command, a recording follows. Control threads only."""

from __future__ import annotations

from collections.abc import Callable

from rtsep.control.params import RECORD, ParamStore
from rtsep.errors import RtsepError
from rtsep.io.recorder import Recorder


class RecordSwitch:
    """Lets a recorder follow the switch, and the switch a recording that ends by itself."""

    def __init__(self, params: ParamStore, *, tell: Callable[[str], None]) -> None:
        self._params, self._tell = params, tell
        self._was_on = False

    def turn(self, recorder: Recorder, *, on: bool) -> str:
        """Move the switch and follow it; returns the folder of the recording that begins or ends. Raises as `follow` does."""
        self._params.set(RECORD, float(on))
        self.follow(recorder)
        return str(recorder.folder or "")

    def follow(self, recorder: Recorder) -> None:
        """Begin or end as the switch says; a recording that ended by itself switches it off.

        Raises:
            RtsepError, OSError: it cannot begin; the switch is off again.
        """
        on = self._params.get(RECORD) > 0
        if on == self._was_on == recorder.recording:
            return
        began, self._was_on = on and not self._was_on, on
        if began:
            try:
                recorder.start()
            except (RtsepError, OSError):
                self._turn_off()
                raise
            return
        if on:
            self._turn_off()
            self._tell("The recording has ended by itself.")
        recorder.stop()

    def _turn_off(self) -> None:
        self._params.set(RECORD, 0.0)
        self._was_on = False
