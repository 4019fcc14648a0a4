"""From kernels to matrices: one real matrix for each group of frequencies and each parity class.

``H(k)[p, zq] = sum_m h[zq][m, p] exp(-2 pi i k.m / L)`` in the parity basis of ``p`` and ``q`` is a cosine transform
over ``m`` along an axis where ``p`` and ``q`` have the same parity and a sine transform where they differ; phases and
signs are those of the pairs in ``fourier``. For the part of ``h`` that is odd under the axis' mirror it is the other
way round (``parity``).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lfcore.projection.cell import Array, change_basis, even_count, pair_weight, parity_matrix
from lfcore.projection.kernels import PlaneKernels
from lfcore.projection.parity import ParityClass, parity_classes
from lfcore.projection.spectrum import FrequencyGroups, frequencies
from lfcore.threads import in_parts, single_threaded_blas

Tables = tuple[Array, Array]


def matrices(kernels: Sequence[PlaneKernels], groups: FrequencyGroups, dtype: npt.DTypeLike) -> Array:
    """The operator as (group, plane * sample, class * pixel) real matrices, in the parity basis of samples and pixels.

    Classes are those of ``parity_classes`` for the kernels' symmetry.
    """
    (down, right), (height, width) = kernels[0].samples, kernels[0].pixels
    samples, pixels, classes = down * right, height * width, parity_classes(kernels[0].symmetry)
    result = np.empty((len(groups.ky), len(kernels) * samples, len(classes) * pixels), dtype)

    def work(part: slice) -> None:
        for plane in range(*part.indices(len(kernels))):
            for index, parity in enumerate(classes):
                here = slice(plane * samples, (plane + 1) * samples), slice(index * pixels, (index + 1) * pixels)
                _fill(result[:, *here], kernels[plane], parity if len(classes) > 1 else None, groups)

    with single_threaded_blas():
        in_parts(len(kernels), work)
    return result


def _fill(result: Array, kernel: PlaneKernels, parity: ParityClass | None, groups: FrequencyGroups) -> None:
    """The matrices of one plane and class, (group, sample, pixel); without ``parity`` the kernel is even."""
    (down, right), dtype = kernel.samples, result.dtype
    tables_y, tables_x = _tables(kernel, parity, groups, dtype)
    for a, weight_a in enumerate(pair_weight(down)):
        for c, weight_c in enumerate(pair_weight(right)):
            image = kernel.image(a, c) if parity is None else parity.image(kernel, a, c)
            folded = _fold(image.astype(dtype, copy=False) * dtype.type(weight_a * weight_c), kernel.pixels)
            for parity_a, parity_c, block in _blocks(folded, tables_y, tables_x):
                if (parity_a and 2 * a + 1 == down) or (parity_c and 2 * c + 1 == right):
                    continue
                row, column = a + parity_a * even_count(down), c + parity_c * even_count(right)
                result[:, row * right + column] = block[groups.ky, :, groups.kx].reshape(len(groups.ky), -1)


def _fold(image: Array, pixels: tuple[int, int]) -> Array:
    """(cell y, pixel y, cell x, pixel x) with both pixel axes in the parity basis."""
    height, width = pixels
    cells = image.reshape(image.shape[0] // height, height, image.shape[1] // width, width).swapaxes(1, 2)
    bases = (parity_matrix(length, image.dtype) for length in pixels)
    return change_basis(cells, *bases).swapaxes(1, 2)


def _tables(
    kernel: PlaneKernels, parity: ParityClass | None, groups: FrequencyGroups, dtype: npt.DTypeLike
) -> tuple[Tables, Tables]:
    """For y and x the tables (frequency, cell offset from -radius to radius): cosine and sine of an even kernel.

    For an odd one sine and minus cosine stand in their places.
    """
    odd = (False, False) if parity is None else (parity.odd_y, parity.odd_x)

    def along(axis: int) -> Tables:
        radius, cells = kernel.radius_cells[axis], groups.grid[axis]
        angle = 2 * np.pi / cells * np.outer(frequencies(cells), np.arange(-radius, radius + 1))
        cosine, sine = np.cos(angle).astype(dtype), np.sin(angle).astype(dtype)
        return (sine, -cosine) if odd[axis] else (cosine, sine)

    return along(0), along(1)


def _transform(folded: Array, tables: Tables, parity: int) -> Array:
    """Sum over the first axis; axis 1 is in the parity basis. Cosine where its parity is ``parity``, else sine.

    ``folded`` (m, u, …) gives (k, u, …). Of the two sines that from even samples to odd pixels is negative.
    """
    evens = even_count(folded.shape[1])
    cosine, sine = tables
    first, second = (cosine, -sine) if parity == 0 else (sine, cosine)
    return np.concatenate(
        [np.tensordot(first, folded[:, :evens], 1), np.tensordot(second, folded[:, evens:], 1)], axis=1
    )


def _blocks(folded: Array, tables_y: Tables, tables_x: Tables) -> list[tuple[int, int, Array]]:
    """The four parities of a sample pair: (parity in y, parity in x, (ky, pixel y, kx, pixel x) transform)."""
    blocks = []
    for parity_a in (0, 1):
        down = np.moveaxis(_transform(folded, tables_y, parity_a), (2, 3), (0, 1))
        for parity_c in (0, 1):
            both = _transform(down, tables_x, parity_c)
            blocks.append((parity_a, parity_c, np.moveaxis(both, (0, 1), (2, 3))))
    return blocks
