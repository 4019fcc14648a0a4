"""Makes a believable run without reconstructing anything: for the tests of the page, and to look at it.

``python tests/page/make_run.py RUN --shape 200 51 512 512 --done 40`` takes a few seconds, because frames beyond the
first four are hard links to these.
"""

import argparse
import io
import itertools
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import matplotlib.image
import numpy as np
import numpy.typing as npt

from lfcore.contracts import RunPaths, Stage, dump_items, fingerprint
from lfcore.io import ome_tiff, ome_zarr, store
from lfcore.settings import Settings
from lfcore.stages.record import RunRecord
from lfcore.stages.runner import write_json

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "';alert(3)//\u2028",
    "{{ 7*7 }} ${7*7} <!-- --> ]]> \x07 \u202egnp.exe",
)
"""Strings that a data set's name or an error may hold, and that must come out as text."""
DISTINCT_VOLUMES = 4
SECONDS_A_FRAME = 6.0


@dataclass(frozen=True)
class Recipe:
    """What the run is to look like.

    ``shape`` (t, z, y, x); frames ``0 … done - 1`` are done, but for those in ``aside``. ``finished`` runs have every
    frame done or aside, and a report. ``clock`` is when the last record was written, in seconds since 1970.
    """

    shape: tuple[int, int, int, int] = (12, 9, 96, 80)
    done: int = 7
    aside: Sequence[int] = (2, 5)
    finished: bool = False
    dtype: Literal["float32", "uint16"] = "float32"
    format: Literal["ome-zarr", "ome-tiff"] = "ome-zarr"
    dataset: str = f"/data/{HOSTILE[0].replace('/', '_')} fish & chips"
    failed_slice: bool = True
    clock: float = field(default_factory=time.time)

    @property
    def frames_done(self) -> list[int]:
        """The frames that have a volume."""
        last = self.shape[0] if self.finished else self.done
        return [frame for frame in range(last) if frame not in self.aside]


def make_run(root: str, recipe: Recipe | None = None) -> RunPaths:
    """Write the run; its folder or prefix must be empty or new."""
    recipe = recipe or Recipe()
    run, settings = RunPaths(root), settings_of(recipe)
    items = items_of(run, recipe, settings)
    for stage, entries in items.items():
        store.write_bytes(run.items(stage), dump_items(entries))
    estimates = {
        stage: {"items": len(items[stage]), "seconds_per_item": SECONDS_A_FRAME, "memory_bytes": 1e9} for stage in items
    }
    software = {"lfcore": "0.1.0"}
    record = RunRecord(recipe.dataset, settings, recipe.shape[0], (900, 1000), [], software, f"{root}-t", estimates)
    write_json(run.run_json, record.to_json())
    _calibration(run)
    _volumes(run, recipe, settings)
    _records(run, recipe, items)
    if recipe.finished:
        store.write_bytes(run.report_html, report_page(recipe.dataset).encode())
        write_json(run.metrics_json, {"frames": {"total": recipe.shape[0]}})
    return run


def settings_of(recipe: Recipe) -> Settings:
    """Settings with as many planes as the recipe's volumes, 2 um apart around 0."""
    depth = recipe.shape[1]
    planes = [2.0 * index - (depth - 1) for index in range(depth)]
    return Settings.model_validate(
        {
            "microscope": {"magnification": 20, "numerical_aperture": 0.5, "wavelength_um": 0.51},
            "microlens_array": {"pitch_um": 100, "focal_length_um": 2000},
            "camera": {"pixel_um": 10, "frame_interval_s": 0.05},
            "images": {"light_field": "raw/*.tif"},
            "volume": {"z_um": planes, "samples_per_lenslet": 4},
            "reconstruction": {"iterations": 8},
            "output": {"format": recipe.format, "dtype": recipe.dtype},
        }
    )


def items_of(run: RunPaths, recipe: Recipe, settings: Settings) -> dict[Stage, list[dict[str, Any]]]:
    """The planned items of every stage after ``plan``."""
    frames = [(f"frame_{frame:06d}", {"frame": frame}) for frame in range(recipe.shape[0])]
    planes = [(f"plane_{index:05d}", {"z_um": z}) for index, z in enumerate(settings.volume.planes_um)]
    named = {
        Stage.NORMALISE: frames,
        Stage.CALIBRATE: [("calibrate", {})],
        Stage.TRANSFORMS: planes,
        Stage.RECONSTRUCT: frames,
        Stage.REPORT: [("report", {})],
    }
    return {
        stage: [
            {"stage": stage.value, "run": run.root, "id": name, "hash": fingerprint([stage, name]), **more}
            for name, more in entries
        ]
        for stage, entries in named.items()
    }


def volume(shape: tuple[int, int, int], frame: int) -> npt.NDArray[np.float32]:
    """Thirty beads (z, y, x) of other brightness and place in every frame, on a little noise."""
    generator = np.random.default_rng(frame)
    blobs = []
    for length in shape:
        centres = generator.uniform(0.1 * length, 0.9 * length, 30)[:, None]
        widths = generator.uniform(0.01, 0.03, 30)[:, None] * length + 0.7
        blobs.append(np.exp(-(((np.arange(length) - centres) / widths) ** 2)).astype(np.float32))
    bright = generator.uniform(100, 1000, 30).astype(np.float32)
    beads = np.einsum("bz,by,bx->zyx", blobs[0] * bright[:, None], blobs[1], blobs[2], optimize=True)
    return np.asarray(beads + generator.random(shape, np.float32), np.float32)


def _calibration(run: RunPaths) -> None:
    y, x = np.mgrid[:300, :400]
    picture = io.BytesIO()
    matplotlib.image.imsave(picture, np.hypot(y % 20 - 10, x % 20 - 10), cmap="gray", format="png")
    store.write_bytes(run.lattice_picture, picture.getvalue())
    write_json(run.calibration_json, {"pitch_px": [10.0, 10.0]})


