"""All volumes of a run as one OME-Zarr 0.5 image (t, z, y, x), written by many jobs at once.

Layout: array ``0`` holds the voxels. A shard (one object in storage) belongs to one frame, so no two jobs write
the same object; within it, chunks keep viewers quick. For ``uint16`` output a second array ``quantisation``
(t, 2) holds each frame's scale and offset, ``value = scale * stored + offset``, one object a frame as well.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import zarr
from yaozarrs import v05
from zarr.abc.store import Store
from zarr.codecs import BloscCodec, BloscShuffle
from zarr.core.buffer import Buffer
from zarr.storage import FsspecStore, LocalStore, MemoryStore

from lfcore.contracts import join
from lfcore.errors import DataError, LfcoreError
from lfcore.io import store
from lfcore.io.quantise import quantisation, quantise, restore

VOXELS = "0"
QUANTISATION = "quantisation"
CHUNK_ZYX = (8, 256, 256)


@dataclass(frozen=True)
class VolumeSeries:
    """What an OME-Zarr of a run holds.

    ``shape`` (t, z, y, x); ``planes_um`` the z of each plane; ``lateral_um`` the voxel size in y and x;
    ``frame_interval_s`` is None when unknown; ``provenance`` goes into the attributes as it is.
    """

    shape: tuple[int, int, int, int]
    planes_um: Sequence[float]
    lateral_um: tuple[float, float]
    frame_interval_s: float | None
    dtype: Literal["float32", "uint16"]
    name: str
    provenance: dict[str, Any]


def create(path: str, series: VolumeSeries) -> None:
    """Write the metadata of the store at ``path``, which may already hold frames.

    Any number of jobs may do this at the same time: they all write the same bytes, and nobody deletes anything.
    A series that has become longer keeps its frames.
    """
    frames, planes, height, width = series.shape
    chunks = (1, min(CHUNK_ZYX[0], planes), min(CHUNK_ZYX[1], height), min(CHUNK_ZYX[2], width))
    shards = (1, chunks[1], _multiple(height, chunks[2]), _multiple(width, chunks[3]))
    documents = {VOXELS: _array_document(series.shape, chunks, shards, series.dtype, ("t", "z", "y", "x"))}
    if series.dtype == "uint16":
        names = ("t", "scale_and_offset")
        documents[QUANTISATION] = _array_document((frames, 2), (1, 2), None, "float64", names)
    documents[""] = _group_document(path, series)
    for name, document in documents.items():
        place = join(path, name, "zarr.json")
        if store.read_many([place]).get(place) != document:
            store.write_bytes(place, document)


def write_frame(path: str, frame: int, volume: npt.NDArray[np.floating[Any]]) -> list[str]:
    """Write the volume (z, y, x) of one frame and return the paths of the objects that now hold it.

    Raises ``DataError`` when the store has another shape, ``TemporaryError`` on a full disk.
    """
    # A frame of zeros must be an object too: its presence shows that the frame is done.
    with store.explained(path), zarr.config.set({"array.write_empty_chunks": True}):
        voxels = _member(path, VOXELS, "r+")
        if volume.shape != voxels.shape[1:] or not 0 <= frame < voxels.shape[0]:
            held = f"holds (t, z, y, x) = {voxels.shape}"
            raise DataError(f"{path}: {held}, which does not fit {volume.shape} as frame {frame}; use a new run folder")
        outputs = []
        if voxels.dtype == np.uint16:
            scale, offset = quantisation(volume)
            _member(path, QUANTISATION, "r+")[frame] = (scale, offset)
            outputs.append(join(path, QUANTISATION, f"c/{frame}/0"))
        for index, planes in enumerate(_slabs(voxels)):
            slab = volume[planes]
            voxels[frame, planes] = quantise(slab, scale, offset) if voxels.dtype == np.uint16 else slab
            outputs.append(join(path, VOXELS, f"c/{frame}/{index}/0/0"))
    return outputs


def read_frame(path: str, frame: int) -> npt.NDArray[np.float32]:
    """The volume (z, y, x) of one frame, float32, in its true values."""
    return StoredSeries.open(path).read(frame, slice(None))


@dataclass(frozen=True)
class StoredSeries:
    """An OME-Zarr of a run as it is stored, open for reading parts; any number of threads may share one.

    ``attributes`` are the group's, ``voxels`` is the array of `zarr`.
    """

    path: str
    attributes: Mapping[str, Any]
    voxels: Any  # zarr's arrays are generic in ways that say nothing here

    @classmethod
    def open(cls, path: str) -> "StoredSeries":
        """Read the metadata. Raises ``DataError`` when there are none, or none that can be read."""
        with store.explained(path), _readable(path):
            document = json.loads(store.read_bytes(join(path, "zarr.json")))
            return cls(path, document["attributes"], _member(path, VOXELS, "r"))

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Voxels along (t, z, y, x)."""
        frames, planes, height, width = self.voxels.shape
        return frames, planes, height, width

    @property
    def slab_depth(self) -> int:
        """Planes that are stored together."""
        return int((self.voxels.shards or self.voxels.chunks)[1])

    @property
    def is_quantised(self) -> bool:
        """Whether voxels are stored in 16 bits."""
        return bool(self.voxels.dtype == np.uint16)

    def read(self, frame: int, z: slice, y: slice = slice(None), x: slice = slice(None)) -> npt.NDArray[np.float32]:
        """Part (z, y, x) of one frame, float32, in its true values. Raises ``DataError`` where it is damaged."""
        with store.explained(self.path), _readable(f"{self.path}, frame {frame}"):
            stored = np.asarray(self.voxels[frame, z, y, x])
            if not self.is_quantised:
                return np.asarray(stored, np.float32)
            scale, offset = np.asarray(_member(self.path, QUANTISATION, "r")[frame])
            return restore(stored, scale, offset)


