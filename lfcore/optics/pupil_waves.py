"""Wave optics of the Fourier light field microscope: the array in the pupil (Guo 2019, Opt. Express 27, 25573).

A lens of focal length ``f_F`` behind the native image shows the pupil at the array: ``s`` lies at ``x = -f_F s / M``,
and a point at ``x0`` is a tilt there,

    U(x) = A(s) exp(i k W(s)) exp(2 pi i M x0 . x / (lambda f_F)),   s = -M x / f_F.

From there on light goes as from any field in front of the lenslets. Axes are those of the sub-images: the image of a
point that moves by ``x0`` moves by ``+ M d / f_F x0``, so a camera's frame needs no turning. A lenslet at ``c`` sees a
point at ``(x0, z)`` at ``c + M d / f_F (x0 + z tan(theta) c / |c|)``: outwards for ``z > 0``.
"""

import math

import numpy as np
import numpy.typing as npt

from lfcore.optics.grid import Grid, Real
from lfcore.optics.instrument import Instrument
from lfcore.optics.waves import Camera, Complex, RealImage


class PupilWave:
    """One wavelength and one plane, array in the pupil: what all lateral positions share."""

    def __init__(
        self, instrument: Instrument, wavelength_um: float, grid: Grid, z_um: float, dtype: npt.DTypeLike
    ) -> None:
        self.camera, self.grid = Camera(instrument, wavelength_um, grid, dtype), grid
        self.sine_per_um = instrument.magnification / pupil_lens_um(instrument)
        self.wave_number = 2 * np.pi / wavelength_um
        down, right = (-self.sine_per_um * axis.positions_um() for axis in (grid.down, grid.right))
        step = self.sine_per_um * math.sqrt(grid.down.step_um * grid.right.step_um)
        optics = instrument.pupil
        amplitude = optics.amplitude(np.hypot(down[:, None], right), step) * step / math.sqrt(optics.energy)
        path_um = optics.path_um(z_um, down[:, None], right[None, :])
        self.pupil: Complex = (amplitude * np.exp(1j * self.wave_number * path_um)).astype(dtype)

    def image(self, dy_um: float, dx_um: float) -> RealImage:
        """(y, x) pixel integrals of the intensity of a point at the offset (dy, dx) in um."""
        tilts = (
            self._tilt(self.grid.down.positions_um(), dy_um)[:, None],
            self._tilt(self.grid.right.positions_um(), dx_um),
        )
        return self.camera.image(self.pupil * tilts[0] * tilts[1])

    def _tilt(self, positions_um: Real, offset_um: float) -> Complex:
        phase: Complex = np.exp(1j * self.wave_number * self.sine_per_um * offset_um * positions_um)
        return phase.astype(self.pupil.dtype)


def pupil_lens_um(instrument: Instrument) -> float:
    """Focal length of the lens in front of an array in the pupil, um. Raises ``ValueError`` when there is none."""
    if instrument.fourier_lens_um is None:
        raise ValueError("lattice 'none' without fourier_lens_um: there are measured point images only")
    return instrument.fourier_lens_um
