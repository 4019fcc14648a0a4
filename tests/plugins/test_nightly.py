import json
import random
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lfcore.errors import DataError, SettingsError
from lightfield import ledger
from lightfield.discovery import Look
from lightfield.ledger import Record, State
from lightfield.night import Wishes, look_round
from lightfield.night_summary import plan_of, summarise, summary_place
from lightfield.nightly import Decisions, Order, Situation, decide, missed, still_recording
from lightfield.nightly_params import nightly_params, nightly_timetable, runs_at_once
from lightfield.request import check_request
from tests.dags.fifty import Fifty, growing, make_data_set, make_fifty

LOOK = Look("/d/fish", "0123456789abcdef", 1000.0, None)


def night(record: Record | None, look: Look = LOOK, most: int = 9, **more: object) -> Decisions:
    known = {look.dataset: record} if record else {}
    under_way = frozenset(known if more.get("under_way") else ())
    recording = {look.dataset: "its files change"} if more.get("recording") else {}
    return decide(Situation({look.dataset: look}, known, under_way, recording), most)


def record(state: State, attempts: int = 1, permanent: bool = False, signature: str = LOOK.signature) -> Record:
    return Record(LOOK.dataset, signature, state, attempts, permanent, "why", "/d/runs/r", "nightly__old")


@pytest.mark.parametrize(
    ("known", "attempt"),
    [
        (None, 1),
        (record(State.FAILED), 2),
        (record(State.FAILED, 2), 3),
        (record(State.RUNNING), 1),
        (record(State.RUNNING, 2), 2),
        (record(State.DONE, signature="other"), 1),
        (record(State.BROKEN, signature="other"), 1),
        (record(State.FAILED, 3, True, "other"), 1),
    ],
)
def test_what_is_tried(known: Record | None, attempt: int) -> None:
    [order] = night(known).orders
    suffix = f"-{attempt}" if attempt > 1 else ""
    assert (order.attempt, order.run_id) == (attempt, f"nightly__fish-01234567{suffix}")
    assert order.run == "/d/runs/fish-nightly-01234567"
    assert check_request({"dataset": order.dataset, "run": order.run, "settings": {}}, order.run_id).run == order.run


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        (record(State.DONE), "why"),
        (record(State.BROKEN), "broken, as reported before: why"),
        (record(State.FAILED, 1, True), "failed for good: why"),
        (record(State.FAILED, 3), "failed 3 times, last: why"),
    ],
)
def test_what_is_left_alone(known: Record, reason: str) -> None:
    # What stays as it is anyway stays so while files are young.
    for recording in (False, True):
        assert night(known, recording=recording) == Decisions(unchanged={"/d/fish": reason})


def test_what_is_still_recorded_waits_even_when_it_is_broken() -> None:
    broken = replace(LOOK, problem="no settings")
    assert night(None, broken, recording=True) == Decisions(recording={"/d/fish": "its files change"})
    assert night(record(State.FAILED), recording=True).orders == []
    assert night(None, broken) == Decisions(broken={"/d/fish": "no settings"})


def test_a_run_under_way_is_waited_for_whatever_else_is_seen() -> None:
    running = record(State.RUNNING, 2, signature="other")
    [order] = night(running, replace(LOOK, problem="x"), 1, under_way=True).orders
    assert order == Order("/d/fish", "other", 2, "/d/runs/r", "nightly__old")
    assert order.is_of(running)


def test_a_night_is_bounded_and_the_untried_come_first() -> None:
    looks = {name: replace(LOOK, dataset=name) for name in ("/d/a", "/d/b", "/d/c", "/d/e")}
    known = {
        "/d/a": replace(record(State.FAILED), dataset="/d/a"),
        "/d/e": replace(record(State.RUNNING), dataset="/d/e"),
    }
    decisions = decide(Situation(looks, known, frozenset({"/d/e"}), {}), 2)
    assert [order.dataset for order in decisions.orders] == ["/d/e", "/d/b", "/d/c"]
    assert decisions.left == {"/d/a": "more than 2 in one night"}


