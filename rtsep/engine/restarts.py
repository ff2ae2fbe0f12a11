"""When something counts as standing still, and when a model's process that failed is started again. Pure: time is handed in."""

from __future__ import annotations

BACK_OFF_S = (0.2, 1.0, 2.0, 4.0, 8.0)
"""Waits before the first, second, … restart; after the last one the model is given up."""

STALL_S = 1.0
"""A heartbeat that stands still this long means that the process hangs."""

LOADING_S = 120.0
"""A model that has not loaded by then hangs; the largest take 20 s from a cold disk."""

HEALTHY_S = 60.0
"""A process that ran this long starts the count of restarts anew."""

_LONGEST_LOOK_S = 0.2


class Stillness:
    """How long a word that somebody else keeps changing has stood still.

    Time during which nobody looked counts for 0.2 s at most: after a suspended laptop or a stopped parent, whoever was stopped
    as well gets the same time to show a sign of life as any other.
    """

    def __init__(self, now_s: float) -> None:
        self._looked_s = now_s
        self._seen: object = None
        self._still_s = 0.0

    def seconds(self, now_s: float, seen: object) -> float:
        """Look once; returns for how long it has been the same."""
        self._still_s += min(now_s - self._looked_s, _LONGEST_LOOK_S)
        self._looked_s = now_s
        if seen != self._seen:
            self._seen, self._still_s = seen, 0.0
        return self._still_s


class Heartbeat:
    """Tells a hanging process from a living one by a word that it keeps changing."""

    def __init__(self, now_s: float) -> None:
        self._stillness = Stillness(now_s)

    def hangs(self, now_s: float, beat: int, loaded: bool) -> str:
        """Look at the process once; returns a sentence if it hangs, else nothing.

        Args:
            now_s: monotonic time.
            beat: its heartbeat word.
            loaded: whether it is past loading, where there is no heartbeat yet.
        """
        still_s = self._stillness.seconds(now_s, (beat, loaded))
        if loaded:
            return f"The model gave no sign of life for {STALL_S:g} s." if still_s > STALL_S else ""
        return f"The model did not load within {LOADING_S:g} s." if still_s > LOADING_S else ""


class RestartPolicy:
    """Counts failures and says how long to wait before the next attempt."""

    def __init__(self) -> None:
        self._failures = 0

    def wait_s(self, ran_s: float, *, permanent: bool) -> float | None:
        """Return the wait after a process that ran for `ran_s` seconds failed; None to give the model up.

        Args:
            ran_s: how long it ran.
            permanent: it said that another attempt cannot help.
        """
        self._failures = 1 if ran_s > HEALTHY_S else self._failures + 1
        if permanent or self._failures > len(BACK_OFF_S):
            return None
        return BACK_OFF_S[self._failures - 1]
