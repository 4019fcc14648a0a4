"""One volume as OME-TIFF: BigTIFF, voxel sizes in um, and where it came from as a map annotation."""

import io
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import tifffile

from lfcore.io import store

NAMESPACE = "lfcore"


def write_volume(
    path: str,
    volume: npt.NDArray[np.generic],
    voxel_um: tuple[float, float, float],
    delta_t_s: float | None = None,
    provenance: Mapping[str, str] | None = None,
) -> None:
    """Write a volume (z, y, x), float32 or uint16, atomically.

    ``voxel_um`` is (z, y, x) in um; ``delta_t_s`` the frame's time since the first, in s; ``provenance`` any
    key and value texts. Raises ``TemporaryError`` on a full disk.
    """
    metadata: dict[str, object] = {
        "axes": "ZYX",
        **{f"PhysicalSize{axis}": size for axis, size in zip("ZYX", voxel_um, strict=True)},
        **{f"PhysicalSize{axis}Unit": "µm" for axis in "ZYX"},
        "MapAnnotation": {"Namespace": NAMESPACE, **(provenance or {})},
    }
    if delta_t_s is not None:
        metadata["Plane"] = {"DeltaT": [delta_t_s] * len(volume), "DeltaTUnit": ["s"] * len(volume)}
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer, volume, ome=True, bigtiff=True, photometric="minisblack", compression="zlib", metadata=metadata
    )
    store.write_bytes(path, buffer.getvalue())


def read_volume(path: str) -> npt.NDArray[np.float32]:
    """The volume (z, y, x) of an OME-TIFF file, float32."""
    with store.open_binary(path) as file:
        return np.asarray(tifffile.imread(file), np.float32)
