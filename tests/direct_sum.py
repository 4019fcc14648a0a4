"""Light fields as sums of point images placed one by one: the operator without cells' symmetry, bases or transforms."""

from collections.abc import Mapping
from itertools import product

import numpy as np
import numpy.typing as npt

from lfcore.optics.instrument import Instrument
from lfcore.optics.psf import point_images

Floats = npt.NDArray[np.float64]
Images = Mapping[tuple[int, int], npt.NDArray[np.floating]]
"""The image (y, x) of each sample (a, c) of a cell, the cell in the middle of the image."""


def images_of(optics: Instrument, z_um: float, samples_per_lenslet: int) -> Images:
    """Every sample's own point image, computed at its own place."""
    cell = optics.cell
    samples = cell.samples(samples_per_lenslet)
    places = {
        (a, c): tuple(
            ((index + 0.5) / count - 0.5) * side_um / optics.image_magnification
            for index, count, side_um in zip((a, c), samples, cell.size_um, strict=True)
        )
        for a, c in product(*map(range, samples))
    }
    return {sample: point_images(optics, z_um, [(y, x)], dtype=np.float64)[0] for sample, (y, x) in places.items()}


def direct_sum(
    planes: list[Images], samples: tuple[int, int], pixels: tuple[int, int], margin: tuple[int, int], volume: Floats
) -> Floats:
    """The light field (y, x) of one ``volume`` (z, y, x) that reaches past it by ``margin`` (y, x) cells."""
    cells = volume.shape[1] // samples[0], volume.shape[2] // samples[1]
    reach = [max(image.shape[axis] for images in planes for image in images.values()) for axis in (0, 1)]
    total = np.zeros([count * size + 2 * edge for count, size, edge in zip(cells, pixels, reach, strict=True)])
    for plane, images in zip(volume, planes, strict=True):
        for (a, c), image in images.items():
            # Where the image begins when its cell is the first: the cell's own first pixel is at ``reach``.
            start = [edge - (side - size) // 2 for edge, side, size in zip(reach, image.shape, pixels, strict=True)]
            for row, column in product(*map(range, cells)):
                top, left = start[0] + row * pixels[0], start[1] + column * pixels[1]
                value = plane[row * samples[0] + a, column * samples[1] + c]
                total[top : top + image.shape[0], left : left + image.shape[1]] += value * image
    first = [edge + width * size for edge, width, size in zip(reach, margin, pixels, strict=True)]
    size = [(count - 2 * width) * side for count, width, side in zip(cells, margin, pixels, strict=True)]
    return total[first[0] : first[0] + size[0], first[1] : first[1] + size[1]]
