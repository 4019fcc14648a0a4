"""CloudWatch Logs over real jobs' output: paging as AWS pages, and odd output."""

import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.localbatch.server import LocalBatch, until

GROUP = "/aws/batch/job"


def stream_of(server: LocalBatch, script: str) -> str:
    return str(server.run(script)["container"]["logStreamName"])


def test_forward_paging_ends_with_the_same_token(shared_server: LocalBatch) -> None:
    stream = stream_of(shared_server, "seq 25")
    request = {"logGroupName": GROUP, "logStreamName": stream, "limit": 10}
    answer = shared_server.logs.get_log_events(**request, startFromHead=True)
    seen, pages = [event["message"] for event in answer["events"]], 1
    while pages < 10:
        token = answer["nextForwardToken"]
        answer = shared_server.logs.get_log_events(**request, nextToken=token)
        seen += [event["message"] for event in answer["events"]]
        pages += 1
        if answer["nextForwardToken"] == token:
            break
    assert seen == [str(number) for number in range(1, 26)]
    assert pages == 4
    assert answer["events"] == []


def test_backward_paging(shared_server: LocalBatch) -> None:
    stream = stream_of(shared_server, "seq 25")
    request = {"logGroupName": GROUP, "logStreamName": stream, "limit": 10}
    answer = shared_server.logs.get_log_events(**request)
    assert [event["message"] for event in answer["events"]] == [str(number) for number in range(16, 26)]
    at_end = shared_server.logs.get_log_events(**request, nextToken=answer["nextForwardToken"])
    assert at_end["events"] == []
    for expected in (range(6, 16), range(1, 6), ()):
        token = answer["nextBackwardToken"]
        answer = shared_server.logs.get_log_events(**request, nextToken=token)
        assert [event["message"] for event in answer["events"]] == [str(number) for number in expected]
    assert answer["nextBackwardToken"] == token


def test_a_running_job_can_be_followed(shared_server: LocalBatch) -> None:
    job_id = shared_server.submit("pwd; while ! test -e go; do sleep 0.05; done; echo second", jobName="follow")
    job = shared_server.wait(job_id, "RUNNING")
    request = {"logGroupName": GROUP, "logStreamName": job["container"]["logStreamName"], "startFromHead": True}
    first = until(lambda: (got := shared_server.logs.get_log_events(**request))["events"] and got, "a line")
    (Path(first["events"][0]["message"]) / "go").touch()
    shared_server.wait(job_id)
    later = shared_server.logs.get_log_events(**request, nextToken=first["nextForwardToken"])
    assert [event["message"] for event in later["events"]] == ["second"]
    assert job["startedAt"] - 1000 <= first["events"][0]["timestamp"] <= later["events"][0]["timestamp"]
    assert later["events"][0]["timestamp"] <= time.time() * 1000


def test_time_bounds(shared_server: LocalBatch) -> None:
    stream = stream_of(shared_server, "echo a; sleep 0.1; echo b; sleep 0.1; echo c")
    request = {"logGroupName": GROUP, "logStreamName": stream, "startFromHead": True}
    times = [event["timestamp"] for event in shared_server.logs.get_log_events(**request)["events"]]
    assert times[0] < times[1] < times[2]
    middle = shared_server.logs.get_log_events(**request, startTime=times[1], endTime=times[2])
    assert [event["message"] for event in middle["events"]] == ["b"]


def test_odd_output(shared_server: LocalBatch) -> None:
    """No last line break, empty lines, carriage returns, bytes that are no UTF-8, a line above CloudWatch's 256 KiB."""
    script = r"""printf 'a\r\n\n\nb\rc\n\377\nno end'; echo; python3 -c "print('x' * 600000)"; printf last"""
    job = shared_server.run(script)
    assert job["status"] == "SUCCEEDED"
    lines = shared_server.messages(job)
    assert lines[:4] == ["a", "b\rc", "\N{REPLACEMENT CHARACTER}", "no end"]
    assert [len(line) for line in lines[4:-1]] == [262_118, 262_118, 600_000 - 2 * 262_118]
    assert lines[-1] == "last"


