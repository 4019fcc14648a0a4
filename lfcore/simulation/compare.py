"""A run of a synthetic data set against its truth: whether the points are there, and how alike the volumes are.

``python -m lfcore.simulation.compare DATASET RUN`` prints the figures as JSON.
"""

import json
import sys
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import center_of_mass, maximum_filter

from lfcore.calibration.lattice import Calibration
from lfcore.contracts import RunPaths, join
from lfcore.io import ome_tiff, ome_zarr, store
from lfcore.settings import Settings
from lfcore.simulation.dataset import POINTS_FILE, voxels_of
from lfcore.simulation.phantoms import Floats, render

DETECTION_LEVEL = 0.1
"""A peak counts from this fraction of the frame's brightest voxel; the dimmest bead has a third of its light."""

TOLERANCE_VOXELS = 1.0


@dataclass(frozen=True)
class Comparison:
    """Over all frames: beads that were found, beads there are, peaks that are no bead, and the mean correlation.

    ``largest_offset_voxels`` (z, y, x) is the largest distance of a found bead from its true place on each axis.
    """

    beads_found: int
    beads_total: int
    false_peaks: int
    ncc: float
    largest_offset_voxels: tuple[float, float, float]


def compare_run(dataset: str, run: str) -> dict[str, object]:
    """Compare the volumes of ``run`` with the truth of the synthetic ``dataset``; the fields of ``Comparison``."""
    paths = RunPaths(run)
    settings = Settings.model_validate(json.loads(store.read_bytes(paths.run_json))["settings"])
    lattice = Calibration.from_json(json.loads(store.read_bytes(paths.calibration_json))).lattice
    points = json.loads(store.read_bytes(join(dataset, POINTS_FILE)))
    voxels = voxels_of(settings, lattice, np.array(points["z_um"]), np.array(points["camera_px"]))
    brightness = np.array(points["brightness"])
    volumes = np.stack([_volume(paths, settings, frame) for frame in range(len(brightness))])
    return asdict(compare(volumes, voxels, brightness))


def compare(volumes: npt.NDArray[np.floating], voxels: Floats, brightness: Floats) -> Comparison:
    """Compare ``volumes`` (frame, z, y, x) with the points that they should show.

    Those are at fractional ``voxels`` (point, 3) and have ``brightness`` (frame, point).
    """
    truth = render(voxels, brightness, volumes.shape[1:])
    found, false_peaks, offsets = 0, 0, [np.zeros(3)]
    for volume in volumes:
        peaks = find_peaks(volume)
        distance = np.abs(voxels[:, None] - peaks[None])
        near = np.all(distance <= TOLERANCE_VOXELS, axis=2)
        found += int(near.any(1).sum())
        false_peaks += int((~near.any(0)).sum())
        far = np.where(near, distance.max(2), np.inf)
        offsets += [distance[point, far[point].argmin()] for point in np.flatnonzero(near.any(1))]
    largest = np.max(offsets, axis=0)
    return Comparison(
        beads_found=found,
        beads_total=brightness.size,
        false_peaks=false_peaks,
        ncc=float(np.mean([correlation(*pair) for pair in zip(volumes, truth, strict=True)])),
        largest_offset_voxels=(float(largest[0]), float(largest[1]), float(largest[2])),
    )


def find_peaks(volume: npt.NDArray[np.floating]) -> Floats:
    """(peak, 3) places of the local maxima of a volume (z, y, x), refined to the centre of mass of 3 x 3 x 3 voxels."""
    level = DETECTION_LEVEL * volume.max()
    maxima = np.argwhere((volume == maximum_filter(volume, 3)) & (volume > level))
    peaks = []
    for place in maxima:
        corner = np.maximum(place - 1, 0)
        peaks.append(
            corner
            + np.array(
                center_of_mass(volume[tuple(slice(low, high) for low, high in zip(corner, place + 2, strict=True))])
            )
        )
    return np.array(peaks).reshape(-1, 3)


def correlation(first: npt.NDArray[np.floating], second: npt.NDArray[np.floating]) -> float:
    """Normalised cross-correlation of two arrays, their means taken off; zero where one of them is constant."""
    a, b = (array.ravel() - array.mean(dtype=np.float64) for array in (first, second))
    norm = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / norm) if norm else 0.0


def _volume(paths: RunPaths, settings: Settings, frame: int) -> npt.NDArray[np.float32]:
    if settings.output.format == "ome-tiff":
        return ome_tiff.read_volume(paths.ome_tiff(frame))
    return ome_zarr.read_frame(paths.ome_zarr, frame)


if __name__ == "__main__":
    print(json.dumps(compare_run(*sys.argv[1:3]), indent=1))
