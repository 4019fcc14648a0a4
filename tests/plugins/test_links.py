from urllib.parse import quote

import pytest
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from sqlalchemy import select

from lightfield.links import page_link, page_path
from tests.api_server import RUNS, ApiServer

DAG_ID = "lightfield_reconstruction"


@pytest.fixture(scope="module")
def run_id(server: ApiServer) -> str:
    """A run of which one task is mapped."""
    status, run = server.trigger({"dataset": "/data/fish"})
    assert status == 200
    with create_session() as session:
        query = select(TaskInstance).where(
            TaskInstance.run_id == run["dag_run_id"], TaskInstance.task_id == "normalise"
        )
        session.scalars(query).one().map_index = 3
    return str(run["dag_run_id"])


@pytest.mark.parametrize(("task", "index"), [("plan", -1), ("report", -1), ("normalise", 3)])
def test_tasks_lead_to_page_report_and_log(server: ApiServer, run_id: str, task: str, index: int) -> None:
    path = f"{RUNS}/{quote(run_id, safe='')}/taskInstances/{task}/links?map_index={index}"
    links = server.get(path)["extra_links"]
    # As the task's own id may hold '+' and ':', which mean something else in a query.
    run = f"dag_id={DAG_ID}&run_id={quote(run_id, safe='')}"
    assert links["Light field page"] == f"/lightfield/run?{run}"
    assert links["Report"] == f"/lightfield/report?{run}"
    assert links["Job log"] == f"/lightfield/log?{run}&stage={task}&slice={max(0, index)}"


def test_tasks_that_run_no_job_have_no_links(server: ApiServer, run_id: str) -> None:
    path = f"{RUNS}/{quote(run_id, safe='')}/taskInstances/request/links"
    assert server.get(path)["extra_links"] == {}


def test_values_are_quoted() -> None:
    assert page_path("run", "a&b", "c d/é#") == "/lightfield/run?dag_id=a%26b&run_id=c+d%2F%C3%A9%23"


def test_links_stay_below_the_path_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://lab.example.org/airflow/")
    assert page_link("run", "a", "b") == "/airflow/lightfield/run?dag_id=a&run_id=b"
