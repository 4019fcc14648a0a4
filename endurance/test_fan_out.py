"""Three hundred jobs of one stage, with failures: nothing twice, nothing missing, and what it costs Airflow."""

import os
import time

import pytest

from endurance.deployment import SMALL, deployment, processor_seconds, read_trace

JOBS = int(os.environ.get("LIGHTFIELD_JOBS", "300"))


@pytest.mark.parametrize("deferrable", [False, True], ids=["synchronous", "deferrable"])
def test_three_hundred_jobs(deferrable: bool, capsys: pytest.CaptureFixture[str]) -> None:
    counts = SMALL | {"reconstruct": JOBS}
    with deployment(deferrable=deferrable, slots=16) as here:
        orders = {"counts": counts, "seconds": [0.5, 3], "seed": 7, "fail_once": {"share": 0.05, "exit_code": 1}}
        dataset = here.data_set("many", **orders)
        components = here.stack.shape.components
        before = {name: processor_seconds(here.stack.group.process(name)) for name in components}
        started = time.monotonic()
        run = here.trigger(dataset, max_gpu_jobs=JOBS)
        state = here.wait_for_end("many", 2400)
        wall_s = time.monotonic() - started
        after = {name: processor_seconds(here.stack.group.process(name)) for name in components}
        states = here.task_states("many")
        trace = read_trace(run, counts)
        failed_once = len(list((run / "failed-once").iterdir()))
        tasks = states.total()
        with capsys.disabled():
            print(f"\n{'deferrable' if deferrable else 'synchronous'}: {tasks} tasks in {wall_s:.0f} s, {dict(states)}")
            print(f"  jobs that failed once: {failed_once}; {trace}")
            for name in components:
                own, below = (late - early for late, early in zip(after[name], before[name], strict=True))
                print(f"  {name}: {own / tasks:.3f} s of CPU a task itself, {below / tasks:.3f} in its children")
        assert state == "success"
        assert (trace.missing, trace.twice) == ([], [])
        assert failed_once > 0
        assert here.live_jobs() == []
