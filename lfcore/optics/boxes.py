"""Voxels full of light: the mean of point images over a box, by Gauss-Legendre quadrature.

As a function of the point's place an image holds no frequency above ``2 NA / lambda`` laterally and ``n (1 - cos
alpha) / lambda`` axially: fields are limited to half the former, and interfere. So the nodes that integrate all lower
frequencies over the box to ``TOLERANCE`` do so for images.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lfcore.errors import SettingsError
from lfcore.optics.instrument import Instrument

TOLERANCE = 5e-4
MOST_NODES = 64

Nodes = list[tuple[float, float]]


@dataclass(frozen=True)
class BoxNodes:
    """(offset in um, weight) along each axis; weights sum to one."""

    z: Nodes
    y: Nodes
    x: Nodes


def box_nodes(instrument: Instrument) -> BoxNodes:
    """Where images are taken for one voxel: at its middle only if voxels are points.

    Raises ``SettingsError`` for a voxel too large for ``MOST_NODES`` along an axis.
    """
    if instrument.box is None:
        middle = [(0.0, 1.0)]
        return BoxNodes(middle, middle, middle)
    size_um = box_um(instrument)
    axial, lateral = _bands(instrument)
    return BoxNodes(_nodes(size_um[0], axial), _nodes(size_um[1], lateral), _nodes(size_um[2], lateral))


def box_um(instrument: Instrument) -> tuple[float, float, float]:
    """Sides (z, y, x) of a voxel, um; zero for points."""
    if instrument.box is None:
        return 0.0, 0.0, 0.0
    samples = instrument.cell.samples(instrument.box.samples_per_lenslet)
    height_um, width_um = (side / count for side, count in zip(instrument.object_cell_um, samples, strict=True))
    return instrument.box.depth_um, height_um, width_um


def _bands(instrument: Instrument) -> tuple[float, float]:
    """Highest axial and lateral frequency of images, 1/um. Behind an array in the pupil a lenslet sees but a part."""
    shortest, optics = min(um for um, _ in instrument.spectrum), instrument.pupil
    tangent = optics.edge / math.sqrt(max(optics.medium_index**2 - optics.edge**2, 1e-6))
    axial = optics.medium_index - math.sqrt(optics.medium_index**2 - optics.edge**2)
    width = 2 * optics.edge
    if instrument.fourier_lens_um is not None:
        width = min(width, instrument.pitch_um * instrument.magnification / instrument.fourier_lens_um)
        axial = min(axial, width * tangent)
    return axial / shortest, width / shortest


def _nodes(width_um: float, band: float) -> Nodes:
    frequencies = np.pi * band * width_um * np.linspace(0, 1, 65)
    exact = np.sinc(frequencies / np.pi)
    for count in range(1, MOST_NODES + 1):
        places, weights = np.polynomial.legendre.leggauss(count)
        error = np.cos(np.outer(frequencies, places)) @ weights / 2 - exact
        if np.abs(error).max() <= TOLERANCE:
            return _pairs(places * width_um / 2, weights / 2)
    raise SettingsError(
        f"volume.voxels 'boxes': voxels {width_um:.3g} um wide or deep hold too fine a pattern to integrate;"
        " use more samples_per_lenslet, a smaller step of z_um, or 'points'"
    )


def _pairs(offsets: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> Nodes:
    return [(float(offset), float(weight)) for offset, weight in zip(offsets, weights, strict=True)]