def set_display_range(path: str, lowest: float, highest: float) -> None:
    """Tell viewers which stored values to show as black and as white."""
    place = join(path, "zarr.json")
    document = json.loads(store.read_bytes(place))
    document["attributes"]["ome"]["omero"] = _omero(lowest, highest)
    store.write_bytes(place, _as_bytes(document))


@contextlib.contextmanager
def _readable(what: str) -> Iterator[None]:
    """Turn what zarr and its codecs say about damaged files into one line."""
    try:
        yield
    except LfcoreError:
        raise
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        problem = " ".join(str(error).split())
        raise DataError(f"{what}: cannot be read ({problem}); delete it and run reconstruct again") from error


def _slabs(voxels: Any) -> Iterator[slice]:  # noqa: ANN401  # zarr's arrays are generic in ways that say nothing here
    """The z ranges of a frame's shards: one is encoded at a time, so that memory stays small."""
    depth, step = voxels.shape[1], voxels.shards[1]
    return (slice(start, min(start + step, depth)) for start in range(0, depth, step))


def _array_document(
    shape: tuple[int, ...],
    chunks: tuple[int, ...],
    shards: tuple[int, ...] | None,
    dtype: str,
    dimension_names: tuple[str, ...],
) -> bytes:
    """The metadata file of an array, as zarr writes it."""
    memory: dict[str, Buffer] = {}
    zarr.create_array(
        MemoryStore(memory),
        shape=shape,
        chunks=chunks,
        shards=shards,
        dtype=dtype,
        compressors=BloscCodec(cname="zstd", clevel=3, shuffle=BloscShuffle.shuffle),
        fill_value=0,
        dimension_names=dimension_names,
        zarr_format=3,
    )
    return memory["zarr.json"].to_bytes()


def _group_document(path: str, series: VolumeSeries) -> bytes:
    """The metadata file of the image; the display range that it may have by now is kept."""
    place = join(path, "zarr.json")
    present = store.read_many([place])
    omero = json.loads(present[place])["attributes"]["ome"]["omero"] if present else _omero(0.0, 1.0)
    attributes = {"ome": {**_ome(series), "omero": omero}, "lfcore": _own(series)}
    return _as_bytes({"zarr_format": 3, "node_type": "group", "attributes": attributes})


def _as_bytes(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, indent=1).encode()


def _member(path: str, name: str, mode: Literal["r", "r+"]) -> Any:  # noqa: ANN401  # see _slabs
    try:
        return zarr.open_array(_zarr_store(path), path=name, mode=mode, zarr_format=3)
    except FileNotFoundError as error:
        raise DataError(f"{path}: has no array '{name}'; delete this folder and run reconstruct again") from error


def _ome(series: VolumeSeries) -> dict[str, Any]:
    interval = series.frame_interval_s
    scale = [interval or 1.0, plane_step_um(series.planes_um), *series.lateral_um]
    start = [0.0, min(series.planes_um), 0.0, 0.0]
    image = v05.Image(
        multiscales=[
            v05.Multiscale(
                name=series.name,
                axes=[
                    v05.TimeAxis(name="t", unit="second" if interval else None),
                    *(v05.SpaceAxis(name=name, unit="micrometer") for name in "zyx"),
                ],
                datasets=[
                    v05.Dataset(
                        path=VOXELS,
                        coordinateTransformations=[
                            v05.ScaleTransformation(scale=scale),
                            v05.TranslationTransformation(translation=start),
                        ],
                    )
                ],
            )
        ],
    )
    return image.model_dump(mode="json", exclude_none=True)


def _omero(lowest: float, highest: float) -> dict[str, Any]:
    window = v05.OmeroWindow(start=lowest, end=highest, min=lowest, max=highest)
    channel = v05.OmeroChannel(label="fluorescence", color="FFFFFF", active=True, window=window)
    return v05.Omero(channels=[channel]).model_dump(mode="json", exclude_none=True)


def _own(series: VolumeSeries) -> dict[str, Any]:
    """What OME-Zarr has no place for: every plane's z, how uint16 is to be read, and where the volumes came from."""
    own: dict[str, Any] = {"planes_um": list(series.planes_um), **series.provenance}
    if series.dtype == "uint16":
        own["quantisation"] = f"value = {QUANTISATION}[t, 0] * stored + {QUANTISATION}[t, 1]"
    return own


def plane_step_um(planes_um: Sequence[float]) -> float:
    """Distance of neighbouring planes, um; the median for a list with uneven steps, and 1 for a single plane."""
    return float(np.median(np.abs(np.diff(planes_um)))) if len(planes_um) > 1 else 1.0


def _multiple(length: int, step: int) -> int:
    return -(-length // step) * step


def _zarr_store(path: str) -> Store:
    return LocalStore(path) if store.is_local(path) else FsspecStore.from_url(path)
