"""Names that want to lead out of the run, and words that want to be more than words."""

import json
from pathlib import Path
from urllib.parse import quote

import pytest
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from lfcore.contracts import RunPaths
from lightfield_page.served import STATIC, static_file
from tests.api_server import ApiServer
from tests.page.conftest import DAG_ID, MadeRun
from tests.page.make_run import HOSTILE, Recipe, make_run
from tests.page.test_access import CASES

SECRET = "the content of a file that nobody may see"
UPS = ("../", "..%2f", "%2e%2e/", "%252e%252e%252f", "..\\", "....//", "/", "//", "%00", "run.html%00.js", ".%00./")
TARGETS = ("etc/passwd", "run.html", "app.py", "../app.py", "__init__.py", "static/server.js", "proc/self/environ", "")
SCRIPT_OR_PAGE = ("text/javascript", "text/html")
BAD_VALUES = st.one_of(
    st.text(max_size=60),
    st.integers(),
    st.sampled_from(
        [*UPS, *TARGETS, *HOSTILE, "/etc/passwd", "file:///etc/passwd", "http://127.0.0.1/", "\x00", "1e3"]
    ),
)


def _get(made: MadeRun, address: str):  # noqa: ANN202  # the client's answer
    return made.server.client.get(address, headers=made.server.headers("eve"), follow_redirects=False)


@pytest.mark.parametrize("up", UPS)
@pytest.mark.parametrize("target", TARGETS)
def test_paths_lead_nowhere(made: MadeRun, up: str, target: str) -> None:
    for route in ("static/", "picture/", "report/", "api/", ""):
        answer = _get(made, f"/lightfield/{route}{up}{target}")
        # A path that the client itself takes out of the page is Airflow's affair.
        if str(answer.url.path).startswith("/lightfield/") and answer.status_code != 404:
            assert answer.status_code == 200
            assert answer.content in {file.read_bytes() for file in STATIC.iterdir() if file.is_file()}
        assert "root:" not in answer.text
        assert "import" not in answer.text or answer.headers["content-type"].startswith(
            ("text/javascript", "text/html")
        )


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=40), st.builds("{}{}".format, st.sampled_from(UPS), st.sampled_from(TARGETS))))
def test_only_the_own_scripts_and_styles_are_static(name: str) -> None:
    found = static_file(name)
    assert found is None or (STATIC / name).parent == STATIC


@settings(derandomize=True, max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from([path for path in CASES if path not in ("/", "/static/{name}", "/log")]),
    parameters=st.dictionaries(
        st.sampled_from(["dag_id", "run_id", "t", "axis", "index", "offset", "limit", "stage", "slice"]), BAD_VALUES
    ),
)
def test_parameters_of_all_kinds(made: MadeRun, path: str, parameters: dict[str, object]) -> None:
    address, usual = CASES[path]
    query = "&".join(
        f"{name}={quote(str(value).encode('utf-8', 'surrogatepass'), safe='')}"
        for name, value in {**made.ids, **usual, **parameters}.items()
    )
    answer = _get(made, f"/lightfield/{address}?{query}")
    assert answer.status_code in (200, 304, 404, 422), answer.text
    if answer.status_code != 200:
        detail = answer.json()["detail"]
        assert "\n" not in detail
        assert "Traceback" not in detail
        assert answer.headers["content-type"] == "application/json"
    assert "root:" not in answer.text


def test_hostile_words_come_back_as_json_only(made: MadeRun) -> None:
    for path, (address, parameters) in CASES.items():
        if path == "/report":  # what jobs have written, under a policy of its own
            continue
        answer = made.get(address, **parameters)
        if any(words in answer.text for words in HOSTILE):
            assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
    for words in HOSTILE:
        refused = made.get("api/progress", run_id=words)
        assert refused.headers["content-type"] == "application/json"


def test_links_out_of_the_run_are_not_followed(server: ApiServer, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    run = make_run(f"{tmp_path}/run", Recipe(finished=True))
    for path in (run.report_html, run.lattice_picture):
        Path(path).unlink()
        Path(path).symlink_to(tmp_path / "secret")
    asked = _asked(server, run.root)
    for path in ("report", "picture/lattice.png"):
        answer = asked.get(path)
        assert answer.status_code == 404
        assert SECRET not in answer.text
        assert "secret" not in answer.text
    # A whole folder that lies elsewhere is no better.
    Path(run.report_html).unlink()
    Path(run.report_html).parent.rename(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "index.html").write_text(SECRET)
    Path(run.report_html).parent.symlink_to(tmp_path / "elsewhere")
    assert asked.get("report").status_code == 404


@pytest.mark.parametrize(
    "folder", ["/", "relative", "/a/../../etc", "http://127.0.0.1/x", "file:///etc", "s3://b", "/a\x01b"]
)
def test_a_recorded_folder_that_is_none_is_not_looked_into(server: ApiServer, tmp_path: Path, folder: str) -> None:
    asked = _asked(server, f"{tmp_path}/fine")
    with create_session(scoped=False) as session:
        row = session.scalar(select(DagRun).where(DagRun.dag_id == DAG_ID, DagRun.run_id == asked.run_id))
        assert row is not None
        row.conf = {**(row.conf or {}), "run": folder}
    found = asked.get("api/progress")
    assert found.status_code == 200
    assert found.json()["run"] is None
    for path in ("report", "api/volume", "api/slice"):
        assert asked.get(path, t=0, axis="z", index=0).status_code == 404


def test_errors_in_files_do_not_tell_of_the_server(server: ApiServer, tmp_path: Path) -> None:
    run = make_run(f"{tmp_path}/run", Recipe())
    asked = _asked(server, run.root)
    Path(run.ome_zarr, "0", "zarr.json").write_text("{")
    for path in ("api/volume", "api/slice", "api/projection"):
        answer = asked.get(path, t=0, axis="z", index=0)
        assert answer.status_code == 404
        assert "cannot be read" in answer.json()["detail"]
        assert "Traceback" not in answer.text
        assert "site-packages" not in answer.text
    Path(run.run_json).write_text(json.dumps({"format": 1}))
    assert asked.get("api/progress").status_code in (200, 404)
    assert asked.get("api/volume").status_code == 404


def _asked(server: ApiServer, folder: str) -> MadeRun:
    status, answer = server.trigger({"dataset": "/data/x", "run": folder})
    assert status == 200, answer
    return MadeRun(server, answer["dag_run_id"], RunPaths(folder), Recipe())
