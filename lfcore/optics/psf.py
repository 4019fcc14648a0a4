"""The camera image of one point (Broxton 2013, Opt. Express 21, 25418).

The field at the native image plane is the Debye integral in its pupil form,

    U(x) = F^-1{ P(f) A(f) exp(-i k_z(f) z) exp(-2 pi i M f . x0) },   A = cos(theta)^(-1/2),

the lenslets multiply it by ``exp(-i pi |x_l|^2 / (lambda f))``, the angular spectrum carries it to the camera, and a
pixel integrates its squared modulus. Fields travel forward as ``exp(+i k_z d)`` and ``z > 0`` is towards the objective.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.fft import fft2, ifft2

from lfcore.optics.grid import Axis, Grid, Real, make_grid
from lfcore.optics.instrument import Instrument
from lfcore.threads import single_threaded_blas

Complex = npt.NDArray[np.complexfloating]
RealImage = npt.NDArray[np.floating]


def point_images(
    instrument: Instrument,
    z_um: float,
    offsets_um: Sequence[tuple[float, float]],
    radius: int | tuple[int, int] | None = None,
    dtype: npt.DTypeLike = np.float32,
    guard_lenslets: float | None = None,
) -> RealImage:
    """Images of points at ``z_um`` and at each lateral offset (dy, dx) in um from the axis of the middle lenslet.

    Returns (point, y, x) of ``dtype`` (float32 or float64) on the pixels of ``instrument.cell``, ``2 radius + 1`` cells
    a side; ``radius`` is one number or (y, x), by default ``instrument.window_radius_cells(z_um)``. The energy
    that passes the pupil is one, so what lies outside the window is missing from the sum.
    """
    down, right = cells = window_cells(instrument, z_um, radius)
    pixels = instrument.cell.pixels
    images = np.zeros((len(offsets_um), down * pixels[0], right * pixels[1]), dtype)
    guard = [] if guard_lenslets is None else [guard_lenslets]
    for wavelength_um, weight in instrument.spectrum:
        grid = make_grid(instrument, wavelength_um, cells, *guard)
        wave = _Wave(instrument, wavelength_um, grid, z_um, np.result_type(images.dtype, np.complex64))
        for image, (dy_um, dx_um) in zip(images, offsets_um, strict=True):
            image += weight * wave.image(dy_um, dx_um)
    return images


def window_cells(instrument: Instrument, z_um: float, radius: int | tuple[int, int] | None) -> tuple[int, int]:
    """Cells (y, x) of a window of ``radius``, one number, two, or None for what a point at ``z_um`` needs."""
    if radius is None:
        radius = instrument.window_radius_cells(z_um)
    down, right = (radius, radius) if isinstance(radius, int) else radius
    return 2 * down + 1, 2 * right + 1


class _Wave:
    """One wavelength and one plane: what all lateral positions share.

    Pupil and angular spectrum are even in both frequencies, so a quarter of each is computed. The pupil takes up few
    frequencies of the grid, so the field at the array is a sum of cosines: two narrow matrix products.
    """

    def __init__(
        self, instrument: Instrument, wavelength_um: float, grid: Grid, z_um: float, dtype: npt.DTypeLike
    ) -> None:
        self.grid = grid
        self.dtype = np.dtype(dtype)
        self.magnification = instrument.magnification
        down, right = grid.down.half_frequencies(), grid.right.half_frequencies()
        steps = float(down[1]), float(right[1])
        edge = pupil_edge(instrument, wavelength_um)
        self.down, self.right = (axis[: math.ceil(edge / axis[1] + 0.5)] for axis in (down, right))
        both_signs = [np.where(axis > 0, 2, 1) for axis in (self.down, self.right)]
        amplitude = math.sqrt(
            steps[0] * steps[1] / (grid.down.size * grid.right.size * pupil_energy(instrument, wavelength_um))
        )
        squared = self.down[:, None] ** 2 + self.right[None, :] ** 2
        quarter = pupil(instrument, wavelength_um, math.sqrt(steps[0] * steps[1]), squared, z_um)
        self.pupil = (amplitude * np.outer(*both_signs) * quarter).astype(self.dtype)
        self.lenslets = lenslets(instrument, wavelength_um, grid).astype(self.dtype)
        self.travel = _angular_spectrum(wavelength_um, grid, instrument.sensor_distance_um).astype(self.dtype)

    def image(self, dy_um: float, dx_um: float) -> RealImage:
        """(y, x) pixel integrals of the intensity of a point at the offset (dy, dx) in um."""
        down = self._cosines(self.grid.down, self.down, dy_um)
        right = self._cosines(self.grid.right, self.right, dx_um)
        with single_threaded_blas():
            field = _real_times_complex(down, _real_times_complex(right, self.pupil.T).T)
        field *= self.lenslets
        spectrum = fft2(field, workers=-1, overwrite_x=True)
        spectrum *= self.travel
        return _pixel_integrals(ifft2(spectrum, workers=-1, overwrite_x=True), self.grid)

    def _cosines(self, axis: Axis, frequencies: Real, offset_um: float) -> RealImage:
        """(position, frequency) cosines about the native image of the offset: a frequency and its mirror together."""
        from_image_um = axis.positions_um() - self.magnification * offset_um
        cosines = np.cos(2 * np.pi * np.outer(from_image_um, frequencies))
        return cosines.astype(self.pupil.real.dtype)


def _pixel_integrals(field: Complex, grid: Grid) -> RealImage:
    """(y, x) sums of ``|field|^2`` over the samples of each pixel of the window."""
    down, right = grid.down, grid.right
    inside = field[down.start : down.start + down.window, right.start : right.start + right.window]
    shape = down.pixels, down.oversampling, right.pixels, 2 * right.oversampling
    parts = np.ascontiguousarray(inside).view(inside.real.dtype).reshape(shape)
    return np.asarray(np.einsum("aubv,aubv->ab", parts, parts))


def _real_times_complex(left: RealImage, right: Complex) -> Complex:
    """Matrix product in half the operations that a conversion of ``left`` would cost."""
    product: Complex = (left @ np.ascontiguousarray(right).view(left.dtype)).view(right.dtype)
    return product


def pupil_energy(instrument: Instrument, wavelength_um: float) -> float:
    """Integral of ``|P A|^2`` over the pupil, in 1/um^2: ``2 pi (n / (lambda M))^2 (1 - cos(alpha))``."""
    scale = instrument.medium_index / (wavelength_um * instrument.magnification)
    cosine = math.sqrt(1 - (instrument.numerical_aperture / instrument.medium_index) ** 2)
    return 2 * math.pi * scale**2 * (1 - cosine)


def pupil_edge(instrument: Instrument, wavelength_um: float) -> float:
    """Radius of the pupil, 1/um at the array."""
    return instrument.numerical_aperture / (instrument.magnification * wavelength_um)


def ramp(axis: Axis, frequencies: Real, image_um: float) -> Complex:
    """Phase over ``frequencies`` in 1/um that moves an image by ``image_um`` and the origin to the first sample."""
    phase: Complex = np.exp(2j * np.pi * frequencies * (axis.positions_um()[0] - image_um))
    return phase


def pupil(instrument: Instrument, wavelength_um: float, step: float, squared: Real, z_um: float) -> Complex:
    """Aperture, apodisation and defocus over ``squared`` spatial frequency; the edge is one ``step`` of it wide.

    A soft edge weighs each sample by the area that it covers, which keeps the pupil's energy right on coarse grids.
    """
    radius = np.sqrt(squared)
    edge = pupil_edge(instrument, wavelength_um)
    cover = np.clip((edge - radius) / step + 0.5, 0, 1)
    sine = radius * wavelength_um * instrument.magnification / instrument.medium_index
    cosine = np.sqrt(1 - np.minimum(sine, 0.9999) ** 2)
    defocus = -2 * np.pi * instrument.medium_index / wavelength_um * cosine * z_um
    transmitted: Complex = cover * cosine**-0.5 * np.exp(1j * defocus)
    return transmitted


def lenslets(instrument: Instrument, wavelength_um: float, grid: Grid) -> Complex:
    """Transmission of the array: a thin lens in each cell, opaque outside a round lenslet."""
    down, right = (
        _from_nearest(axis.positions_um(), side_um) ** 2
        for axis, side_um in zip((grid.down, grid.right), instrument.cell.size_um, strict=True)
    )
    lines = [np.exp(-1j * np.pi / (wavelength_um * instrument.focal_length_um) * squared) for squared in (down, right)]
    lens: Complex = np.outer(*lines)
    if instrument.aperture == "round":
        lens *= down[:, None] + right[None, :] <= (instrument.pitch_um / 2) ** 2
    return lens


def _from_nearest(positions_um: Real, side_um: float) -> Real:
    return positions_um - side_um * np.round(positions_um / side_um)


def _angular_spectrum(wavelength_um: float, grid: Grid, distance_um: float) -> Complex:
    """Free propagation over ``distance_um`` in air, without the constant phase (Goodman 2005, section 3.10)."""
    down, right = grid.down.half_frequencies(), grid.right.half_frequencies()
    relative = 1 - (down[:, None] ** 2 + right[None, :] ** 2) * wavelength_um**2
    phase = 2 * np.pi / wavelength_um * distance_um * (np.sqrt(np.maximum(relative, 0)) - 1)
    quarter: Complex = np.exp(1j * phase) * (relative > 0)
    return quarter[np.abs(grid.down.whole_frequencies())][:, np.abs(grid.right.whole_frequencies())]
