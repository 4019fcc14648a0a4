"""A stand-in for ``lfcore work``, in the standard library, that leaves a trace of all it does.

The data set's ``orders.json`` says how many items each stage has, how long they take and which jobs fail::

    {"counts": {STAGE: n}, "seconds": [least, most], "seconds_of": {STAGE: [least, most]}, "seed": 1,
     "fail_once": {"share": 0.05, "exit_code": 1}, "exit": {"stage": STAGE, "code": 65}}

Each item is recorded in ``RUN/trace/STAGE/ITEM/`` by a file a job and attempt, so that doing it twice shows.
"""

import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

FEW = {"normalise": 3, "calibrate": 1, "transforms": 1, "reconstruct": 3, "report": 1}
"""Items of a data set without orders."""


def main() -> int:
    """Do this job's slice; the exit code."""
    list_file = Path(os.environ["LIST_FILE_S3_PATH"])
    index = int(os.environ.get("AWS_BATCH_JOB_ARRAY_INDEX") or os.environ.get("SLICE_INDEX", "0"))
    slices = int(os.environ["ARRAY_SIZE"])
    items = [json.loads(line) for line in list_file.read_text().splitlines()]
    stage, run = items[0]["stage"], Path(items[0]["run"])
    dataset = items[0].get("dataset") or json.loads((run / "run.json").read_text())["dataset"]
    file = Path(dataset) / "orders.json"
    orders: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {"counts": FEW}
    dice = random.Random(f"{orders.get('seed', 0)} {dataset} {stage} {index}")
    seconds = dice.uniform(*orders.get("seconds_of", {}).get(stage, orders.get("seconds", (0.1, 0.1))))
    print(f"{stage}: slice {index} of {slices}, {seconds:.1f} s", flush=True)
    if "exit" in orders and orders["exit"]["stage"] == stage:
        print(f"{stage}: told to fail", flush=True)
        return int(orders["exit"]["code"])
    if fails_now(orders.get("fail_once"), dice, run / "failed-once" / f"{stage}-{index}"):
        print(f"{stage}: fails this once", flush=True)
        return int(orders["fail_once"]["exit_code"])
    if stage == "plan":
        plan(run, dataset, items[0].get("settings", {}), orders["counts"])
    mine = items[len(items) * index // slices : len(items) * (index + 1) // slices]
    for item in mine:
        do(run, stage, item["id"], seconds / max(1, len(mine)))
    return 0


def fails_now(rule: dict[str, float] | None, dice: random.Random, mark: Path) -> bool:
    """Whether this job is one of those that fail, and has not failed yet."""
    if not rule or dice.random() >= rule["share"] or mark.exists():
        return False
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    return True


def do(run: Path, stage: str, item: str, seconds: float) -> None:
    """One item, unless it is done: work, then the trace and the completion record."""
    done = run / "done" / stage / f"{item}.json"
    if done.exists():
        return
    trace = run / "trace" / stage / item
    trace.mkdir(parents=True, exist_ok=True)
    job = f"{os.environ['AWS_BATCH_JOB_ID'].replace(':', '.')}-{os.environ.get('AWS_BATCH_JOB_ATTEMPT', '1')}"
    started = time.time()
    time.sleep(seconds)
    (trace / job).write_text(f"{started} {time.time()}")
    done.parent.mkdir(parents=True, exist_ok=True)
    part = done.with_suffix(f".{job}")
    part.write_text(json.dumps({"id": item, "stage": stage, "hash": "0", "seconds": seconds, "outputs": []}))
    part.replace(done)


def plan(run: Path, dataset: str, settings: dict[str, object], counts: dict[str, int]) -> None:
    """The lists of items and ``run.json``, with a minute an item as its estimate."""
    for stage, count in counts.items():
        items = [{"stage": stage, "run": str(run), "id": f"{index:06d}", "hash": "0"} for index in range(count)]
        (run / "plan" / f"{stage}.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    estimates = {stage: {"items": n, "seconds_per_item": 60, "memory_bytes": 1} for stage, n in counts.items()}
    content = {"dataset": dataset, "settings": settings, "estimates": estimates, "frames": counts["reconstruct"]}
    (run / "run.json").write_text(json.dumps(content))


if __name__ == "__main__":
    sys.exit(main())
