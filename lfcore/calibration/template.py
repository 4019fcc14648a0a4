"""The mean image of a lenslet: what is looked for under every one of them."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lfcore.calibration.model import Lattice
from lfcore.calibration.pixels import Strip

Floats = NDArray[np.float64]

BINS_PER_PIXEL = 3
FEWEST_BINS, MOST_BINS = 24, 192

BLUR_PX = 0.5
"""Pixels fall into the cell at few places where the pitch is a whole number of them; this closes the gaps between."""


def symmetries(lattice: Lattice) -> list[NDArray[np.intp]]:
    """The (2, 2) turns and mirrors of a lattice, on whole numbers: eight of a square one, twelve of a hexagonal one."""
    turn = np.array([[0, -1], [1, 1]]) if lattice.kind == "hexagonal" else np.array([[0, -1], [1, 0]])
    swap = np.array([[0, 1], [1, 0]])
    found = [np.eye(2, dtype=np.intp)]
    while not np.array_equal(turned := turn @ found[-1], found[0]):
        found.append(turned)
    return found + [swap @ matrix for matrix in found]


class Template:
    """A periodic image of a lenslet, between 0 and 1, with all the symmetries of its lattice, so that it is centred.

    ``table`` (M, M) holds it at whole multiples of 1/M of the lattice's primitive steps.
    """

    def __init__(self, table: Floats) -> None:
        low, high = np.quantile(table, (0.02, 0.98))
        self.table = (table - low) / max(high - low, 1e-12)
        # Derivatives along the primitive steps.
        scale = 0.5 * len(table)
        slopes = (scale * (np.roll(self.table, -1, axis=axis) - np.roll(self.table, 1, axis=axis)) for axis in (0, 1))
        self._patches = [_patches(table) for table in (self.table, *slopes)]

    def at(self, inside: NDArray[np.float32]) -> tuple[Floats, Floats]:
        """Values (m,) and derivatives (2, m) along the primitive steps, at places (2, m) in parts of these."""
        places = inside.astype(np.float64) * len(self.table)
        corner = np.floor(places)
        down, right = places - corner
        patch = np.ravel_multi_index(tuple(corner.astype(np.intp)), self.table.shape, mode="wrap")
        # Three tables at the same places: much quicker than ``ndimage`` one after the other.
        value, *slopes = (
            level[patch] + down * lower[patch] + right * (further[patch] + down * both[patch])
            for level, lower, further, both in self._patches
        )
        return value, np.stack(slopes)


def _patches(table: Floats) -> list[Floats]:
    """Coefficients of 1, y, x and xy, each (M * M,), between the values of a periodic table (M, M)."""
    lower, further = np.roll(table, -1, axis=0) - table, np.roll(table, -1, axis=1) - table
    return [part.ravel() for part in (table, lower, further, np.roll(lower, -1, axis=1) - lower)]


def first_template(lattice: Lattice) -> Template:
    """Waves at the lattice's fundamental frequencies: the first guess, with slopes everywhere."""
    phase = 2 * np.pi * np.arange(FEWEST_BINS * 2) / (FEWEST_BINS * 2)
    down, right = phase[:, None], phase[None, :]
    waves = np.cos(down) + np.cos(right)
    if lattice.kind == "hexagonal":
        waves = waves + np.cos(down + right)
    return Template(waves)


class TemplateSum:
    """Collects pixels into the template that fits them best, each lenslet with its own brightness and background."""

    def __init__(self, lattice: Lattice) -> None:
        pitch_px = lattice.mean_pitch_px
        self._lattice = lattice
        self._bins = int(np.clip(round(BINS_PER_PIXEL * pitch_px), FEWEST_BINS, MOST_BINS))
        self._blur = BLUR_PX * self._bins / pitch_px
        self._above, self._below = np.zeros(self._bins**2), np.zeros(self._bins**2)

    def add(self, strip: Strip, values: Floats, brightness: Floats, background: Floats) -> None:
        """Add pixels of ``values`` (m,) of lenslets with a ``brightness`` (n,) over a ``background`` (n,)."""
        bright = brightness[strip.lenslet]
        bins = np.rint(strip.inside * self._bins).astype(np.intp) % self._bins
        flat = bins[0] * self._bins + bins[1]
        light = values - background[strip.lenslet]
        self._above += np.bincount(flat, bright * light, self._bins**2)
        self._below += np.bincount(flat, bright**2, self._bins**2)

    def template(self) -> Template:
        """The template of all that was added."""
        above, below = (self._symmetric(total.reshape(self._bins, -1)) for total in (self._above, self._below))
        seen = below > 1e-3 * below.max()
        table = np.where(seen, above / np.where(seen, below, 1.0), np.nan)
        if not seen.all():  # saturated in every lenslet
            table = np.where(seen, table, np.nanmax(table))
        return Template(table)

    def _symmetric(self, total: Floats) -> Floats:
        smooth = ndimage.gaussian_filter(total, self._blur, mode="wrap", truncate=6)
        numbers = np.stack(np.meshgrid(*2 * (np.arange(self._bins),), indexing="ij"))
        images = [smooth[tuple(np.tensordot(matrix, numbers, 1) % self._bins)] for matrix in symmetries(self._lattice)]
        return np.asarray(np.mean(images, axis=0))
