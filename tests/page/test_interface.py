"""What the page's scripts are told, against the run that was made up and against numpy."""

import json
from pathlib import Path

import numpy as np
import pytest
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import select

from lfcore.contracts import Stage
from tests.api_server import ApiServer
from tests.page.conftest import DAG_ID, MadeRun
from tests.page.make_run import HOSTILE, Recipe, failure, make_run, volume


def test_progress(made: MadeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    found = made.get("api/progress").json()
    assert (found["dag_id"], found["run_id"], found["state"]) == (DAG_ID, made.run_id, "queued")
    assert (found["dataset"], found["run"]) == (made.recipe.dataset, made.paths.root)
    assert found["requested"]["dataset"] == made.recipe.dataset
    assert found["settings_hash"] == json.loads(Path(made.paths.run_json).read_text())["hash"]
    assert found["frames"] == {"total": 12, "done": 5, "quarantined": 2, "to_go": 5}
    assert [stage["stage"] for stage in found["stages"]] == [stage.value for stage in Stage if stage != Stage.PLAN]
    frames = found["stages"][3]
    assert (frames["items"], frames["done"], frames["to_go"], frames["failed_jobs"]) == (12, 5, 7, 1)
    assert frames["running_jobs"] == 0
    assert frames["items_per_minute"] == pytest.approx(10)
    assert found["cost"]["dollars"] is None
    assert found["has"] == {"volume": True, "lattice": True, "report": True}
    (failed,) = found["failures"]
    assert failed["message"] == failure()["message"]
    assert failed.keys() == {"stage", "slice", "label", "message", "exit_code", "permanent", "job_id"}


def test_residuals(made: MadeRun) -> None:
    found = made.get("api/residuals").json()
    assert [curve["frame"] for curve in found["curves"]] == made.recipe.frames_done
    assert found["frames_done"] == 5
    record = json.loads(Path(made.paths.done(Stage.RECONSTRUCT, "frame_000003")).read_text())
    assert found["curves"][2]["residuals"] == record["residuals"]
    assert found["median"] == pytest.approx(np.median([curve["residuals"] for curve in found["curves"]], 0))


def test_quarantine(made: MadeRun) -> None:
    found = made.get("api/quarantine").json()
    assert found["total"] == 2
    assert [(row["stage"], row["id"]) for row in found["rows"]] == [
        ("normalise", "frame_000002"),
        ("normalise", "frame_000005"),
    ]
    assert HOSTILE[0] in found["rows"][0]["error"]
    assert [row["id"] for row in made.get("api/quarantine", offset=1, limit=1).json()["rows"]] == ["frame_000005"]
    assert made.get("api/quarantine", offset=10**9).json()["rows"] == []


def test_volume(made: MadeRun) -> None:
    found = made.get("api/volume").json()
    assert found["shape"] == [12, 9, 96, 80]
    assert found["voxel_um"] == [2.0, 1.25, 1.25]
    assert found["planes_um"] == [2.0 * plane - 8 for plane in range(9)]
    assert found["frame_interval_s"] == 0.05
    assert found["done"] == [[0, 1], [3, 4], [6, 6]]
    assert found["format"] == "ome-zarr"
    low, high = found["display"]
    assert low == 0
    assert 0 < high < 5000


@pytest.mark.parametrize(("place", "axis", "index"), [(0, "z", 8), (1, "y", 40), (2, "x", 0)])
def test_pixels(made: MadeRun, place: int, axis: str, index: int) -> None:
    whole = volume(made.recipe.shape[1:], 3)
    for answer, expected in (
        (made.get("api/slice", t=3, axis=axis, index=index), whole.take(index, place)),
        (made.get("api/projection", t=3, axis=axis), whole.max(place)),
    ):
        assert answer.headers["content-type"] == "application/octet-stream"
        height, width = int(answer.headers["x-height"]), int(answer.headers["x-width"])
        low, high = float(answer.headers["x-low"]), float(answer.headers["x-high"])
        assert (height, width) == expected.shape
        stored = np.frombuffer(answer.content, "<u2").reshape(height, width)
        np.testing.assert_allclose(low + (high - low) * stored / 65535.0, expected, rtol=0, atol=(high - low) / 65535)


def test_a_picture_is_sent_once(made: MadeRun) -> None:
    first = made.get("api/slice", t=3, axis="z", index=1)
    headers = made.server.headers("eve") | {"If-None-Match": first.headers["etag"]}
    again = made.server.client.get(
        "/lightfield/api/slice", params=made.ids | {"t": 3, "axis": "z", "index": 1}, headers=headers
    )
    assert again.status_code == 304
    assert again.content == b""
    assert made.get("api/slice", t=4, axis="z", index=1).headers["etag"] != first.headers["etag"]


@pytest.mark.parametrize(
    ("path", "parameters", "status", "words"),
    [
        ("api/slice", {"t": 2, "axis": "z", "index": 0}, 404, "frame 2 is not reconstructed yet"),
        ("api/slice", {"t": 12, "axis": "z", "index": 0}, 404, "frame 12"),
        ("api/slice", {"t": 0, "axis": "z", "index": 9}, 404, "z 9"),
        ("api/slice", {"t": 0, "axis": "t", "index": 0}, 422, "axis"),
        ("api/slice", {"t": -1, "axis": "z", "index": 0}, 422, "t"),
        ("api/slice", {"t": 0, "axis": "z", "index": 10**30}, 422, "index"),
        ("api/slice", {"t": 0, "axis": "z"}, 422, "index"),
        ("api/projection", {"t": "nan", "axis": "z"}, 422, "t"),
        ("api/quarantine", {"limit": 10**6}, 422, "limit"),
        ("log", {"stage": "nothing", "slice": 0}, 422, "stage"),
        ("log", {"stage": "plan", "slice": -1}, 422, "slice"),
        ("log", {"stage": "plan", "slice": 0}, 503, "Batch does not answer"),
        ("api/progress", {"run_id": "no such run"}, 404, "no such run"),
        ("api/progress", {"dag_id": "lightfield_nightly"}, 404, "no such run"),
        ("api/progress", {"run_id": ""}, 422, "run_id"),
        ("api/progress", {"dag_id": "x" * 251}, 422, "dag_id"),
    ],
)
def test_what_cannot_be_shown(made: MadeRun, path: str, parameters: dict[str, object], status: int, words: str) -> None:
    answer = made.get(path, **parameters)
    assert answer.status_code == status
    assert list(answer.json()) == ["detail"]
    assert words in answer.json()["detail"]
    assert "\n" not in answer.json()["detail"]


def test_prices_come_from_the_environment(server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIGHTFIELD_DOLLARS_PER_CPU_JOB_HOUR", "0.4")
    monkeypatch.setenv("LIGHTFIELD_DOLLARS_PER_GPU_JOB_HOUR", "3")
    run = make_run(f"{tmp_path}/run", Recipe(shape=(4, 3, 20, 20), done=4, aside=()))
    status, answer = server.trigger({"dataset": "/data/x", "run": run.root})
    assert status == 200
    found = MadeRun(server, answer["dag_run_id"], run, Recipe()).get("api/progress").json()
    cost = found["cost"]
    assert cost["gpu_job_hours"] == pytest.approx(4 * 6.5 / 3600)
    assert cost["dollars"] == pytest.approx(3 * cost["gpu_job_hours"] + 0.4 * cost["cpu_job_hours"])


def test_a_run_without_files_yet(server: ApiServer, tmp_path: Path) -> None:
    status, answer = server.trigger({"dataset": "/data/x", "run": f"{tmp_path}/nothing"})
    assert status == 200
    asked = MadeRun(server, answer["dag_run_id"], make_run(f"{tmp_path}/other"), Recipe())
    found = asked.get("api/progress").json()
    assert found["frames"] == {"total": 0, "done": 0, "quarantined": 0, "to_go": 0}
    assert found["has"] == {"volume": False, "lattice": False, "report": False}
    assert found["seconds_left"] is None
    for path in ("api/volume", "report", "picture/lattice.png"):
        assert asked.get(path).status_code == 404
    assert asked.get("api/residuals").json() == {"curves": [], "frames_done": 0, "median": []}


def test_the_folder_that_the_run_itself_found_counts(server: ApiServer, tmp_path: Path) -> None:
    """As when the environment that a default folder depends on is not the api-server's."""
    run = make_run(f"{tmp_path}/run", Recipe(shape=(4, 3, 20, 20), done=4, aside=()))
    status, answer = server.trigger({"dataset": "/data/x"})
    assert status == 200
    asked = MadeRun(server, answer["dag_run_id"], run, Recipe())
    assert asked.get("api/progress").json()["run"].startswith("/data/runs/x-")
    request = {"dataset": "/data/x", "run": run.root, "settings": {}, "caps": {}}
    ids = {"dag_id": DAG_ID, "run_id": asked.run_id, "task_id": "request"}
    XComModel.set(key="return_value", value=request, **ids)
    found = asked.get("api/progress").json()
    assert (found["run"], found["frames"]["done"]) == (run.root, 4)
    with create_session(scoped=False) as session:
        task = session.scalar(select(TaskInstance).filter_by(dag_id=DAG_ID, run_id=asked.run_id, task_id="calibrate"))
        assert task is not None
        task.state = "deferred"
    found = asked.get("api/progress").json()
    assert [stage["running_jobs"] for stage in found["stages"]] == [0, 1, 0, 0, 0]


def test_the_list_of_runs(made: MadeRun) -> None:
    runs = made.get("api/runs", limit=200).json()["runs"]
    (own,) = [run for run in runs if run["run_id"] == made.run_id]
    assert (own["dag_id"], own["run"], own["dataset"]) == (DAG_ID, made.paths.root, made.recipe.dataset)
    assert len(made.get("api/runs", limit=1).json()["runs"]) == 1
