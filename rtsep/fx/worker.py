"""The inference process with effects: the engine's own, with the plan of the effects as an argument before the request."""

from __future__ import annotations

import sys

import msgspec

from rtsep.engine import worker
from rtsep.engine.request import WorkerEvent, WorkerRequest
from rtsep.fx.plan import FxPlan
from rtsep.fx.separator import SeparatorWithEffects
from rtsep.models.separator import Separator
from rtsep.realtime.segment import Segment


def command(plan: FxPlan) -> tuple[str, ...]:
    """Command line for `Engine(worker=…)`."""
    return (sys.executable, "-m", "rtsep.fx.worker", msgspec.json.encode(plan).decode())


def main() -> int:
    """Entry of the process."""
    plan = msgspec.json.decode(sys.argv[1].encode(), type=FxPlan)

    def add_effects(separator: Separator, segment: Segment, request: WorkerRequest) -> Separator:
        return SeparatorWithEffects(
            separator,
            plan,
            words=segment.params,
            header=segment.header,
            epoch=request.epoch,
            report=lambda text: worker.say(WorkerEvent(event="note", text=text)),
        )

    return worker.main(add_effects)


if __name__ == "__main__":
    sys.exit(main())
