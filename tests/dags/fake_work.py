"""A stand-in for ``lfcore work``, in the standard library: obeys the job contract and does no work.

Its behaviour is chosen by the data set's name, so that tests can make each stage fail in each way:
``fish-STAGE-exit-CODE``, of slice I alone with ``@I``; ``fish-STAGE-sleep``; ``fish-STAGE-wait`` for the file ``go``.
"""

import json
import os
import sys
import time
from pathlib import Path

COUNTS = {"normalise": 12, "calibrate": 1, "transforms": 5, "reconstruct": 12, "report": 1}


def main() -> int:
    path = Path(os.environ["LIST_FILE_S3_PATH"])
    index = int(os.environ.get("AWS_BATCH_JOB_ARRAY_INDEX") or os.environ["SLICE_INDEX"])
    slices = int(os.environ["ARRAY_SIZE"])
    items = [json.loads(line) for line in path.read_text().splitlines()]
    stage, run = items[0]["stage"], Path(items[0]["run"])
    mine = items[len(items) * index // slices : len(items) * (index + 1) // slices]
    dataset = items[0].get("dataset") or json.loads((run / "run.json").read_text())["dataset"]
    _, _, orders = Path(dataset).name.partition("-")
    print(f"{stage}: slice {index} of {slices}", flush=True)
    code, _, failing = orders.removeprefix(f"{stage}-exit-").partition("@")
    if orders.startswith(f"{stage}-exit-") and (not failing or index == int(failing)):
        print(f"{stage}: told to fail", flush=True)
        return int(code)
    if orders == f"{stage}-sleep":
        (run / "sleeping").write_text(str(os.getpid()))
        time.sleep(120)
    if orders == f"{stage}-wait":
        (run / "waiting").write_text(os.environ["AWS_BATCH_JOB_ID"])
        wait_for(run / "go")
    if stage == "plan":
        plan(run, dataset, items[0]["settings"])
    done = run / "done" / stage
    done.mkdir(parents=True, exist_ok=True)
    for item in mine:
        (done / f"{item['id']}.json").write_text(os.environ["AWS_BATCH_JOB_ID"])
    return 0


def wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(0.05)


def plan(run: Path, dataset: str, settings: dict[str, object]) -> None:
    for stage, count in COUNTS.items():
        items = [{"stage": stage, "run": str(run), "id": f"{index:06d}", "hash": "0"} for index in range(count)]
        (run / "plan" / f"{stage}.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    estimates = {stage: {"items": count, "seconds_per_item": 60} for stage, count in COUNTS.items()}
    (run / "run.json").write_text(json.dumps({"dataset": dataset, "settings": settings, "estimates": estimates}))


if __name__ == "__main__":
    sys.exit(main())
