"""What a light field microscope resolves at each depth.

*Lenslet limit.* Seen from a plane at ``z`` a lenslet is an aperture ``d/M`` wide at the distance ``|z|``; Sparrow's
criterion for its spot, ``0.47 lambda/NA`` with ``NA = d/(2 M |z|)``, gives the band limit of Broxton et al. 2013 (Opt.
Express 21, 25418, section on lateral resolution; derived anew here), valid where ``|z| >= d^2/(2 M^2 lambda)``:

    nu(z) = d / (0.94 lambda M |z|).

``lambda`` is that in vacuum. With the medium's index the same geometry gives ``n`` times as much, which a camera does
not reach: at that frequency nothing but noise is left.

*Band limit of the operator* (own derivation). Lines along y, periodic in x, have images ``A(nu)``: the pixels of one
cell. Frequencies that differ by whole cells are told apart by these pixels only. With ``F = n A* A^T / w`` the Fisher
information of ``n`` photons a cell, ``w`` the even light, a linear reconstruction recovers the part
``1 - ((1 + F)^-1)_qq`` of the frequency ``q``. The band limit is where that first falls below a half; with ``n`` of 100
a tenth of the amplitude is left there. Within a few lenslets of the native plane frequencies near one period a lenslet
are lost first, and higher ones may be seen again: the band limit is below that gap.
"""

import functools
import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lfcore.optics.instrument import Instrument
from lfcore.optics.psf import point_images

Floats = npt.NDArray[np.float64]

PHOTONS = 100.0
POSITIONS = 7
ROWS = (-0.25, 0.25)
"""Where lines are sampled along y, in cells: of an even sum over y two places are enough."""

FREQUENCIES = 16
DIMMEST = 1e-3
SPARROW = 0.94

LARGEST_SINE = 0.95
"""Rays beyond carry little light, and none where the medium's index is below the aperture."""

LARGEST_IMAGE_PX = 260
"""Point images with more pixels a side are not computed."""


def mean_wavelength_um(instrument: Instrument) -> float:
    """Wavelength in vacuum, weighted mean of the spectrum, um."""
    return sum(wavelength_um * weight for wavelength_um, weight in instrument.spectrum)


def diffraction_limit(instrument: Instrument) -> float:
    """Highest frequency that passes the objective, ``2 NA / lambda``, 1/um in the object."""
    return 2 * instrument.numerical_aperture / mean_wavelength_um(instrument)


def native_limit(instrument: Instrument) -> float:
    """Half a period a lenslet, ``M / (2 d)``, 1/um: what one sample a lenslet holds at the native plane."""
    return 1 / (2 * instrument.object_pitch_um)


def lenslet_limit(instrument: Instrument, z_um: float) -> float:
    """Broxton's band limit at ``z_um``, 1/um, never above the objective's; below ``near_um`` it says too much."""
    if z_um == 0:
        return diffraction_limit(instrument)
    spot_um = SPARROW * mean_wavelength_um(instrument) * abs(z_um) / instrument.object_pitch_um
    return min(1 / spot_um, diffraction_limit(instrument))


def near_um(instrument: Instrument) -> float:
    """Distance from the native plane below which the lenslet limit does not hold: ``d^2 / (2 M^2 lambda)``, um."""
    return instrument.object_pitch_um**2 / (2 * mean_wavelength_um(instrument))


def views(instrument: Instrument) -> float:
    """Directions that a lenslet tells apart along one axis (Levoy 2006, ``N_u``): spots or pixels a lenslet."""
    spot_um = SPARROW / 2 * mean_wavelength_um(instrument) / instrument.numerical_aperture
    return min(instrument.object_pitch_um / spot_um, float(instrument.pixels_per_lenslet))


def useful_um(instrument: Instrument) -> float:
    """Distance from the native plane up to which every view is sharp, um.

    Half of the depth of field of a light field microscope, ``(2 + N_u^2) lambda n / (2 NA^2)`` (Levoy 2006, section 3).
    """
    depth_um = mean_wavelength_um(instrument) * instrument.medium_index / (2 * instrument.numerical_aperture**2)
    return (2 + views(instrument) ** 2) * depth_um / 2


def depth_resolution_um(instrument: Instrument, band_limit: float) -> float:
    """Shortest period along z where ``band_limit`` is the lateral one, um (own derivation).

    Views differ in direction by ``tan(alpha)`` to both sides, so a lateral frequency ``nu`` carries axial ones up to
    ``nu tan(alpha)``: the edge of the missing cone.
    """
    sine = min(instrument.numerical_aperture / instrument.medium_index, LARGEST_SINE)
    return 1 / (band_limit * math.tan(math.asin(sine)))


def band_limit(instrument: Instrument, z_um: float, photons: float = PHOTONS) -> float:
    """Lowest frequency of lines along y that the operator does not recover at ``z_um``, 1/um in the object."""
    frequencies, recovered = recovery(instrument, z_um, photons)
    lost = np.flatnonzero(recovered < 0.5)
    if not len(lost):
        return float(frequencies[-1])
    if lost[0] == 0:
        return float(frequencies[0])
    inside, outside = lost[0] - 1, lost[0]
    part = (recovered[inside] - 0.5) / (recovered[inside] - recovered[outside])
    return float(frequencies[inside] + part * (frequencies[outside] - frequencies[inside]))


