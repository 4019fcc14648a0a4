"""A run that is submitted from the command line to the local Batch, against the same run on this machine."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lfcore.contracts import RunPaths, Stage
from lfcore.io import ome_zarr
from tests.localbatch.server import LocalBatch

MakeDataset = Callable[..., Path]
Lfcore = Callable[..., object]
SMALL = ("--job-minutes", 0.01, "--set", "reconstruction.iterations=1")


def _volumes(run: RunPaths) -> list[np.ndarray]:
    return [ome_zarr.read_frame(run.ome_zarr, frame) for frame in range(3)]


def test_a_submitted_run_equals_a_local_one_and_a_resumed_one_does_what_is_missing(
    working_batch: LocalBatch, tiny_dataset: MakeDataset, tmp_path: Path, lfcore: Lfcore
) -> None:
    dataset, run, local = tiny_dataset(), RunPaths(f"{tmp_path}/runs/cloud"), RunPaths(f"{tmp_path}/here/local")
    result = lfcore("aws", "submit", dataset, run.root, *SMALL)
    assert result.code == 0, result.err
    assert re.search(r"^reconstruct: 3 items in 3 jobs", result.out, re.MULTILINE)
    result = lfcore("aws", "status", run.root, "--watch", "--interval", 1, "--prices", "table")
    assert result.code == 0, result.err
    assert "3 of 3 frames done" in result.out
    assert "dollars not known" in result.out
    assert lfcore("run", dataset, local.root, "--device", "numpy", *SMALL[2:]).code == 0
    for submitted, computed in zip(_volumes(run), _volumes(local), strict=True):
        np.testing.assert_array_equal(submitted, computed)

    [one] = json.loads(Path(run.root, "submission.json").read_text())["submissions"]
    assert [job["stage"] for job in one["jobs"]] == [stage.value for stage in Stage]
    assert {job["queue"] for job in one["jobs"] if job["stage"] == "reconstruct"} == {"lightfield-gpu"}
    names = {job["name"] for job in one["jobs"]}
    assert all(re.fullmatch(r"lf-[0-9a-f]{10}-[a-z]+-(array|0)-cloud", name) for name in names)

    log = lfcore("aws", "logs", run.root, "reconstruct", "--slice", 1)
    assert log.code == 0
    assert "reconstruct" in log.out + log.err
    listed = lfcore("aws", "list", tmp_path / "runs")
    assert listed.code == 0
    assert "3 of 3 frames, 0 aside, submitted 1 x" in listed.out
    spent = lfcore("aws", "cost", run.root, "--prices", "table")
    assert spent.code == 0
    assert "on a machine that is not known" in spent.out

    before = {path.name: path.read_bytes() for path in Path(run.root, "done", "reconstruct").iterdir()}
    Path(run.done(Stage.RECONSTRUCT, "frame_000001")).unlink()
    result = lfcore("aws", "resume", run.root, "--job-minutes", 0.01)
    assert result.code == 0, result.err
    assert "transforms: all 3 items are done" in result.out
    assert re.search(r"^reconstruct: 1 items in 1 job", result.out, re.MULTILINE)
    assert lfcore("aws", "status", run.root, "--watch", "--interval", 1, "--prices", "table").code == 0
    for name, content in before.items():
        kept = Path(run.root, "done", "reconstruct", name).read_bytes() == content
        assert kept == (name != "frame_000001.json")
    for submitted, computed in zip(_volumes(run), _volumes(local), strict=True):
        np.testing.assert_array_equal(submitted, computed)


def test_a_plan_that_fails_is_one_line_with_the_jobs_own_words(
    working_batch: LocalBatch, tmp_path: Path, lfcore: Lfcore
) -> None:
    (tmp_path / "empty").mkdir()
    result = lfcore("aws", "submit", tmp_path / "empty", tmp_path / "run")
    assert result.code == 65
    assert "planning failed: " in result.error
    assert "dataset.yaml" in result.error
