"""From kernels to matrices: one real matrix for each group of lenslet frequencies.

``H(k)[p, zq] = sum_m h[zq][m, p] exp(-2 pi i k.m / L)`` in the parity basis of ``p`` and ``q`` is a cosine transform
over ``m`` along an axis where ``p`` and ``q`` have the same parity and a sine transform where they differ; phases and
signs are those of the pairs in ``fourier``.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lfcore.projection.cell import Array, change_basis, even_count, pair_weight, parity_matrix
from lfcore.projection.kernels import PlaneKernels
from lfcore.projection.spectrum import FrequencyGroups, frequencies
from lfcore.threads import in_parts, single_threaded_blas


def matrices(
    kernels: Sequence[PlaneKernels], grid: tuple[int, int], groups: FrequencyGroups, dtype: npt.DTypeLike
) -> Array:
    """The operator as (group, plane * S * S, N * N) real matrices, in the parity basis of samples and pixels."""
    samples, pixels = kernels[0].samples_per_lenslet, kernels[0].pixels_per_lenslet
    result = np.empty((len(groups.ky), len(kernels) * samples * samples, pixels * pixels), dtype)

    def work(part: slice) -> None:
        for plane in range(*part.indices(len(kernels))):
            block = result[:, plane * samples**2 : (plane + 1) * samples**2]
            _fill_plane(block, kernels[plane], grid, groups)

    with single_threaded_blas():
        in_parts(len(kernels), work)
    return result


def _fill_plane(result: Array, kernel: PlaneKernels, grid: tuple[int, int], groups: FrequencyGroups) -> None:
    """The matrices of one plane: (group, S * S, N * N)."""
    samples, pixels, dtype = kernel.samples_per_lenslet, kernel.pixels_per_lenslet, result.dtype
    evens, weight = even_count(samples), pair_weight(samples)
    tables_y, tables_x = (_tables(kernel.radius_lenslets, lenslets, dtype) for lenslets in grid)
    for a in range(evens):
        for c in range(evens):
            folded = _fold(kernel.image(a, c).astype(dtype, copy=False) * dtype.type(weight[a] * weight[c]), pixels)
            for parity_a, parity_c, block in _blocks(folded, tables_y, tables_x):
                if (parity_a and 2 * a + 1 == samples) or (parity_c and 2 * c + 1 == samples):
                    continue
                row, column = a + parity_a * evens, c + parity_c * evens
                result[:, row * samples + column] = block[groups.ky, :, groups.kx].reshape(len(groups.ky), -1)


def _fold(image: Array, pixels: int) -> Array:
    """(lenslet y, pixel y, lenslet x, pixel x) with both pixel axes in the parity basis."""
    lenslets = image.shape[0] // pixels
    cells = image.reshape(lenslets, pixels, lenslets, pixels).swapaxes(1, 2)
    return change_basis(cells, parity_matrix(pixels, image.dtype)).swapaxes(1, 2)


def _tables(radius: int, lenslets: int, dtype: npt.DTypeLike) -> tuple[Array, Array]:
    """Cosine and sine tables, each (frequency, lenslet offset from -radius to radius)."""
    angle = 2 * np.pi / lenslets * np.outer(frequencies(lenslets), np.arange(-radius, radius + 1))
    return np.cos(angle).astype(dtype), np.sin(angle).astype(dtype)


def _transform(folded: Array, tables: tuple[Array, Array], parity: int) -> Array:
    """Sum over the first axis; axis 1 is in the parity basis. Cosine where its parity is ``parity``, else sine.

    ``folded`` (m, u, …) gives (k, u, …). Of the two sines that from even samples to odd pixels is negative.
    """
    evens = even_count(folded.shape[1])
    cosine, sine = tables
    first, second = (cosine, -sine) if parity == 0 else (sine, cosine)
    return np.concatenate(
        [np.tensordot(first, folded[:, :evens], 1), np.tensordot(second, folded[:, evens:], 1)], axis=1
    )


def _blocks(
    folded: Array, tables_y: tuple[Array, Array], tables_x: tuple[Array, Array]
) -> list[tuple[int, int, Array]]:
    """The four parities of a sample pair: (parity in y, parity in x, (ky, N, kx, N) transform)."""
    blocks = []
    for parity_a in (0, 1):
        down = np.moveaxis(_transform(folded, tables_y, parity_a), (2, 3), (0, 1))
        for parity_c in (0, 1):
            both = _transform(down, tables_x, parity_c)
            blocks.append((parity_a, parity_c, np.moveaxis(both, (0, 1), (2, 3))))
    return blocks
