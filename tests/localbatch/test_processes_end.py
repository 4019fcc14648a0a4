"""Nothing outlives a job or the server: timeout, terminate, stray grandchildren, a server that is stopped or killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.localbatch.server import LocalBatch, processes_of, until

RETRY_LOST_HOSTS = {
    "attempts": 3,
    "evaluateOnExit": [{"onStatusReason": "Host EC2*", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}],
}
# A first process and a grandchild that ignore SIGTERM, the grandchild in a session of its own and orphaned.
STUBBORN = """
trap '' TERM
(setsid sh -c 'trap "" TERM; echo $$; while :; do sleep 1; done' &)
echo $$
while :; do sleep 1; done
"""


def gone(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_terminate_sends_sigterm_first(shared_server: LocalBatch) -> None:
    job_id = shared_server.submit("trap 'echo stopping; exit 9' TERM; echo ready; while :; do sleep 0.05; done")
    until(lambda: shared_server.job(job_id)["status"] == "RUNNING" and logged(shared_server, job_id), "ready")
    shared_server.batch.terminate_job(jobId=job_id, reason="the user's reason")
    job = shared_server.wait(job_id)
    assert (job["status"], job["statusReason"], job["isTerminated"]) == ("FAILED", "the user's reason", True)
    assert job["container"]["exitCode"] == 9
    assert shared_server.messages(job) == ["ready", "stopping"]


def logged(server: LocalBatch, job_id: str, lines: int = 1) -> list[str] | None:
    found: list[str] = server.messages(server.job(job_id))
    return found if len(found) >= lines else None


def test_terminate_kills_the_whole_tree(shared_server: LocalBatch) -> None:
    job_id = shared_server.submit(STUBBORN, retryStrategy={"attempts": 5})
    shared_server.wait(job_id, "RUNNING")
    pids = until(lambda: logged(shared_server, job_id, 2), "both processes")
    shared_server.batch.terminate_job(jobId=job_id, reason="enough")
    job = shared_server.wait(job_id)
    assert job["container"]["exitCode"] == 137
    assert len(job["attempts"]) == 1
    assert job["stoppedAt"] - job["startedAt"] >= 1500
    assert [gone(pid) for pid in pids] == [True, True]


def test_timeout_ends_an_attempt_and_is_not_retried(shared_server: LocalBatch) -> None:
    job = shared_server.run(STUBBORN, timeout={"attemptDurationSeconds": 1}, retryStrategy={"attempts": 3})
    assert (job["status"], job["statusReason"]) == ("FAILED", "Job attempt duration exceeded timeout")
    (attempt,) = job["attempts"]
    assert attempt["container"]["exitCode"] == 137
    assert 1000 <= attempt["stoppedAt"] - attempt["startedAt"] < 8000
    assert job["timeout"] == {"attemptDurationSeconds": 1}
    assert all(gone(pid) for pid in shared_server.messages(job))


def test_a_chatty_job_times_out_too(shared_server: LocalBatch) -> None:
    job = shared_server.run(["yes"], timeout={"attemptDurationSeconds": 1})
    assert job["statusReason"] == "Job attempt duration exceeded timeout"
    assert job["container"]["exitCode"] == 143


def test_background_processes_end_with_the_job(shared_server: LocalBatch) -> None:
    job = shared_server.run(
        "(setsid sleep 300 &) ; sleep 300 & echo $!; (setsid sh -c 'echo $$; sleep 300' &); sleep 1"
    )
    assert job["status"] == "SUCCEEDED"
    assert job["stoppedAt"] - job["startedAt"] < 5000
    pids = shared_server.messages(job)
    assert len(pids) == 2
    assert all(gone(pid) for pid in pids)


def test_killing_its_own_process_group_harms_the_job_only(shared_server: LocalBatch) -> None:
    job = shared_server.run("kill -9 0")
    assert (job["container"]["exitCode"], job["statusReason"]) == (137, "Essential container in task exited")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_job_outlives_the_server(own_server: LocalBatch, how: signal.Signals) -> None:
    jobs = [own_server.submit(STUBBORN) for _ in range(2)]
    for job in jobs:
        own_server.wait(job, "RUNNING")
        until(partial(logged, own_server, job, 2), "both processes")
    assert len(processes_of(own_server.state)) >= 6
    own_server.process.send_signal(how)
    code = own_server.process.wait(timeout=20)
    assert code == (-signal.SIGKILL if how is signal.SIGKILL else 0)
    if how is signal.SIGKILL:
        until(lambda: not processes_of(own_server.state), "no process left")
    assert processes_of(own_server.state) == []


def test_a_restart_keeps_everything(own_server: LocalBatch) -> None:
    done, failed = own_server.submit("echo kept"), own_server.submit("exit 3")
    before = [own_server.wait(done), own_server.wait(failed)]
    script = "echo attempt $AWS_BATCH_JOB_ATTEMPT; test $AWS_BATCH_JOB_ATTEMPT != 1 || sleep 300"
    retried = own_server.submit(script, retryStrategy=RETRY_LOST_HOSTS)
    given_up = own_server.submit("sleep 300")
    after = own_server.submit(dependsOn=[{"jobId": retried}])
    array = own_server.submit(
        f"test $AWS_BATCH_JOB_ARRAY_INDEX != 1 || {{ {script}; }}",
        queue="gpu",
        arrayProperties={"size": 4},
        retryStrategy=RETRY_LOST_HOSTS,
    )
    terminated = own_server.submit(STUBBORN, retryStrategy=RETRY_LOST_HOSTS)
    for job in (retried, given_up, f"{array}:1", terminated):
        own_server.wait(job, "RUNNING")
    own_server.batch.terminate_job(jobId=terminated, reason="by the user")
    own_server.kill()
    own_server.start()
    assert [own_server.job(done), own_server.job(failed)] == before
    assert own_server.messages(before[0]) == ["kept"]
    ended = own_server.wait(retried)
    assert ended["status"] == "SUCCEEDED"
    assert [attempt["container"].get("exitCode") for attempt in ended["attempts"]] == [None, 0]
    assert ended["attempts"][0]["statusReason"].startswith("Host EC2 (instance i-")
    lost = own_server.wait(given_up)
    assert lost["status"] == "FAILED"
    assert lost["statusReason"].startswith("Host EC2 (instance i-")
    assert "exitCode" not in lost["container"]
    assert own_server.wait(after)["status"] == "SUCCEEDED"
    whole = own_server.wait(array)
    assert (whole["status"], whole["arrayProperties"]["statusSummary"]["SUCCEEDED"]) == ("SUCCEEDED", 4)
    assert [len(own_server.job(f"{array}:{index}")["attempts"]) for index in range(4)] == [1, 2, 1, 1]
    ended = own_server.wait(terminated)
    assert (ended["status"], ended["statusReason"]) == ("FAILED", "by the user")
    assert not [pid for pid in processes_of(own_server.state) if not gone(str(pid))]


def test_a_stopped_server_is_a_lost_host_too(own_server: LocalBatch) -> None:
    job = own_server.submit("test $AWS_BATCH_JOB_ATTEMPT != 1 || sleep 300", retryStrategy=RETRY_LOST_HOSTS)
    own_server.wait(job, "RUNNING")
    own_server.close()
    assert list((own_server.state / "scratch").glob("*")) == []
    own_server.start()
    assert own_server.wait(job)["status"] == "SUCCEEDED"


def test_killed_again_and_again(own_server: LocalBatch) -> None:
    """Ten jobs that need their three attempts at most reach the right end through three kills of the server."""
    jobs = [own_server.submit("sleep 0.2", retryStrategy={"attempts": 10}) for _ in range(10)]
    for _ in range(3):
        own_server.wait(jobs[-1], "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED")
        own_server.kill()
        own_server.start()
    assert [own_server.wait(job)["status"] for job in jobs] == ["SUCCEEDED"] * 10
    for job in jobs:
        *lost, last = own_server.job(job)["attempts"]
        assert last["container"]["exitCode"] == 0
        assert all(attempt["statusReason"].startswith("Host EC2") for attempt in lost)


def test_slots_option_and_state_in_use(own_server: LocalBatch, tmp_path: Path) -> None:
    own_server.close()
    own_server.start("--slots", "cpu=1")
    first, second = own_server.submit("sleep 0.3"), own_server.submit()
    assert own_server.wait(second)["startedAt"] >= own_server.wait(first)["stoppedAt"]
    command = [sys.executable, "-m", "localbatch", "--port", "0", "--state", str(own_server.state), "--config"]
    clash = subprocess.run([*command, str(own_server.config)], capture_output=True, text=True, timeout=20)
    assert clash.returncode == 78
    assert "in use by another server" in clash.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not valid JSON"),
        ("{}", "queues is empty"),
        ('{"queues": {"a": {"slot": 1}}}', "unknown key 'slot'"),
        ('{"queues": {"a": {"slots": 0}}}', "not a whole number above 0"),
        ('{"queues": {"a": {}}, "jobDefinitions": {"x": {"retryStrategy": {"attempts": 11}}}}', "between 1 and 10"),
    ],
)
def test_bad_configuration_is_one_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(content)
    command = [sys.executable, "-m", "localbatch", "--port", "0", "--state", str(tmp_path / "s"), "--config", str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert ended.returncode == 78
    assert message in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_full_disk_for_logs_ends_the_job(own_server: LocalBatch) -> None:
    """The log folder is taken away by a file: the attempt fails, the slot is free again, the server goes on."""
    logs = own_server.state / "logs"
    shutil.rmtree(logs, ignore_errors=True)
    logs.write_text("in the way")
    job = own_server.wait(own_server.submit(queue="gpu"))
    assert (job["status"], job["statusReason"]) == ("FAILED", "Task failed to start")
    logs.unlink()
    assert own_server.wait(own_server.submit(queue="gpu"))["status"] == "SUCCEEDED"


def test_state_files_are_whole_json(own_server: LocalBatch) -> None:
    job = own_server.submit("exit 1")
    own_server.wait(job)
    stored = json.loads((own_server.state / "jobs" / f"{job}.json").read_text())
    assert stored["status"] == "FAILED"
    leftover = own_server.state / "jobs" / "x.json.part"
    leftover.write_text("{")
    own_server.kill()
    own_server.start()
    assert not leftover.exists()
    assert own_server.job(job)["status"] == "FAILED"
    assert os.listdir(own_server.state / "jobs") == [f"{job}.json"]  # noqa: PTH208 - a list of names is what is meant
