"""How far a run has come, from its files alone: usable without Airflow, and quick also for 10,000 frames.

Items are counted by listing ``done/`` and ``quarantine/``; of the records themselves only a few are read. So the record
of an item that has been planned anew since, which will be done again, counts as done until then.
"""

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median
from typing import Any

from lfcore.contracts import PLANNED, RunPaths, Stage
from lfcore.errors import UsageError
from lfcore.io import store
from lfcore.stages.record import RunRecord, read_run

SAMPLE = 16
"""Records of a stage that are read."""
FAILURES_SHOWN = 100
CURVES_SHOWN = 40
WINDOW_S = 600.0
SHORTEST_PAUSE_S = 120.0
GPU_STAGE = Stage.RECONSTRUCT
Record = Mapping[str, Any]


@dataclass(frozen=True)
class StageProgress:
    """Items of one stage; ``to_go`` counts what is neither done nor quarantined.

    ``items_per_minute`` is the recent rate, and ``seconds_left`` what is to go at it; both None when nothing is moving.
    ``job_seconds`` is the time spent in jobs on the items that are done, estimated from a sample of their records.
    """

    stage: str
    items: int
    done: int
    quarantined: int
    to_go: int
    items_per_minute: float | None
    seconds_left: float | None
    job_seconds: float
    failed_jobs: int


@dataclass(frozen=True)
class Frames:
    """What has become of the frames."""

    total: int
    done: int
    quarantined: int
    to_go: int


@dataclass(frozen=True)
class Prices:
    """Dollars for an hour of a job; None when not known."""

    cpu_job_hour: float | None = None
    gpu_job_hour: float | None = None


@dataclass(frozen=True)
class Cost:
    """Hours of jobs so far, and dollars where prices are known; ``how`` says in a line what that is."""

    cpu_job_hours: float
    gpu_job_hours: float
    dollars: float | None
    how: str


@dataclass(frozen=True)
class Failure:
    """What a failed job said; ``permanent`` when trying again cannot help."""

    stage: str
    slice: int | None
    label: str
    message: str
    exit_code: int | None
    permanent: bool
    job_id: str


@dataclass(frozen=True)
class Quarantined:
    """An item that was set aside: its error, and when, as the record has it."""

    stage: str
    id: str
    error: str
    finished: str


@dataclass(frozen=True)
class Residuals:
    """The relative residual by iteration: of some frames, and the median over these."""

    curves: list[tuple[int, list[float]]]
    frames_done: int
    median: list[float]


@dataclass(frozen=True)
class RunProgress:
    """How far a run has come; ``record`` is None while it is not planned."""

    run: str
    record: RunRecord | None
    frames: Frames
    stages: list[StageProgress]
    seconds_left: float | None
    cost: Cost
    failures: list[Failure]


@dataclass(frozen=True)
class _Counted:
    """The items of a stage: time of last change by id of those done, and the ids of those set aside."""

    done: Mapping[str, float]
    aside: frozenset[str]


def watch(run: RunPaths, prices: Prices | None = None, now: float | None = None) -> RunProgress:
    """How far a run has come at ``now``, in seconds since 1970 (default: the clock's time)."""
    now = time.time() if now is None else now
    record = _record(run)
    failed = store.glob(run.root, "failures/*/*.json")
    # Stages side by side, because an object store takes its time for each question.
    with ThreadPoolExecutor(len(PLANNED)) as pool:
        counted: dict[Stage, _Counted] = dict(
            zip(PLANNED, pool.map(lambda one: _count(run, one), PLANNED), strict=True)
        )
        stages = list(pool.map(lambda one: _stage(run, one, counted[one], record, failed, now), PLANNED))
    # Stages overlap little, so what is left of each adds up; while one of them has no rate, the sum is not known.
    left = [_left(stage, record) for stage in stages]
    return RunProgress(
        run=run.root,
        record=record,
        frames=_frames(record, counted),
        stages=stages,
        seconds_left=None if any(seconds is None for seconds in left) else sum(filter(None, left)),
        cost=cost_of(stages, prices or Prices()),
        failures=_failures(failed),
    )


def rate_per_second(times: Sequence[float], now: float, item_seconds: float, still_going: bool) -> float | None:
    """Recent rate of items done at ``times`` (s, rising), each of which takes ``item_seconds`` in its job.

    Looks back ten minutes, or five items' time, but not beyond a pause. None before the first item and during a pause.
    """
    window, pause = max(WINDOW_S, 5 * item_seconds), max(SHORTEST_PAUSE_S, 5 * item_seconds)
    if not times:
        return None
    # The storage's clock may be ahead of this one's.
    end = max(now, times[-1]) if still_going else times[-1]
    if end - times[-1] > pause:
        return None
    first = len(times) - 1
    while first > 0 and times[first] - times[first - 1] <= pause and times[first - 1] >= end - window:
        first -= 1
    count = len(times) - first
    # Before its first item was done, a job had been at work on it: many jobs that begin together end theirs together.
    return count / max(end - times[first] + item_seconds, 1e-3)


def cost_of(stages: Sequence[StageProgress], prices: Prices) -> Cost:
    """Hours of jobs, and their price where one is known for every kind that was used."""
    gpu = sum(stage.job_seconds for stage in stages if stage.stage == GPU_STAGE) / 3600
    cpu = sum(stage.job_seconds for stage in stages if stage.stage != GPU_STAGE) / 3600
    how = f"time of jobs on items that are done, from at most {SAMPLE} records a stage; {GPU_STAGE} as GPU jobs"
    if prices.cpu_job_hour is None or prices.gpu_job_hour is None:
        return Cost(cpu, gpu, None, f"{how}; no prices are set")
    dollars = cpu * prices.cpu_job_hour + gpu * prices.gpu_job_hour
    return Cost(
        cpu, gpu, dollars, f"{how}; {prices.cpu_job_hour:g} $ a CPU job hour, {prices.gpu_job_hour:g} $ a GPU one"
    )


