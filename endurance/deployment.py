"""What the tests of whole deployments share: starting one, asking it for runs, and looking at what was done."""

import contextlib
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import boto3
import httpx

from demo.layout import DAG_ID, REGION, REPOSITORY, Layout, batch_configuration, free_port
from demo.processes import ProcessGroup
from demo.stack import Shape, Stack
from endurance.postgres import start_postgres
from lfcore.job_names import run_prefix

LIVE = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING")
QUEUES = ("lightfield-cpu", "lightfield-gpu")
TICKS = os.sysconf("SC_CLK_TCK")
SMALL = {"normalise": 4, "calibrate": 1, "transforms": 2, "reconstruct": 6, "report": 1}


@contextmanager
def deployment(
    *, deferrable: bool, slots: int = 8, environment: Mapping[str, str] | None = None
) -> Iterator["Deployment"]:
    """A started deployment whose jobs are ``worker.py``; its folder is kept where a test has failed."""
    root = Path(tempfile.mkdtemp(prefix="lightfield-endurance-"))
    configuration = batch_configuration(slots)
    definition = configuration["jobDefinitions"]["lightfield"]  # type: ignore[index]  # nested objects of a JSON file
    definition["command"] = [sys.executable, str(REPOSITORY / "endurance" / "worker.py")]
    changes = {
        "AIRFLOW__CORE__PARALLELISM": "8",
        # A task whose worker was killed is noticed after this long; Airflow's default is five minutes.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
        "AIRFLOW__WORKERS__TASK_HEARTBEAT_INTERVAL": "5",
        **(environment or {}),
    }
    with ProcessGroup(root / "logs") as group:
        changes["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = start_postgres(root, group)
        layout = Layout(root, free_port())
        stack = Stack(layout, group, Shape(configuration | {"stopTimeoutSeconds": 3}, deferrable, changes), print)
        stack.start()
        stack.wait_until_ready(DAG_ID)
        yield Deployment(stack, root / "data")


@dataclass
class Deployment:
    """A started deployment and the folder of its data sets."""

    stack: Stack
    data: Path
    _clients: list[Any] = field(default_factory=list)

    def data_set(self, name: str, **orders: Any) -> Path:  # noqa: ANN401  # any JSON value
        """A data set that tells the worker what to do."""
        folder = self.data / name
        folder.mkdir(parents=True)
        (folder / "orders.json").write_text(json.dumps({"counts": SMALL, **orders}))
        return folder

    def trigger(self, dataset: Path, **conf: Any) -> Path:  # noqa: ANN401  # any JSON value
        """Ask for a run named as the data set; its folder."""
        run = self.data / "runs" / dataset.name
        asked = {"dataset": str(dataset), "run": str(run), "job_minutes": 1, **conf}
        self.stack.api.trigger(DAG_ID, dataset.name, asked)
        return run

    def state(self, run_id: str) -> str:
        """State of a run; ``unknown`` while the api-server does not answer."""
        with contextlib.suppress(httpx.HTTPError):
            return self.stack.api.run_state(DAG_ID, run_id)
        return "unknown"

    def wait_for(self, what: Callable[[], bool], timeout_s: float, pause_s: float = 1.0) -> bool:
        """Whether it came true in time."""
        deadline = time.monotonic() + timeout_s
        while not what():
            if time.monotonic() > deadline:
                return False
            time.sleep(pause_s)
        return True

    def wait_for_end(self, run_id: str, timeout_s: float) -> str:
        """State of a run when it has ended, or after a time."""
        self.wait_for(lambda: self.state(run_id) in {"success", "failed"}, timeout_s)
        return self.state(run_id)

    def live_jobs(self, run_id: str | None = None) -> list[str]:
        """Names of the jobs, all or a run's, that Batch has not ended."""
        client = self._batch()
        prefix = run_prefix(DAG_ID, run_id) if run_id else ""
        return [
            job["jobName"]
            for queue in QUEUES
            for status in LIVE
            for page in client.get_paginator("list_jobs").paginate(jobQueue=queue, jobStatus=status)
            for job in page["jobSummaryList"]
            if job["jobName"].startswith(prefix)
        ]

    def task_states(self, run_id: str) -> Counter[str]:
        """Number of a run's task instances by state."""
        return Counter(str(entry["state"]) for entry in self.stack.api.task_instances(DAG_ID, run_id))

    def _batch(self) -> Any:  # noqa: ANN401  # a boto3 client
        if not self._clients:
            client = boto3.client(
                "batch",
                endpoint_url=self.stack.batch_endpoint,
                region_name=REGION,
                aws_access_key_id="local",
                aws_secret_access_key="local",
            )
            self._clients.append(client)
        return self._clients[0]


@dataclass(frozen=True)
class Trace:
    """What the worker left of a run: which items were not done, and which by more than one job."""

    missing: list[str]
    twice: list[str]
    overlapping: list[str]


def read_trace(run: Path, counts: Mapping[str, int]) -> Trace:
    """Compare a run's trace with what should have been done."""
    missing, twice, overlapping = [], [], []
    for stage, count in counts.items():
        for index in range(count):
            item = f"{stage}/{index:06d}"
            found = list((run / "trace" / item).glob("*"))
            if not (run / "done" / f"{item}.json").is_file():
                missing.append(item)
            if len(found) > 1:
                twice.append(item)
                times = sorted(tuple(map(float, path.read_text().split())) for path in found)
                if any(later[0] < earlier[1] for earlier, later in pairwise(times)):
                    overlapping.append(item)
    return Trace(missing, twice, overlapping)


def processor_seconds(pid: int) -> tuple[float, float]:
    """Processor time of a process itself, and of all its descendants, ended ones included."""
    own, ended = _times(pid)
    below = ended
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with contextlib.suppress(OSError):
            below += sum(processor_seconds(int(child)))
    return own, below


def _times(pid: int) -> tuple[float, float]:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system, user_ended, system_ended = (int(value) for value in fields[11:15])
    return (user + system) / TICKS, (user_ended + system_ended) / TICKS
