"""A user marks a run failed at any moment: its jobs end, and none comes after."""

import random
import time

import pytest

from demo.layout import DAG_ID
from endurance.deployment import Deployment, deployment

ENDED_S = 30
SETTLED_S = 8


@pytest.mark.parametrize("deferrable", [False, True], ids=["synchronous", "deferrable"])
def test_a_stopped_run_leaves_no_job(deferrable: bool, rounds: int, capsys: pytest.CaptureFixture[str]) -> None:
    dice = random.Random(f"stop {deferrable}")
    with deployment(deferrable=deferrable) as here:
        took = []
        for number in range(rounds):
            run_id = f"stopped-{number}"
            moment_s = dice.uniform(2, 25)
            took.append(seconds_to_end(here, run_id, moment_s))
            states = here.task_states(run_id)
            with capsys.disabled():
                print(f"\n{run_id}: after {moment_s:.0f} s; jobs ended in {took[-1]:.1f} s; {dict(states)}", end="")
        with capsys.disabled():
            print(f"\n{'deferrable' if deferrable else 'synchronous'}: {rounds} stops, slowest {max(took):.1f} s")
        assert max(took) <= ENDED_S


def seconds_to_end(here: Deployment, run_id: str, moment_s: float) -> float:
    """Start a run of long jobs, stop it after a while; how long until the last of its jobs had ended for good."""
    # Short jobs at first, so that all stages are met by some round.
    seconds = [0.2, 0.4] if moment_s > 12 else [60, 90]
    here.trigger(here.data_set(run_id, seconds=seconds, seconds_of={"reconstruct": [60, 90]}))
    time.sleep(moment_s)
    here.stack.api.end_run(DAG_ID, run_id, "failed")
    stopped = last_seen = time.monotonic()
    deadline = stopped + 2 * ENDED_S
    while time.monotonic() < deadline and time.monotonic() - last_seen < SETTLED_S:
        if here.live_jobs():
            last_seen = time.monotonic()
        time.sleep(0.3)
    assert here.wait_for_end(run_id, ENDED_S) == "failed"
    assert here.live_jobs() == []
    return last_seen - stopped
