"""A real api-server of Airflow on a database of its own, with runs in it that nothing executes."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
DAG_ID = "lightfield_reconstruction"
PASSWORDS = {"admin": "a password", "eve": "another one"}
READY_S = 120


@dataclass(frozen=True)
class RunRow:
    """A run as Airflow's database shall have it."""

    run_id: str
    state: str
    conf: dict[str, Any]


@contextmanager
def airflow_server(home: Path, rows: Sequence[RunRow]) -> Iterator[str]:
    """Address of the api-server; users are ``admin`` (role admin) and ``eve`` (role viewer)."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    environment = _environment(home, url, port)
    (home / "passwords.json").write_text(json.dumps(PASSWORDS))
    wanted = json.dumps([[row.run_id, row.state, row.conf] for row in rows])
    subprocess.run([sys.executable, __file__, wanted], env=environment, check=True, cwd=REPOSITORY)
    with (home / "api-server.log").open("wb") as log:
        command = [sys.executable, "-m", "airflow", "api-server", "--host", "127.0.0.1", "--port", str(port)]
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait_until_ready(url, server, home / "api-server.log")
        yield url
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _environment(home: Path, url: str, port: int) -> dict[str, str]:
    return os.environ | {
        "PYTHONWARNINGS": "ignore",
        "PYTHONPATH": str(REPOSITORY),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": "a secret of this test's own, long enough for its purpose",
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,eve:viewer",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }


def _wait_until_ready(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_S
    while True:
        assert server.poll() is None, log.read_text()[-4000:]
        assert time.monotonic() < deadline, log.read_text()[-4000:]
        try:
            with urllib.request.urlopen(f"{url}/api/v2/version", timeout=5):
                break
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    # The page is imported at its first request, which takes seconds; nobody need be logged in for that.
    with contextlib.suppress(urllib.error.HTTPError):
        urllib.request.urlopen(f"{url}/lightfield/", timeout=READY_S)


def _prepare(rows: list[tuple[str, str, dict[str, Any]]]) -> None:
    """Make the database, with the DAG and the runs; in a process that has the server's environment."""
    from airflow.api.common.trigger_dag import trigger_dag
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db
    from airflow.models.dagrun import DagRun
    from airflow.utils.db import initdb
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunTriggeredByType
    from sqlalchemy import select

    initdb()
    manager = DagBundlesManager()
    manager.sync_bundles_to_db()
    for bundle in manager.get_all_dag_bundles():
        bundle.initialize()
        sync_bag_to_db(BundleDagBag(bundle.path, bundle_path=bundle.path, bundle_name=bundle.name), bundle.name, None)
    for run_id, state, conf in rows:
        trigger_dag(DAG_ID, triggered_by=DagRunTriggeredByType.TEST, run_id=run_id, conf=conf)
        with create_session() as session:
            [run] = session.scalars(select(DagRun).where(DagRun.run_id == run_id))
            run.set_state(DagRunState(state))


if __name__ == "__main__":
    _prepare(json.loads(sys.argv[1]))