def test_a_page_is_at_most_a_mebibyte(shared_server: LocalBatch) -> None:
    stream = stream_of(shared_server, "python3 -c \"print(('y' * 199999 + chr(10)) * 9)\"")
    request = {"logGroupName": GROUP, "logStreamName": stream}
    first = shared_server.logs.get_log_events(**request, startFromHead=True)
    second = shared_server.logs.get_log_events(**request, nextToken=first["nextForwardToken"])
    assert (len(first["events"]), len(second["events"])) == (5, 4)
    assert len(shared_server.logs.get_log_events(**request)["events"]) == 5


@pytest.mark.parametrize(
    ("group", "stream"),
    [(GROUP, "shell/default/nothing"), ("..", "lock"), (GROUP, "../../lock"), ("/other", "x"), (GROUP, "x" * 512)],
)
def test_unknown_streams(shared_server: LocalBatch, group: str, stream: str) -> None:
    with pytest.raises(ClientError) as caught:
        shared_server.logs.get_log_events(logGroupName=group, logStreamName=stream)
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"


@pytest.mark.parametrize("token", ["f/1", "f/99999999", "x", "f/-1", "b/"])
def test_bad_tokens(shared_server: LocalBatch, token: str) -> None:
    stream = stream_of(shared_server, "echo line")
    with pytest.raises(ClientError) as caught:
        shared_server.logs.get_log_events(logGroupName=GROUP, logStreamName=stream, nextToken=token)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterException"


def test_streams_of_a_group(own_server: LocalBatch) -> None:
    streams = [stream_of(own_server, "sleep 0.02; echo found it") for _ in range(3)]
    stream_of(own_server, "true")
    described = own_server.logs.describe_log_streams(
        logGroupName=GROUP, orderBy="LastEventTime", descending=True, limit=3
    )
    assert [stream["logStreamName"] for stream in described["logStreams"][1:]] == streams[:0:-1]
    rest = own_server.logs.describe_log_streams(
        logGroupName=GROUP, orderBy="LastEventTime", descending=True, nextToken=described["nextToken"]
    )
    assert [stream["logStreamName"] for stream in rest["logStreams"]] == streams[:1]
    one = own_server.logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=streams[1])["logStreams"]
    assert [stream["logStreamName"] for stream in one] == [streams[1]]
    assert one[0]["arn"].startswith("arn:aws:logs:us-east-1:")
    with pytest.raises(ClientError, match="log group does not exist"):
        own_server.logs.describe_log_streams(logGroupName="/none")


def test_filter(own_server: LocalBatch) -> None:
    first, second = stream_of(own_server, "echo frame 1; echo done"), stream_of(own_server, "echo frame 2")
    pages = own_server.logs.get_paginator("filter_log_events").paginate(
        logGroupName=GROUP, filterPattern="frame", PaginationConfig={"PageSize": 1}
    )
    events = [event for page in pages for event in page["events"]]
    assert [(event["logStreamName"], event["message"]) for event in events] == [(first, "frame 1"), (second, "frame 2")]
    only = own_server.logs.filter_log_events(logGroupName=GROUP, logStreamNames=[second])["events"]
    assert [event["message"] for event in only] == ["frame 2"]
    with pytest.raises(ClientError, match="plain words"):
        own_server.logs.filter_log_events(logGroupName=GROUP, filterPattern="{ $.a = 1 }")


def test_a_definition_names_its_own_group(shared_server: LocalBatch) -> None:
    shared_server.batch.register_job_definition(
        jobDefinitionName="grouped",
        type="container",
        containerProperties={
            "image": "any",
            "command": ["echo", "here"],
            "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/lightfield"}},
        },
    )
    answer = shared_server.batch.submit_job(jobName="j", jobQueue="cpu", jobDefinition="grouped")
    job = shared_server.wait(answer["jobId"])
    assert job["container"]["logConfiguration"]["options"]["awslogs-group"] == "/lightfield"
    events = shared_server.logs.get_log_events(
        logGroupName="/lightfield", logStreamName=job["container"]["logStreamName"]
    )["events"]
    assert [event["message"] for event in events] == ["here"]
