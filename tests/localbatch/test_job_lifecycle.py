"""One job from submission to its end: environment, command, status, reasons, listing, definitions, queues."""

import itertools
import os
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.localbatch.server import LocalBatch


def test_a_job_succeeds(shared_server: LocalBatch) -> None:
    job = shared_server.run(
        "echo out; echo err >&2", jobName="first_job-1", tags={"run": "manual__2026-11-22T00:00:00+00:00"}
    )
    assert job["status"] == "SUCCEEDED"
    assert job["statusReason"] == "Essential container in task exited"
    assert job["jobName"] == "first_job-1"
    assert job["container"]["exitCode"] == 0
    assert job["createdAt"] <= job["startedAt"] <= job["stoppedAt"]
    (attempt,) = job["attempts"]
    assert attempt["container"]["exitCode"] == 0
    assert attempt["container"]["logStreamName"] == job["container"]["logStreamName"]
    assert attempt["startedAt"] == job["startedAt"]
    assert shared_server.messages(job) == ["out", "err"]
    assert job["tags"] == {"run": "manual__2026-11-22T00:00:00+00:00"}


def test_a_job_fails(shared_server: LocalBatch) -> None:
    job = shared_server.run("exit 65")
    assert job["status"] == "FAILED"
    assert job["statusReason"] == "Essential container in task exited"
    assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [65]
    assert job["container"]["exitCode"] == 65


def test_a_signal_gives_128_more(shared_server: LocalBatch) -> None:
    assert shared_server.run("kill -9 $$")["container"]["exitCode"] == 137


@pytest.mark.parametrize("command", [["no-such-program"], ["/etc/hostname"], ["./relative/path"]])
def test_a_command_that_cannot_start(shared_server: LocalBatch, command: list[str]) -> None:
    job = shared_server.run(command)
    assert job["status"] == "FAILED"
    assert job["statusReason"] == "Task failed to start"
    assert job["container"]["exitCode"] == 127
    assert job["container"]["reason"].startswith("CannotStartContainerError: ")


@pytest.mark.parametrize("argument", ["nul \0", "half a surrogate pair \ud800"])
def test_an_argument_that_no_process_can_have(shared_server: LocalBatch, argument: str) -> None:
    for _ in range(2):  # twice: the one slot must be free again
        job = shared_server.run(["echo", argument], queue="gpu")
        assert (job["status"], job["statusReason"]) == ("FAILED", "Task failed to start")


def test_a_script_without_its_interpreter(shared_server: LocalBatch, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    job = shared_server.run([str(script)])
    assert (job["statusReason"], job["container"]["exitCode"]) == ("Task failed to start", 127)


def test_the_environment_is_small_and_merged(shared_server: LocalBatch) -> None:
    overrides = {"environment": [{"name": "OVERRIDDEN", "value": "job=1 'x'"}, {"name": "FROM_JOB", "value": ""}]}
    job = shared_server.run(["env"], containerOverrides=overrides)
    seen = dict(line.split("=", 1) for line in shared_server.messages(job))
    assert seen["FROM_DEFINITION"] == "definition"
    assert seen["OVERRIDDEN"] == "job=1 'x'"
    assert seen["FROM_JOB"] == ""
    assert seen["LFCORE_TEST"] == "passed on"
    assert "SECRET_OF_SERVER" not in seen
    assert not [name for name in seen if name.startswith("AWS_") and not name.startswith("AWS_BATCH_")]
    assert seen["AWS_BATCH_JOB_ID"] == job["jobId"]
    assert seen["AWS_BATCH_JOB_ATTEMPT"] == "1"
    assert seen["AWS_BATCH_JQ_NAME"] == "cpu"
    assert "AWS_BATCH_JOB_ARRAY_INDEX" not in seen
    assert seen["PATH"] == os.environ["PATH"]


def test_no_shell_and_parameters_in_their_place(shared_server: LocalBatch) -> None:
    command = ["printf", "%s|", "Ref::codec", "--in=Ref::path;", "$HOME `id`", "Ref::unknown", "*"]
    job = shared_server.run(command, parameters={"codec": "mp4 x", "path": "a b"})
    assert shared_server.messages(job) == ["mp4 x|--in=a b;|$HOME `id`|Ref::unknown|*|"]


def test_the_folder_is_empty_and_goes(shared_server: LocalBatch) -> None:
    job = shared_server.run("pwd; ls -A; touch rubbish")
    (folder,) = shared_server.messages(job)
    assert not os.path.exists(folder)  # noqa: PTH110 - a name from the job, not a path of ours


def test_slots_bound_what_runs_at_a_time(shared_server: LocalBatch) -> None:
    jobs = [shared_server.wait(job) for job in [shared_server.submit("sleep 0.1", queue="gpu") for _ in range(3)]]
    attempts = sorted((job["startedAt"], job["stoppedAt"]) for job in jobs)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(attempts))
    both = [shared_server.wait(job) for job in [shared_server.submit("sleep 1") for _ in range(2)]]
    assert both[1]["startedAt"] < both[0]["stoppedAt"]


