"""The transform by products against complex Fourier sums, and there and back."""

import math

import numpy as np
import numpy.typing as npt
import pytest

from lfcore.projection.cell import even_count, parity_matrix
from lfcore.projection.fourier import CellTransform, Window
from lfcore.projection.spectrum import FrequencyGroups, frequencies, frequency_groups

Floats = npt.NDArray[np.float64]
WINDOWS = {
    "whole": (Window(0, 5, 5), Window(0, 5, 5)),
    "part of an even square": (Window(2, 3, 6), Window(1, 4, 6)),
    "oblong": (Window(1, 2, 4), Window(0, 7, 9)),
    "one": (Window(0, 1, 1), Window(0, 1, 1)),
}


def random_cells(windows: tuple[Window, Window], channels: int, frames: int, seed: int) -> Floats:
    return np.random.default_rng(seed).normal(size=(frames, channels, windows[0].count, windows[1].count))


def transform(
    shape: tuple[int, int], planes: int, windows: tuple[Window, Window], dtype: npt.DTypeLike
) -> CellTransform:
    return CellTransform(shape, planes, windows, groups_of(shape, windows), dtype)


def groups_of(shape: tuple[int, int], windows: tuple[Window, Window]) -> FrequencyGroups:
    """Axes of a square cell can be exchanged."""
    return frequency_groups(windows[0].cells, windows[1].cells, shape[0] == shape[1])


def functions(window: Window, odd: bool) -> npt.NDArray[np.complexfloating]:
    """(frequency, lenslet) whose real and imaginary parts make the pair of an even or an odd channel."""
    cycles = frequencies(window.cells)[:, None]
    places = np.arange(window.first, window.first + window.count)
    weight = np.sqrt(np.where(cycles == 0, 1, 2) / window.cells)
    return np.asarray(weight * np.exp(2j * np.pi * cycles * places / window.cells) * (1j if odd else 1))


def quartets(cells: Floats, windows: tuple[Window, Window], odd_y: bool, odd_x: bool) -> Floats:
    """(y, x) cells of one channel to (ky, kx, part of y, part of x)."""
    down, right = functions(windows[0], odd_y), functions(windows[1], odd_x)
    parts = [[np.einsum("ky,lx,yx->kl", v, u, cells) for u in (right.real, right.imag)] for v in (down.real, down.imag)]
    return np.moveaxis(np.array(parts), (0, 1), (2, 3))


@pytest.mark.parametrize("windows", WINDOWS.values(), ids=WINDOWS)
@pytest.mark.parametrize(
    ("shape", "planes"), [((1, 1), 1), ((2, 2), 3), ((3, 3), 2), ((4, 4), 1), ((2, 3), 2), ((5, 3), 1), ((1, 4), 2)]
)
def test_columns_are_fourier_sums_in_the_parity_basis(
    windows: tuple[Window, Window], shape: tuple[int, int], planes: int
) -> None:
    down, right = shape
    cells = random_cells(windows, planes * down * right, 2, seed=down)
    model = transform(shape, planes, windows, np.float64)
    odd_y, odd_x = (np.arange(length) >= even_count(length) for length in shape)
    columns = model.gather(model.analyse(cells), slice(None))
    bases = [parity_matrix(length, np.float64) for length in shape]
    parity = np.einsum("ap,cq,fzpqyx->fzacyx", *bases, cells.reshape(2, planes, *shape, *cells.shape[2:]))
    groups = groups_of(shape, windows)
    for frame, plane, a, c in np.ndindex(2, planes, *shape):
        found = columns[frame, :, (plane * down + a) * right + c]
        direct = quartets(parity[frame, plane, a, c], windows, odd_y[a], odd_x[c])[groups.ky, groups.kx]
        np.testing.assert_allclose(found[:, :4], direct.reshape(-1, 4), atol=1e-13)
        if groups.square:
            other = quartets(parity[frame, plane, c, a], windows, odd_y[c], odd_x[a])[groups.kx, groups.ky]
            np.testing.assert_allclose(found[:, 4:], other.reshape(-1, 4), atol=1e-13)


@pytest.mark.parametrize("windows", WINDOWS.values(), ids=WINDOWS)
@pytest.mark.parametrize(("shape", "planes"), [((1, 1), 1), ((2, 2), 3), ((3, 3), 2), ((5, 5), 1), ((3, 2), 2)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 2e-6), (np.float64, 1e-14)])
def test_synthesis_brings_the_cells_back(
    windows: tuple[Window, Window], shape: tuple[int, int], planes: int, dtype: npt.DTypeLike, tolerance: float
) -> None:
    cells = random_cells(windows, planes * math.prod(shape), 2, seed=10 * shape[0]).astype(dtype)
    model = transform(shape, planes, windows, dtype)
    back = model.synthesise(model.gather(model.analyse(cells), slice(None)))
    assert back.dtype == dtype
    np.testing.assert_allclose(back, cells, atol=tolerance * np.abs(cells).max())
