"""Which ray of the object each pixel under a lenslet sees: the ray limit of the model, for quick looks.

A pixel at ``u`` from its lenslet's centre, ``d`` behind it, receives the light that crosses the lenslet's middle with
the slope ``u / d``. By the sine condition its place in the pupil is ``s = M u / d``, and the light that leaves the
object at ``x``, with the optical path ``W`` to the pupil, meets the array at ``M (x - grad W(s))``. In a medium without
layers ``grad W`` is ``z tan(theta)``, so with ``z > 0``, towards the objective, disparity is negative (Levoy 2006).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lfcore.optics.array import from_nearest
from lfcore.optics.instrument import Instrument

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Rays:
    """The rays of the pixels of one cell that lie inside the image of the pupil.

    ``pixels`` (ray, 2) are their indices [v, u] in the cell, ``lenslets`` (ray, 2) the centres [y, x] of the lenslets
    that they belong to, in cells from the cell's middle, and ``sines`` (ray, 2) their places [y, x] in the pupil.
    """

    instrument: Instrument
    pixels: npt.NDArray[np.intp]
    lenslets: Floats
    sines: Floats

    def origins(self, z_um: float) -> Floats:
        """(ray, 2) where the rays that meet the array at their lenslets' centres leave depth ``z_um``, in cells."""
        optics = self.instrument
        travel_um = np.stack(optics.pupil.gradient_um(z_um, self.sines[:, 0], self.sines[:, 1]), axis=-1)
        return np.asarray(self.lenslets + optics.magnification * travel_um / optics.cell.size_um)


def rays(instrument: Instrument) -> Rays:
    """The rays of an instrument whose array lies at the native image plane."""
    cell = instrument.cell
    size_um = np.array(cell.size_um)
    pixels = np.stack(np.meshgrid(*map(np.arange, cell.pixels), indexing="ij"), axis=-1).reshape(-1, 2)
    places_um = ((pixels + 0.5) / cell.pixels - 0.5) * size_um
    offset_um = np.stack(from_nearest(instrument, places_um[:, 0], places_um[:, 1]), axis=-1)
    sines = instrument.magnification / instrument.sensor_distance_um * offset_um
    seen = np.hypot(sines[:, 0], sines[:, 1]) < instrument.pupil.edge
    return Rays(instrument, pixels[seen], ((places_um - offset_um) / size_um)[seen], sines[seen])
