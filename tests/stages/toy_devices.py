"""A stage for workers: what happens to a frame is written in its item; as a script, a job that is to be interrupted.

An item's ``fault``: die (by SIGKILL, in the middle of the frame), bad, lost, full, mistake, odd, stuck (deaf to
SIGTERM), or wait-for-others (until all but this frame are done); with ``-once`` at the frame's first try only.
"""

import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from lfcore.cli.main import main
from lfcore.contracts import RunPaths, Stage, WorkItem
from lfcore.errors import DataError, DeviceMemoryError, SettingsError, TemporaryError
from lfcore.io import store
from lfcore.opencl.device import Device
from lfcore.stages import runner, work
from lfcore.stages.devices import share_out

DEVICES = [Device(f"0:{n}", "Toys", f"toy {n}", "", "", "gpu", 1, 1, 1, 1, False) for n in range(2)]
ERRORS = {
    "bad": DataError("is bad"),
    "lost": TemporaryError("device: lost"),
    "full": DeviceMemoryError("device: too little memory"),
    "mistake": SettingsError("a mistake"),
}
PATIENCE_S = 60.0


class OddError(Exception):
    """An error that cannot be sent to another process."""

    def __init__(self, number: int, why: str) -> None:
        super().__init__(f"odd number {number}: {why}")


def items(run: RunPaths, count: int, faults: dict[int, str] | None = None) -> list[WorkItem]:
    """``count`` frames with their faults."""
    base = {"stage": "reconstruct", "run": run.root, "hash": "h", "of": count}
    fault = faults or {}
    return [{**base, "id": f"frame_{n:06d}", "frame": n, "fault": fault.get(n, "")} for n in range(count)]


def prepare(run: RunPaths, device: str | None, pulse: runner.Pulse) -> runner.Do:
    """A worker's ``do``; every frame that it begins is a line "frame device process" in calls.txt."""

    def do(item: WorkItem) -> runner.Record:
        with Path(run.root, "calls.txt").open("a") as calls:
            calls.write(f"{item['frame']} {device} {os.getpid()}\n")
        pulse(0.5)
        _meet(run, item)
        path = run.ome_tiff(item["frame"])
        store.write_bytes(path, b"%d" % item["frame"] * 50_000)
        return {"outputs": [path]}

    return do


def _meet(run: RunPaths, item: WorkItem) -> None:
    fault, once = item["fault"], Path(run.root, "once")
    if fault.endswith("-once"):
        fault = "" if once.exists() else fault.removesuffix("-once")
        once.touch()
    if fault == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if fault == "wait-for-others":
        _wait_until_done(run, item["of"] - 1)
    if fault == "stuck":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(PATIENCE_S)
    if fault == "odd":
        raise OddError(7, "no reason")
    if fault in ERRORS:
        raise ERRORS[fault]
    time.sleep(0.01)


def _wait_until_done(run: RunPaths, count: int) -> None:
    end = time.monotonic() + PATIENCE_S
    while len(list(Path(run.root, "done").glob("*/*.json"))) < count:
        if time.monotonic() > end:
            raise DataError(f"{count} frames were not done within {PATIENCE_S:g} s")
        time.sleep(0.01)


def calls(run: RunPaths) -> list[tuple[int, str, int]]:
    """(frame, device, process) of every frame that was begun."""
    path = Path(run.root, "calls.txt")
    lines = path.read_text().splitlines() if path.exists() else []
    return [(int(frame), device, int(process)) for frame, device, process in map(str.split, lines)]


def _job(arguments: Sequence[str]) -> None:
    run = RunPaths(arguments[0])
    todo = items(run, int(arguments[1]))
    work.do_job = lambda listener: share_out(  # type: ignore[assignment]  # the command and its signals are real
        run, Stage.RECONSTRUCT, todo, DEVICES, prepare, listener
    )
    sys.exit(main(["work"]))


if __name__ == "__main__":
    _job(sys.argv[1:])
