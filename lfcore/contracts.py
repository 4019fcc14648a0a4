"""What the parts of the system agree on: stages, work items, slices and the paths of a run.

Everything here is light (no numpy), because Airflow's scheduler imports it.
"""

import hashlib
import json
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lfcore.errors import SettingsError

LIST_FILE_VARIABLE = "LIST_FILE_S3_PATH"
ARRAY_SIZE_VARIABLE = "ARRAY_SIZE"
BATCH_INDEX_VARIABLE = "AWS_BATCH_JOB_ARRAY_INDEX"
SLICE_INDEX_VARIABLE = "SLICE_INDEX"

WorkItem = dict[str, Any]
"""One line of ``plan/<stage>.jsonl``.

Always: ``stage``, ``run`` (the run's path or prefix), ``id`` (unique in its stage, safe as a file
name) and ``hash`` (fingerprint of the settings and inputs that determine the result).
``plan``: ``dataset``, ``settings`` (overrides). ``normalise``: ``frame``, ``source``, ``page``.
``transforms``: ``z_um``. ``reconstruct``: ``frame``.
"""


class Stage(StrEnum):
    """The stages in the order of the work; the values are command, task and file names."""

    PLAN = "plan"
    NORMALISE = "normalise"
    CALIBRATE = "calibrate"
    TRANSFORMS = "transforms"
    RECONSTRUCT = "reconstruct"
    REPORT = "report"


PLANNED = tuple(stage for stage in Stage if stage is not Stage.PLAN)
"""The stages whose items ``plan`` writes, in the order of the work."""
COMPUTING = (Stage.TRANSFORMS, Stage.RECONSTRUCT)
"""The stages that may use a device."""


def slice_bounds(index: int, slices: int, items: int) -> tuple[int, int]:
    """First and one-past-last item of slice ``index`` of ``slices`` over ``items`` items.

    Raises ``SettingsError`` when ``index`` is not in ``[0, slices)``.
    """
    if slices < 1 or not 0 <= index < slices:
        raise SettingsError(f"slice {index}/{slices}: the index must lie in 0..{slices - 1}")
    return items * index // slices, items * (index + 1) // slices


def fingerprint(content: object) -> str:
    """Sixteen hexadecimal digits that identify a JSON-serialisable value."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def safe_name(text: str) -> str:
    """``text`` reduced to letters, digits, ``-`` and ``_``, for job names and default run folders."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-_") or "unnamed"


def join(root: str, *parts: str) -> str:
    """Join a local path or object-store prefix with relative parts; ``..`` is refused."""
    for part in parts:
        if part.startswith("/") or ".." in part.split("/"):
            raise SettingsError(f"'{part}': a path inside a run or data set must be relative and free of '..'")
    return posixpath.join(root, *parts)


def dump_items(items: list[WorkItem]) -> bytes:
    """The bytes of a list file: one JSON object a line."""
    return "".join(json.dumps(item, sort_keys=True) + "\n" for item in items).encode()


def parse_items(content: bytes) -> list[WorkItem]:
    """The work items of a list file's bytes."""
    return [json.loads(line) for line in content.decode().splitlines() if line.strip()]


def plan_item(dataset: str, run: str, settings: Mapping[str, Any] | None = None) -> WorkItem:
    """The one item of the ``plan`` stage, which a submitter writes before the first job."""
    overrides = dict(settings or {})
    return {
        "stage": Stage.PLAN.value,
        "run": run,
        "id": "plan",
        "hash": fingerprint([dataset, overrides]),
        "dataset": dataset,
        "settings": overrides,
    }


@dataclass(frozen=True)
class RunPaths:
    """Where everything of a run lies; ``root`` is a local folder or an object-store prefix."""

    root: str

    @property
    def run_json(self) -> str:
        """Resolved settings, their hash, inputs, versions and estimates."""
        return join(self.root, "run.json")

    def items(self, stage: Stage) -> str:
        """List file of a stage: one work item a line."""
        return join(self.root, "plan", f"{stage}.jsonl")

    def done(self, stage: Stage, item_id: str) -> str:
        """Completion record of one item."""
        return join(self.root, "done", str(stage), f"{item_id}.json")

    def quarantine(self, stage: Stage, item_id: str) -> str:
        """Record of an item that could not be processed, and why."""
        return join(self.root, "quarantine", str(stage), f"{item_id}.json")

    def failure(self, stage: Stage, slice_index: int) -> str:
        """Record of a slice whose job failed, and why; taken away when the slice succeeds."""
        return join(self.root, "failures", str(stage), f"{slice_index}.json")

    def normalised(self, frame: int) -> str:
        """One frame in the standard format: float32 TIFF (y, x), dark subtracted, NaN where missing."""
        return join(self.root, "normalised", f"frame_{frame:06d}.tif")

    @property
    def calibration_json(self) -> str:
        """The lattice that was found."""
        return join(self.root, "calibration", "calibration.json")

    @property
    def lattice_picture(self) -> str:
        """The lattice drawn over the calibration image."""
        return join(self.root, "calibration", "lattice.png")

    @property
    def sensitivity(self) -> str:
        """Rectified white frame, float32 TIFF (y, x), zero where unusable."""
        return join(self.root, "calibration", "sensitivity.tif")

    @property
    def ome_zarr(self) -> str:
        """All volumes of the run, (t, z, y, x)."""
        return join(self.root, "volumes.ome.zarr")

    def ome_tiff(self, frame: int) -> str:
        """One frame's volume when ``output.format`` is ome-tiff."""
        return join(self.root, "volumes", f"frame_{frame:06d}.ome.tif")

    @property
    def report_html(self) -> str:
        """The self-contained report page."""
        return join(self.root, "report", "index.html")

    @property
    def metrics_json(self) -> str:
        """The report's numbers, for machines."""
        return join(self.root, "report", "metrics.json")
