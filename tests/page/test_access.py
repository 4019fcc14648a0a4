"""Who gets through to the page: every route is tried, also those to come."""

from typing import Any

import pytest
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from starlette.routing import Route

from lightfield_page.app import create_routes
from tests.page.conftest import MadeRun

PICTURE = {"t": 3, "axis": "z"}
CASES: dict[str, tuple[str, dict[str, object]]] = {
    "/": ("", {}),
    "/run": ("run", {}),
    "/static/{name}": ("static/server.js", {}),
    "/report": ("report", {}),
    "/picture/lattice.png": ("picture/lattice.png", {}),
    "/log": ("log", {"stage": "reconstruct", "slice": 0}),
    "/api/runs": ("api/runs", {}),
    "/api/progress": ("api/progress", {}),
    "/api/residuals": ("api/residuals", {}),
    "/api/quarantine": ("api/quarantine", {}),
    "/api/volume": ("api/volume", {}),
    "/api/slice": ("api/slice", {**PICTURE, "index": 2}),
    "/api/projection": ("api/projection", PICTURE),
}
"""An address of every route, and its parameters beside the run's ids; a new route must be added."""
WITHOUT_A_RUN = ("/", "/static/{name}", "/api/runs")
NO_ROUTES = (
    "docs",
    "redoc",
    "openapi.json",
    "docs/oauth2-redirect",
    "static/",
    "static",
    "api",
    "nothing",
    "run/",
    "%2e%2e/",
)
NOBODY: tuple[dict[str, str], ...] = (
    {},
    {"Authorization": "Bearer x"},
    {"Authorization": "Basic YWRtaW46YWRtaW4="},
    {"Cookie": "_token=x"},
)
OTHER_METHODS = ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE")


@pytest.fixture
def blind_eve(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eve may read no DAG, as an auth manager with rights by DAG would have it."""
    allowed = SimpleAuthManager.is_authorized_dag

    def is_authorized_dag(self: SimpleAuthManager, *, user: BaseUser, **rest: Any) -> bool:  # noqa: ANN401  # as it has
        return user.get_name() != "eve" and allowed(self, user=user, **rest)

    monkeypatch.setattr(SimpleAuthManager, "is_authorized_dag", is_authorized_dag)


def test_every_route_is_tried_here() -> None:
    routes = [route for route in create_routes().routes if isinstance(route, Route)]
    assert {route.path for route in routes} == set(CASES)
    assert len(routes) == len(create_routes().routes)
    assert all(route.methods == {"GET"} for route in routes)


@pytest.mark.parametrize("path", [*CASES, *NO_ROUTES])
def test_nobody_gets_anything(made: MadeRun, path: str) -> None:
    address, parameters = CASES.get(path, (path, {}))
    for headers in (
        {},
        {"Authorization": "Bearer x"},
        {"Authorization": "Basic YWRtaW46YWRtaW4="},
        {"Cookie": "_token=x"},
    ):
        answer = made.server.client.get(
            f"/lightfield/{address}", params=made.ids | parameters, headers=headers, follow_redirects=False
        )
        assert answer.status_code in (401, 403)
        assert answer.json().keys() == {"detail"}
        assert made.paths.root not in answer.text


@pytest.mark.parametrize("path", CASES)
def test_a_viewer_may_look_and_do_nothing(made: MadeRun, path: str) -> None:
    address, parameters = CASES[path]
    answer = made.get(address, **parameters)
    # There is no Batch here to ask for logs.
    assert answer.status_code == (503 if path == "/log" else 200), answer.text
    for method in OTHER_METHODS:
        headers = made.server.headers("eve")
        refused = made.server.client.request(
            method, f"/lightfield/{address}", params=made.ids | parameters, headers=headers
        )
        assert refused.status_code == 405
        nobody = made.server.client.request(method, f"/lightfield/{address}", params=made.ids | parameters)
        assert nobody.status_code in (401, 403)


@pytest.mark.parametrize("path", [path for path in CASES if path not in WITHOUT_A_RUN])
@pytest.mark.usefixtures("blind_eve")
def test_who_may_not_read_the_dag_sees_none_of_its_runs(made: MadeRun, path: str) -> None:
    address, parameters = CASES[path]
    refused = made.get(address, **parameters)
    assert refused.status_code == 403
    assert made.paths.root not in refused.text
    # Whether a run exists is no business of theirs either.
    assert made.get(address, **(parameters | {"run_id": "no such run"})).text == refused.text
    assert made.get(address, user="admin", **parameters).status_code in (200, 503)


@pytest.mark.usefixtures("blind_eve")
def test_the_list_holds_only_what_may_be_read(made: MadeRun) -> None:
    assert made.get("api/runs", limit=200).json() == {"runs": []}
    assert made.run_id in {run["run_id"] for run in made.get("api/runs", user="admin", limit=200).json()["runs"]}


@pytest.mark.usefixtures("blind_eve")
def test_naming_two_dags_reads_neither_by_the_right_to_the_other(made: MadeRun) -> None:
    for ids in (f"dag_id={made.ids['dag_id']}&dag_id=other", f"dag_id=other&dag_id={made.ids['dag_id']}", "dag_id=~"):
        address = f"/lightfield/api/progress?{ids}&run_id={made.run_id.replace('+', '%2B')}"
        assert made.server.client.get(address, headers=made.server.headers("eve")).status_code == 403


@pytest.mark.parametrize("path", [*CASES, *NO_ROUTES])
def test_headers_that_hold_browsers_back(made: MadeRun, path: str) -> None:
    address, parameters = CASES.get(path, (path, {}))
    for user in (None, "eve"):
        headers = made.get(address, user, **parameters).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'self'" in policy
        assert "unsafe-eval" not in policy
        assert ("unsafe-inline" in policy) == (path == "/report" and user is not None)
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"].startswith("private")
        assert "referrer-policy" in headers


def test_the_report_runs_no_script_as_the_user(made: MadeRun) -> None:
    answer = made.get("report")
    assert "<script>" in answer.text
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox;")
    assert "script-src" not in policy
    assert "allow-" not in policy


def test_the_cookie_of_the_log_in_is_enough(made: MadeRun) -> None:
    token = made.server.headers("eve")["Authorization"].removeprefix("Bearer ")
    answer = made.server.client.get("/lightfield/", headers={"Cookie": f"_token={token}"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
