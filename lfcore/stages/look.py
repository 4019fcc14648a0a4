"""What can be looked at in a run, also while it is being computed: single slices and maximum projections of frames.

Volumes are read a slab of planes at a time and never whole, so that memory depends on the slab and not on the volume.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from lfcore.contracts import RunPaths, Stage, fingerprint
from lfcore.errors import UsageError
from lfcore.io import ome_tiff, ome_zarr, store
from lfcore.stages.keep import Keep
from lfcore.stages.record import read_run

Axis = Literal["z", "y", "x"]
Image = npt.NDArray[np.float32]
AXES: tuple[Axis, Axis, Axis] = ("z", "y", "x")
FRAME_RECORD = re.compile(r"frame_([0-9]{6,9})\.json")
LARGEST_STORED = 65535
LARGEST_SLAB_BYTES = 1 << 29
"""A slab larger than this is refused: one picture must not take the server's memory."""
TIFF_SLAB_PLANES = 8
FACTS_STAY_S = 5.0
DISPLAY_QUANTILE = 0.999


class NotThereError(UsageError):
    """Something of a run that has not been made yet, or that the run does not have."""


@dataclass(frozen=True)
class VolumeFacts:
    """What a run's volumes are.

    ``shape`` (t, z, y, x) in voxels; ``voxel_um`` (z, y, x); ``planes_um`` the z of every plane, um;
    ``frame_interval_s`` None when unknown; ``display`` the values to show as black and as white; ``done`` the frames
    that are there, as ranges [first, last].
    """

    shape: tuple[int, int, int, int]
    voxel_um: tuple[float, float, float]
    planes_um: Sequence[float]
    frame_interval_s: float | None
    display: tuple[float, float]
    done: list[tuple[int, int]]
    format: str


@dataclass(frozen=True)
class Picture:
    """An image: ``pixels`` (rows, columns) uint16, where a value is ``low + (high - low) * stored / 65535``.

    ``tag`` changes whenever the frame is made anew.
    """

    pixels: npt.NDArray[np.uint16]
    low: float
    high: float
    tag: str


