"""Waiting for jobs: together, through a Batch that is away for a while, and not for ever."""

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.amazon.aws.hooks.batch_client import BatchClientHook
from botocore.exceptions import ClientError, EndpointConnectionError

from lightfield import describer as describer_module
from lightfield import triggers, waiting
from lightfield.batch_jobs import USER_ENDED
from lightfield.describer import Describer
from lightfield.ending import end_all_jobs
from lightfield.hook import StageHook
from lightfield.operators import StageBatchOperator
from lightfield.triggers import StageTrigger
from lightfield.waiting import BatchSilentError, JobLostError, JobWatch, is_silence
from tests.localbatch.server import CONFIGURATION, LocalBatch, processes_of, until

RETRY_LOST_HOSTS = {
    "attempts": 3,
    "evaluateOnExit": [{"onStatusReason": "Host EC2*", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}],
}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalBatch]:
    """A local Batch that a test may kill, and Airflow's connection to it."""
    shell = {**CONFIGURATION["jobDefinitions"]["shell"], "retryStrategy": RETRY_LOST_HOSTS}  # type: ignore[index]  # JSON
    server = LocalBatch(tmp_path, {**CONFIGURATION, "jobDefinitions": {"shell": shell}})
    extra = {"region_name": "us-east-1", "endpoint_url": server.url}
    connection = {"conn_type": "aws", "login": "local", "password": "local", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    monkeypatch.setattr(triggers, "SETTLE_S", 0)
    yield server
    if server.process.poll() is None:
        server.close()
    until(lambda: not processes_of(server.state), "no process left")


def wait_deferred(job_ids: Sequence[str]) -> list[dict[str, Any]]:
    """The events of one trigger a job, in one event loop, as in a triggerer."""

    async def fire(job_id: str) -> dict[str, Any]:
        async for event in StageTrigger(job_id=job_id, poll_interval=1).run():
            return dict(event.payload)
        raise AssertionError("the trigger ended without an event")

    async def all_of_them() -> list[dict[str, Any]]:
        return list(await asyncio.gather(*map(fire, job_ids)))

    return asyncio.run(all_of_them())


def wait_in_place(job_ids: Sequence[str]) -> list[dict[str, Any]]:
    operator = StageBatchOperator(task_id="plan", stage="plan", run="/r", deferrable=False, poll_interval=1)
    return [{"job_id": job_id, "job": operator._wait(job_id)} for job_id in job_ids]


def test_many_triggers_ask_together(server: LocalBatch, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [server.submit("true") for _ in range(130)]
    made, calls = [], []

    @contextlib.asynccontextmanager
    async def counted() -> AsyncIterator[Any]:
        made.append(1)
        async with await BatchClientHook().get_async_conn() as client:  # type: ignore[no-untyped-call]  # Airflow's
            client.meta.events.register("before-call", lambda params, **_: calls.append(json.loads(params["body"])))
            yield client

    async def connect() -> Any:  # noqa: ANN401 - aiobotocore's clients have no type
        return counted()

    monkeypatch.setattr(StageTrigger, "_connect", lambda self: connect)
    events = wait_deferred(ids)
    assert {event["job"]["status"] for event in events} == {"SUCCEEDED"}
    assert [event["job_id"] for event in events] == ids == [event["job"]["jobId"] for event in events]
    assert len(made) == 1
    assert max(len(call["jobs"]) for call in calls) == 100
    # At most two rounds a second of two calls, not one a job and look.
    assert len(calls) < len(ids) / 2


def test_the_event_keeps_what_is_needed_and_no_environment(server: LocalBatch) -> None:
    environment = [{"name": "SECRET", "value": "xyzzy"}]
    job_id = server.submit("exit 3", containerOverrides={"environment": environment})
    [event] = wait_deferred([job_id])
    assert event["job"]["container"]["exitCode"] == 3
    assert event["job"]["container"]["logStreamName"]
    assert event["job"]["attempts"][0]["container"]["exitCode"] == 3
    assert "xyzzy" not in json.dumps(event)


@pytest.mark.parametrize("wait", [wait_deferred, wait_in_place])
def test_a_batch_that_is_killed_and_started_again_is_waited_for(
    server: LocalBatch,
    tmp_path: Path,
    wait: Any,  # noqa: ANN401 - either
) -> None:
    go = tmp_path / "go"
    job_id = server.submit(f"until test -e {go}; do sleep 0.05; done")
    server.wait(job_id, "RUNNING")

    def kill_and_start_again() -> None:
        time.sleep(1)
        server.kill()
        time.sleep(1.5)
        server.start("--port", str(server.port))
        go.touch()

    thread = threading.Thread(target=kill_and_start_again)
    thread.start()
    [event] = wait([job_id])
    thread.join()
    assert event["job"]["status"] == "SUCCEEDED"
    reasons = [attempt["statusReason"] for attempt in event["job"]["attempts"]]
    assert len(reasons) == 2
    assert reasons[0].startswith("Host EC2")


@pytest.mark.parametrize("wait", [wait_deferred, wait_in_place])
def test_patience_ends(server: LocalBatch, monkeypatch: pytest.MonkeyPatch, wait: Any) -> None:  # noqa: ANN401 - either
    job_id = server.submit("true")
    server.kill()
    monkeypatch.setattr(waiting, "SILENCE_S", 0.0)
    message = "Batch has not answered for 0 minutes"
    if wait is wait_deferred:
        assert message in wait([job_id])[0]["error"]
    else:
        with pytest.raises(BatchSilentError, match=message):
            wait([job_id])


@pytest.mark.parametrize("wait", [wait_deferred, wait_in_place])
def test_a_job_that_batch_forgot_is_lost(server: LocalBatch, monkeypatch: pytest.MonkeyPatch, wait: Any) -> None:  # noqa: ANN401 - either
    monkeypatch.setattr(waiting, "UNKNOWN_S", 0.5)
    message = "Batch no longer knows job 0000"
    if wait is wait_deferred:
        assert message in wait(["0000"])[0]["error"]
    else:
        with pytest.raises(JobLostError, match=message):
            wait(["0000"])


def test_a_trigger_ends_its_job_when_a_user_kills_the_task(server: LocalBatch) -> None:
    ids = [server.submit("sleep 60") for _ in range(3)]

    async def kill() -> None:
        await asyncio.gather(*(StageTrigger(job_id=job_id).on_kill() for job_id in ids))

    asyncio.run(kill())
    assert {server.wait(job_id)["statusReason"] for job_id in ids} == {USER_ENDED}


def test_one_cancelled_waiter_leaves_the_others_their_answer() -> None:
    class Client:
        async def __aenter__(self) -> "Client":
            return self

        async def __aexit__(self, *_: object) -> None: ...

        async def describe_jobs(self, jobs: list[str]) -> dict[str, Any]:
            await asyncio.sleep(0.1)
            return {"jobs": [{"jobId": job} for job in jobs]}

    async def connect() -> Client:
        return Client()

    async def scenario() -> object:
        describer = Describer(connect)
        async with describer.in_use():
            first = asyncio.create_task(describer.describe("a"))
            second = asyncio.create_task(describer.describe("a"))
            await asyncio.sleep(describer_module.GATHER_S + 0.05)
            first.cancel()
            return await second

    assert asyncio.run(scenario()) == {"jobId": "a"}


def test_the_end_of_a_run_finds_all_jobs_and_those_that_come_late(server: LocalBatch) -> None:
    mine = [server.submit("sleep 60", queue, jobName=f"lf-0-plan-{n}-r") for n, queue in enumerate(["cpu", "gpu"] * 60)]
    array = server.submit("sleep 60", jobName="lf-0-reconstruct-array-r", arrayProperties={"size": 5})
    others = [server.submit("sleep 60", jobName="lf-01-plan-0-r"), server.submit("sleep 60", jobName="x")]
    late: list[str] = []

    def sleep(_: float) -> None:
        # The first pause is when a SubmitJob that was under way comes to an end.
        if not late:
            late.append(server.submit("sleep 60", "gpu", jobName="lf-0-report-0-r"))
        time.sleep(0.5)

    client = StageHook().get_conn()
    assert end_all_jobs(client, ["cpu", "gpu"], "lf-0-", sleep=sleep) == len(mine) + 2
    for job_id in (*mine, array, *late):
        assert server.job(job_id)["statusReason"] in {"Airflow run ended", "Array Child Job failed"}
    assert {server.job(f"{array}:{index}")["status"] for index in range(5)} == {"FAILED"}
    assert all(server.job(job_id)["status"] != "FAILED" for job_id in others)


def client_error(code: str, status: int = 400) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "DescribeJobs")  # type: ignore[typeddict-item]  # what AWS sends at least


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (client_error("TooManyRequestsException", 429), True),
        (client_error("ExpiredTokenException", 403), True),
        (client_error("ServerException", 500), True),
        (client_error("Unheard", 503), True),
        (client_error("ClientException"), False),
        (client_error("AccessDeniedException", 403), False),
        (EndpointConnectionError(endpoint_url="http://x"), True),
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (KeyError("jobs"), False),
    ],
)
def test_what_is_silence(error: Exception, passes: bool) -> None:
    assert is_silence(error) is passes


