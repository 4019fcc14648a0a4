"""Retry strategies: the rule by rule table of the AWS documentation, and real attempts."""

import os
import signal
from pathlib import Path

import pytest

from localbatch.retry import retries
from tests.localbatch.server import LocalBatch, until

SPOT = "Host EC2 (instance i-0123456789abcdef0) terminated."
EXITED = "Essential container in task exited"
# https://docs.aws.amazon.com/batch/latest/userguide/job_retries.html: the first match decides, no match means retry.
RULES = [
    {"onStatusReason": "Host EC2*", "action": "RETRY"},
    {"onReason": "CannotPullContainerError:*", "action": "retry"},
    {"onExitCode": "75", "action": "RETRY"},
    {"onExitCode": "4*", "onStatusReason": "Essential*", "action": "EXIT"},
    {"onReason": "*", "action": "EXIT"},
]


@pytest.mark.parametrize(
    ("status_reason", "reason", "exit_code", "expected"),
    [
        (SPOT, "", None, True),
        ("Task failed to start", "CannotPullContainerError: no such image", None, True),
        (EXITED, "", 75, True),
        (EXITED, "", 175, False),
        (EXITED, "", 4, False),
        (EXITED, "", 41, False),
        (EXITED, "OutOfMemoryError: Container killed due to memory usage", 137, False),
        ("other", "", None, False),
    ],
)
def test_rules(status_reason: str, reason: str, exit_code: int | None, expected: bool) -> None:
    strategy = {"attempts": 3, "evaluateOnExit": RULES}
    assert retries(strategy, 1, status_reason, reason, exit_code) is expected
    assert retries(strategy, 3, status_reason, reason, exit_code) is False


def test_without_a_matching_rule_it_is_retried() -> None:
    strategy = {"attempts": 2, "evaluateOnExit": [{"onExitCode": "1", "action": "EXIT"}]}
    assert retries(strategy, 1, EXITED, "", 2)
    assert retries(strategy, 1, SPOT, "", None)
    assert not retries(strategy, 1, EXITED, "", 1)
    assert retries({"attempts": 2}, 1, EXITED, "", 1)
    assert not retries({"attempts": 1}, 1, EXITED, "", 1)


def test_a_job_succeeds_at_its_third_attempt(shared_server: LocalBatch) -> None:
    job = shared_server.run(
        "echo attempt $AWS_BATCH_JOB_ATTEMPT; test $AWS_BATCH_JOB_ATTEMPT = 3 || exit 75",
        retryStrategy={
            "attempts": 5,
            "evaluateOnExit": [{"onExitCode": "75", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}],
        },
    )
    assert job["status"] == "SUCCEEDED"
    assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [75, 75, 0]
    streams = [attempt["container"]["logStreamName"] for attempt in job["attempts"]]
    assert len(set(streams)) == 3
    assert shared_server.messages(job) == ["attempt 3"]
    first = shared_server.messages({"container": {"logStreamName": streams[0]}})
    assert first == ["attempt 1"]


def test_rules_end_a_job_early(shared_server: LocalBatch) -> None:
    strategy = {
        "attempts": 3,
        "evaluateOnExit": [{"onExitCode": "75", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}],
    }
    assert len(shared_server.run("exit 65", retryStrategy=strategy)["attempts"]) == 1
    assert len(shared_server.run("exit 75", retryStrategy=strategy)["attempts"]) == 3


def test_the_definition_has_a_strategy_that_a_submission_replaces(shared_server: LocalBatch) -> None:
    shared_server.batch.register_job_definition(
        jobDefinitionName="twice",
        type="container",
        containerProperties={"image": "any", "command": ["false"]},
        retryStrategy={"attempts": 2},
    )
    assert len(shared_server.run(["false"], jobDefinition="twice")["attempts"]) == 2
    job = shared_server.run(["false"], jobDefinition="twice", retryStrategy={"attempts": 3})
    assert len(job["attempts"]) == 3
    assert job["retryStrategy"]["attempts"] == 3


def test_a_lost_keeper_is_a_lost_host(shared_server: LocalBatch) -> None:
    """Killing what stands for the host rehearses a spot reclaim: no exit code, a retry by rule, no process left."""
    rules = [{"onStatusReason": "Host EC2*", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}]
    job_id = shared_server.submit(
        "setsid sleep 300 & echo $$; test $AWS_BATCH_JOB_ATTEMPT = 2 || wait",
        retryStrategy={"attempts": 2, "evaluateOnExit": rules},
    )
    job = shared_server.wait(job_id, "RUNNING")
    (pid,) = until(lambda: shared_server.messages(shared_server.job(job_id)), "the job's process id")
    keeper = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    assert keeper != shared_server.process.pid
    os.kill(keeper, signal.SIGKILL)
    job = shared_server.wait(job_id)
    assert job["status"] == "SUCCEEDED"
    lost, second = job["attempts"]
    assert lost["statusReason"].startswith("Host EC2 (instance i-")
    assert lost["statusReason"].endswith(") terminated.")
    assert "exitCode" not in lost["container"]
    assert second["container"]["exitCode"] == 0
    stat = Path(f"/proc/{pid}/stat")
    assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"
