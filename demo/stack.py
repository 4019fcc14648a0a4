"""Airflow and a local Batch as processes of this machine: started together, and each to be killed and started again."""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from demo.airflow_api import AirflowApi
from demo.layout import LOCALHOST, REPOSITORY, USER, Layout, airflow_environment
from demo.processes import ProcessGroup

READY_S = 180
BATCH = "batch"
API_SERVER = "api-server"
SCHEDULER = "scheduler"
DAG_PROCESSOR = "dag-processor"
TRIGGERER = "triggerer"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Shape:
    """What kind of deployment is started.

    ``batch`` is the local Batch's configuration; ``deferrable`` whether tasks wait in a triggerer; ``environment``
    is laid over Airflow's.
    """

    batch: Mapping[str, object]
    deferrable: bool = False
    environment: Mapping[str, str] | None = None

    @property
    def components(self) -> tuple[str, ...]:
        """Airflow's processes, in the order of their start."""
        return (API_SERVER, DAG_PROCESSOR, SCHEDULER, *((TRIGGERER,) if self.deferrable else ()))


class Stack:
    """A started deployment. ``start`` returns when its processes run, ``wait_until_ready`` when Airflow knows a DAG."""

    def __init__(self, layout: Layout, group: ProcessGroup, shape: Shape, say: Say) -> None:
        self.layout = layout
        self.group = group
        self.shape = shape
        self.api = AirflowApi(layout.url, USER, layout.password)
        self._say = say
        self._environment: dict[str, str] = {}
        self._batch_port = 0

    @property
    def batch_endpoint(self) -> str:
        """Address of the local Batch."""
        return f"http://{LOCALHOST}:{self._batch_port}"

    def start(self) -> None:
        """Start the local Batch, make the database and start Airflow."""
        layout = self.layout
        _write_private(layout.root / "passwords.json", json.dumps({USER: layout.password}))
        layout.batch_state.mkdir()
        self._batch_configuration.write_text(json.dumps(self.shape.batch, indent=2))
        self.launch(BATCH)
        self._batch_port = self._wait_for_port()
        waiting = {"AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": str(self.shape.deferrable)}
        changes = {**waiting, **(self.shape.environment or {})}
        self._environment = airflow_environment(layout, self._batch_port) | changes
        self.run_airflow("db", "migrate")
        self._say("database ready; starting Airflow")
        for component in self.shape.components:
            self.launch(component)

    def launch(self, name: str) -> None:
        """Start a process of the deployment, the first time or again."""
        if name == BATCH:
            command = [sys.executable, "-m", "localbatch", "--port", str(self._batch_port)]
            command += ["--state", str(self.layout.batch_state), "--config", str(self._batch_configuration)]
            self.group.start(name, command, os.environ | {"PYTHONPATH": str(REPOSITORY)})
            return
        # The api-server runs no task, so it has no use for what tasks import.
        module = "airflow" if name == API_SERVER else "demo.preloaded"
        self.group.start(name, [sys.executable, "-m", module, name], self._environment)

    def kill(self, name: str, *, with_children: bool = False) -> None:
        """End a process with SIGKILL, alone or with all that it has started in its process group."""
        self.group.kill(name, with_children=with_children)

    def wait_until_ready(self, dag_id: str) -> None:
        """Wait until Airflow knows the DAG. Raises ``ProcessDiedError`` or ``TimeoutError``."""
        self.api.wait_until_ready(dag_id, self.group.check, READY_S)

    def run_airflow(self, *arguments: str) -> None:
        """Run a command of Airflow's in this deployment. Raises ``ProcessDiedError`` when it fails."""
        command = [sys.executable, "-m", "airflow", *arguments]
        self.group.start_once(f"airflow-{arguments[0]}", command, self._environment).finish()

    @property
    def _batch_configuration(self) -> Path:
        return self.layout.root / "batch.json"

    def _wait_for_port(self) -> int:
        port = self.layout.batch_state / "port"
        deadline = time.monotonic() + READY_S
        while not (port.is_file() and port.read_text().strip()):
            self.group.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"the local Batch gave no port in {READY_S} s")
            time.sleep(0.1)
        return int(port.read_text())


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
