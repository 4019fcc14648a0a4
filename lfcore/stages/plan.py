"""Plan: data set and settings in, ``run.json`` and the work items of every stage out."""

import importlib.metadata
import platform
from collections.abc import Sequence
from typing import Any

import lfcore
from lfcore.contracts import PLANNED, RunPaths, Stage, WorkItem, dump_items, fingerprint
from lfcore.errors import SettingsError
from lfcore.io import store
from lfcore.optics.instrument import instrument_from
from lfcore.projection import cost
from lfcore.settings import Settings
from lfcore.stages.dataset import DataSet, InputFile, examine
from lfcore.stages.measured import measured_checksum
from lfcore.stages.progress import Listener, silent
from lfcore.stages.record import RUN_FORMAT, RunRecord, read_run
from lfcore.stages.runner import Do, Outcome, Pulse, Record, process, write_json
from lfcore.stages.transforms import KERNEL_FORMAT

LIBRARIES = ("numpy", "scipy", "tifffile", "zarr")
PROCESS_BYTES = 300 << 20
BYTES_PER_PIXEL = 150
SECONDS = {Stage.NORMALISE: (0.004, 1.1e-7), Stage.CALIBRATE: (0.8, 6.6e-6), Stage.REPORT: (3.3, 3e-7)}
"""Seconds of the stages that work on camera pixels: to begin with, and for each pixel."""


def run_items(run: RunPaths, items: Sequence[WorkItem], listener: Listener = silent) -> Outcome:
    """Plan the run of the one item given (see `contracts.plan_item`)."""

    def do(item: WorkItem) -> Record:
        plan(item["dataset"], run, item["settings"])
        return {"outputs": [run.run_json, *(run.items(stage) for stage in PLANNED)]}

    def prepare(pulse: Pulse) -> Do:
        return do

    return process(run, Stage.PLAN, items, prepare, listener)


def plan(dataset: str, run: RunPaths, overrides: dict[str, Any] | None = None) -> RunRecord:
    """Write ``run.json`` and the item lists of a run; doing it again changes nothing that has not changed.

    Raises ``DataError`` or ``SettingsError`` before anything is written, also when the run belongs to another data set
    or other settings.
    """
    found = examine(dataset, overrides)
    record = make_record(found, run)
    _require_same_run(run, record)
    for stage, items in make_items(found, run).items():
        store.write_bytes(run.items(stage), dump_items(items))
    write_json(run.run_json, record.to_json())
    return record


def make_record(found: DataSet, run: RunPaths) -> RunRecord:
    """What ``run.json`` says about a run of a data set."""
    return RunRecord(
        dataset=found.path,
        settings=found.settings,
        frames=len(found.frames()),
        frame_shape=found.frame_shape,
        inputs=[_input_entry(file) for file in found.files],
        software={name: importlib.metadata.version(name) for name in LIBRARIES}
        | {"lfcore": lfcore.__version__, "python": platform.python_version()},
        transforms=_beside(run.root, "transforms"),
        estimates=estimates(found),
    )


def make_items(found: DataSet, run: RunPaths) -> dict[Stage, list[WorkItem]]:
    """The work items of every stage after ``plan``, each with the hash of what determines its result."""
    settings = found.settings.model_dump(mode="json")
    dark = [file.checksum for file in found.of("dark")]
    # Without a white frame the light field shows the lattice.
    white = found.of("radiometry") or found.of("light_field")
    measured = measured_checksum(found.path, found.settings)
    shared = [RUN_FORMAT, settings, dark, [file.checksum for file in white], measured]

    def item(stage: Stage, item_id: str, content: object, **more: Any) -> WorkItem:  # noqa: ANN401  # any JSON value
        return {"stage": stage.value, "run": run.root, "id": item_id, "hash": fingerprint(content), **more}

    normalise, reconstruct = [], []
    for frame, (file, page) in enumerate(found.frames()):
        name, identity = f"frame_{frame:06d}", [file.checksum, page]
        content = [RUN_FORMAT, dark, identity]
        normalise.append(item(Stage.NORMALISE, name, content, frame=frame, source=file.path, page=page))
        reconstruct.append(item(Stage.RECONSTRUCT, name, [shared, KERNEL_FORMAT, identity], frame=frame))
    planes = enumerate(found.settings.volume.planes_um)
    # A run that was moved, or kernels of another version, lie elsewhere.
    kernels = [shared, KERNEL_FORMAT, _beside(run.root, "transforms")]
    return {
        Stage.NORMALISE: normalise,
        Stage.CALIBRATE: [item(Stage.CALIBRATE, "calibrate", shared)],
        Stage.TRANSFORMS: [item(Stage.TRANSFORMS, f"plane_{index:05d}", [kernels, z], z_um=z) for index, z in planes],
        Stage.RECONSTRUCT: reconstruct,
        Stage.REPORT: [item(Stage.REPORT, "report", [shared, [entry["hash"] for entry in reconstruct]])],
    }


