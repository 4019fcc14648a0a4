"""Which ray of the object each pixel under a lenslet sees: the ray limit of the model, for quick looks.

A pixel at ``u`` from its lenslet's centre, ``d`` behind it, receives the light that crosses the lenslet's middle with
the slope ``u / d``. By the sine condition its angle in the object is

    sin(theta) = M u / (n d),

and a ray that leaves the object at depth ``z`` over the place ``x`` meets the array at ``M (x - z tan(theta))``: with
``z > 0``, towards the objective, disparity is negative (Levoy 2006, section 3; not paraxial).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lfcore.optics.instrument import Instrument

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Rays:
    """The rays of the pixels of one cell that lie inside the image of the pupil.

    ``pixels`` (ray, 2) are their indices [v, u] in the cell, ``lenslets`` (ray, 2) the centres [y, x] of the lenslets
    that they belong to, in cells from the cell's middle, and ``travel`` (ray, 2) the way [y, x] on the array, in cells,
    from where a ray meets it to the native image of its origin, for a depth of one um.
    """

    pixels: npt.NDArray[np.intp]
    lenslets: Floats
    travel: Floats


def rays(instrument: Instrument) -> Rays:
    """The rays of an instrument whose array lies at the native image plane."""
    cell = instrument.cell
    size_um = np.array(cell.size_um)
    pixels = np.stack(np.meshgrid(*map(np.arange, cell.pixels), indexing="ij"), axis=-1).reshape(-1, 2)
    places_um = ((pixels + 0.5) / cell.pixels - 0.5) * size_um
    centres_um = lenslet_centres(instrument) * size_um
    from_centres_um = places_um[:, None] - centres_um
    nearest = np.argmin(np.hypot(from_centres_um[..., 0], from_centres_um[..., 1]), axis=1)
    offset_um = from_centres_um[np.arange(len(pixels)), nearest]
    sine = instrument.magnification / (instrument.medium_index * instrument.sensor_distance_um) * offset_um
    squared = np.sum(sine**2, axis=1)
    seen = squared <= (instrument.numerical_aperture / instrument.medium_index) ** 2
    tangent = sine[seen] / np.sqrt(1 - squared[seen, None])
    return Rays(pixels[seen], centres_um[nearest[seen]] / size_um, instrument.magnification / size_um * tangent)


def lenslet_centres(instrument: Instrument) -> Floats:
    """(lenslet, 2) centres [y, x] of the lenslets that a cell holds or shares, in cells from its middle."""
    corners = [(y, x) for y in (-0.5, 0.5) for x in (-0.5, 0.5)] if instrument.lattice == "hexagonal" else []
    return np.array([(0.0, 0.0), *corners])
