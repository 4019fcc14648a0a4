"""Which cells of a lattice lie on the camera, and lattices that nothing shows."""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lfcore.calibration.distortion import point
from lfcore.calibration.model import Calibration, Kind, Lattice, LatticeFit
from lfcore.calibration.pixels import Lenslets
from lfcore.errors import CalibrationError

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

WHOLE_TOLERANCE_PX = 0.5
"""A cell that overhangs the camera by no more than this counts as whole."""

SMALLEST_FIELD: dict[Kind, int] = {"square": 5, "hexagonal": 3, "none": 1}
"""Fewer rows or columns of cells than this are no lattice to fit."""


def numbered(lattice: Lattice, shape: tuple[int, ...]) -> tuple[Lattice, int, int]:
    """The lattice counted from the first row and column whose middle cell is whole, and how many rows and columns are.

    Raises ``CalibrationError`` when hardly any cell lies on the camera of ``shape`` (y, x) px.
    """
    middle = np.rint(lattice.cells_at((np.array(shape, dtype=np.float64) - 1) / 2))
    (first_row, rows), (first_column, columns) = (_whole(lattice, shape, middle, axis) for axis in (0, 1))
    least = SMALLEST_FIELD[lattice.kind]
    if min(rows, columns) < least:
        raise CalibrationError(
            f"white frame: only {rows} x {columns} cells of the lattice lie on the camera; "
            f"at least {least} x {least} are needed"
        )
    ideal = replace(lattice, distortion=None)
    origin = point(ideal.places(np.array([first_row, first_column])))
    return replace(lattice, origin_px=origin), rows, columns


def _whole(lattice: Lattice, shape: tuple[int, ...], middle: Floats, axis: int) -> tuple[int, int]:
    """The first of the cells along ``axis`` through the ``middle`` cell that lies whole on that axis; how many do."""
    reach = math.ceil(1.5 * shape[axis] / lattice.pitch_px[axis]) + 1
    cells = np.tile(middle, (2 * reach + 1, 1))
    cells[:, axis] += np.arange(-reach, reach + 1)
    places = lattice.places(cells)[:, axis]
    half = 0.5 * lattice.pitch_px[axis]
    low, high = -0.5 + half - WHOLE_TOLERANCE_PX, shape[axis] - 0.5 - half + WHOLE_TOLERANCE_PX
    whole = np.flatnonzero((places >= low) & (places <= high))
    return (int(cells[whole[0], axis]), len(whole)) if len(whole) else (0, 0)


def on_grid(cells: Floats, rows: int, columns: int) -> Flags:
    """Which ``cells`` (n, 2) [row, column] are middles or inner corners of the first rows and columns."""
    return np.asarray(np.all((cells > -0.25) & (cells < np.array([rows, columns]) - 0.75), axis=1))


def nominal_fit(shape: tuple[int, int], pitch_px: float, pixels_per_lenslet: int | None, kind: Kind) -> LatticeFit:
    """What the settings alone say: an unturned lattice with a lenslet in the camera's middle; hexagonal rows along x.

    Kind ``none`` is the identity: each camera pixel a cell, and no lenslet that could be seen.
    """
    if kind == "none":
        pixels = Lattice((0.0, 0.0), (1.0, 0.0), (0.0, 1.0), kind)
        calibration = Calibration(pixels, *shape, 0, 0, 0.0, 0.0, 1, shape, "none")
        return LatticeFit(calibration, np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0, bool), np.zeros(0, bool))
    middle = (shape[0] - 1) / 2, (shape[1] - 1) / 2
    down = pitch_px * (math.sqrt(3) if kind == "hexagonal" else 1.0)
    lattice, rows, columns = numbered(Lattice(middle, (down, 0.0), (0.0, pitch_px), kind), shape)
    size = pixels_per_lenslet or round(pitch_px)
    calibration = Calibration(lattice, rows, columns, 0, 0, 0.0, 0.0, size, shape, "nominal")
    cells = Lenslets.on_camera(shape, lattice).cells
    unseen = np.full(cells.shape, np.nan)
    inside = on_grid(cells, rows, columns)
    return LatticeFit(calibration, lattice.places(cells), unseen, np.zeros(len(cells), bool), inside)
