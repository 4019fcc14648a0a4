"""A user marks a run failed at any moment: its jobs end, and none comes after."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from demo.layout import DAG_ID
from endurance.deployment import Deployment, deployment
from lfcore.contracts import Stage

ENDED_S = 30
SETTLED_S = 10
LANES = 3
LONG_S = (90, 120)
STOPPED_IN = (Stage.PLAN, Stage.NORMALISE, Stage.TRANSFORMS, Stage.RECONSTRUCT, Stage.RECONSTRUCT)


@pytest.mark.parametrize("deferrable", [False, True], ids=["synchronous", "deferrable"])
def test_a_stopped_run_leaves_no_job(deferrable: bool, rounds: int, capsys: pytest.CaptureFixture[str]) -> None:
    dice = random.Random(f"stop {deferrable}")
    stages = [STOPPED_IN[number % len(STOPPED_IN)] for number in range(rounds)]
    plans = [(f"stopped-{number}", stage, dice.uniform(0, 6)) for number, stage in enumerate(stages)]
    # A lane holds up to four waiting tasks, each in a worker of its own when it waits in place.
    workers = {"AIRFLOW__CORE__PARALLELISM": "24"}
    with deployment(deferrable=deferrable, slots=24, environment=workers) as here, capsys.disabled():
        print()
        with ThreadPoolExecutor(LANES) as lanes:
            stops = list(lanes.map(lambda plan: stop(here, *plan), plans))
        slowest_s = max(stop.ended_s for stop in stops)
        print(f"{'deferrable' if deferrable else 'synchronous'}: {rounds} stops, slowest {slowest_s:.1f} s")
        assert [stop for stop in stops if stop.state != "failed" or not stop.live or stop.ended_s > ENDED_S] == []
        assert here.live_jobs() == []


@dataclass(frozen=True)
class Stop:
    """What came of stopping a run that had ``live`` jobs, the last of which ended after so long."""

    run_id: str
    live: int
    ended_s: float
    state: str


def stop(here: Deployment, run_id: str, stage: Stage, delay_s: float) -> Stop:
    """Stop a run a while after the first job of a stage began."""
    here.trigger(here.data_set(run_id, seconds=[0.2, 0.4], seconds_of={stage.value: LONG_S}))
    here.wait_for(lambda: any(f"-{stage}-" in job for job in here.live_jobs(run_id)), 300, 0.5)
    time.sleep(delay_s)
    live = len(here.live_jobs(run_id))
    here.stack.api.end_run(DAG_ID, run_id, "failed")
    stopped = last_seen = time.monotonic()
    while time.monotonic() - last_seen < SETTLED_S and last_seen - stopped < 2 * ENDED_S:
        if here.live_jobs(run_id):
            last_seen = time.monotonic()
        time.sleep(0.3)
    # The run itself ends with its teardown, which needs a worker.
    result = Stop(run_id, live, last_seen - stopped, here.wait_for_end(run_id, 120))
    print(f"{delay_s:.1f} s into {stage}: {result}", flush=True)
    return result
