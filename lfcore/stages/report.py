"""Report: what became of a run, as one page for people and ``metrics.json`` for machines.

From the completion records of ``reconstruct`` it takes ``residuals``, the relative residual by iteration, the last one
that of the volume itself.
"""

import json
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from lfcore.calibration.lattice import Calibration
from lfcore.contracts import RunPaths, Stage, WorkItem
from lfcore.errors import DataError, UsageError
from lfcore.io import ome_tiff, ome_zarr, sources, store
from lfcore.prices.table import price_table
from lfcore.report import page, pictures
from lfcore.stages.advice import advise
from lfcore.stages.grid import VolumeGrid, volume_grid
from lfcore.stages.progress import Listener, silent
from lfcore.stages.record import RunRecord, read_run
from lfcore.stages.runner import Do, Outcome, Pulse, Record, process, read_items, read_records, write_json
from lfcore.stages.spent import StageCost, stage_costs, total

STAGES = (Stage.PLAN, Stage.NORMALISE, Stage.CALIBRATE, Stage.TRANSFORMS, Stage.RECONSTRUCT)
FRAMES_SHOWN = 3
DISPLAY_QUANTILE = 0.999
Records = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Gathered:
    """The records of a run: ``done`` and ``aside`` are {stage: {item id: record}}, of the planned items only."""

    record: RunRecord
    done: dict[Stage, Records]
    aside: dict[Stage, Records]

    @property
    def frames_aside(self) -> dict[str, dict[str, Any]]:
        """Set-aside records by frame; the first stage that gave a frame up speaks for it."""
        return {**self.aside[Stage.RECONSTRUCT], **self.aside[Stage.NORMALISE]}

    @property
    def counts(self) -> page.FrameCounts:
        """What became of the frames."""
        done, aside = len(self.done[Stage.RECONSTRUCT]), len(self.frames_aside)
        return {"total": self.record.frames, "done": done, "quarantined": aside}


def run_items(run: RunPaths, items: Sequence[WorkItem], listener: Listener = silent) -> Outcome:
    """Write the report of a run.

    Raises, after that, ``DataError`` when frames were set aside and ``UsageError`` when frames are still to be done.
    """

    def prepare(pulse: Pulse) -> Do:
        return lambda item: report(run)

    outcome = process(run, Stage.REPORT, items, prepare, listener)
    if items:
        _judge(run, gather(run))
    return outcome


def report(run: RunPaths) -> Record:
    """Write ``report/index.html`` and ``report/metrics.json``, and set the volumes' display range."""
    gathered = gather(run)
    shown = _volumes_shown(run, gathered)
    settings = gathered.record.settings
    if shown and settings.output.format == "ome-zarr" and settings.output.dtype == "float32":
        ome_zarr.set_display_range(run.ome_zarr, 0.0, max(_white(volume) for volume in shown.values()))
    store.write_bytes(run.report_html, page.render(make_facts(run, gathered, shown)).encode())
    write_json(run.metrics_json, metrics(gathered))
    return {"outputs": [run.report_html, run.metrics_json]}


def gather(run: RunPaths) -> Gathered:
    """The run's record and the valid records of its items."""
    done, aside = {}, {}
    for stage in STAGES:
        items = [] if stage is Stage.PLAN else read_items(run, stage)
        hashes = {item["id"]: item["hash"] for item in items}
        done[stage] = _valid(read_records(run.done, run, stage, items), hashes)
        found = _valid(read_records(run.quarantine, run, stage, items), hashes)
        aside[stage] = {item_id: record for item_id, record in found.items() if item_id not in done[stage]}
    done[Stage.PLAN] = read_records(run.done, run, Stage.PLAN, [{"id": "plan"}])
    return Gathered(read_run(run), done, aside)


def metrics(gathered: Gathered) -> dict[str, Any]:
    """The content of ``metrics.json``: seconds of items and preparation are summed, memory is the largest job's.

    ``stopped`` counts frames by why their solver ended; ``cost`` is by stage, with dollars where prices are known.
    """
    costs = stage_costs(gathered.done, price_table())
    return {
        "frames": gathered.counts,
        "relative_residual": relative_residual(gathered),
        "stopped": dict(Counter(record["stopped"] for record in gathered.done[Stage.RECONSTRUCT].values())),
        "seconds": {facts["stage"]: facts["seconds"] for facts in _stage_facts(gathered)},
        "peak_memory_bytes": {facts["stage"]: facts["peak_memory_bytes"] for facts in _stage_facts(gathered)},
        "cost": {cost.stage: cost.to_json() for cost in costs},
        "dollars_per_frame": dollars_per_frame(costs, gathered),
        "hash": gathered.record.hash,
    }


def relative_residual(gathered: Gathered) -> float | None:
    """Median over frames of the last iteration's relative residual; None while no frame is done."""
    last = [record["residuals"][-1] for record in gathered.done[Stage.RECONSTRUCT].values()]
    return statistics.median(last) if last else None


def dollars_per_frame(costs: Sequence[StageCost], gathered: Gathered) -> float | None:
    """Of all stages together, for each frame that is done; None where it is not known."""
    dollars, frames = total(costs), gathered.counts["done"]
    return None if dollars is None or not frames else round(dollars / frames, 6)


