"""Requests through the real api-server, with this project's plugin in it."""

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from lightfield import refusals
from lightfield.refusals import LARGEST_BODY, RefuseBadRequests

ROOT = Path(__file__).resolve().parents[2]
URL = "/api/v2/dags/lightfield_reconstruction/dagRuns"
PASSWORD = "not a secret"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Airflow's application with its own database, in which the DAG is."""
    passwords = tmp_path_factory.mktemp("users") / "passwords.json"
    passwords.write_text(json.dumps({"admin": PASSWORD, "eve": PASSWORD}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", "admin:admin,eve:viewer")
        patch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE", str(passwords))
        patch.setenv(
            "AIRFLOW__API_AUTH__JWT_SECRET", "a secret of this test, long enough for its algorithm, 64 bytes.."
        )
        from airflow.api_fastapi.app import create_app, purge_cached_app
        from airflow.dag_processing.bundles.manager import DagBundlesManager
        from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
        from airflow.utils.db import initdb

        initdb()
        DagBundlesManager().sync_bundles_to_db()
        bag = DagBag(ROOT / "dags")
        sync_bag_to_db(bag, "dags-folder", None)
        purge_cached_app()
        with TestClient(create_app(), base_url="http://testserver") as client:
            yield client
        purge_cached_app()


def headers(server: TestClient, user: str = "admin") -> dict[str, str]:
    answer = server.post("/auth/token", json={"username": user, "password": PASSWORD})
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def trigger(server: TestClient, conf: Any, user: str = "admin") -> tuple[int, Any]:  # noqa: ANN401 - any JSON
    body = json.dumps({"logical_date": None, "conf": conf})
    answer = server.post(URL, content=body, headers=headers(server, user) | {"Content-Type": "application/json"})
    return answer.status_code, answer.json()


def test_a_good_request_makes_a_run_that_shows_what_was_asked_for(server: TestClient) -> None:
    conf = {"dataset": "/data/fish", "reconstruction.iterations": 3, "settings": {"volume": {"voxels": "boxes"}}}
    status, run = trigger(server, conf)
    assert status == 200, run
    assert run["conf"] == conf


def test_the_form_as_it_stands_makes_a_run(server: TestClient) -> None:
    params = server.get("/api/v2/dags/lightfield_reconstruction/details", headers=headers(server)).json()["params"]
    form = {key: param["value"] for key, param in params.items()} | {"dataset": "/data/fish"}
    assert len(form) > 40
    status, run = trigger(server, form)
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
def test_a_bad_request_is_refused_in_one_line_and_makes_no_run(server: TestClient, conf: object, line: str) -> None:
    before = server.get(URL, headers=headers(server)).json()["total_entries"]
    status, answer = trigger(server, conf)
    assert status == 400
    assert answer["detail"].startswith(line)
    assert "\n" not in answer["detail"]
    assert server.get(URL, headers=headers(server)).json()["total_entries"] == before


def test_without_credentials_airflow_answers(server: TestClient) -> None:
    answer = server.post(URL, json={"logical_date": None, "conf": {"datset": 1}})
    assert answer.status_code == 401


def test_a_viewer_starts_nothing(server: TestClient) -> None:
    assert trigger(server, {"dataset": "/data/fish"}, "eve")[0] == 403


@pytest.mark.parametrize("body", ["", "{", "[]", '{"conf": []}', '{"conf": 3}', "[" * 100_000])
def test_what_is_no_request_is_left_to_airflow(server: TestClient, body: str) -> None:
    assert server.post(URL, content=body, headers=headers(server)).status_code in (400, 422)


def test_other_paths_are_not_read(server: TestClient) -> None:
    url = "/api/v2/dags/some_other/dagRuns"
    answer = server.post(url, json={"logical_date": None, "conf": {"datset": 1}}, headers=headers(server))
    assert answer.status_code == 404


def test_a_fault_of_the_check_leaves_airflow_to_answer(server: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(refusals, "refusal", broken)
    assert trigger(server, {"dataset": "/data/fish"})[0] == 200
    status, answer = trigger(server, {"dataset": "/data/fish", "reconstruction.iterations": 0})
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

    whole = {"type": "http", "method": "POST", "path": URL, "headers": [(b"cookie", b"_token=x")]} | scope
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
    "scope", [{"method": "GET"}, {"path": "/api/v2/dags"}, {"headers": []}, {"path": f"{URL}/x"}, {"type": "websocket"}]
)
def test_all_else_passes_untouched(scope: dict[str, Any]) -> None:
    pieces = [b'{"conf": {"datset"', b": 1}}"]
    assert call(pieces, **scope) == ([{"type": "behind"}], b"".join(pieces))


def test_it_is_found_below_another_root_too() -> None:
    sent, _ = call([b'{"conf": {}}'], path=f"/airflow{URL}/")
    assert sent[0]["status"] == 400


def test_many_wrong_keys_are_refused_soon() -> None:
    keys = {f"key{index}": index for index in range(30_000)}
    conf = {"dataset": "/d/x", "settings": {"reconstruction": keys}}
    started = os.times().user
    sent, _ = call([json.dumps({"conf": conf}).encode()])
    assert sent[0]["status"] == 400
    assert os.times().user - started < 5