class Look:
    """Looks into runs; one of it serves any number of threads. It keeps ``kept_bytes`` of decoded planes at most."""

    def __init__(self, kept_bytes: int = 192 << 20) -> None:
        self._slabs = Keep[Image](kept_bytes * 3 // 4)
        self._projections = Keep[dict[Axis, Image]](kept_bytes // 4)
        self._volumes = Keep[_Volumes](8, FACTS_STAY_S)
        self._display = Keep[tuple[float, float]](64)

    def facts(self, run: RunPaths) -> VolumeFacts:
        """What the volumes of a run are. Raises ``NotThereError`` while there is none."""
        volumes, record = self._volumes_of(run), read_run(run)
        frames = done_frames(run)
        return VolumeFacts(
            shape=volumes.shape,
            voxel_um=volumes.voxel_um,
            planes_um=record.settings.volume.planes_um,
            frame_interval_s=record.settings.camera.frame_interval_s,
            display=volumes.display or self._estimated_display(run, frames),
            done=_ranges(frames),
            format=record.settings.output.format,
        )

    def slice(self, run: RunPaths, frame: int, axis: Axis, index: int) -> Picture:
        """One slice: (y, x) across ``z``, (z, x) across ``y``, (z, y) across ``x``.

        Raises ``NotThereError`` for a frame that is not done and for what lies outside of the volume.
        """
        volumes, tag = self._frame(run, frame)
        length = volumes.shape[1:][AXES.index(axis)]
        if not 0 <= index < length:
            raise NotThereError(f"{axis} {index}: the volume has {axis} from 0 to {length - 1}")
        if axis == "z":
            first = index - index % volumes.slab_depth
            return _picture(self._slab(run, volumes, frame, tag, first)[index - first], tag)
        y, x = (slice(index, index + 1), slice(None)) if axis == "y" else (slice(None), slice(index, index + 1))
        rows = []
        for first in _slab_starts(volumes):
            slab = self._slabs.peek((run.root, frame, tag, first))
            part = volumes.read(frame, _planes(volumes, first), y, x) if slab is None else slab[:, y, x]
            rows.append(part.squeeze(AXES.index(axis)))
        return _picture(np.concatenate(rows), tag)

    def projection(self, run: RunPaths, frame: int, axis: Axis) -> Picture:
        """The maximum along an axis, of the same form as `slice`, and raising the same errors."""
        volumes, tag = self._frame(run, frame)
        all_three = self._projections.get(
            (run.root, frame, tag),
            lambda: self._project(run, volumes, frame, tag),
            lambda images: sum(image.nbytes for image in images.values()),
        )
        return _picture(all_three[axis], tag)

    def tag(self, run: RunPaths, frame: int) -> str:
        """What changes when a frame is made anew. Raises ``NotThereError`` for a frame that is not done."""
        name = f"frame {frame} is not reconstructed yet"
        content = store.read_many([run.done(Stage.RECONSTRUCT, frame_id(frame))])
        if not content:
            raise NotThereError(name)
        try:
            record = json.loads(*content.values())
            return fingerprint([record["hash"], record["finished"]])
        except (ValueError, KeyError, TypeError) as error:
            raise NotThereError(f"{name}: its record cannot be read") from error

    def _frame(self, run: RunPaths, frame: int) -> tuple["_Volumes", str]:
        volumes = self._volumes_of(run)
        if not 0 <= frame < volumes.shape[0]:
            raise NotThereError(f"frame {frame}: the run has frames from 0 to {volumes.shape[0] - 1}")
        return volumes, self.tag(run, frame)

    def _volumes_of(self, run: RunPaths) -> "_Volumes":
        return self._volumes.get(run.root, lambda: _open(run))

    def _slab(self, run: RunPaths, volumes: "_Volumes", frame: int, tag: str, first: int) -> Image:
        def read() -> Image:
            return volumes.read(frame, _planes(volumes, first), slice(None), slice(None))

        return self._slabs.get((run.root, frame, tag, first), read, lambda slab: slab.nbytes)

    def _project(self, run: RunPaths, volumes: "_Volumes", frame: int, tag: str) -> dict[Axis, Image]:
        """All three projections in one pass over the frame."""
        along_z, along_y, along_x = None, [], []
        for first in _slab_starts(volumes):
            slab = self._slab(run, volumes, frame, tag, first)
            highest = slab.max(0)
            along_z = highest if along_z is None else np.maximum(along_z, highest)
            along_y.append(slab.max(1))
            along_x.append(slab.max(2))
        return {"z": np.asarray(along_z), "y": np.concatenate(along_y), "x": np.concatenate(along_x)}

    def _estimated_display(self, run: RunPaths, frames: Sequence[int]) -> tuple[float, float]:
        """From the middle plane of the first frame that is done; until then, from 0 to 1."""
        if not frames:
            return (0.0, 1.0)
        volumes, tag = self._frame(run, frames[0])

        def estimate() -> tuple[float, float]:
            middle = volumes.shape[1] // 2
            first = middle - middle % volumes.slab_depth
            slab = self._slab(run, volumes, frames[0], tag, first)
            return (0.0, float(np.nan_to_num(np.quantile(slab[middle - first], DISPLAY_QUANTILE))) or 1.0)

        return self._display.get((run.root, tag), estimate)


def frame_id(frame: int) -> str:
    """The id of a frame's work items."""
    return f"frame_{frame:06d}"


def done_frames(run: RunPaths) -> list[int]:
    """The frames that have a record of completion, rising."""
    names = store.listing(run.done(Stage.RECONSTRUCT, "x").rpartition("/")[0])
    return sorted(int(match[1]) for name in names if (match := FRAME_RECORD.fullmatch(name)))


@dataclass(frozen=True)
class _Volumes:
    """All volumes of a run: ``read(frame, z, y, x)`` gives a part (z, y, x) of one, for a range of whole slabs in z.

    ``display`` is the range that the report has set, if it has.
    """

    shape: tuple[int, int, int, int]
    voxel_um: tuple[float, float, float]
    slab_depth: int
    display: tuple[float, float] | None
    read: Callable[[int, slice, slice, slice], Image]


def _open(run: RunPaths) -> _Volumes:
    volumes = _open_tiff(run) if read_run(run).settings.output.format == "ome-tiff" else _open_zarr(run)
    slab_bytes = 4 * volumes.slab_depth * volumes.shape[2] * volumes.shape[3]
    if slab_bytes > LARGEST_SLAB_BYTES:
        raise NotThereError(f"{run.root}: planes too large to be shown here; open the volumes in a viewer of your own")
    return volumes


def _open_zarr(run: RunPaths) -> _Volumes:
    if not store.exists(f"{run.ome_zarr}/zarr.json"):
        raise NotThereError("there are no volumes yet; they are made at the start of reconstruct")
    series = ome_zarr.StoredSeries.open(run.ome_zarr)
    ome = series.attributes["ome"]
    scale = ome["multiscales"][0]["datasets"][0]["coordinateTransformations"][0]["scale"]
    window = ome["omero"]["channels"][0]["window"]
    # Of 16 bits the range is in stored values; from 0 to 1 is what nobody has set.
    told = not series.is_quantised and (window["start"], window["end"]) != (0.0, 1.0)
    display = (float(window["start"]), float(window["end"])) if told else None
    return _Volumes(series.shape, (scale[1], scale[2], scale[3]), series.slab_depth, display, series.read)


def _open_tiff(run: RunPaths) -> _Volumes:
    frames = done_frames(run)
    if not frames:
        raise NotThereError("there are no volumes yet; the first frame is still to come")
    shape, voxel_um = ome_tiff.volume_grid(run.ome_tiff(frames[0]))

    def read(frame: int, z: slice, y: slice, x: slice) -> Image:
        return ome_tiff.read_planes(run.ome_tiff(frame), z.start, z.stop)[:, y, x]

    return _Volumes((read_run(run).frames, *shape), voxel_um, TIFF_SLAB_PLANES, None, read)


def _slab_starts(volumes: _Volumes) -> range:
    return range(0, volumes.shape[1], volumes.slab_depth)


def _planes(volumes: _Volumes, first: int) -> slice:
    return slice(first, min(first + volumes.slab_depth, volumes.shape[1]))


def _picture(image: Image, tag: str) -> Picture:
    finite = np.nan_to_num(image)
    low, high = float(finite.min()), float(finite.max())
    steps = (finite - np.float32(low)) * np.float32(LARGEST_STORED / ((high - low) or 1.0))
    return Picture(np.rint(steps).clip(0, LARGEST_STORED).astype("<u2"), low, high, tag)


def _ranges(frames: Sequence[int]) -> list[tuple[int, int]]:
    """Rising numbers as ranges, both ends included."""
    ranges: list[tuple[int, int]] = []
    for frame in frames:
        if ranges and frame == ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], frame)
        else:
            ranges.append((frame, frame))
    return ranges
