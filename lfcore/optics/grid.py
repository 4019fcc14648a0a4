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


@dataclass(frozen=True)
class Grid:
    """A square grid of ``size`` samples a side, of which the middle ``window`` samples are kept.

    The rest is a guard: the field that leaves the window must not come back in through the periodic boundary.
    """

    window: int
    size: int
    oversampling: int
    step_um: float
    pitch_um: float

    def positions_um(self) -> Real:
        """(size,) sample positions, zero at the centre of the middle lenslet."""
        return (np.arange(self.size, dtype=np.float64) - (self.size - 1) / 2) * self.step_um

    def frequencies(self) -> Real:
        """(size,) spatial frequencies in FFT order, 1/um at the array."""
        return np.asarray(fftfreq(self.size, self.step_um), dtype=np.float64)

    def position_in_lenslet_um(self) -> Real:
        """(size,) positions measured from the centre of the lenslet that holds the sample."""
        positions = self.positions_um()
        return positions - self.pitch_um * np.round(positions / self.pitch_um)


def make_grid(
    instrument: Instrument, wavelength_um: float, lenslets: int, guard_lenslets: float = GUARD_LENSLETS
) -> Grid:
    """A grid that keeps ``lenslets`` x ``lenslets`` lenslets (odd) and samples the field finely enough.

    The field's band is ``NA/(M lambda)`` from the pupil plus ``pitch/(2 f lambda)`` from the slope at a lenslet's edge;
    its intensity has twice that, and the kink of the phase at the edges has no limit at all. Four samples a period of
    the band, and three a pixel at least, keep a point image within 1 % of one computed on a much finer grid.
    """
    field_band = instrument.numerical_aperture / (instrument.magnification * wavelength_um) + instrument.pitch_um / (
        2 * instrument.focal_length_um * wavelength_um
    )
    oversampling = max(MINIMUM_OVERSAMPLING, math.ceil(BAND_FACTOR * field_band * instrument.pixel_um))
    samples = instrument.pixels_per_lenslet * oversampling
    window = lenslets * samples
    size = next_fast_len(window + math.ceil(2 * guard_lenslets * samples))
    # Samples must fall beside lenslet edges and pixel edges, never on them: the parity of window and size must agree.
    while (size - window) % 2:
        size = next_fast_len(size + 1)
    return Grid(window, size, oversampling, instrument.pixel_um / oversampling, instrument.pitch_um)
