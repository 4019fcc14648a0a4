"""A job's slice, from its environment."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lfcore.contracts import RunPaths, Stage, dump_items, plan_item
from lfcore.errors import DataError, SettingsError
from lfcore.io import store
from lfcore.stages.plan import plan
from lfcore.stages.runner import Outcome
from lfcore.stages.work import do_job

MakeDataset = Callable[..., Path]


def test_jobs_share_the_frames_among_them(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    run = RunPaths(f"{tmp_path}/run")
    plan(str(tiny_dataset(frames=3)), run)
    job = {"LIST_FILE_S3_PATH": run.items(Stage.NORMALISE), "ARRAY_SIZE": "2"}
    assert do_job({**job, "SLICE_INDEX": "0"}) == Outcome(done=1)
    assert do_job({**job, "AWS_BATCH_JOB_ARRAY_INDEX": "1"}) == Outcome(done=2)
    assert do_job({**job, "SLICE_INDEX": "0"}) == Outcome(skipped=1)
    assert len(os.listdir(Path(run.root, "normalised"))) == 3  # noqa: PTH208  # nothing else may be there


def test_more_slices_than_items_leave_some_with_nothing(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    run = RunPaths(f"{tmp_path}/run")
    plan(str(tiny_dataset(frames=3)), run)
    job = {"LIST_FILE_S3_PATH": run.items(Stage.NORMALISE), "ARRAY_SIZE": "5"}
    assert sum(do_job({**job, "SLICE_INDEX": str(index)}).done for index in range(5)) == 3


def test_planning_is_a_job_too(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    run = RunPaths(f"{tmp_path}/run")
    path = run.items(Stage.PLAN)
    item = plan_item(str(tiny_dataset()), run.root, {"volume": {"samples_per_lenslet": 1}})
    store.write_bytes(path, dump_items([item]))
    assert do_job({"LIST_FILE_S3_PATH": path}) == Outcome(done=1)
    assert Path(run.run_json).exists()
    assert do_job({"LIST_FILE_S3_PATH": path}) == Outcome(done=1)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "LIST_FILE_S3_PATH is not set"),
        ({"ARRAY_SIZE": "x"}, "ARRAY_SIZE='x': must be a whole number"),
        ({"ARRAY_SIZE": "\u00b2"}, "must be a whole number"),
        ({"ARRAY_SIZE": "2", "SLICE_INDEX": "2"}, "slice 2/2"),
        ({"ARRAY_SIZE": "2", "SLICE_INDEX": "-1"}, "SLICE_INDEX='-1'"),
    ],
)
def test_a_wrong_environment_is_refused(tmp_path: Path, environment: dict[str, str], message: str) -> None:
    path = f"{tmp_path}/list.jsonl"
    store.write_bytes(path, dump_items([{"stage": "normalise", "run": "r", "id": "x", "hash": "h"}]))
    with pytest.raises(SettingsError, match=message):
        do_job({"LIST_FILE_S3_PATH": path, **environment} if environment else {})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no json\n", "not a list of work items"),
        (b'{"stage": "paint", "run": "r"}\n', "not a list of work items"),
        (b'{"stage": "report"}\n', "not a list of work items"),
        (b'{"stage": "report", "run": "r"}\n{"stage": "plan", "run": "r"}\n', "mixes stages"),
    ],
)
def test_a_wrong_list_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = f"{tmp_path}/list.jsonl"
    store.write_bytes(path, content)
    with pytest.raises(DataError, match=message):
        do_job({"LIST_FILE_S3_PATH": path})


def test_an_empty_list_is_no_work(tmp_path: Path) -> None:
    store.write_bytes(f"{tmp_path}/list.jsonl", b"")
    assert do_job({"LIST_FILE_S3_PATH": f"{tmp_path}/list.jsonl"}) == Outcome()


def test_a_job_in_an_object_store(tiny_dataset: MakeDataset, s3_bucket: str) -> None:
    run = RunPaths(f"{s3_bucket}/runs/one")
    plan(str(tiny_dataset()), run)
    job = {"LIST_FILE_S3_PATH": run.items(Stage.NORMALISE), "ARRAY_SIZE": "1"}
    assert do_job(job) == Outcome(done=3)
    assert do_job(job) == Outcome(skipped=3)
