"""After ``lfcore aws stop`` no job of the run is live, whenever it comes (seed 11)."""

import contextlib
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lfcore.batch.client import batch_client, logs_client
from lfcore.batch.submit import Caps, Submitter
from lfcore.contracts import RunPaths
from lfcore.errors import LfcoreError
from lfcore.job_names import Places
from lfcore.stages.plan import plan
from tests.localbatch.server import LocalBatch, until

MakeDataset = Callable[..., Path]
LIVE = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING")
MOMENTS = 20


def _live(server: LocalBatch) -> list[str]:
    """Every job that is not over, asked state by state, children of every array among them."""
    found = []
    for queue in ("lightfield-cpu", "lightfield-gpu"):
        everything = [
            job
            for state in (*LIVE, "SUCCEEDED", "FAILED")
            for job in server.batch.list_jobs(jobQueue=queue, jobStatus=state)["jobSummaryList"]
        ]
        found += [job["jobId"] for job in everything if job["status"] in LIVE]
        for job in everything:
            if job.get("arrayProperties", {}).get("size"):
                found += [
                    child["jobId"]
                    for state in LIVE
                    for child in server.batch.list_jobs(arrayJobId=job["jobId"], jobStatus=state)["jobSummaryList"]
                ]
    return found


@pytest.mark.slow
def test_nothing_is_left_whenever_a_run_is_stopped(
    sleeping_batch: LocalBatch, tiny_dataset: MakeDataset, tmp_path: Path, lfcore: Callable[..., object]
) -> None:
    dataset, planned = tiny_dataset(frames=6), tmp_path / "planned"
    plan(str(dataset), RunPaths(str(planned)))
    generator = np.random.default_rng(11)
    submitted = 0
    for turn in range(MOMENTS):
        run = RunPaths(f"{tmp_path}/run{turn}")
        shutil.copytree(planned, run.root)
        submitter = Submitter(batch_client(), logs_client(), run, Places.chosen(), Caps(job_minutes=0.01))

        def submit(submitter: Submitter = submitter) -> None:
            with contextlib.suppress(LfcoreError):
                submitter.submit(str(dataset), {})

        # What it is planned for is the folder that was copied; the sleepers do not mind.
        thread = threading.Thread(target=submit)
        thread.start()
        if turn % 4:
            time.sleep(float(generator.uniform(0, 2.5)))
        else:
            until(lambda run=run: Path(run.root, "submission.json").exists(), "a submission")
        result = lfcore("aws", "stop", run.root, "--patience", 60)
        assert result.code == 0, result.err
        assert "none is left" in result.out
        thread.join(30)
        assert not thread.is_alive()
        assert _live(sleeping_batch) == []
        submitted += Path(run.root, "submission.json").exists()
    assert submitted > MOMENTS / 2


def test_a_run_with_live_jobs_is_not_submitted_again_and_a_stopped_one_is(
    sleeping_batch: LocalBatch, tiny_dataset: MakeDataset, tmp_path: Path, lfcore: Callable[..., object]
) -> None:
    dataset, run = tiny_dataset(), RunPaths(f"{tmp_path}/run")
    plan(str(dataset), run)
    assert lfcore("aws", "submit", dataset, run.root, "--job-minutes", 0.01).code == 0
    again = lfcore("aws", "submit", dataset, run.root)
    assert again.code == 2
    assert "lfcore aws stop" in again.error
    shown = lfcore("aws", "status", run.root, "--prices", "table")
    assert shown.code == 0
    assert "reconstruct " in shown.out
    assert lfcore("aws", "stop", run.root).code == 0
    assert lfcore("aws", "resume", run.root).code == 0
    assert lfcore("aws", "stop", run.root).code == 0
    assert _live(sleeping_batch) == []


def test_a_run_in_a_bucket(
    sleeping_batch: LocalBatch, s3_bucket: str, tiny_dataset: MakeDataset, lfcore: Callable[..., object]
) -> None:
    run = RunPaths(f"{s3_bucket}/runs/one")
    dataset = str(tiny_dataset())
    plan(dataset, run)
    result = lfcore("aws", "submit", dataset, run.root, "--job-minutes", 0.01)
    assert result.code == 0, result.err
    listed = lfcore("aws", "list", f"{s3_bucket}/runs")
    assert listed.code == 0
    assert f"0 of 3 frames, 0 aside, submitted 1 x  {run.root}" in listed.out
    assert lfcore("aws", "stop", run.root).code == 0
    assert _live(sleeping_batch) == []
    missing = lfcore("aws", "submit", dataset, "s3://no-such-bucket-of-ours/run")
    assert missing.code == 65
    assert "s3://no-such-bucket-of-ours: does not exist" in missing.error
