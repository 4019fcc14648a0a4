"""Focal stacks by shift-and-add of the views (Ng 2005; Levoy 2006), and what is sharp in them.

The light of every pixel is put where its ray crosses a plane and spread as linear interpolation between lenslets would;
the same is done with the sensitivities, and the ratio of both is the plane's image. So an evenly lit plane is even
at any depth, missing pixels leave no hole, and each ray counts as its light does.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import correlate1d, gaussian_filter, gaussian_laplace

from lfcore.optics.instrument import Instrument
from lfcore.projection.rays import rays

Image = npt.NDArray[np.float32]
Pair = tuple[int, int]

MARGIN_CELLS = 2
"""Light that falls so far outside the field still reaches into it when it is spread."""

FAINTEST = 0.01
"""Places that receive less than this fraction of the most sensitivity are not seen."""

DETAIL_LENSLETS = 0.35
"""Scale of the detail by which sharpness is judged: the finest that a light field tells from noise."""

NEIGHBOURHOOD_LENSLETS = 1.2
"""Standard deviation of the neighbourhood over which sharpness is averaged."""

DECISIVENESS = 4
"""Power of the sharpness in the mean over planes: smooth from place to place, and close to the sharpest plane."""


def refocus(
    light_field: npt.NDArray[np.floating[Any]],
    sensitivity: npt.NDArray[np.floating[Any]],
    instrument: Instrument,
    planes_um: tuple[float, ...],
    samples_per_lenslet: int,
) -> Image:
    """Focal stack (z, y, x) float32 on the voxel grid of a reconstruction, in units of the light field; 0 where unseen.

    ``light_field`` (cells * pixels along y and x) is rectified, NaN where missing; ``sensitivity`` has its shape, 0
    where a pixel is not to be used. ``planes_um`` are depths, ``z > 0`` towards the objective.
    """
    cell, fan = instrument.cell, rays(instrument)
    samples = cell.samples(samples_per_lenslet)
    cells = light_field.shape[0] // cell.pixels[0], light_field.shape[1] // cell.pixels[1]
    used = np.isfinite(light_field) & (sensitivity > 0)
    both = np.stack([np.where(used, light_field, 0), np.where(used, sensitivity, 0)]).astype(np.float32)
    split = both.reshape(2, cells[0], cell.pixels[0], cells[1], cell.pixels[1])
    bundles = np.ascontiguousarray(split.transpose(2, 4, 0, 1, 3)[fan.pixels[:, 0], fan.pixels[:, 1]])
    stack = np.empty((len(planes_um), cells[0] * samples[0], cells[1] * samples[1]), np.float32)
    for image, z_um in zip(stack, planes_um, strict=True):
        places = (fan.origins(z_um) + 0.5) * samples - 0.5
        light, weight = _spread(_gather(bundles, places, samples), samples)
        np.divide(light, weight, out=image, where=weight > FAINTEST * weight.max())
        image[weight <= FAINTEST * weight.max()] = 0
    return stack


def all_in_focus(stack: Image, planes_um: tuple[float, ...], samples_per_lenslet: int) -> tuple[Image, Image]:
    """What is sharp in a focal stack (z, y, x), and at which depth: images (y, x), the second in um.

    Sharpness is the energy of the Laplacian of a Gaussian, averaged over a neighbourhood. Both results are means over
    the planes, weighted by a power of it; where nothing has an edge, the depth says nothing.
    """
    fine, wide = DETAIL_LENSLETS * samples_per_lenslet, NEIGHBOURHOOD_LENSLETS * samples_per_lenslet
    weight = np.empty_like(stack)
    for plane, sharpness in zip(stack, weight, strict=True):
        gaussian_filter(gaussian_laplace(plane, fine) ** 2, wide, output=sharpness)
    weight[:, weight.max(axis=0) == 0] = 1
    # In place: a stack may be large. Powers of the ratio to the sharpest plane neither vanish nor overflow.
    weight /= weight.max(axis=0)
    weight **= DECISIVENESS
    weight /= weight.sum(axis=0)
    depths = np.array(planes_um, np.float32)
    return np.einsum("zyx,zyx->yx", weight, stack), np.einsum("zyx,z->yx", weight, depths)


def _gather(bundles: Image, places: npt.NDArray[np.float64], samples: Pair) -> Image:
    """Put (ray, 2, row, column) bundles at fractional sample ``places`` (ray, 2), shared between the nearest samples.

    Returns (2, y, x) samples with ``MARGIN_CELLS`` on each side.
    """
    rows, columns = (count + 2 * MARGIN_CELLS for count in bundles.shape[2:])
    phases = np.zeros((samples[0], samples[1], 2, rows, columns), np.float32)
    whole = np.floor(places).astype(int)
    part = places - whole
    for bundle, (y, x), (right_y, right_x) in zip(bundles, whole, part, strict=True):
        for down, share_y in ((0, 1 - right_y), (1, right_y)):
            row, phase_y = divmod(y + down, samples[0])
            to_rows, from_rows = _overlap(row + MARGIN_CELLS, bundle.shape[1], rows)
            for across, share_x in ((0, 1 - right_x), (1, right_x)):
                column, phase_x = divmod(x + across, samples[1])
                to_columns, from_columns = _overlap(column + MARGIN_CELLS, bundle.shape[2], columns)
                share = np.float32(share_y * share_x)
                phases[phase_y, phase_x][:, to_rows, to_columns] += share * bundle[:, from_rows, from_columns]
    return phases.transpose(2, 3, 0, 4, 1).reshape(2, rows * samples[0], columns * samples[1])


def _overlap(start: int, length: int, room: int) -> tuple[slice, slice]:
    """Where ``length`` entries that begin at ``start`` lie in ``room`` places, and which of them do."""
    low, high = max(start, 0), max(min(start + length, room), max(start, 0))
    return slice(low, high), slice(low - start, high - start)


def _spread(both: Image, samples: Pair) -> Image:
    """``both`` (2, y, x) spread over the lenslets' distance as linear interpolation does, without its margin."""
    for axis, count in zip((1, 2), samples, strict=True):
        tent = 1 - np.abs(np.arange(1 - count, count)) / count
        both = correlate1d(both, tent, axis=axis, mode="constant")
    inside = (slice(MARGIN_CELLS * count, -MARGIN_CELLS * count) for count in samples)
    return both[:, *inside]
