"""The microlens array: where its lenslets lie, what of it they cover, and what it does to a field.

A hexagonal array is two rectangular ones, the second moved by half a cell along both axes.
"""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from lfcore.optics.grid import Grid
from lfcore.optics.instrument import Instrument

Real = npt.NDArray[np.floating]
Complex = npt.NDArray[np.complexfloating]


def transmission(instrument: Instrument, wavelength_um: float, grid: Grid) -> Complex:
    """(y, x) complex transmission: a thin lens ``exp(-i pi |x_l|^2 / (lambda f))`` inside each lenslet.

    Samples at an edge are weighed by the part of them that a lenslet covers.
    """
    positions = grid.down.positions_um()[:, None], grid.right.positions_um()[None, :]
    steps = grid.down.step_um, grid.right.step_um
    curvature = np.pi / (wavelength_um * instrument.focal_length_um)
    field: Complex = np.zeros((grid.down.size, grid.right.size), np.complex128)
    covered = np.zeros(field.shape)
    for down, right in _from_centres(instrument, *positions):
        part = cover(instrument, down, right, steps)
        field += part * (np.exp(-1j * curvature * down**2) * np.exp(-1j * curvature * right**2))
        covered += part
    return field + np.maximum(1 - covered, 0) if instrument.gaps == "clear" else field


def cover(instrument: Instrument, down: Real, right: Real, steps: tuple[float, float] = (0.0, 0.0)) -> Real:
    """Part of a sample at (down, right) um from a lenslet's centre that lies inside the lenslet.

    ``steps`` is the size of a sample; one of none is inside or outside.
    """
    half = (instrument.aperture_um or instrument.pitch_um) / 2
    if instrument.aperture == "square":
        return _inside(half - np.abs(down), steps[0]) * _inside(half - np.abs(right), steps[1])
    step = math.sqrt(steps[0] * steps[1])
    if instrument.aperture == "round":
        return _inside(half - np.sqrt(down**2 + right**2), step)
    across, along = (right, down) if instrument.orientation == "rows" else (down, right)
    sides = np.abs(across), np.abs(across) / 2 + math.sqrt(0.75) * np.abs(along)
    return _inside(half - np.maximum(*sides), step)


def has_gaps(instrument: Instrument) -> bool:
    """Whether there is anything between the lenslets."""
    smaller = instrument.aperture_um is not None and instrument.aperture_um < instrument.pitch_um
    tiles = instrument.aperture == ("hexagonal" if instrument.is_hexagonal else "square")
    return smaller or not tiles


def from_nearest(instrument: Instrument, down: Real, right: Real) -> tuple[Real, Real]:
    """Positions in um measured from the centre of the nearest lenslet; (down, right) broadcast."""
    places = list(_from_centres(instrument, down, right))
    if len(places) == 1:
        return places[0]
    (down_a, right_a), (down_b, right_b) = places
    nearer = down_a**2 + right_a**2 <= down_b**2 + right_b**2
    return np.where(nearer, down_a, down_b), np.where(nearer, right_a, right_b)


def _from_centres(instrument: Instrument, down: Real, right: Real) -> Iterator[tuple[Real, Real]]:
    """Positions from the nearest centre of each rectangular array of lenslets."""
    height, width = instrument.lenslet_cell_um
    yield _wrapped(down, height), _wrapped(right, width)
    if instrument.is_hexagonal:
        yield _wrapped(down - height / 2, height), _wrapped(right - width / 2, width)


def _wrapped(positions: Real, period: float) -> Real:
    return np.asarray(positions - period * np.round(positions / period))


def _inside(depth: Real, step: float) -> Real:
    """Part of a sample ``step`` wide inside an edge that is ``depth`` away."""
    return np.asarray(np.clip(depth / step + 0.5, 0, 1) if step else (depth >= 0).astype(depth.dtype))