def estimates(found: DataSet) -> dict[str, dict[str, float]]:
    """Items, seconds an item and bytes of memory of each stage, for sizing jobs; also ``reconstruct``'s preparation."""
    return estimates_of(found.settings, found.frame_shape, len(found.frames()))


def estimates_of(settings: Settings, frame_shape: tuple[int, int], frames: int) -> dict[str, dict[str, float]]:
    """The same for so many frames of ``frame_shape`` (y, x) in camera pixels."""
    rows, columns = nominal_cells(settings, frame_shape)
    volume = cost.estimate(settings, rows, columns)
    pixels, planes = frame_shape[0] * frame_shape[1], len(settings.volume.planes_um)

    def on_pixels(stage: Stage) -> tuple[float, int]:
        start, each = SECONDS[stage]
        return start + pixels * each, PROCESS_BYTES + pixels * BYTES_PER_PIXEL

    table = {
        Stage.NORMALISE: (frames, *on_pixels(Stage.NORMALISE)),
        Stage.CALIBRATE: (1, *on_pixels(Stage.CALIBRATE)),
        Stage.TRANSFORMS: (planes, volume.plane_seconds, volume.memory_bytes),
        Stage.RECONSTRUCT: (frames, volume.frame_seconds, volume.memory_bytes),
        Stage.REPORT: (1, *on_pixels(Stage.REPORT)),
    }
    entries: dict[str, dict[str, float]] = {
        stage.value: {"items": items, "seconds_per_item": round(seconds, 3), "memory_bytes": memory}
        for stage, (items, seconds, memory) in table.items()
    }
    entries[Stage.RECONSTRUCT]["preparation_seconds"] = round(volume.preparation_seconds, 3)
    return entries


def nominal_cells(settings: Settings, frame_shape: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of whole cells that the nominal pitch puts on a camera of ``frame_shape`` (y, x) pixels."""
    pixel_um = settings.camera.pixel_at_array_um
    sides_px = (side_um / pixel_um for side_um in instrument_from(settings).cell.size_um)
    rows, columns = (max(1, int(extent / side)) for extent, side in zip(frame_shape, sides_px, strict=True))
    return rows, columns


def _require_same_run(run: RunPaths, record: RunRecord) -> None:
    """Refuse a run folder that was planned for something else."""
    if not store.exists(run.run_json):
        return
    present = read_run(run)
    if present.dataset != record.dataset:
        raise SettingsError(f"{run.root}: is a run of {present.dataset}, not of {record.dataset}; use a new run folder")
    if present.hash != record.hash:
        hashes = f"was planned with settings {present.hash}, and these are {record.hash}"
        raise SettingsError(f"{run.root}: {hashes}; use a new run folder")


def _input_entry(file: InputFile) -> dict[str, Any]:
    pages = file.image.frames if file.image else 0
    return {"role": file.role, "path": file.path, "size": file.size, "checksum": file.checksum, "pages": pages}


def _beside(root: str, name: str) -> str:
    """``name`` in the folder or prefix that holds ``root``; in ``root`` itself when that is a whole bucket."""
    parent, _, _ = root.rstrip("/").rpartition("/")
    return f"{root.rstrip('/')}/{name}" if parent.endswith(":/") else f"{parent}/{name}"