def test_what_the_log_says_of_a_long_wait(caplog: pytest.LogCaptureFixture) -> None:
    import logging

    clock = [0.0]
    watch = JobWatch("j", 30, logging.getLogger("airflow.test"), lambda: clock[0])
    with caplog.at_level(logging.INFO, "airflow.test"):
        for minute in range(0, 12):
            clock[0] = 60.0 * minute
            assert not watch.seen({"status": "RUNNABLE", "statusReason": "MISCONFIGURATION:JOB_RESOURCE"})
        for minute in range(12, 20):
            clock[0] = 60.0 * minute
            watch.not_answered(TimeoutError("no answer"))
        assert watch.seen({"status": "SUCCEEDED"})
    said = [record.getMessage() for record in caplog.records]
    assert sum("MISCONFIGURATION:JOB_RESOURCE" in line for line in said) == 3
    assert sum("does not answer" in line for line in said) == 3
    assert "Batch answers again, after 420 s" in said
    assert said[-1] == "Batch job j is SUCCEEDED"


def test_the_pause_follows_the_age_of_the_job() -> None:
    import logging

    clock = [0.0]
    watch = JobWatch("j", 30, logging.getLogger("airflow.test"), lambda: clock[0])
    for age, pause in ((0, 0.2), (20, 2), (300, 30), (9000, 30)):
        clock[0] = age
        pauses = [watch.pause_s() for _ in range(50)]
        assert 0.8 * pause <= min(pauses) <= max(pauses) <= 1.2 * pause
        assert max(pauses) > min(pauses)
