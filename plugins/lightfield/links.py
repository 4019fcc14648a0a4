"""Where the light field page, the report and a job's log are, and the links to them on the tasks that run jobs."""

from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from airflow.configuration import conf
from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


def page_path(page: str, dag_id: str, run_id: str, **more: str | int) -> str:
    """Path of a page of the application below the api-server: ``run``, ``report`` or ``log``, with values quoted."""
    return f"/lightfield/{page}?{urlencode({'dag_id': dag_id, 'run_id': run_id, **more})}"


def page_link(page: str, dag_id: str, run_id: str, **more: str | int) -> str:
    """``page_path`` where the api-server itself is below a path of its host, as a link from its own pages."""
    return urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/") + page_path(page, dag_id, run_id, **more)


class StageLink(BaseOperatorLink):
    """A link on every task of ``StageBatchOperator``; worked out by the api-server, so that it is there at once."""

    @property
    def operators(self) -> list[type["BaseOperator"]]:  # type: ignore[override]  # late, for what it imports
        """The operator; only the api-server asks, and importing it takes a second."""
        from lightfield.operators import StageBatchOperator

        return [StageBatchOperator]


class PageLink(StageLink):
    """To the run's page."""

    name = "Light field page"

    def get_link(self, operator: "BaseOperator", *, ti_key: "TaskInstanceKey") -> str:
        """Path of the page."""
        return page_link("run", ti_key.dag_id, ti_key.run_id)


class ReportLink(StageLink):
    """To the run's report; a run that has none yet says so."""

    name = "Report"

    def get_link(self, operator: "BaseOperator", *, ti_key: "TaskInstanceKey") -> str:
        """Path of the report."""
        return page_link("report", ti_key.dag_id, ti_key.run_id)


class JobLogLink(StageLink):
    """To the log of the task's newest job."""

    name = "Job log"

    def get_link(self, operator: "BaseOperator", *, ti_key: "TaskInstanceKey") -> str:
        """Path of the log; a task that is not mapped has one job, slice 0."""
        stage = ti_key.task_id.rpartition(".")[2]
        return page_link("log", ti_key.dag_id, ti_key.run_id, stage=stage, slice=max(0, ti_key.map_index))
