"""The views of a light field: what the object looks like through one part of the pupil after the other."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import shift

from lfcore.optics.instrument import Instrument

Views = npt.NDArray[np.float32]


def views(light_field: npt.NDArray[np.floating[Any]], instrument: Instrument) -> Views:
    """Sub-aperture images (v, u, y, x) float32 of a rectified light field (y, x), NaN where missing.

    ``v`` and ``u`` count the ``N`` pixels under a lenslet down and right, ``y`` and ``x`` the lenslets. The views of a
    hexagonal array are resampled, linearly along its rows, to a grid whose rows are sqrt(3)/2 pitches apart (columns,
    for an array turned by 90 degrees).
    """
    if instrument.lattice != "hexagonal":
        return _middle_views(np.asarray(light_field, np.float32), instrument.cell.pixels)
    if instrument.orientation == "rows":
        return _interleaved(np.asarray(light_field, np.float32), instrument.cell.pixels)
    down, across = instrument.cell.pixels
    return _interleaved(np.asarray(light_field.T, np.float32), (across, down)).transpose(1, 0, 3, 2)


def view_pitch_um(instrument: Instrument) -> tuple[float, float]:
    """Distance of neighbouring pixels of a view [y, x], um in the object."""
    height, width = (size / instrument.magnification for size in instrument.cell.size_um)
    if instrument.lattice != "hexagonal":
        return height, width
    return (height / 2, width) if instrument.orientation == "rows" else (height, width / 2)


def _middle_views(light_field: Views, cell: tuple[int, int]) -> Views:
    """The views of the lenslets in the middle of the cells, for the pixels nearest to their centres."""
    split = light_field.reshape(light_field.shape[0] // cell[0], cell[0], light_field.shape[1] // cell[1], cell[1])
    # As many along v as along u, and one more where only so they lie evenly about the centre.
    count = cell[1] + (cell[0] - cell[1]) % 2
    first = (cell[0] - count) // 2
    return np.ascontiguousarray(split[:, first : first + count].transpose(1, 3, 0, 2))


def _interleaved(light_field: Views, cell: tuple[int, int]) -> Views:
    """Views of an array of rows of lenslets, every other one moved by half a pitch."""
    corners = shift(light_field, (-cell[0] / 2, -cell[1] / 2), order=1, cval=np.nan)
    even, odd = (_middle_views(part, cell) for part in (light_field, corners))
    left_of = np.concatenate([odd[..., :1], odd[..., :-1]], axis=-1)
    both = np.stack([even, (left_of + odd) / 2], axis=3)
    return both.reshape(*even.shape[:2], 2 * even.shape[2], even.shape[3])
