"""Light fields of points by tracing random rays: geometry alone, with code of its own."""

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from lfcore.optics.instrument import Instrument

Floats = npt.NDArray[np.float64]


def traced_point(
    instrument: Instrument, cells: tuple[int, int], point_um: tuple[float, float, float], count: int, seed: int
) -> Floats:
    """(y, x) rays a rectified pixel of a point at (z, y, x) um; y and x count from the middle of cell (0, 0)."""
    rng = np.random.default_rng(seed)
    optics, size_um = instrument, np.array(instrument.cell.size_um)
    lenslets_um = centres_in_cells(instrument, cells) * size_um
    sine = np.sqrt(rng.random(count)) * optics.numerical_aperture / optics.medium_index
    angle = 2 * np.pi * rng.random(count)
    direction = np.column_stack([np.sin(angle), np.cos(angle)])
    # Towards the camera x grows as a ray's slope has it; the object lies z nearer to the objective than its focus.
    focus_um = np.array(point_um[1:]) - point_um[0] * (sine / np.sqrt(1 - sine**2))[:, None] * direction
    array_um = optics.magnification * focus_um
    _, nearest = cKDTree(lenslets_um).query(array_um)
    slope = (optics.medium_index * sine / optics.magnification)[:, None] * direction
    camera_um = lenslets_um[nearest] + optics.sensor_distance_um * slope
    pixels = np.floor((camera_um / size_um + 0.5) * optics.cell.pixels).astype(int)
    image = np.zeros(np.array(cells) * optics.cell.pixels)
    inside = np.all((pixels >= 0) & (pixels < image.shape), axis=1)
    np.add.at(image, tuple(pixels[inside].T), 1.0)
    return image


def centres_in_cells(instrument: Instrument, cells: tuple[int, int]) -> Floats:
    """(lenslet, 2) centres of all lenslets about a field, in cells."""
    middles = np.stack(np.meshgrid(*(np.arange(-2, count + 2) for count in cells), indexing="ij"), -1).reshape(-1, 2)
    if instrument.lattice == "hexagonal":
        return np.concatenate([middles, middles + 0.5]).astype(float)
    return middles.astype(float)
