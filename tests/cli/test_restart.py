"""A run that is killed at random moments and started again ends like one that nobody has disturbed."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

MakeDataset = Callable[..., Path]

KILLS = 10
FRAMES = 80
SEED = 20261122
STAGES = ("normalise", "calibrate", "transforms", "reconstruct")


def _start(dataset: Path, run: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "lfcore", "run", str(dataset), str(run)]
    return subprocess.Popen(command, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def _finish(dataset: Path, run: Path) -> None:
    process = _start(dataset, run)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors


def _records(run: Path) -> dict[Path, bytes]:
    """The completion records, which hold the time at which their item was finished."""
    return {path: path.read_bytes() for stage in STAGES for path in run.glob(f"done/{stage}/*.json")}


def _volumes(run: Path) -> np.ndarray[Any, Any]:
    return np.asarray(zarr.open_group(run / "volumes.ome.zarr", mode="r")["0"])


def _kill_after(process: "subprocess.Popen[str]", run: Path, records: int, delay_s: float) -> None:
    """Kill a run ``delay_s`` after it has finished ``records`` more items."""
    goal = len(_records(run)) + records
    while process.poll() is None and len(_records(run)) < goal:
        time.sleep(0.001)
    time.sleep(delay_s)
    process.kill()
    process.communicate()


@pytest.mark.slow
def test_killed_ten_times_the_volume_is_the_same_bit_by_bit(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset, generator = tiny_dataset(frames=FRAMES), random.Random(SEED)
    undisturbed, killed = tmp_path / "a" / "run", tmp_path / "b" / "run"
    _finish(dataset, undisturbed)
    finished: dict[Path, bytes] = {}
    for kill in range(KILLS):
        # Some die while they start up, most within a stage.
        records, delay_s = (0, generator.uniform(0, 2)) if kill % 4 == 0 else (1, generator.uniform(0, 0.1))
        _kill_after(_start(dataset, killed), killed, records, delay_s)
        now = _records(killed)
        assert finished.items() <= now.items(), "an item that was finished has been done again"
        finished = now
    assert len(finished) < len(_records(undisturbed)), "the kills came too late to disturb anything"
    _finish(dataset, killed)
    assert finished.items() <= _records(killed).items()
    assert len(_records(killed)) == len(_records(undisturbed)) == FRAMES + 1 + 3 + FRAMES
    np.testing.assert_array_equal(_volumes(killed), _volumes(undisturbed))


def test_sigterm_ends_a_run_with_75_and_it_goes_on_from_there(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset, run = tiny_dataset(frames=4), tmp_path / "run"
    process = _start(dataset, run)
    while process.poll() is None and not (run / "done" / "calibrate").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 75, errors
    assert errors.splitlines()[-1].startswith("Interrupted: ")
    before = _records(run)
    assert before
    _finish(dataset, run)
    assert before.items() <= _records(run).items()
