"""A night over fifty data sets, and the night after it."""

import json
import time
from typing import Any

import pytest

from demo.layout import DAG_ID
from endurance.deployment import Deployment, deployment
from tests.dags.fifty import growing, make_fifty

NIGHTLY = "lightfield_nightly"
LONGEST_NIGHT_S = 3000


def test_two_nights_over_fifty_data_sets(capsys: pytest.CaptureFixture[str]) -> None:
    with deployment(deferrable=True, environment={"LIGHTFIELD_NIGHTLY_RUNS": "4"}) as here:
        here.stack.wait_until_ready(NIGHTLY)
        here.stack.api.unpause(NIGHTLY)
        root = here.data / "recordings"
        fifty = make_fifty(root)
        with growing(fifty.growing):
            first = night(here, "night-1", str(root))
            runs = [run for run in here.stack.api.runs(DAG_ID) if run["state"] == "success"]
            second = night(here, "night-2", str(root))
        with capsys.disabled():
            print(f"\nfirst night: {first}\nsecond night: {second}")
        assert len(runs) == len(here.stack.api.runs(DAG_ID)) == len(fifty.new)
        assert sorted(run["conf"]["dataset"] for run in runs) == sorted(fifty.new)
        assert first["state"] == second["state"] == "success"
        assert here.live_jobs() == []
        for dataset in fifty.broken:
            assert dataset in first["text"]


def night(here: Deployment, run_id: str, root: str) -> dict[str, Any]:
    """Trigger the nightly and wait for its end: state, seconds and its summary."""
    started = time.monotonic()
    here.stack.api.trigger(NIGHTLY, run_id, {"roots": [root]})
    here.wait_for(lambda: here.stack.api.run_state(NIGHTLY, run_id) in {"success", "failed"}, LONGEST_NIGHT_S, 3)
    place = f"/api/v2/dags/{NIGHTLY}/dagRuns/{run_id}/taskInstances/summary/xcomEntries/return_value"
    value = here.stack.api.get(place)["value"]
    told = json.loads(value) if isinstance(value, str) else value
    state = here.stack.api.run_state(NIGHTLY, run_id)
    return {
        "state": state,
        "seconds": round(time.monotonic() - started),
        "counts": told["counts"],
        "text": told["text"],
    }
