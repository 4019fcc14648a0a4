"""Each process of a deployment is killed during a run, and the run ends right without help."""

import random
import time

import pytest

from demo.stack import API_SERVER, BATCH, SCHEDULER, TRIGGERER
from endurance.deployment import SMALL, deployment, read_trace

LONGEST_RUN_S = 420


@pytest.mark.parametrize("deferrable", [True, False], ids=["deferrable", "synchronous"])
def test_runs_survive_their_processes(deferrable: bool, rounds: int, capsys: pytest.CaptureFixture[str]) -> None:
    dice = random.Random(f"kill {deferrable}")
    victims = [SCHEDULER, API_SERVER, BATCH, *([TRIGGERER] if deferrable else [])]
    with deployment(deferrable=deferrable) as here:
        wrong = []
        for number in range(max(len(victims), rounds // 2)):
            victim, with_children = victims[number % len(victims)], dice.random() < 0.5
            moment_s, pause_s = dice.uniform(3, 30), dice.uniform(1, 8)
            run_id = f"{victim}-{number}"
            run = here.trigger(here.data_set(run_id, seconds=[1, 6], seed=number))
            time.sleep(moment_s)
            here.stack.kill(victim, with_children=with_children)
            time.sleep(pause_s)
            here.stack.launch(victim)
            started = time.monotonic()
            state = here.wait_for_end(run_id, LONGEST_RUN_S)
            trace = read_trace(run, SMALL)
            with capsys.disabled():
                group = " and its children" if with_children else ""
                print(f"\n{run_id}: killed{group} after {moment_s:.0f} s, back after {pause_s:.0f} s: {state} ", end="")
                print(f"{time.monotonic() - started:.0f} s later; {dict(here.task_states(run_id))}; {trace}", end="")
            # A job that was killed with its Batch does its item again; two at once never do.
            if state != "success" or trace.missing or trace.overlapping or here.live_jobs():
                wrong.append((run_id, state, trace, here.live_jobs()))
        assert wrong == []
