"""Requests through the real api-server, with this project's plugin in it."""

import asyncio
import json
import os
from typing import Any

import pytest

from lightfield import refusals
from lightfield.refusals import LARGEST_BODY, RefuseBadRequests
from tests.api_server import RUNS, ApiServer


def test_a_good_request_makes_a_run_that_shows_what_was_asked_for(server: ApiServer) -> None:
    conf = {"dataset": "/data/fish", "reconstruction.iterations": 3, "settings": {"volume": {"voxels": "boxes"}}}
    status, run = server.trigger(conf)
    assert status == 200, run
    assert run["conf"] == conf


def test_the_form_as_it_stands_makes_a_run(server: ApiServer) -> None:
    params = server.get("/api/v2/dags/lightfield_reconstruction/details")["params"]
    form = {key: param["value"] for key, param in params.items()} | {"dataset": "/data/fish"}
    assert len(form) > 40
    status, run = server.trigger(form)
    assert status == 200, run
    assert run["conf"] == form


@pytest.mark.parametrize(
    ("conf", "line"),
    [
        ({"dataset": "/d/x", "datset": 1}, "conf: unknown key 'datset'; did you mean 'dataset'?"),
        (
            {"dataset": "/d/x", "settings": {"reconstruction": {"itrations": 3}}},
            "settings: unknown key 'reconstruction.itrations'; did you mean 'reconstruction.iterations'?",
        ),
        ({"dataset": "/d/x", "reconstruction.iterations": "12"}, "reconstruction.iterations: '12' is not of type"),
        ({"dataset": "/d/x", "settings": {"camera": {"pixel_um": "6"}}}, "settings.camera.pixel_um: '6' is not of"),
        ({"dataset": "/d/x", "camera.pixel_um": float("nan")}, "conf: camera.pixel_um: must be a finite number"),
        ({"dataset": "/d/x", "run": "/d/x/"}, "run: '/d/x' is the data set itself; give a folder of its own"),
        ({}, "dataset: None must be an absolute path"),
        (None, "dataset: None must be an absolute path"),
    ],
)
def test_a_bad_request_is_refused_in_one_line_and_makes_no_run(server: ApiServer, conf: object, line: str) -> None:
    before = server.get(RUNS)["total_entries"]
    status, answer = server.trigger(conf)
    assert status == 400
    assert answer["detail"].startswith(line)
    assert "\n" not in answer["detail"]
    assert server.get(RUNS)["total_entries"] == before


def test_without_credentials_airflow_answers(server: ApiServer) -> None:
    answer = server.client.post(RUNS, json={"logical_date": None, "conf": {"datset": 1}})
    assert answer.status_code == 401


def test_a_viewer_starts_nothing(server: ApiServer) -> None:
    assert server.trigger({"dataset": "/data/fish"}, "eve")[0] == 403


@pytest.mark.parametrize("body", ["", "{", "[]", '{"conf": []}', '{"conf": 3}', "[" * 100_000])
def test_what_is_no_request_is_left_to_airflow(server: ApiServer, body: str) -> None:
    assert server.client.post(RUNS, content=body, headers=server.headers()).status_code in (400, 422)


def test_other_paths_are_not_read(server: ApiServer) -> None:
    url = "/api/v2/dags/some_other/dagRuns"
    answer = server.client.post(url, json={"logical_date": None, "conf": {"datset": 1}}, headers=server.headers())
    assert answer.status_code == 404


def test_a_fault_of_the_check_leaves_airflow_to_answer(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(refusals, "refusal", broken)
    assert server.trigger({"dataset": "/data/fish"})[0] == 200
    status, answer = server.trigger({"dataset": "/data/fish", "reconstruction.iterations": 0})
    assert status == 400
    assert "reconstruction.iterations" in answer["detail"]


def call(body: list[bytes], **scope: Any) -> tuple[list[dict[str, Any]], bytes]:  # noqa: ANN401 - any scope
    """What the middleware sends, and what the application behind it has read, for a body in pieces."""
    sent: list[dict[str, Any]] = []
    read = b""
    pieces = [
        {"type": "http.request", "body": piece, "more_body": index < len(body)} for index, piece in enumerate(body, 1)
    ]

    async def receive() -> dict[str, Any]:
        return pieces.pop(0) if pieces else {"type": "http.disconnect"}

    async def send(message: Any) -> None:  # noqa: ANN401 - as ASGI has it
        sent.append(message)

    async def application(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - as ASGI has it
        nonlocal read
        more = True
        while more:
            message = await receive()
            read += message.get("body", b"")
            more = message.get("more_body", False)
        await send({"type": "behind"})

    whole = {"type": "http", "method": "POST", "path": RUNS, "headers": [(b"cookie", b"_token=x")]} | scope
    asyncio.run(RefuseBadRequests(application)(whole, receive, send))
    return sent, read


def test_a_body_in_pieces_reaches_the_application_whole() -> None:
    body = json.dumps({"conf": {"dataset": "/data/fish"}}).encode()
    sent, read = call([body[:7], b"", body[7:]])
    assert sent == [{"type": "behind"}]
    assert read == body


def test_a_huge_body_is_refused_before_it_is_read() -> None:
    sent, read = call([b"x" * 2**19] * 100)
    assert sent[0]["status"] == 413
    assert str(LARGEST_BODY) in json.loads(sent[1]["body"])["detail"]
    assert read == b""


@pytest.mark.parametrize(
    "scope",
    [{"method": "GET"}, {"path": "/api/v2/dags"}, {"headers": []}, {"path": f"{RUNS}/x"}, {"type": "websocket"}],
)
def test_all_else_passes_untouched(scope: dict[str, Any]) -> None:
    pieces = [b'{"conf": {"datset"', b": 1}}"]
    assert call(pieces, **scope) == ([{"type": "behind"}], b"".join(pieces))


def test_it_is_found_below_another_root_too() -> None:
    sent, _ = call([b'{"conf": {}}'], path=f"/airflow{RUNS}/")
    assert sent[0]["status"] == 400


def test_many_wrong_keys_are_refused_soon() -> None:
    keys = {f"key{index}": index for index in range(30_000)}
    conf = {"dataset": "/d/x", "settings": {"reconstruction": keys}}
    started = os.times().user
    sent, _ = call([json.dumps({"conf": conf}).encode()])
    assert sent[0]["status"] == 400
    assert os.times().user - started < 5
