"""An inference process whose model goes wrong: the real worker, with a separator that raises, hangs or runs out of memory.

`RTSEP_FAULT` is `raise:STEP`, `hang:STEP` or `memory:STEP`; later processes of the same engine (epoch 2 on) are well.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from rtsep.engine import worker
from rtsep.models import registry

KIND, STEP = os.environ["RTSEP_FAULT"].split(":")


class Failing:
    """The inner separator until the step that fails."""

    def __init__(self, inner: Any) -> None:
        self._inner, self._steps = inner, 0
        self.spec, self.init_state = inner.spec, inner.init_state

    def step(self, mix: Any, state: Any) -> Any:
        self._steps += 1
        if self._steps == int(STEP):
            if KIND == "raise":
                raise ValueError("planned by the test")
            if KIND == "memory":
                raise MemoryError
            while True:
                time.sleep(1.0)
        return self._inner.step(mix, state)


def load(*args: Any, **kwargs: Any) -> Any:
    separator = honest(*args, **kwargs)
    return Failing(separator) if '"epoch":1,' in sys.argv[1] else separator


honest = registry.load
registry.load = load
sys.exit(worker.main())
