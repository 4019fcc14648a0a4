"""Several devices: each frame once, the same bits as one worker, and what is lost with a worker is done by another."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lfcore.cli.main import explain
from lfcore.contracts import RunPaths, Stage
from lfcore.errors import SettingsError, TemporaryError, UnavailableError
from lfcore.io import ome_zarr
from lfcore.opencl.device import Device
from lfcore.stages import devices, reconstruct
from lfcore.stages.devices import share_out
from lfcore.stages.plan import plan
from lfcore.stages.progress import Progress
from lfcore.stages.runner import Outcome, process
from lfcore.stages.work import do_slice
from tests.stages import toy_devices as toy

COSTS = {"seconds", "preparation_seconds", "peak_memory_bytes", "finished"}
STAGE = Stage.RECONSTRUCT


@pytest.fixture
def run(tmp_path: Path) -> RunPaths:
    (tmp_path / "run").mkdir()
    return RunPaths(f"{tmp_path}/run")


def _records(run: RunPaths, kind: str = "done") -> dict[str, dict[str, Any]]:
    """All records of the stage without what they say of costs and the run's place."""
    records = [json.loads(path.read_text()) for path in Path(run.root, kind, str(STAGE)).glob("*.json")]
    return {record["id"]: {key: value for key, value in record.items() if key not in COSTS} for record in records}


def _frames_begun(run: RunPaths) -> list[int]:
    return sorted(frame for frame, _, _ in toy.calls(run))