def test_odd_and_long_names_make_safe_and_different_runs() -> None:
    generator = random.Random(11)
    made = set()
    for index in range(200):
        name = "".join(generator.choices("aé ~'/\"%", k=generator.randint(1, 200))).replace("/", "-") + "x"
        order = Order.make(Look(f"/d/{name}", f"{index:08x}" + "0" * 8, 0.0, None), 2)
        assert re.fullmatch(r"[A-Za-z0-9_.~:+-]{1,250}", order.run_id)
        assert len(order.run.rpartition("/")[2]) < 200
        made |= {order.run, order.run_id}
    assert len(made) == 400


@pytest.mark.parametrize(
    ("second", "age_s", "expected"),
    [
        (LOOK, 3600, None),
        (LOOK, 60, "its newest file is 1 minutes old"),
        (replace(LOOK, signature="other"), 3600, "its files change"),
        (None, 3600, "its files change"),
    ],
)
def test_what_is_still_being_recorded(second: Look | None, age_s: float, expected: str | None) -> None:
    seconds = {"/d/fish": second} if second else {}
    found = still_recording({"/d/fish": LOOK}, seconds, LOOK.newest + age_s, 1800)
    assert found.get("/d/fish") == expected


def test_a_night_that_comes_too_late_is_left_out() -> None:
    due = datetime(2026, 11, 23, 2, tzinfo=UTC)
    assert missed("scheduled", due, due + timedelta(minutes=119)) is None
    assert "due 7.0 h ago" in str(missed("scheduled", due, due + timedelta(hours=7)))
    assert missed("manual", due, due + timedelta(hours=7)) is None


def run_night(root: Path, states: Mapping[str, str] | None = None) -> Decisions:
    wishes = Wishes.from_params(
        {"roots": [str(root)], "settle_minutes": 30, "second_look_s": 0.5, "max_datasets": 200, "settings": {}}
    )
    return look_round(wishes, (states or {}).get)[0]


def end_well(orders: list[Order]) -> None:
    for order in orders:
        ledger.write(replace(order.record(), state=State.DONE))


@pytest.fixture
def fifty(tmp_path: Path) -> Fifty:
    return make_fifty(tmp_path)


def test_fifty_data_sets_on_two_nights(tmp_path: Path, fifty: Fifty) -> None:
    with growing(fifty.growing):
        first = run_night(tmp_path)
        assert sorted(order.dataset for order in first.orders) == sorted(fifty.new)
        assert sorted(first.unchanged) == fifty.unchanged
        assert sorted(first.recording) == fifty.growing
        assert sorted(first.broken) == sorted(fifty.broken)
        end_well(first.orders)
        second = run_night(tmp_path)
    assert (second.orders, second.broken) == ([], {})
    assert sorted(second.recording) == fifty.growing
    assert sorted(second.unchanged) == sorted(fifty.new + fifty.unchanged + fifty.broken)
    third = run_night(tmp_path)
    assert sorted(order.dataset for order in third.orders) == fifty.growing


def test_a_broken_data_set_is_looked_at_again_when_it_changes(tmp_path: Path, fifty: Fifty) -> None:
    run_night(tmp_path)
    mended = next(name for name in fifty.broken if name.endswith("pattern"))
    (Path(mended) / "row").mkdir()
    (Path(mended) / "row/a.tif").touch()
    assert mended in run_night(tmp_path).recording  # the file is young
    (Path(mended) / "row/a.tif").unlink()
    Path(ledger.place(mended)).unlink()
    assert mended in run_night(tmp_path).broken


@pytest.mark.parametrize(
    ("airflow", "outcome"), [("running", "orders"), ("queued", "orders"), ("success", "unchanged"), (None, "orders")]
)
def test_a_night_that_was_killed_is_taken_up(tmp_path: Path, airflow: str | None, outcome: str) -> None:
    make_data_set(tmp_path / "fish")
    [order] = run_night(tmp_path).orders
    ledger.write(order.record())  # and then the night was killed
    found = run_night(tmp_path, {order.run_id: airflow} if airflow else {})
    assert [list(found.unchanged), found.orders][outcome == "orders"] == (
        [order] if outcome == "orders" else [order.dataset]
    )


