"""The sampling grid of the field at the microlens array, centred on a lenslet."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.fft import fftfreq, next_fast_len

from lfcore.optics.instrument import Instrument

Real = npt.NDArray[np.float64]

MINIMUM_OVERSAMPLING = 3
BAND_FACTOR = 4.4
GUARD_LENSLETS = 1.0
PUPIL_GUARD_LENSLETS = 0.1


@dataclass(frozen=True)
class Axis:
    """``size`` samples along y or x, of which the middle ``window`` samples are kept.

    The rest is a guard: the field that leaves the window must not come back in through the periodic boundary.
    ``oversampling`` is samples a pixel.
    """

    window: int
    size: int
    oversampling: int
    step_um: float

    @property
    def pixels(self) -> int:
        """Pixels of the window."""
        return self.window // self.oversampling

    @property
    def length_um(self) -> float:
        """Length of all samples: frequencies are apart by one over it."""
        return self.size * self.step_um

    @property
    def start(self) -> int:
        """First sample of the window."""
        return (self.size - self.window) // 2

    def positions_um(self) -> Real:
        """(size,) sample positions, zero at the centre of the middle lenslet."""
        return (np.arange(self.size, dtype=np.float64) - (self.size - 1) / 2) * self.step_um

    def frequencies(self) -> Real:
        """(size,) spatial frequencies in FFT order, 1/um at the array."""
        return np.asarray(fftfreq(self.size, self.step_um), dtype=np.float64)

    def half_frequencies(self) -> Real:
        """(size // 2 + 1,) the frequencies that are not negative, rising, 1/um at the array."""
        return np.arange(self.size // 2 + 1) / self.length_um

    def whole_frequencies(self) -> npt.NDArray[np.intp]:
        """(size,) the signed frequencies in FFT order, cycles a grid."""
        return np.asarray(np.rint(fftfreq(self.size, 1 / self.size)), dtype=np.intp)


@dataclass(frozen=True)
class Grid:
    """The two axes; their steps differ where pixels are oblong."""

    down: Axis
    right: Axis


def make_grid(
    instrument: Instrument,
    wavelength_um: float,
    cells: tuple[int, int],
    guard_lenslets: float | None = None,
    z_um: float = 0.0,
) -> Grid:
    """A grid that keeps ``cells`` (y, x) cells of the array, odd numbers, and samples the field finely enough.

    The field's band is ``NA/(M lambda)`` from the pupil plus ``pitch/(2 f lambda)`` from the slope at a lenslet's edge;
    its intensity has twice that, and the kink of the phase at the edges has no limit at all. Four samples a period of
    the band, and three a pixel at least, keep a point image within 1 % of one computed on a much finer grid. Of an
    array in the pupil the first part is ``M blur(z) / (f_F lambda)``, and the window itself leaves room.
    """
    slope, guard = instrument.numerical_aperture / instrument.magnification, GUARD_LENSLETS
    if instrument.lattice == "none":
        blur_um = instrument.blur_radius_lenslets(z_um) * instrument.object_pitch_um
        slope = blur_um * instrument.image_magnification / instrument.sensor_distance_um
        guard = PUPIL_GUARD_LENSLETS
    band = (slope + instrument.pitch_um / (2 * instrument.focal_length_um)) / wavelength_um
    guard_um = instrument.pitch_um * (guard if guard_lenslets is None else guard_lenslets)
    down, right = (
        _axis(count * pixels, size_um / pixels, band, guard_um)
        for count, pixels, size_um in zip(cells, instrument.cell.pixels, instrument.cell.size_um, strict=True)
    )
    return Grid(down, right)


def _axis(pixels: int, pixel_um: float, band: float, guard_um: float) -> Axis:
    oversampling = max(MINIMUM_OVERSAMPLING, math.ceil(BAND_FACTOR * band * pixel_um))
    window, step_um = pixels * oversampling, pixel_um / oversampling
    size = next_fast_len(window + math.ceil(2 * guard_um / step_um))
    # Samples must fall beside lenslet edges and pixel edges, never on them: the parity of window and size must agree.
    while (size - window) % 2:
        size = next_fast_len(size + 1)
    return Axis(window, size, oversampling, step_um)
