"""One start of everything: synthetic data, the local Batch, Airflow, and the run that is followed to its end."""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.airflow_api import summarise
from demo.layout import (
    DAG_ID,
    REGION,
    Layout,
    batch_configuration,
    lfcore_command,
)
from demo.processes import ProcessGroup, tail
from demo.stack import Say, Shape, Stack
from demo.verdict import Verdict, join, judge_files, judge_jobs, judge_volume, succeeded_jobs
from lfcore.contracts import RunPaths, Stage

RUN_ID = "demo"
RUN_S = 1200
# Short jobs, so that the demo shows a fan-out; a real run keeps the DAG's default.
JOB_MINUTES = 0.01
MAX_JOBS = 4
SIMULATION = ("--preset", "beads", "--frames", "4", "--seed", "1")


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
        self._stack = Stack(layout, group, Shape(batch_configuration(len(os.sched_getaffinity(0)))), say)
        self._api = self._stack.api

    def start(self) -> None:
        """Make the data set and start every process; what does not depend on each other runs side by side."""
        self.layout.dataset.parent.mkdir(parents=True)
        command = [lfcore_command(), "simulate", str(self.layout.dataset), *SIMULATION]
        simulation = self._group.start_once("simulate", command, os.environ)
        self._stack.start()
        simulation.finish()
        self._say(f"synthetic data set: {self.layout.dataset}")
        self._stack.wait_until_ready(DAG_ID)

    def follow(self) -> bool:
        """Trigger the DAG and report its progress until it ends; whether it succeeded."""
        layout = self.layout
        conf = {"dataset": str(layout.dataset), "run": str(layout.run), "max_gpu_jobs": MAX_JOBS}
        self._api.trigger(DAG_ID, RUN_ID, conf | {"job_minutes": JOB_MINUTES})
        self._say(f"triggered {DAG_ID}")
        deadline = time.monotonic() + RUN_S
        shown = ""
        while (state := self._api.run_state(DAG_ID, RUN_ID)) in {"queued", "running"}:
            self._group.check()
            if (line := self._progress()) != shown:
                self._say(line)
                shown = line
            if time.monotonic() > deadline:
                raise TimeoutError(f"the run has not ended after {RUN_S} s")
            time.sleep(1)
        self._say(f"{self._progress()}: {state}")
        return state == "success"

    def _progress(self) -> str:
        return summarise(self._api.task_instances(DAG_ID, RUN_ID), list(Stage))

    def failures(self) -> list[str]:
        """The ends of the logs of the tasks that failed."""
        failed = [entry for entry in self._api.task_instances(DAG_ID, RUN_ID) if entry["state"] == "failed"]
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
            judge_jobs(succeeded_jobs(self._stack.batch_endpoint, REGION, queues)),
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