def make_facts(run: RunPaths, gathered: Gathered, shown: dict[int, npt.NDArray[np.float32]]) -> page.Facts:
    """Everything on the page; ``shown`` holds the volumes (z, y, x) to draw, by frame."""
    record, settings = gathered.record, gathered.record.settings
    facts: page.Facts = {
        "dataset": record.dataset,
        "run": run.root,
        "created": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "settings_hash": record.hash,
        "settings": settings.model_dump(mode="json"),
        "frames": gathered.counts,
        "stages": _stage_facts(gathered),
        "quarantine": _quarantine_rows(gathered),
        "versions": record.software,
        "inputs": [_input_row(entry) for entry in record.inputs],
        "nominal_pitch_px": settings.nominal_pitch_px,
        "costs": _cost_facts(gathered),
    }
    residual = relative_residual(gathered)
    if residual is not None:
        curves = [done["residuals"] for _, done in sorted(gathered.done[Stage.RECONSTRUCT].items())]
        facts |= {"relative_residual": residual, "convergence_png": pictures.convergence_curve(curves)}
    if gathered.done[Stage.CALIBRATE]:
        content = json.loads(store.read_bytes(run.calibration_json))
        facts |= {"calibration": content, "lattice_png": store.read_bytes(run.lattice_picture)}
        if shown:
            calibration = Calibration.from_json(content)
            grid = volume_grid(settings, calibration)
            if (advice := advise(settings, calibration)) is not None:
                facts |= {"resolution_png": advice.picture(), "sampling_remarks": advice.remarks}
            facts |= {"volume": _volume_row(run, record, grid), "projections": _projections(record, grid, shown)}
    if shown:
        facts["frame_png"] = _frame_picture(run, min(shown))
    return facts


def _valid(records: Records, hashes: dict[str, str]) -> Records:
    """The records that belong to the items as they are planned now."""
    return {item_id: record for item_id, record in records.items() if record["hash"] == hashes[item_id]}


def _stage_facts(gathered: Gathered) -> list[page.StageFacts]:
    return [
        {
            "stage": stage.value,
            "items": len(records),
            "seconds": round(sum(record["seconds"] + record["preparation_seconds"] for record in records.values()), 3),
            "peak_memory_bytes": max(record["peak_memory_bytes"] for record in records.values()),
        }
        for stage, records in gathered.done.items()
        if records
    ]


def _cost_facts(gathered: Gathered) -> page.CostFacts:
    costs = stage_costs(gathered.done, price_table())
    return {
        "rows": [
            {
                "stage": cost.stage,
                "machine": cost.instance_type or "not known",
                "market": "not known" if cost.spot is None else "spot" if cost.spot else "on demand",
                "job_seconds": cost.job_seconds,
                "attempts": cost.attempts,
                "dollars": cost.dollars,
                "how": cost.how,
            }
            for cost in costs
        ],
        "dollars": total(costs),
        "dollars_per_frame": dollars_per_frame(costs, gathered),
    }


def _quarantine_rows(gathered: Gathered) -> list[page.Quarantined]:
    return [
        {"stage": record["stage"], "item": item_id, "reason": record["error"]}
        for item_id, record in sorted(gathered.frames_aside.items())
    ]


def _input_row(entry: dict[str, Any]) -> page.Input:
    return {
        "role": str(entry["role"]).replace("_", " "),
        "name": str(entry["path"]).rpartition("/")[2],
        "frames": entry["pages"],
        "bytes": entry["size"],
        "checksum": entry["checksum"],
    }


def _volumes_shown(run: RunPaths, gathered: Gathered) -> dict[int, npt.NDArray[np.float32]]:
    """Up to three volumes by frame, spread over those that are done."""
    done = gathered.done[Stage.RECONSTRUCT]
    frames = sorted(item["frame"] for item in read_items(run, Stage.RECONSTRUCT) if item["id"] in done)
    count = min(FRAMES_SHOWN, len(frames))
    chosen = {frames[index * (len(frames) - 1) // max(count - 1, 1)] for index in range(count)}
    if gathered.record.settings.output.format == "ome-tiff":
        return {frame: ome_tiff.read_volume(run.ome_tiff(frame)) for frame in sorted(chosen)}
    return {frame: ome_zarr.read_frame(run.ome_zarr, frame) for frame in sorted(chosen)}


def _volume_row(run: RunPaths, record: RunRecord, grid: VolumeGrid) -> page.VolumeFacts:
    output = record.settings.output
    path = run.ome_zarr if output.format == "ome-zarr" else run.ome_tiff(0).rpartition("/")[0]
    return {
        "path": path,
        "format": output.format,
        "dtype": output.dtype,
        "shape": grid.shape,
        "voxel_um": grid.voxel_um,
    }


def _projections(
    record: RunRecord, grid: VolumeGrid, shown: dict[int, npt.NDArray[np.float32]]
) -> list[page.Projections]:
    first_z_um = min(record.settings.volume.planes_um)
    return [
        {"frame": frame, "png": pictures.maximum_projections(volume, *grid.voxel_um, f"frame {frame}", first_z_um)}
        for frame, volume in shown.items()
    ]


def _frame_picture(run: RunPaths, frame: int) -> bytes:
    return pictures.frame_picture(sources.read_frame(run.normalised(frame)), f"frame {frame}, dark subtracted")


def _white(volume: npt.NDArray[np.float32]) -> float:
    return float(np.quantile(volume, DISPLAY_QUANTILE)) or 1.0


def _judge(run: RunPaths, gathered: Gathered) -> None:
    counts = gathered.counts
    for item_id, record in sorted(gathered.frames_aside.items()):
        others = f" and {counts['quarantined'] - 1} more" if counts["quarantined"] > 1 else ""
        problem = f"{item_id}{others} of {counts['total']} frames set aside ({record['error']})"
        raise DataError(f"{run.root}: {problem}; the others are done, see {run.report_html}")
    if counts["done"] < counts["total"]:
        missing = f"{counts['done']} of {counts['total']} frames are done"
        raise UsageError(f"{run.root}: {missing}; run the stages that come before the report first")
