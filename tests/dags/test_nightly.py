import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pendulum
import pytest
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization
from airflow.utils.session import create_session

from lfcore.contracts import RunPaths, Stage
from lightfield import dag_runs, ledger, nightly_operator
from lightfield.ledger import State
from lightfield.nightly import Order
from tests.dags.fifty import make_data_set

DAGS = Path(__file__).resolve().parents[2] / "dags"
RECONSTRUCTION = "lightfield_reconstruction"
pytestmark = pytest.mark.usefixtures("airflow")


both_ways = pytest.mark.parametrize("nightly", [False, True], ids=["coming back", "deferred"], indirect=True)
"""Waiting without a triggerer, and in one."""


@pytest.fixture
def nightly(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> DAG:
    """The DAG in one way of waiting, beside a reconstruction that is not paused, with short waits."""
    monkeypatch.setenv("LIGHTFIELD_ROOTS", "/data")
    monkeypatch.setattr(dag_runs, "SETTLE_S", 0)
    monkeypatch.setattr(nightly_operator, "POLL_S", 0.2)
    bag = DagBag(DAGS)
    assert bag.import_errors == {}
    DagBundlesManager().sync_bundles_to_db()
    sync_bag_to_db(bag, "dags-folder", None)
    pause(False)
    dag = bag.dags["lightfield_nightly"]
    for task in dag.tasks:
        if hasattr(task, "partial_kwargs"):
            task.partial_kwargs |= {"retries": 0, "deferrable": getattr(request, "param", True)}
        else:
            task.retries = 0
    return dag


def pause(paused: bool) -> None:
    with create_session() as session:
        model = session.get(DagModel, RECONSTRUCTION)
        assert model is not None
        model.is_paused = paused


def runs() -> list[DagRun]:
    """The reconstructions that Airflow has, oldest first."""
    with create_session() as session:
        return list(session.query(DagRun).filter_by(dag_id=RECONSTRUCTION).order_by(DagRun.id))


def end_run(run: DagRun) -> None:
    """Play scheduler, workers and Batch: do a run as the name of its data set says."""
    conf: dict[str, Any] = run.conf or {}
    paths = RunPaths(conf["run"])
    orders = Path(conf["dataset"]).name
    files = {paths.items(Stage.PLAN): {}}
    if "ok" in orders or "aside" in orders:
        files[paths.done(Stage.REPORT, "report")] = {}
    if "aside" in orders:
        files[paths.quarantine(Stage.NORMALISE, "frame_000001")] = {}
    if "ok" not in orders:
        failed = Stage.REPORT if "aside" in orders else Stage.TRANSFORMS
        files[paths.failure(failed, 0)] = {"permanent": "passing" not in orders, "message": "told to fail"}
    for path, content in files.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(json.dumps(content))
    set_state(run.run_id, "success" if "ok" in orders else "failed")


def set_state(run_id: str, state: str) -> None:
    with create_session() as session:
        session.query(DagRun).filter_by(dag_id=RECONSTRUCTION, run_id=run_id).update({"_state": state})


@pytest.fixture
def scheduler() -> Iterator[None]:
    """Ends every reconstruction soon after it was started."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.2):
            for run in runs():
                if run.state == "queued":
                    end_run(run)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    over.set()
    thread.join()


def spend(dag: DAG, root: Path, **params: object) -> tuple[DagRun, dict[str, Any]]:
    """One night over ``root``: its run, and its summary if it wrote one."""
    conf = {"roots": [str(root)], "settle_minutes": 30, "second_look_s": 0, **params}
    run = dag.test(logical_date=None, run_conf=conf)
    written = sorted((root / "runs/nightly").glob("summary-*.json"), key=lambda path: path.stat().st_mtime_ns)
    return run, json.loads(written[-1].read_text()) if written else {}


def states(run: DagRun) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for instance in sorted(run.get_task_instances(), key=lambda instance: instance.map_index):
        found.setdefault(instance.task_id, []).append(str(instance.state))
    return found


def order_of(root: Path, name: str) -> Order:
    record = ledger.read(str(root / name))
    assert record is not None
    return Order.resume(record)


@pytest.mark.slow
@both_ways
@pytest.mark.usefixtures("scheduler")
def test_two_nights(nightly: DAG, tmp_path: Path) -> None:
    for name in ("a-ok", "b-permanent", "c-passing", "d-aside"):
        make_data_set(tmp_path / name)
    make_data_set(tmp_path / "e-broken", b"nothing")
    before = len(runs())
    run, summary = spend(nightly, tmp_path, settings={"reconstruction": {"iterations": 2}})
    assert run.state == "success"
    assert states(run)["reconstruct"] == ["success", "failed", "failed", "success"]
    assert states(run)["summary"] == ["success"]
    kinds = {kind: sorted(Path(name).name for name in summary[kind]) for kind in summary["counts"]}
    assert kinds == {
        "started": ["a-ok", "b-permanent", "c-passing", "d-aside"],
        "failed": ["b-permanent", "c-passing"],
        "broken": ["e-broken"],
        "done": ["a-ok", "d-aside"],
        "unreadable": [],
        "running": [],
        "recording": [],
        "left": [],
        "unchanged": [],
    }
    assert summary["failed"][str(tmp_path / "b-permanent")] == "told to fail"
    assert "frames were left out" in summary["done"][str(tmp_path / "d-aside")]
    started = runs()[before:]
    assert sorted(started_run.run_id for started_run in started) == sorted(summary["started"].values())
    assert all(started_run.conf["settings"] == {"reconstruction": {"iterations": 2}} for started_run in started)
    labels = {str(instance.rendered_map_index) for instance in run.get_task_instances() if instance.map_index >= 0}
    assert str(tmp_path / "a-ok") in labels

    run, summary = spend(nightly, tmp_path, settings={"reconstruction": {"iterations": 2}})
    assert (run.state, list(summary["started"])) == ("success", [str(tmp_path / "c-passing")])
    assert summary["started"][str(tmp_path / "c-passing")].endswith("-2")
    assert summary["counts"]["unchanged"] == 4
    assert len(runs()) - before == 4 + 1


@pytest.mark.slow
@both_ways
def test_runs_that_a_killed_night_has_left_are_waited_for_or_begun(nightly: DAG, tmp_path: Path) -> None:
    for name in ("a-ok", "b-ok", "c-ok"):
        make_data_set(tmp_path / name)
    # A night is over at once when its time is: nothing is started, and all is left.
    longest = nightly_operator.LONGEST_NIGHT_S
    nightly_operator.LONGEST_NIGHT_S = -1
    try:
        run, summary = spend(nightly, tmp_path)
    finally:
        nightly_operator.LONGEST_NIGHT_S = longest
    assert (run.state, summary["counts"]["left"], summary["counts"]["started"]) == ("success", 3, 0)
    orders = [Order(**order) for order in run.get_task_instance("look").xcom_pull(task_ids="look")]
    for order in orders:
        ledger.write(order.record())
    # The first was never begun, the second is still running, the third has ended meanwhile.
    before = len(runs())
    start_by_hand(orders[1], orders[2])
    end_run(runs()[-1])
    follow(nightly, tmp_path, lambda: [end_run(run) for run in runs() if run.state == "queued"])
    assert len(runs()) - before == 3
    assert {record.state for record in ledger.read_all(order.dataset for order in orders).values()} == {State.DONE}


def start_by_hand(*orders: Order) -> None:
    from airflow.api.common.trigger_dag import trigger_dag
    from airflow.utils.types import DagRunTriggeredByType

    for order in orders:
        conf = {"dataset": order.dataset, "run": order.run}
        trigger_dag(RECONSTRUCTION, triggered_by=DagRunTriggeredByType.TEST, run_id=order.run_id, conf=conf)


def follow(dag: DAG, root: Path, end: Callable[[], object]) -> None:
    """A night during which ``end`` is called every now and then."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.3):
            end()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert spend(dag, root)[0].state == "success"
    finally:
        over.set()
        thread.join()


@pytest.mark.usefixtures("scheduler")
def test_a_lost_ledger_starts_nothing_that_is_done_and_tries_what_failed(nightly: DAG, tmp_path: Path) -> None:
    for name in ("a-ok", "b-permanent"):
        make_data_set(tmp_path / name)
    spend(nightly, tmp_path)
    before = len(runs())
    for name in ("a-ok", "b-permanent"):
        Path(ledger.place(str(tmp_path / name))).unlink()
    _, summary = spend(nightly, tmp_path)
    assert summary["counts"]["done"] == 1
    assert [run.conf["dataset"] for run in runs()[before:]] == [str(tmp_path / "b-permanent")]
    assert runs()[-1].run_id.endswith("-2")


def test_a_night_that_cannot_do_its_job_fails_and_says_why(
    nightly: DAG, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert spend(nightly, tmp_path / "missing")[0].state == "failed"
    assert "no root can be read" in capsys.readouterr().out
    pause(True)
    make_data_set(tmp_path / "a-ok")
    before = len(runs())
    assert spend(nightly, tmp_path)[0].state == "failed"
    assert "lightfield_reconstruction is paused; unpause it" in capsys.readouterr().out
    assert len(runs()) == before


def test_a_missed_night_does_nothing(nightly: DAG, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_data_set(tmp_path / "a-ok")
    look = nightly.get_task("look")
    monkeypatch.setitem(look.python_callable.__globals__, "missed", lambda *_: "left out")
    before = len(runs())
    run, summary = spend(nightly, tmp_path)
    assert (run.state, summary["remark"], len(runs())) == ("success", "left out", before)


def test_it_never_starts_by_itself_when_it_is_unpaused(nightly: DAG, monkeypatch: pytest.MonkeyPatch) -> None:
    dag = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(nightly))
    assert (dag.catchup, dag.max_active_runs) == (False, 1)
    for hour in (0, 1, 2, 3, 14, 23):
        now = pendulum.datetime(2026, 11, 23, hour, 0, 5)
        monkeypatch.setattr("airflow.timetables.trigger.utcnow", lambda now=now: now)
        info = dag.next_dagrun_info(last_automated_run_info=None)
        assert info is not None
        assert now < info.run_after <= now + timedelta(days=1)
        assert info.run_after.hour == 2


def test_at_most_so_many_runs_at_a_time(nightly: DAG) -> None:
    assert nightly.get_task("reconstruct").partial_kwargs["max_active_tis_per_dagrun"] == 4


def test_a_trigger_survives_being_stored_and_stops_in_time() -> None:
    path, arguments = dag_runs.RunEndTrigger("d", "r", time.time(), 3).serialize()
    assert path == "lightfield.dag_runs.RunEndTrigger"
    assert dag_runs.RunEndTrigger(**arguments).serialize() == (path, arguments)