def test_two_workers_on_one_device_write_what_one_does(
    tiny_dataset: Callable[..., Path], tmp_path: Path, cpu_device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [RunPaths(f"{tmp_path}/{name}") for name in ("one", "two")]
    plan(str(tiny_dataset(frames=4)), runs[0])
    for stage in (Stage.NORMALISE, Stage.CALIBRATE, Stage.TRANSFORMS):
        do_slice(runs[0], stage)
    shutil.copytree(runs[0].root, runs[1].root)
    for workers, run in enumerate(runs, 1):
        monkeypatch.setattr(reconstruct, "choose", lambda wanted=None, chosen=[cpu_device] * workers: chosen)
        assert do_slice(run, STAGE) == Outcome(done=4)
        assert do_slice(run, STAGE) == Outcome(skipped=4)
    assert len(_records(runs[0])) == 4
    assert _records(runs[0]) == _records(runs[1])
    for frame in range(4):
        one, two = (ome_zarr.read_frame(run.ome_zarr, frame) for run in runs)
        assert one.any()
        np.testing.assert_array_equal(one, two)


def test_each_frame_is_done_once_and_bad_ones_are_set_aside(run: RunPaths, tmp_path: Path) -> None:
    seen: list[Progress] = []
    todo = toy.items(run, 12, {3: "bad"})
    assert share_out(run, STAGE, todo, toy.DEVICES, toy.prepare, seen.append) == Outcome(done=11, quarantined=1)
    assert _frames_begun(run) == list(range(12))
    assert {device for _, device, _ in toy.calls(run)} <= {"0:0", "0:1"}
    other = RunPaths(f"{tmp_path}/other")
    Path(other.root).mkdir()
    alone = process(other, STAGE, [{**item, "run": other.root} for item in todo], _prepare_here(other))
    assert alone == Outcome(done=11, quarantined=1)
    assert _records(run) == _records(other)
    [aside], [aside_alone] = (_records(each, "quarantine").values() for each in (run, other))
    assert {**aside, "item": 0} == {**aside_alone, "item": 0}
    assert [progress.note for progress in seen if progress.note] == ["frame_000003 set aside: is bad"]
    assert [seen[0].finished, seen[-1].finished, seen[-1].part, seen[-1].total] == [0, 12, 0, 12]
    told = [(progress.finished, progress.part) for progress in seen if not progress.note]
    assert len(told) == len(set(told))
    assert any(progress.part >= 0.5 for progress in seen)
    assert all(progress.finished + progress.part <= 12 for progress in seen)
    assert share_out(run, STAGE, todo[4:], toy.DEVICES, toy.prepare) == Outcome(skipped=8)


def _prepare_here(run: RunPaths) -> Callable[[Callable[[float], None]], Any]:
    return lambda pulse: toy.prepare(run, None, pulse)


def test_a_slow_frame_does_not_hold_the_rest(run: RunPaths) -> None:
    todo = toy.items(run, 8, {1: "wait-for-others"})
    assert share_out(run, STAGE, todo, toy.DEVICES, toy.prepare) == Outcome(done=8)
    assert _frames_begun(run) == list(range(8))
    *_, slow = [device for frame, device, _ in toy.calls(run) if frame == 1]
    begun_after = [frame for frame, device, _ in toy.calls(run) if device == slow and frame > 1]
    assert begun_after == []


@pytest.mark.parametrize(
    ("fault", "said"), [("die-once", "was killed by SIGKILL at frame_000020"), ("lost-once", "lost")]
)
def test_what_a_lost_worker_had_in_hand_is_done_by_another(run: RunPaths, fault: str, said: str) -> None:
    seen: list[Progress] = []
    todo = toy.items(run, 40, {20: fault})
    assert share_out(run, STAGE, todo, toy.DEVICES, toy.prepare, seen.append) == Outcome(done=40)
    assert _frames_begun(run) == sorted([*range(40), 20])
    assert len({process for frame, _, process in toy.calls(run) if frame == 20}) == 2
    assert len(_records(run)) == 40
    [note] = [progress.note for progress in seen if progress.note]
    assert note.startswith("going on without a device: ")
    assert said in note
    assert "\n" not in note


def test_with_all_workers_lost_the_stage_ends_with_75_and_goes_on_later(run: RunPaths) -> None:
    with pytest.raises(TemporaryError, match=r"SIGKILL at frame_000020; run the same command again") as caught:
        share_out(run, STAGE, toy.items(run, 40, {20: "die"}), toy.DEVICES, toy.prepare)
    assert explain(caught.value)[1] == 75
    # A frame that ends every worker must not keep the others from being done.
    assert len(_records(run)) == 39
    assert share_out(run, STAGE, toy.items(run, 40), toy.DEVICES, toy.prepare) == Outcome(done=1, skipped=39)
    assert _frames_begun(run) == sorted([*range(40), 20, 20])


@pytest.mark.parametrize(
    ("faults", "error"),
    [({0: "full", 1: "full"}, UnavailableError), ({0: "full", 1: "lost"}, TemporaryError)],
)
def test_too_little_memory_on_all_is_no_matter_of_trying_again(
    run: RunPaths, faults: dict[int, str], error: type[Exception]
) -> None:
    with pytest.raises(error, match="device: "):
        share_out(run, STAGE, toy.items(run, 2, faults), toy.DEVICES, toy.prepare)
    assert not _records(run)


@pytest.mark.parametrize(
    ("fault", "error", "said"),
    [("mistake", SettingsError, "a mistake"), ("odd", RuntimeError, "OddError: odd number 7: no reason")],
)
def test_other_errors_end_the_stage_as_with_one_worker(
    run: RunPaths, fault: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error) as caught:
        share_out(run, STAGE, toy.items(run, 3, {0: fault}), toy.DEVICES, toy.prepare)
    assert str(caught.value) == said
    assert "toy_devices.py" in "".join(traceback.format_exception(caught.value))
    assert not Path(run.root, "quarantine").exists()


def test_a_worker_that_does_not_listen_is_killed(run: RunPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "GRACE_S", 0.3)
    with pytest.raises(SettingsError):
        share_out(run, STAGE, toy.items(run, 20, {0: "stuck", 19: "mistake"}), toy.DEVICES, toy.prepare)
    assert _frames_begun(run) == list(range(20))
    assert all(_gone(process) for _, _, process in toy.calls(run))


@contextmanager
def _busy(run: RunPaths) -> Iterator[subprocess.Popen[str]]:
    """A job of a thousand frames in a session of its own, once both of its workers work."""
    command = [sys.executable, toy.__file__, run.root, "1000"]
    job = subprocess.Popen(command, text=True, stderr=subprocess.PIPE, start_new_session=True)
    try:
        while len({process for _, _, process in toy.calls(run)}) < 2:
            assert job.poll() is None
            time.sleep(0.01)
        yield job
    finally:
        job.kill()
        job.communicate()


def _gone(process: int) -> bool:
    """Whether there is no such process, or only what is left of one until its parent looks."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.parametrize("how", ["SIGTERM to the parent", "SIGINT to all, as from a terminal", "SIGKILL to the parent"])
def test_no_worker_is_left_when_its_parent_ends(run: RunPaths, how: str) -> None:
    with _busy(run) as job:
        number = signal.Signals[how.split()[0]]
        (os.killpg if "all" in how else os.kill)(job.pid, number)
        _, errors = job.communicate(timeout=20)
    last_moment = time.monotonic() + 10
    while not all(_gone(process) for _, _, process in toy.calls(run)):
        assert time.monotonic() < last_moment
        time.sleep(0.01)
    assert "Traceback" not in errors
    if number is not signal.SIGKILL:
        assert job.returncode == 75
        assert errors.splitlines()[-1].startswith("Interrupted: nothing half-written is left")
    assert not [path for path in Path(run.root).rglob(".*") if path.is_file()]
    begun = len(toy.calls(run))
    done = len(_records(run))
    assert begun - 2 <= done <= begun
