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

from lfcore.optics.grid import Grid, Real, make_grid
from lfcore.optics.instrument import Instrument
from lfcore.threads import single_threaded_blas

Complex = npt.NDArray[np.complexfloating]
RealImage = npt.NDArray[np.floating]


def point_images(
    instrument: Instrument,
    z_um: float,
    offsets_um: Sequence[tuple[float, float]],
    radius_lenslets: int | None = None,
    dtype: npt.DTypeLike = np.float32,
    guard_lenslets: float | None = None,
) -> RealImage:
    """Images of points at ``z_um`` and at each lateral offset (dy, dx) in um from the axis of the middle lenslet.

    Returns (point, y, x) of ``dtype`` (float32 or float64), ``N`` pixels a lenslet and ``2 radius + 1`` lenslets a
    side. The energy that passes the pupil is one, so what lies outside the window is missing from the sum.
    """
    radius = instrument.window_radius_lenslets(z_um) if radius_lenslets is None else radius_lenslets
    side = (2 * radius + 1) * instrument.pixels_per_lenslet
    images = np.zeros((len(offsets_um), side, side), dtype)
    for wavelength_um, weight in instrument.spectrum:
        grid = make_grid(
            instrument, wavelength_um, 2 * radius + 1, *([] if guard_lenslets is None else [guard_lenslets])
        )
        wave = _Wave(instrument, wavelength_um, grid, z_um, np.result_type(images.dtype, np.complex64))
        for image, (dy_um, dx_um) in zip(images, offsets_um, strict=True):
            image += weight * wave.image(dy_um, dx_um)
    return images


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
        frequencies = np.abs(grid.frequencies()[: grid.size // 2 + 1])
        squared = frequencies[:, None] ** 2 + frequencies[None, :] ** 2
        inside = math.ceil(pupil_edge(instrument, wavelength_um) / frequencies[1] + 0.5)
        self.frequencies = frequencies[:inside]
        both_signs = np.where(self.frequencies > 0, 2, 1)
        amplitude = frequencies[1] / (grid.size * math.sqrt(pupil_energy(instrument, wavelength_um)))
        quarter = pupil(instrument, wavelength_um, frequencies[1], squared[:inside, :inside], z_um)
        self.pupil = (amplitude * np.outer(both_signs, both_signs) * quarter).astype(self.dtype)
        self.lenslets = lenslets(instrument, wavelength_um, grid).astype(self.dtype)
        travel = _angular_spectrum(wavelength_um, squared, instrument.sensor_distance_um).astype(self.dtype)
        mirrored = np.minimum(np.arange(grid.size), grid.size - np.arange(grid.size))
        self.travel = travel[mirrored][:, mirrored]

    def image(self, dy_um: float, dx_um: float) -> RealImage:
        """(y, x) pixel integrals of the intensity of a point at the offset (dy, dx) in um."""
        with single_threaded_blas():
            field = _real_times_complex(self._cosines(dy_um), _real_times_complex(self._cosines(dx_um), self.pupil).T)
        field *= self.lenslets
        spectrum = fft2(field, workers=-1, overwrite_x=True)
        spectrum *= self.travel
        field = ifft2(spectrum, workers=-1, overwrite_x=True)
        start = (self.grid.size - self.grid.window) // 2
        inside = field[start : start + self.grid.window, start : start + self.grid.window]
        fine, side = self.grid.oversampling, self.grid.window // self.grid.oversampling
        parts = inside.view(inside.real.dtype).reshape(side, fine, side, 2 * fine)
        return np.asarray(np.einsum("aubv,aubv->ab", parts, parts))

    def _cosines(self, offset_um: float) -> RealImage:
        """(position, frequency) cosines about the native image of the offset: a frequency and its mirror together."""
        from_image_um = self.grid.positions_um() - self.magnification * offset_um
        cosines = np.cos(2 * np.pi * np.outer(from_image_um, self.frequencies))
        return cosines.astype(self.pupil.real.dtype)


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


def ramp(grid: Grid, frequencies: Real, image_um: float) -> Complex:
    """Phase over ``frequencies`` in 1/um that moves an image by ``image_um`` and the origin to the first sample."""
    phase: Complex = np.exp(2j * np.pi * frequencies * (grid.positions_um()[0] - image_um))
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
    squared = grid.position_in_lenslet_um() ** 2
    line = np.exp(-1j * np.pi / (wavelength_um * instrument.focal_length_um) * squared)
    lens: Complex = np.outer(line, line)
    if instrument.aperture == "round":
        lens *= squared[:, None] + squared[None, :] <= (instrument.pitch_um / 2) ** 2
    return lens


def _angular_spectrum(wavelength_um: float, squared: Real, distance_um: float) -> Complex:
    """Free propagation over ``distance_um`` in air, without the constant phase (Goodman 2005, section 3.10)."""
    relative = 1 - squared * wavelength_um**2
    phase = 2 * np.pi / wavelength_um * distance_um * (np.sqrt(np.maximum(relative, 0)) - 1)
    travel: Complex = np.exp(1j * phase) * (relative > 0)
    return travel