def recovery(instrument: Instrument, z_um: float, photons: float = PHOTONS) -> tuple[Floats, Floats]:
    """(frequency,) in 1/um, rising, and the part of each that a linear reconstruction of one plane recovers, 0 to 1."""
    positions, images = _line_images(instrument, z_um)
    reach = images.shape[1] // 2
    cells = np.arange(-reach, reach + 1)
    light = images.mean(0).sum(0)
    weight = photons / np.maximum(light, DIMMEST * light.max())
    orders = np.arange(POSITIONS) - POSITIONS // 2
    found = []
    for within in (np.arange(FREQUENCIES) + 0.5) / FREQUENCIES - 0.5:
        turns = within + orders
        # Periods a cell; the lines' brightness along x, and the same cell seen from its neighbours.
        brightness = np.exp(2j * np.pi * np.outer(turns, positions)) / POSITIONS
        shifts = np.exp(-2j * np.pi * np.outer(turns, cells))
        seen = np.einsum("qj,qm,jmp->qp", brightness, shifts, images, optimize=True)
        information = (seen.conj() * weight) @ seen.T
        left = np.linalg.inv(np.eye(POSITIONS) + information).diagonal().real
        found += list(zip(turns, 1 - left, strict=True))
    frequencies, recovered = np.array(sorted(pair for pair in found if pair[0] > 0)).T
    return frequencies / (instrument.cell.size_um[1] / instrument.magnification), recovered


def _line_images(instrument: Instrument, z_um: float) -> tuple[Floats, Floats]:
    """Lines along y at positions in a cell: (position,) in cells along x, and (position, cell along x, pixel)."""
    positions = (np.arange(POSITIONS) - (POSITIONS - 1) / 2) / POSITIONS
    down_um, right_um = (side / instrument.magnification for side in instrument.cell.size_um)
    mirrored = instrument.symmetry.mirror_x and instrument.symmetry.mirror_y
    some = positions[: POSITIONS // 2 + 1] if mirrored else positions
    few = ROWS[:1] if mirrored else ROWS
    offsets = [(y * down_um, float(x) * right_um) for x in some for y in few]
    images = point_images(instrument, z_um, offsets)
    height, width = instrument.cell.pixels
    cells = images.shape[1] // height, images.shape[2] // width
    parts = images.reshape(len(some), len(few), cells[0], height, cells[1], width)
    lines = parts.sum((1, 2), dtype=np.float64).transpose(0, 2, 1, 3) / len(few)
    if mirrored:
        lines = (lines + lines[:, :, ::-1]) / 2
        lines = np.concatenate([lines, lines[: POSITIONS // 2][::-1, ::-1, :, ::-1]])
    return positions, lines.reshape(POSITIONS, cells[1], height * width)


@dataclass(frozen=True)
class Resolution:
    """Limits against depth: ``z_um``, lateral ``band_limit`` in 1/um, ``lenslet_limit``, and ``depth_um`` along z."""

    z_um: tuple[float, ...]
    band_limit: tuple[float, ...]
    lenslet_limit: tuple[float, ...]
    depth_um: tuple[float, ...]

    @property
    def best(self) -> int:
        """Index of the plane with the highest band limit."""
        return int(np.argmax(self.band_limit))


STEPS = (0.05, 0.15, 0.25, 0.35, 0.5, 0.75, 1.0)
"""Where the curve is computed on each side, as parts of the useful range: densest where it turns."""


@functools.lru_cache(maxsize=4)
def resolution_curve(instrument: Instrument) -> Resolution:
    """The limits over the useful range, some seconds of work.

    Both sides are computed: they differ by up to a sixth. A lenslet alone, at its focal length from the camera, would
    see ``z`` and ``-z`` alike but for a mirror, so the difference is made by light of neighbours that mixes with its
    own.
    """
    reach = useful_um(instrument)
    depths = sorted({0.0, *(side * step * reach for step in STEPS for side in (-1, 1))})
    limits = [_limit(instrument, z_um) for z_um in depths]
    return Resolution(
        tuple(depths),
        tuple(limits),
        tuple(lenslet_limit(instrument, z_um) for z_um in depths),
        tuple(depth_resolution_um(instrument, limit) for limit in limits),
    )


def _limit(instrument: Instrument, z_um: float) -> float:
    """The operator's band limit; where its point images are too large Broxton's, or the native one where his fails."""
    plain = _no_more_than_needed(instrument)
    reach = max(plain.window_radius_cells(z_um))
    if (2 * reach + 1) * plain.pixels_per_lenslet <= LARGEST_IMAGE_PX:
        return band_limit(plain, z_um)
    return lenslet_limit(plain, z_um) if abs(z_um) > near_um(plain) else native_limit(plain)


def _no_more_than_needed(instrument: Instrument) -> Instrument:
    """Points of the mean wavelength by the model, with at most four pixels in the spot of a lenslet on the camera."""
    wavelength_um = mean_wavelength_um(instrument)
    spot_um = wavelength_um * instrument.focal_length_um / instrument.pitch_um
    finest = math.ceil(4 * instrument.pitch_um / spot_um)
    return replace(
        instrument,
        spectrum=((wavelength_um, 1.0),),
        pixels_per_lenslet=min(instrument.pixels_per_lenslet, finest),
        box=None,
        measured=None,
    )
