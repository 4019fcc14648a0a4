"""A stage of sixty quick frames, for a process that is to be interrupted; it notes every frame that it begins."""

import sys
import time
from pathlib import Path

from lfcore.cli.main import main
from lfcore.contracts import RunPaths, Stage, WorkItem
from lfcore.io import store
from lfcore.stages import runner, work

RUN = RunPaths(sys.argv[1])
ITEMS: list[WorkItem] = [
    {"stage": "normalise", "run": RUN.root, "id": f"frame_{n:06d}", "hash": "h", "frame": n} for n in range(60)
]


def do(item: WorkItem) -> runner.Record:
    """Write a file in some tens of milliseconds."""
    with Path(RUN.root, "calls.txt").open("a") as calls:
        calls.write(f"{item['frame']}\n")
    time.sleep(0.01)
    path = RUN.normalised(item["frame"])
    store.write_bytes(path, b"%d" % item["frame"] * 50_000)
    return {"outputs": [path]}


def toy_job(listener: object) -> runner.Outcome:
    """Stand in for the job that ``lfcore work`` would do."""
    return runner.process(RUN, Stage.NORMALISE, ITEMS, lambda pulse: do)


Path(RUN.root).mkdir(exist_ok=True)
work.do_job = toy_job  # type: ignore[assignment]  # the command and its signals are real, the work is not
sys.exit(main(["work"]))
