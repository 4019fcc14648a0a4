"""The real local Batch, its endpoint in the environment, and workers that work or only sleep."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import lfcore
from tests.localbatch.server import REPOSITORY, LocalBatch, processes_of, until

__all__ = ["lfcore"]

SLEEPER = 'case "$LIST_FILE_S3_PATH" in *plan.jsonl) exec sleep 0.3;; *) exec sleep 60;; esac'


def serve(folder: Path, command: list[str], monkeypatch: pytest.MonkeyPatch) -> LocalBatch:
    """A server whose definition ``lightfield`` runs ``command``; boto3 and the command line are led there."""
    retries = {
        "attempts": 2,
        "evaluateOnExit": [{"onExitCode": "75", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}],
    }
    server = LocalBatch(
        folder,
        {
            "queues": {"lightfield-cpu": {"slots": 3}, "lightfield-gpu": {"slots": 2}},
            "stopTimeoutSeconds": 1,
            "jobDefinitions": {
                "lightfield": {
                    "command": command,
                    "retryStrategy": retries,
                    "environment": {"PYTHONPATH": str(REPOSITORY), "LFCORE_DEVICE": "numpy", "OMP_NUM_THREADS": "1"},
                }
            },
        },
    )
    for name, value in {
        "AWS_ENDPOINT_URL_BATCH": server.url,
        "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": server.url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_REGION", "LIGHTFIELD_JOB_DEFINITION", "LIGHTFIELD_JOB_DEFINITION_GPU"):
        monkeypatch.delenv(name, raising=False)
    return server


def _until_closed(server: LocalBatch) -> Iterator[LocalBatch]:
    yield server
    server.close()
    until(lambda: not processes_of(server.state), "no process left")


@pytest.fixture
def working_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalBatch]:
    """A Batch whose jobs are ``lfcore work``."""
    (tmp_path / "batch").mkdir()
    yield from _until_closed(serve(tmp_path / "batch", [sys.executable, "-m", "lfcore.cli.main", "work"], monkeypatch))


@pytest.fixture
def sleeping_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalBatch]:
    """A Batch whose jobs only sleep: the plan for a moment, the others for a minute."""
    (tmp_path / "batch").mkdir()
    yield from _until_closed(serve(tmp_path / "batch", ["sh", "-c", SLEEPER], monkeypatch))
