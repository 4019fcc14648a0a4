"""The end of an Airflow run: no job left behind, and a verdict that no failure escapes."""

import json
import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from lfcore.contracts import RunPaths, Stage
from lfcore.errors import TemporaryError
from lightfield.batch_jobs import RUN_ENDED, end_live_jobs
from lightfield.files import read
from lightfield.waiting import Silence

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient

LOG = logging.getLogger(__name__)
LOOK_AGAIN_S = 5.0
PATIENCE_S = 180.0
REASONS_GIVEN = 3
MAPPED_TASK = re.compile(r"(.+)_(\d+)")


def end_all_jobs(
    client: "BatchClient",
    queues: Iterable[str],
    prefix: str,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """End the live jobs of a run until two looks in a row find none; the number of jobs that were ended.

    The second look is for a SubmitJob that was under way at the first. Raises ``TemporaryError`` when jobs live on for
    ``PATIENCE_S`` seconds, and what ``Silence`` does.
    """
    queues, told, silence = list(queues), set[str](), Silence(LOG)
    quiet_looks, started = 0, time.monotonic()
    while True:
        try:
            live = end_live_jobs(client, queues, prefix, RUN_ENDED, told)
        except Exception as error:
            silence.goes_on(error)
        else:
            silence.broken()
            quiet_looks = 0 if live else quiet_looks + 1
            if quiet_looks > 1:
                return len(told)
            if live and time.monotonic() - started > PATIENCE_S:
                raise TemporaryError(
                    f"{len(live)} Batch job(s) live on {PATIENCE_S:.0f} s after the run's end, the first {live[0]}; "
                    "end them in the Batch console or clear this task"
                )
        sleep(LOOK_AGAIN_S)


def end_strays(client: "BatchClient", queues: Iterable[str], prefix: str) -> None:
    """One look after a run whose every task succeeded; what goes wrong here is said, and spoils nothing."""
    try:
        end_live_jobs(client, queues, prefix, RUN_ENDED)
    except Exception as error:
        LOG.warning("whether a Batch job of this run is left could not be seen: %s", error)


def fault_of_run(states: Mapping[str, str | None], run: str) -> str | None:
    """One line on why a run failed, from its tasks' states (``task`` or ``task_index``); none when it went well.

    A user who marks a run failed leaves its report skipped, which Airflow alone would count as a success.
    """
    failed = [task for task, state in states.items() if state == "failed"]
    not_run = [task for task, state in states.items() if state == "upstream_failed"]
    if failed or not_run:
        reasons = [f"{task}: {reason}" for task in failed[:REASONS_GIVEN] if (reason := _recorded(task, run))]
        names = ", ".join(failed[:10]) + (" ..." if len(failed) > 10 else "")
        return "; ".join(filter(None, [f"{len(failed)} task(s) failed ({names})", *reasons, _and_not_run(not_run)]))
    if states.get(Stage.REPORT) != "success":
        return "the run was ended by a user before its report; clear the skipped tasks to go on with it"
    return None


def _and_not_run(tasks: list[str]) -> str:
    return f"not run for that: {', '.join(tasks)}" if tasks else ""


def _recorded(task: str, run: str) -> str | None:
    """What the record of a failed task's slice says, where there is one."""
    mapped = MAPPED_TASK.fullmatch(task)
    stage, index = (mapped[1], int(mapped[2])) if mapped else (task, 0)
    if stage not in list(Stage):
        return None
    try:
        content = read(RunPaths(run).failure(Stage(stage), index))
        return None if content is None else str(json.loads(content)["message"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