def test_a_failure_that_may_pass_is_tried_on_three_nights_in_the_same_folder(tmp_path: Path) -> None:
    make_data_set(tmp_path / "fish")
    made = []
    for _ in range(3):
        [order] = run_night(tmp_path).orders
        ledger.write(order.record())
        made.append(order)
        states = {order.run_id: "failed"}
        if len(made) < 3:
            [again] = run_night(tmp_path, states).orders
            assert again.attempt == order.attempt + 1
    assert list(run_night(tmp_path, states).unchanged.values()) == [
        "failed 3 times, last: it failed without saying why; see its run"
    ]
    assert len({order.run for order in made}) == 1
    assert len({order.run_id for order in made}) == 3


def test_roots_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no root can be read: .*missing"):
        run_night(tmp_path / "missing")
    good = {"settle_minutes": 1, "second_look_s": 0, "max_datasets": 1, "settings": None}
    for roots, said in ([], "none given"), (["data"], "'data' must be"):
        with pytest.raises(SettingsError, match=said):
            Wishes.from_params(good | {"roots": roots})


def test_the_summary_names_everything(tmp_path: Path) -> None:
    dones = [Order.make(Look(f"/d/done{index}", f"{index:016x}", 0.0, None), 1) for index in range(60)]
    failed, running, unseen = (Order.make(replace(LOOK, dataset=f"/d/{name}"), 1) for name in ("f", "r", "u"))
    records = {order.dataset: replace(order.record(), state=State.DONE) for order in dones}
    records["/d/f"] = replace(failed.record(), state=State.FAILED, message="exit code 65")
    records["/d/r"] = running.record()
    records["/d/u"] = replace(unseen.record(), attempts=0)
    decisions = Decisions(broken={"/d/b": "bad yaml"}, unchanged={"/d/same": "done"}, left={"/d/l": "more than 62"})
    plan = json.loads(json.dumps(plan_of(decisions, [str(tmp_path)], {"/x": "denied"})))
    told = summarise("scheduled__2026-11-23T02:00:00+00:00", plan, [*dones, failed, running, unseen], records)
    assert told.counts == {
        "started": 62, "failed": 1, "broken": 1, "unreadable": 1, "running": 1, "recording": 0, "left": 2, "done": 60,
        "unchanged": 1,
    }  # fmt: skip
    assert {"  /d/f: exit code 65", "  /d/b: bad yaml", "  /x: denied", "  and 10 more"} <= set(told.text.splitlines())
    path = told.write(summary_place(told.roots))
    assert path == f"{tmp_path}/runs/nightly/summary-scheduled__2026-11-23T02-00-00-00-00.json"
    written = json.loads(Path(path).read_text())
    assert written["started"]["/d/f"] == failed.run_id
    assert len(written["done"]) == 60


def test_the_environment_is_checked() -> None:
    assert nightly_params({"LIGHTFIELD_ROOTS": "/a, s3://b/c,"})["roots"].value == ["/a", "s3://b/c"]
    assert nightly_params({})["roots"].value == []
    assert nightly_timetable({}) is None
    assert nightly_timetable({"LIGHTFIELD_ROOTS": "/a"}) is not None
    assert (runs_at_once({}), runs_at_once({"LIGHTFIELD_NIGHTLY_RUNS": "12"})) == (4, 12)
    for variables in (
        {"LIGHTFIELD_ROOTS": "/a,b"},
        {"LIGHTFIELD_NIGHTLY_SETTINGS": "{"},
        {"LIGHTFIELD_NIGHTLY_SETTINGS": "[]"},
        {"LIGHTFIELD_NIGHTLY_SETTINGS": '{"reconstruction": {"itrations": 2}}'},
        {"LIGHTFIELD_NIGHTLY_RUNS": "0"},
        {"LIGHTFIELD_NIGHTLY_RUNS": "many"},
        {"LIGHTFIELD_NIGHTLY_CRON": "at two"},
        {"LIGHTFIELD_NIGHTLY_CRON": "61 2 * * *"},
        {"LIGHTFIELD_NIGHTLY_TIMEZONE": "Mars/Olympus"},
        {"LIGHTFIELD_NIGHTLY_TIMEZONE": "../etc/passwd"},
    ):
        [name] = variables
        with pytest.raises(SettingsError, match=f"^{name}"):
            nightly_params(variables), runs_at_once(variables), nightly_timetable(variables)
