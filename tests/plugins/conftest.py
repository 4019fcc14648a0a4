"""The real api-server, with this project's DAGs and plugin in it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.api_server import PASSWORD, ApiServer

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def database() -> None:
    """Airflow's tables, empty."""
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture(scope="session")
def server(database: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
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

        DagBundlesManager().sync_bundles_to_db()
        bag = DagBag(ROOT / "dags")
        sync_bag_to_db(bag, "dags-folder", None)
        purge_cached_app()
        with TestClient(create_app(), base_url="http://testserver") as client:
            yield ApiServer(client)
        purge_cached_app()
