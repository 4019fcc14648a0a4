"""A user marks a run failed at any moment: its jobs end, and none comes after."""

import random
import time
from concurrent.futures import ThreadPoolExecutor

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
    plans = [
        (f"stopped-{number}", STOPPED_IN[number % len(STOPPED_IN)], dice.uniform(0, 6)) for number in range(rounds)
    ]
    # A lane holds up to four waiting tasks, each in a worker of its own when it waits in place.
    workers = {"AIRFLOW__CORE__PARALLELISM": "24"}
    with deployment(deferrable=deferrable, slots=24, environment=workers) as here, capsys.disabled():
        print()
        with ThreadPoolExecutor(LANES) as lanes:
            took = list(lanes.map(lambda plan: seconds_to_end(here, *plan), plans))
        print(f"{'deferrable' if deferrable else 'synchronous'}: {rounds} stops, slowest {max(took):.1f} s")
        assert here.live_jobs() == []
        assert max(took) <= ENDED_S


def seconds_to_end(here: Deployment, run_id: str, stage: Stage, delay_s: float) -> float:
    """Stop a run a while after the first job of a stage began; how long until the last of its jobs had ended."""
    here.trigger(here.data_set(run_id, seconds=[0.2, 0.4], seconds_of={stage.value: LONG_S}))
    assert here.wait_for(lambda: any(f"-{stage}-" in job for job in here.live_jobs(run_id)), 300, 0.5)
    time.sleep(delay_s)
    live = len(here.live_jobs(run_id))
    here.stack.api.end_run(DAG_ID, run_id, "failed")
    stopped = last_seen = time.monotonic()
    while time.monotonic() - last_seen < SETTLED_S and last_seen - stopped < 2 * ENDED_S:
        if here.live_jobs(run_id):
            last_seen = time.monotonic()
        time.sleep(0.3)
    state = here.wait_for_end(run_id, ENDED_S)
    took = last_seen - stopped
    print(f"{run_id}: {delay_s:.1f} s into {stage}, {live} live jobs: ended in {took:.1f} s; run {state}", flush=True)
    assert state == "failed"
    return took
