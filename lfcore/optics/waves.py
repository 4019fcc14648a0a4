"""Wave optics from a point to the camera (Broxton 2013, Opt. Express 21, 25418).

The field at the native image plane is the Debye integral in its pupil form,

    U(x) = F^-1{ P(f) A(f) exp(i k W(f)) exp(-2 pi i M f . x0) },   s = lambda M f,

with the optical path ``W`` and the amplitude ``A`` of ``pupil.Pupil``; the lenslets multiply it by ``exp(-i pi |x_l|^2
/ (lambda f))``, the angular spectrum carries it to the camera, and a pixel integrates its squared modulus. Fields
travel forward as ``exp(+i k d)``.
"""

import math

import numpy as np
import numpy.typing as npt
from scipy.fft import fft2, ifft2

from lfcore.optics.array import transmission
from lfcore.optics.grid import Axis, Grid, Real
from lfcore.optics.instrument import Instrument
from lfcore.threads import single_threaded_blas

Complex = npt.NDArray[np.complexfloating]
RealImage = npt.NDArray[np.floating]


class NativeWave:
    """One wavelength and one plane, array at the native image plane: what all lateral positions share.

    The pupil takes up few frequencies of the grid, so the field at the array is two narrow matrix products. Where both
    mirrors leave the pupil as it is they are of cosines, over a quarter of it.
    """

    def __init__(
        self, instrument: Instrument, wavelength_um: float, grid: Grid, z_um: float, dtype: npt.DTypeLike
    ) -> None:
        self.camera = Camera(instrument, wavelength_um, grid, dtype)
        self.grid, self.magnification = grid, instrument.magnification
        self.is_even = instrument.symmetry.mirror_y and instrument.symmetry.mirror_x
        down, right = (
            self._frequencies(axis, pupil_edge(instrument, wavelength_um)) for axis in (grid.down, grid.right)
        )
        self.down, self.right = down, right
        sampled = pupil(instrument, wavelength_um, grid, (down, right), z_um)
        weights = [np.where((axis > 0) & self.is_even, 2, 1) for axis in (down, right)]
        lengths_um, samples = grid.down.length_um * grid.right.length_um, grid.down.size * grid.right.size
        scale = 1 / math.sqrt(lengths_um * samples * pupil_energy(instrument, wavelength_um))
        self.pupil: Complex = (scale * np.outer(*weights) * sampled).astype(dtype)

    def image(self, dy_um: float, dx_um: float) -> RealImage:
        """(y, x) pixel integrals of the intensity of a point at the offset (dy, dx) in um."""
        down = self._waves(self.grid.down, self.down, dy_um)
        right = self._waves(self.grid.right, self.right, dx_um)
        with single_threaded_blas():
            field = _product(down, _product(right, self.pupil.T).T)
        return self.camera.image(field)

    def _frequencies(self, axis: Axis, edge: float) -> Real:
        """The pupil's frequencies along an axis, without the negative ones where both mirrors hold."""
        reach = math.ceil(edge * axis.length_um + 0.5) - 1
        return np.arange(0 if self.is_even else -reach, reach + 1) / axis.length_um

    def _waves(self, axis: Axis, frequencies: Real, offset_um: float) -> npt.NDArray[np.inexact]:
        """(position, frequency) waves about the native image of the offset; cosines stand for two frequencies."""
        from_image_um = axis.positions_um() - self.magnification * offset_um
        phases = 2 * np.pi * np.outer(from_image_um, frequencies)
        return (
            np.cos(phases).astype(self.pupil.real.dtype)
            if self.is_even
            else np.exp(1j * phases).astype(self.pupil.dtype)
        )


class Camera:
    """From the field in front of the lenslets to pixels, for one wavelength on one grid."""

    def __init__(self, instrument: Instrument, wavelength_um: float, grid: Grid, dtype: npt.DTypeLike) -> None:
        self.grid = grid
        self.lenslets = transmission(instrument, wavelength_um, grid).astype(dtype)
        self.travel = _angular_spectrum(wavelength_um, grid, instrument.sensor_distance_um).astype(dtype)

    def image(self, field: Complex) -> RealImage:
        """(y, x) pixel integrals of the intensity that ``field`` (y, x), which is overwritten, makes on the camera."""
        field *= self.lenslets
        spectrum = fft2(field, workers=-1, overwrite_x=True)
        spectrum *= self.travel
        return _pixel_integrals(ifft2(spectrum, workers=-1, overwrite_x=True), self.grid)


def pupil_energy(instrument: Instrument, wavelength_um: float) -> float:
    """Integral of ``|P A|^2`` over the pupil's frequencies, in 1/um^2 at the array."""
    return instrument.pupil.energy / (wavelength_um * instrument.magnification) ** 2


def pupil_edge(instrument: Instrument, wavelength_um: float) -> float:
    """Radius of the pupil, 1/um at the array."""
    return instrument.pupil.edge / (instrument.magnification * wavelength_um)


def pupil(
    instrument: Instrument, wavelength_um: float, grid: Grid, frequencies: tuple[Real, Real], z_um: float
) -> Complex:
    """(y, x) ``P A exp(i k W)`` over the outer product of ``frequencies`` (y, x), in 1/um at the array."""
    scale, optics = wavelength_um * instrument.magnification, instrument.pupil
    down, right = frequencies[0][:, None] * scale, frequencies[1][None, :] * scale
    step = scale / math.sqrt(grid.down.length_um * grid.right.length_um)
    phase = 2 * np.pi / wavelength_um * optics.path_um(z_um, down, right)
    field: Complex = optics.amplitude(np.hypot(down, right), step) * np.exp(1j * phase)
    return field


def ramp(axis: Axis, frequencies: Real, image_um: float) -> Complex:
    """Phase over ``frequencies`` in 1/um that moves an image by ``image_um`` and the origin to the first sample."""
    phase: Complex = np.exp(2j * np.pi * frequencies * (axis.positions_um()[0] - image_um))
    return phase


def _product(left: npt.NDArray[np.inexact], right: Complex) -> Complex:
    """Matrix product; of a real ``left`` in half the operations that its conversion would cost."""
    right = np.ascontiguousarray(right)
    if np.iscomplexobj(left):
        return np.asarray(left @ right)
    product: Complex = (left @ right.view(left.dtype)).view(right.dtype)
    return product


def _pixel_integrals(field: Complex, grid: Grid) -> RealImage:
    """(y, x) sums of ``|field|^2`` over the samples of each pixel of the window."""
    down, right = grid.down, grid.right
    inside = field[down.start : down.start + down.window, right.start : right.start + right.window]
    shape = down.pixels, down.oversampling, right.pixels, 2 * right.oversampling
    parts = np.ascontiguousarray(inside).view(inside.real.dtype).reshape(shape)
    return np.asarray(np.einsum("aubv,aubv->ab", parts, parts))


def _angular_spectrum(wavelength_um: float, grid: Grid, distance_um: float) -> Complex:
    """Free propagation over ``distance_um`` in air, without the constant phase (Goodman 2005, section 3.10)."""
    down, right = grid.down.half_frequencies(), grid.right.half_frequencies()
    relative = 1 - (down[:, None] ** 2 + right[None, :] ** 2) * wavelength_um**2
    phase = 2 * np.pi / wavelength_um * distance_um * (np.sqrt(np.maximum(relative, 0)) - 1)
    quarter: Complex = np.exp(1j * phase) * (relative > 0)
    return quarter[np.abs(grid.down.whole_frequencies())][:, np.abs(grid.right.whole_frequencies())]
