"""Run: every stage one after the other in this process."""

from collections.abc import Mapping
from typing import Any

from lfcore.contracts import PLANNED, RunPaths, Stage, plan_item
from lfcore.opencl.device import choose
from lfcore.stages.progress import Listener, silent
from lfcore.stages.work import do_slice, stage_function


def run_all(
    dataset: str, run: RunPaths, overrides: Mapping[str, Any] | None = None, listener: Listener = silent
) -> None:
    """Plan a run of ``dataset`` and do all its stages; what is done already is not done again.

    Raises ``DataError`` at the end when frames were set aside, and whatever ends a stage at once; before the first one,
    ``UnavailableError`` when a device that is demanded is not there.
    """
    choose()
    stage_function(Stage.PLAN)(run, [plan_item(dataset, run.root, overrides)], listener)
    for stage in PLANNED:
        do_slice(run, stage, listener=listener)