def _volumes(run: RunPaths, recipe: Recipe, settings: Settings) -> None:
    shape, frames = recipe.shape, recipe.frames_done
    if recipe.format == "ome-tiff":
        for frame in frames:
            ome_tiff.write_volume(run.ome_tiff(frame), volume(shape[1:], frame), (2.0, 1.25, 1.25), recipe.dtype)
        return
    series = ome_zarr.VolumeSeries(
        shape, settings.volume.planes_um, (1.25, 1.25), 0.05, recipe.dtype, "made", {"settings_hash": "made"}
    )
    ome_zarr.create(run.ome_zarr, series)
    linked = store.is_local(run.root) and len(frames) > 2 * DISTINCT_VOLUMES
    for frame in frames[:DISTINCT_VOLUMES] if linked else frames:
        ome_zarr.write_frame(run.ome_zarr, frame, volume(shape[1:], frame))
    if linked:
        for frame, source in zip(frames[DISTINCT_VOLUMES:], itertools.cycle(frames[:DISTINCT_VOLUMES]), strict=False):
            _link(Path(run.ome_zarr), source, frame)


def _link(zarr: Path, source: int, frame: int) -> None:
    for array in (ome_zarr.VOXELS, ome_zarr.QUANTISATION):
        for file in (zarr / array / "c" / str(source)).rglob("*"):
            target = zarr / array / "c" / str(frame) / file.relative_to(zarr / array / "c" / str(source))
            if file.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                os.link(file, target)


def _records(run: RunPaths, recipe: Recipe, items: dict[Stage, list[dict[str, Any]]]) -> None:
    frames = recipe.frames_done
    ended = [Stage.CALIBRATE, Stage.TRANSFORMS, *([Stage.REPORT] if recipe.finished else [])]
    for stage in ended:
        for item in items[stage]:
            _done(run, item, recipe.clock - SECONDS_A_FRAME * recipe.shape[0], {})
    for frame, item in enumerate(items[Stage.NORMALISE]):
        if frame not in recipe.aside:
            _done(run, item, recipe.clock - SECONDS_A_FRAME * recipe.shape[0], {})
    for place, frame in enumerate(frames):
        residuals = [round(0.1 + 0.9 * 0.6**step + 0.002 * (frame % 7), 6) for step in range(9)]
        more = {"residuals": residuals, "stopped": "iterations", "outputs": _outputs(run, recipe, frame)}
        written = recipe.clock - SECONDS_A_FRAME * (len(frames) - 1 - place)
        _done(run, items[Stage.RECONSTRUCT][frame], written, more)
    for place, frame in enumerate(recipe.aside):
        item = items[Stage.NORMALISE][frame]
        error = f"raw/{HOSTILE[place % len(HOSTILE)]}.tif: no light at all; look at the file"
        write_json(run.quarantine(Stage.NORMALISE, item["id"]), {**_circumstances(item), "item": item, "error": error})
    if recipe.failed_slice:
        write_json(run.failure(Stage.RECONSTRUCT, 3), failure())


def _outputs(run: RunPaths, recipe: Recipe, frame: int) -> list[str]:
    if recipe.format == "ome-tiff":
        return [f"volumes/frame_{frame:06d}.ome.tif"]
    slabs = -(-recipe.shape[1] // ome_zarr.CHUNK_ZYX[0])
    return [f"volumes.ome.zarr/0/c/{frame}/{slab}/0/0" for slab in range(slabs)]


def failure() -> dict[str, Any]:
    """A failure's file, with hostile words in it."""
    return {
        "stage": "reconstruct",
        "slice": 3,
        "slices": 5,
        "label": "frames 6-8",
        "message": f"reconstruct [frames 6-8]: {HOSTILE[1]}; exit code 75",
        "exit_code": 75,
        "permanent": False,
        "job_id": "00000000-1111-2222-3333-444444444444",
    }


def _done(run: RunPaths, item: dict[str, Any], written: float, more: dict[str, Any]) -> None:
    cost = {"seconds": SECONDS_A_FRAME, "preparation_seconds": 0.5, "peak_memory_bytes": 1 << 30, "outputs": []}
    path = run.done(Stage(item["stage"]), item["id"])
    content = json.dumps({**_circumstances(item), **cost, **more}).encode()
    if not store.is_local(path):
        store.write_bytes(path, content)
        return
    # Not through the store, whose care for the disk takes minutes on 10,000 records.
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    os.utime(file, (written, written))


def _circumstances(item: dict[str, Any]) -> dict[str, Any]:
    finished = "2026-11-22T20:00:00+00:00"
    return {**{key: item[key] for key in ("stage", "id", "hash")}, "finished": finished, "host": "h", "attempt": 1}


def report_page(dataset: str) -> str:
    """A page that would do harm if its script could run as the user."""
    return (
        "<!doctype html><html><head><title>report</title><style>h1 { color: teal }</style></head>"
        "<body><h1>A report</h1><script>document.title = 'ran'; fetch('/api/v2/dags')</script>"
        f"<p>{len(dataset)}</p></body></html>"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("--shape", nargs=4, type=int, default=(12, 9, 96, 80), metavar=("T", "Z", "Y", "X"))
    parser.add_argument("--done", type=int, default=7)
    parser.add_argument("--aside", nargs="*", type=int, default=(2, 5))
    parser.add_argument("--finished", action="store_true")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--format", default="ome-zarr")
    given = vars(parser.parse_args())
    make_run(given.pop("run"), Recipe(**{**given, "shape": tuple(given["shape"])}))
