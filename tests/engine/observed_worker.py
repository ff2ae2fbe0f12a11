"""An inference process that writes down, from inside a step of its model, how its thread and process are set up: `RTSEP_SEEN`."""

from __future__ import annotations

import gc
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from rtsep.engine import worker

LATER = 200


class Observed:
    """The inner separator; once it has been warmed up and plays, a step looks around."""

    def __init__(self, inner: Any) -> None:
        self._inner, self._steps = inner, 0
        self.spec, self.init_state = inner.spec, inner.init_state

    def step(self, mix: Any, state: Any) -> Any:
        self._steps += 1
        if self._steps == LATER:
            small = np.full(8, 1e-30, np.float32)
            status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
            seen = {
                "objects_out_of_the_collectors_sight": gc.get_freeze_count(),
                "denormals": int(np.count_nonzero(small * np.float32(1e-10))),
                "locked_kb": int(status["VmLck"].split()[0]),
                "policy": os.sched_getscheduler(0),
            }
            file = Path(os.environ["RTSEP_SEEN"])
            file.with_suffix(".part").write_text(json.dumps(seen))
            file.with_suffix(".part").replace(file)
        return self._inner.step(mix, state)


sys.exit(worker.main(lambda separator, _segment, _request: Observed(separator)))
