"""The real api-server, and in it a run whose files were made up."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from lfcore.contracts import RunPaths
from lfcore.io import store
from tests.api_server import ApiServer
from tests.page.make_run import Recipe, make_run, report_page
from tests.plugins.conftest import database, server  # noqa: F401  # fixtures are found by their names

DAG_ID = "lightfield_reconstruction"
# Records from a clock that is ahead, so that the run does not come to rest while the tests go on.
RECIPE = Recipe(clock=time.time() + 3600)


@dataclass(frozen=True)
class MadeRun:
    """A run that Airflow knows of, and its files."""

    server: ApiServer
    run_id: str
    paths: RunPaths
    recipe: Recipe

    @property
    def ids(self) -> dict[str, str]:
        """The parameters by which a browser names the run."""
        return {"dag_id": DAG_ID, "run_id": self.run_id}

    def get(self, path: str, user: str | None = "eve", **parameters: object):  # noqa: ANN201  # the client's answer
        """What a user is answered; ``None`` is nobody. The run's ids are added."""
        headers = {} if user is None else self.server.headers(user)
        return self.server.client.get(f"/lightfield/{path}", params=self.ids | parameters, headers=headers)


@pytest.fixture(scope="session", autouse=True)
def no_batch() -> Iterator[None]:
    """An AWS that does not answer."""
    with pytest.MonkeyPatch.context() as patch:
        extra = {"region_name": "us-east-1", "endpoint_url": "http://127.0.0.1:9"}
        connection = {"conn_type": "aws", "login": "nobody", "password": "nothing", "extra": extra}
        patch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
        yield


@pytest.fixture(scope="session")
def made(server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> MadeRun:  # noqa: F811  # the fixture above
    """A run with 5 of 12 frames done, 2 set aside, and a report that would do harm."""
    run = make_run(str(tmp_path_factory.mktemp("runs") / "made"), RECIPE)
    store.write_bytes(run.report_html, report_page(RECIPE.dataset).encode())
    status, answer = server.trigger({"dataset": RECIPE.dataset, "run": run.root})
    assert status == 200, answer
    return MadeRun(server, answer["dag_run_id"], run, RECIPE)