def test_unknown_jobs_are_left_out(shared_server: LocalBatch) -> None:
    job = shared_server.submit()
    found = shared_server.batch.describe_jobs(jobs=[job, "no-such-job", f"arn:aws:batch:us-east-1:0:job/{job}"])["jobs"]
    assert [each["jobId"] for each in found] == [job, job]


def test_cancel_ends_what_has_not_started_only(shared_server: LocalBatch) -> None:
    running = shared_server.submit("sleep 2", queue="gpu")
    waiting = shared_server.submit(queue="gpu")
    dependent = shared_server.submit(dependsOn=[{"jobId": running}])
    shared_server.wait(running, "RUNNING")
    assert shared_server.job(waiting)["status"] == "RUNNABLE"
    assert shared_server.job(waiting)["startedAt"] == 0
    assert shared_server.job(dependent)["status"] == "PENDING"
    for job in (running, waiting, dependent):
        shared_server.batch.cancel_job(jobId=job, reason="not wanted")
    for job in (waiting, dependent):
        ended = shared_server.job(job)
        assert (ended["status"], ended["statusReason"], ended["isCancelled"]) == ("FAILED", "not wanted", True)
        assert ended["attempts"] == []
    assert shared_server.wait(running)["status"] == "SUCCEEDED"
    shared_server.batch.terminate_job(jobId=running, reason="too late")
    assert shared_server.job(running)["status"] == "SUCCEEDED"


def test_list_jobs(own_server: LocalBatch) -> None:
    failed = own_server.submit("exit 1", jobName="alpha-1")
    done = [own_server.submit(jobName=f"beta-{n}") for n in range(5)]
    other = own_server.submit(queue="gpu")
    for job in (failed, *done, other):
        own_server.wait(job)
    running = own_server.submit("sleep 30")
    own_server.wait(running, "RUNNING")

    def listed(**request: object) -> list[str]:
        pages = own_server.batch.get_paginator("list_jobs").paginate(jobQueue="cpu", **request)
        return [job["jobId"] for page in pages for job in page["jobSummaryList"]]

    assert listed() == [running]
    assert listed(jobStatus="FAILED") == [failed]
    assert set(listed(jobStatus="SUCCEEDED")) == set(done)
    assert sorted(listed(jobStatus="SUCCEEDED", PaginationConfig={"PageSize": 2})) == sorted(done)
    assert set(listed(filters=[{"name": "JOB_NAME", "values": ["BETA*"]}])) == set(done)
    (summary,) = own_server.batch.list_jobs(jobQueue="cpu", jobStatus="FAILED")["jobSummaryList"]
    assert summary["container"] == {"exitCode": 1}


def test_definitions_have_revisions(shared_server: LocalBatch) -> None:
    batch = shared_server.batch
    container = {"image": "any", "command": ["echo", "Ref::word"], "environment": [{"name": "A", "value": "1"}]}
    first = batch.register_job_definition(
        jobDefinitionName="echo", type="container", containerProperties=container, parameters={"word": "default"}
    )
    container["command"] = ["echo", "second"]
    second = batch.register_job_definition(
        jobDefinitionName="echo",
        type="container",
        containerProperties=container,
        timeout={"attemptDurationSeconds": 60},
    )
    assert (first["revision"], second["revision"]) == (1, 2)

    def said(definition: str) -> list[str]:
        job = shared_server.wait(
            batch.submit_job(jobName="j", jobQueue="cpu", jobDefinition=definition)["jobId"], "SUCCEEDED"
        )
        return shared_server.messages(job)

    assert said("echo") == ["second"]
    assert said("echo:1") == ["default"]
    assert said(first["jobDefinitionArn"]) == ["default"]
    assert said(first["jobDefinitionArn"].removesuffix(":1")) == ["second"]
    batch.deregister_job_definition(jobDefinition="echo:2")
    assert said("echo") == ["default"]
    described = batch.describe_job_definitions(jobDefinitionName="echo")["jobDefinitions"]
    assert [(each["revision"], each["status"]) for each in described] == [(2, "INACTIVE"), (1, "ACTIVE")]
    active = batch.describe_job_definitions(jobDefinitionName="echo", status="ACTIVE")["jobDefinitions"]
    assert [each["revision"] for each in active] == [1]
    assert active[0]["containerProperties"]["command"] == ["echo", "Ref::word"]
    pages = batch.get_paginator("describe_job_definitions").paginate(
        jobDefinitions=["echo:1", "shell"], PaginationConfig={"PageSize": 1}
    )
    names = [each["jobDefinitionName"] for page in pages for each in page["jobDefinitions"]]
    assert names == ["echo", "shell"]
    with pytest.raises(ClientError, match="not registered or not active"):
        said("echo:2")


def test_queues(shared_server: LocalBatch) -> None:
    everything = shared_server.batch.describe_job_queues()["jobQueues"]
    assert [queue["jobQueueName"] for queue in everything] == ["cpu", "gpu"]
    (queue,) = shared_server.batch.describe_job_queues(jobQueues=[everything[1]["jobQueueArn"]])["jobQueues"]
    assert (queue["jobQueueName"], queue["state"], queue["status"]) == ("gpu", "ENABLED", "VALID")
    by_arn = shared_server.submit(queue=queue["jobQueueArn"])
    assert shared_server.job(by_arn)["jobQueue"] == queue["jobQueueArn"]