def residuals(run: RunPaths) -> Residuals:
    """Curves of at most 40 frames, spread evenly over those that are done."""
    ids = sorted(_ids(store.listing(_folder(run.done(Stage.RECONSTRUCT, "x")))))
    records = _read([run.done(Stage.RECONSTRUCT, item_id) for item_id in _spread(ids, CURVES_SHOWN)])
    curves = []
    for record in records:
        curve = record.get("residuals")
        if isinstance(curve, list) and all(isinstance(value, int | float) for value in curve):
            curves.append((_frame_number(str(record.get("id"))), [float(value) for value in curve]))
    longest = max((len(curve) for _, curve in curves), default=0)
    middle = [median(curve[step] for _, curve in curves if len(curve) > step) for step in range(longest)]
    return Residuals(curves, len(ids), middle)


def quarantine(run: RunPaths, offset: int, limit: int) -> tuple[int, list[Quarantined]]:
    """How many items are set aside, and ``limit`` of them from ``offset``, in the order of stages and items."""
    names = [(stage, item_id) for stage in PLANNED for item_id in sorted(_count(run, stage).aside)]
    paths = [run.quarantine(stage, item_id) for stage, item_id in names[offset : offset + limit]]
    return len(names), [
        Quarantined(*(str(record.get(key, "")) for key in ("stage", "id", "error", "finished")))
        for record in _read(paths)
    ]


def _record(run: RunPaths) -> RunRecord | None:
    try:
        return read_run(run)
    except UsageError:
        return None


def _count(run: RunPaths, stage: Stage) -> _Counted:
    done = store.listing(_folder(run.done(stage, "x")))
    aside = store.listing(_folder(run.quarantine(stage, "x")))
    times = {name.removesuffix(".json"): changed for name, changed in done.items() if name.endswith(".json")}
    return _Counted(times, frozenset(_ids(aside)) - times.keys())


def _stage(
    run: RunPaths, stage: Stage, counted: _Counted, record: RunRecord | None, failed: Sequence[str], now: float
) -> StageProgress:
    items = int((record.estimates if record else {}).get(stage.value, {}).get("items", 0))
    done, aside = len(counted.done), len(counted.aside)
    to_go = max(items - done - aside, 0)
    sample = _read([run.done(stage, item_id) for item_id in _spread(sorted(counted.done), SAMPLE)])
    seconds = [_number(one, "seconds") for one in sample]
    job_seconds = [own + _number(one, "preparation_seconds") for own, one in zip(seconds, sample, strict=True)]
    rate = rate_per_second(sorted(counted.done.values()), now, median(seconds) if seconds else 0.0, to_go > 0)
    return StageProgress(
        stage=stage.value,
        items=items,
        done=done,
        quarantined=aside,
        to_go=to_go,
        items_per_minute=None if rate is None else 60 * rate,
        seconds_left=0.0 if not to_go else None if rate is None else to_go / rate,
        job_seconds=done * sum(job_seconds) / max(len(job_seconds), 1),
        failed_jobs=sum(path.startswith(f"{_folder(run.failure(stage, 0))}/") for path in failed),
    )


def _left(stage: StageProgress, record: RunRecord | None) -> float | None:
    """Seconds left of a stage; one item has no rate before it is done, so there the plan's estimate counts."""
    if stage.seconds_left is None and stage.items == 1 and record:
        return float(record.estimates[stage.stage].get("seconds_per_item", 0.0))
    return stage.seconds_left if record else None


def _frames(record: RunRecord | None, counted: Mapping[Stage, _Counted]) -> Frames:
    done = counted[Stage.RECONSTRUCT].done.keys()
    aside = (counted[Stage.RECONSTRUCT].aside | counted[Stage.NORMALISE].aside) - done
    total = record.frames if record else 0
    return Frames(total, len(done), len(aside), max(total - len(done) - len(aside), 0))


def _failures(failed: Sequence[str]) -> list[Failure]:
    return [
        Failure(
            stage=str(record.get("stage", "")),
            slice=record.get("slice") if isinstance(record.get("slice"), int) else None,
            label=str(record.get("label", "")),
            message=str(record.get("message", "")),
            exit_code=record.get("exit_code") if isinstance(record.get("exit_code"), int) else None,
            permanent=record.get("permanent") is True,
            job_id=str(record.get("job_id", "")),
        )
        for record in _read(failed[:FAILURES_SHOWN])
    ]


def _read(paths: Sequence[str]) -> list[Record]:
    """Those records at ``paths`` that are there and are JSON objects."""
    records: list[Record] = []
    for content in store.read_many(paths).values():
        try:
            record = json.loads(content)
        except ValueError:
            continue
        if isinstance(record, dict):
            records.append(record)
    return records


def _number(record: Record, key: str) -> float:
    value = record.get(key)
    return float(value) if isinstance(value, int | float) else 0.0


def _spread(ids: Sequence[str], count: int) -> list[str]:
    """At most ``count`` of ``ids``, evenly spread, the first and the last among them."""
    if len(ids) <= count:
        return list(ids)
    return [ids[place * (len(ids) - 1) // (count - 1)] for place in range(count)]


def _ids(names: Mapping[str, float]) -> list[str]:
    return [name.removesuffix(".json") for name in names if name.endswith(".json")]


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _frame_number(item_id: str) -> int:
    digits = item_id.rpartition("_")[2]
    return int(digits) if digits.isdecimal() else -1
