"""One start of everything: synthetic data, the local Batch, Airflow, and the run that is followed to its end."""

import fcntl
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.airflow_api import RUN_ID, AirflowApi, summarise
from demo.layout import (
    DAG_ID,
    LOCALHOST,
    REGION,
    USER,
    Layout,
    airflow_environment,
    batch_configuration,
    lfcore_command,
)
from demo.processes import ProcessGroup, tail
from demo.verdict import Verdict, join, judge_files, judge_jobs, judge_volume, succeeded_jobs
from lfcore.contracts import RunPaths, Stage

READY_S = 180
RUN_S = 1200
# Short jobs, so that the demo shows a fan-out; a real run keeps the DAG's default.
JOB_MINUTES = 0.01
MAX_JOBS = 4
SIMULATION = ("--preset", "beads", "--frames", "4", "--seed", "1")

Say = Callable[[str], None]


@contextmanager
def empty_folder(root: Path) -> Iterator[None]:
    """Hold the demo's folder for this process alone, emptied of what an earlier demo left.

    Raises ``RuntimeError`` while another demo holds it.
    """
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RuntimeError(f"{root}: another demo is running there; end it first") from error
        for entry in root.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.name != "lock":
                entry.unlink()
        yield


class Session:
    """The started demo. ``start`` returns when Airflow knows the DAG; ``follow`` when its run has ended."""

    def __init__(self, layout: Layout, group: ProcessGroup, say: Say) -> None:
        self.layout = layout
        self._group = group
        self._say = say
        self._api = AirflowApi(layout.url, USER, layout.password)
        self._batch_endpoint = ""

    def start(self) -> None:
        """Make the data set and start every process; what does not depend on each other runs side by side."""
        self.layout.dataset.parent.mkdir(parents=True)
        _write_private(self.layout.root / "passwords.json", json.dumps({USER: self.layout.password}))
        command = [lfcore_command(), "simulate", str(self.layout.dataset), *SIMULATION]
        simulation = self._group.start_once("simulate", command, os.environ)
        port = self._start_batch()
        self._batch_endpoint = f"http://{LOCALHOST}:{port}"
        environment = airflow_environment(self.layout, port)
        airflow, preloaded = ([sys.executable, "-m", module] for module in ("airflow", "demo.preloaded"))
        self._group.start_once("db-migrate", [*airflow, "db", "migrate"], environment).finish()
        self._say("database ready; starting Airflow")
        self._group.start("api-server", [*airflow, "api-server"], environment)
        for component in ("dag-processor", "scheduler"):
            self._group.start(component, [*preloaded, component], environment)
        simulation.finish()
        self._say(f"synthetic data set: {self.layout.dataset}")
        self._api.wait_until_ready(self._group.check, READY_S)

    def _start_batch(self) -> int:
        state = self.layout.batch_state
        state.mkdir()
        configuration = self.layout.root / "batch.json"
        configuration.write_text(json.dumps(batch_configuration(len(os.sched_getaffinity(0))), indent=2))
        command = [sys.executable, "-m", "localbatch", "--port", "0", "--state", str(state)]
        self._group.start("batch", [*command, "--config", str(configuration)], os.environ)
        port = state / "port"
        deadline = time.monotonic() + READY_S
        while not (port.is_file() and port.read_text().strip()):
            self._group.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"the local Batch gave no port in {READY_S} s")
            time.sleep(0.1)
        return int(port.read_text())

    def follow(self) -> bool:
        """Trigger the DAG and report its progress until it ends; whether it succeeded."""
        layout = self.layout
        conf = {"dataset": str(layout.dataset), "run": str(layout.run), "max_jobs": MAX_JOBS}
        self._api.trigger(conf | {"job_minutes": JOB_MINUTES})
        self._say(f"triggered {DAG_ID}")
        deadline = time.monotonic() + RUN_S
        shown = ""
        while (state := self._api.run_state()) in {"queued", "running"}:
            self._group.check()
            if (line := summarise(self._api.task_instances(), list(Stage))) != shown:
                self._say(line)
                shown = line
            if time.monotonic() > deadline:
                raise TimeoutError(f"the run has not ended after {RUN_S} s")
            time.sleep(1)
        self._say(f"{summarise(self._api.task_instances(), list(Stage))}: {state}")
        return state == "success"

    def failures(self) -> list[str]:
        """The ends of the logs of the tasks that failed."""
        failed = [entry for entry in self._api.task_instances() if entry["state"] == "failed"]
        return [
            f"{entry['task_id']} {entry['rendered_map_index'] or ''}:\n"
            f"{_log_end(self.layout.airflow_home / 'logs', entry['task_id'], entry['map_index'])}"
            for entry in failed
        ]

    def verdict(self) -> Verdict:
        """Compare what came out with what must come out."""
        queues = ["lightfield-cpu", "lightfield-gpu"]
        paths = RunPaths(str(self.layout.run))
        return join(
            judge_jobs(succeeded_jobs(self._batch_endpoint, REGION, queues)),
            judge_volume(self.layout.dataset, self.layout.run),
            judge_files(Path(paths.ome_zarr), Path(paths.report_html)),
        )

    def watch(self) -> None:
        """Keep running until interrupted. Raises ``ProcessDiedError`` when a process ends."""
        while True:
            self._group.check()
            time.sleep(2)


def _log_end(logs: Path, task_id: str, map_index: int) -> str:
    """The last messages of a task's last attempt; Airflow writes one JSON object a line."""
    folder = logs / f"dag_id={DAG_ID}" / f"run_id={RUN_ID}" / f"task_id={task_id}"
    attempts = sorted((folder / f"map_index={map_index}" if map_index >= 0 else folder).glob("attempt=*.log"))
    if not attempts:
        return "  (no log)"
    messages = []
    for line in tail(attempts[-1], 15).splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            entry = {"event": line}
        messages.append(f"  {entry.get('event', '')}")
        messages += [f"    {detail.get('exc_value', '')}" for detail in entry.get("error_detail") or []]
    return "\n".join(messages)


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
