"""Volumes and images as OME-TIFF: BigTIFF, voxel sizes in um, and where they came from as a map annotation.

A uint16 volume's scale and offset (see `quantise`) are in the map annotation too.
"""

import io
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import tifffile

from lfcore.errors import DataError
from lfcore.io import store
from lfcore.io.quantise import quantisation, quantise, restore

NAMESPACE = "lfcore"


def write_volume(
    path: str,
    volume: npt.NDArray[np.floating[Any]],
    voxel_um: tuple[float, float, float],
    dtype: Literal["float32", "uint16"] = "float32",
    delta_t_s: float | None = None,
    provenance: Mapping[str, str] | None = None,
) -> None:
    """Write a volume (z, y, x) atomically.

    ``voxel_um`` is (z, y, x) in um; ``delta_t_s`` the frame's time since the first, in s; ``provenance`` any
    key and value texts. Raises ``TemporaryError`` on a full disk.
    """
    notes = {"Namespace": NAMESPACE, **(provenance or {})}
    if dtype == "uint16":
        scale, offset = quantisation(volume)
        notes |= {"scale": repr(scale), "offset": repr(offset)}
    plane: dict[str, object] = {}
    if delta_t_s is not None:
        plane = {"Plane": {"DeltaT": [delta_t_s] * len(volume), "DeltaTUnit": ["s"] * len(volume)}}
    stored = quantise(volume, scale, offset) if dtype == "uint16" else np.asarray(volume, np.float32)
    _write(path, stored, "ZYX", dict(zip("ZYX", voxel_um, strict=True)), notes, plane)


def write_image(
    path: str,
    image: npt.NDArray[np.floating[Any]],
    pixel_um: tuple[float, float],
    notes: Mapping[str, str] | None = None,
) -> None:
    """Write an image (y, x), or views (v, u, y, x), atomically as float32, NaN where missing.

    OME has no axes for views: ``v`` goes as time and ``u`` as z, which viewers show as two sliders, and a note says
    so. ``pixel_um`` is (y, x) in um, ``notes`` any key and value texts. Raises ``TemporaryError`` on a full disk.
    """
    meaning = {"axes": "v u y x (v as T, u as Z)"} if image.ndim == 4 else {}
    axes = "YX" if image.ndim == 2 else "TZYX"
    entries = {"Namespace": NAMESPACE, **meaning, **(notes or {})}
    _write(path, np.asarray(image, np.float32), axes, dict(zip("YX", pixel_um, strict=True)), entries)


def read_volume(path: str) -> npt.NDArray[np.float32]:
    """The volume (z, y, x) of a file that `write_volume` has written, float32, in its true values.

    Raises ``DataError`` for any other file.
    """
    with store.open_binary(path) as file, tifffile.TiffFile(file) as tiff:
        notes = _notes(tiff.ome_metadata or "<OME/>")
        stored = tiff.asarray()
    if stored.dtype != np.uint16:
        return np.asarray(stored, np.float32)
    scale = _scale(notes)
    if scale is None:
        raise DataError(f"{path}: states no scale for its 16 bits; reconstruct the frame again")
    return restore(stored, *scale)


def volume_grid(path: str) -> tuple[tuple[int, int, int], tuple[float, float, float]]:
    """Shape (z, y, x) in voxels and voxel size (z, y, x) in um of a file that `write_volume` has written."""
    with store.open_binary(path) as file, tifffile.TiffFile(file) as tiff:
        height, width = tiff.pages[0].shape[:2]
        elements = ElementTree.fromstring(tiff.ome_metadata or "<OME/>").iter()
        (pixels,) = (element for element in elements if element.tag.rpartition("}")[2] == "Pixels")
        depth_um, height_um, width_um = (float(pixels.get(f"PhysicalSize{axis}", "1")) for axis in "ZYX")
        return (len(tiff.pages), height, width), (depth_um, height_um, width_um)


def read_planes(path: str, first: int, last: int) -> npt.NDArray[np.float32]:
    """Planes ``first`` to one before ``last`` of a volume, (z, y, x), float32, in their true values."""
    with store.open_binary(path) as file, tifffile.TiffFile(file) as tiff:
        scale = _scale(_notes(tiff.ome_metadata or "<OME/>"))
        stored = np.stack([tiff.pages[index].asarray() for index in range(first, last)])
    return np.asarray(stored, np.float32) if scale is None else restore(stored, *scale)


def stored_scale(path: str) -> tuple[float, float] | None:
    """Scale and offset of the 16 bits of a TIFF that `write_volume` has written; None for any other."""
    with store.open_binary(path) as file, tifffile.TiffFile(file) as tiff:
        return _scale(_notes(tiff.ome_metadata or "<OME/>"))


def _scale(notes: Mapping[str, str]) -> tuple[float, float] | None:
    return (float(notes["scale"]), float(notes["offset"])) if {"scale", "offset"} <= notes.keys() else None


def _write(
    path: str,
    stored: npt.NDArray[Any],
    axes: str,
    size_um: Mapping[str, float],
    notes: Mapping[str, str],
    more: Mapping[str, object] | None = None,
) -> None:
    metadata = {
        "axes": axes,
        **{f"PhysicalSize{axis}": size for axis, size in size_um.items()},
        **{f"PhysicalSize{axis}Unit": "µm" for axis in size_um},
        "MapAnnotation": notes,
        **(more or {}),
    }
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer, stored, ome=True, bigtiff=True, photometric="minisblack", compression="zlib", metadata=metadata
    )
    store.write_bytes(path, buffer.getvalue())


def _notes(ome_xml: str) -> dict[str, str]:
    """The keys and values of the map annotations."""
    entries = (element for element in ElementTree.fromstring(ome_xml).iter() if element.tag.rpartition("}")[2] == "M")
    return {entry.get("K", ""): entry.text or "" for entry in entries}
