"""Groups of frequencies: every one of the quarter plane is served, by the right matrix."""

from collections import Counter

import numpy as np
import pytest

from lfcore.projection.spectrum import SQUARE_LIMIT, frequencies, frequency_groups, grid_cells

GRIDS = [(1, 1), (4, 4), (5, 5), (6, 6), (4, 9), (9, 4), (5, 8), (1, 6)]


@pytest.mark.parametrize("lenslets", range(1, 10))
def test_frequencies_and_their_mirrors_are_all_that_a_period_holds(lenslets: int) -> None:
    """Waves of whole numbers of cycles, or all of half numbers, are orthogonal: there are as many as lenslets."""
    cycles = frequencies(lenslets)
    both = np.unique(np.concatenate([cycles, -cycles]))
    waves = np.exp(2j * np.pi / lenslets * np.outer(both, np.arange(lenslets)))
    np.testing.assert_allclose(waves @ waves.conj().T, lenslets * np.eye(lenslets), atol=1e-13)


@pytest.mark.parametrize("grid", GRIDS)
def test_every_frequency_of_the_quarter_plane_is_served_once(grid: tuple[int, int]) -> None:
    groups = frequency_groups(*grid)
    served = Counter(zip(groups.ky.tolist(), groups.kx.tolist(), strict=True))
    if groups.square:
        served.update((kx, ky) for ky, kx in list(served) if ky != kx)
    down, right = (len(frequencies(lenslets)) for lenslets in grid)
    assert served == Counter(np.ndindex(down, right))
    assert groups.square == (grid[0] == grid[1])


def test_a_square_grid_needs_half_the_matrices() -> None:
    assert len(frequency_groups(64, 64).ky) == 32 * 33 // 2
    assert len(frequency_groups(64, 65).ky) == 32 * 33
    assert len(frequency_groups(65, 65).ky) == 33 * 34 // 2


def test_the_grid_is_square_unless_that_costs_too_much() -> None:
    assert grid_cells(20, 24) == (24, 24)
    oblong = grid_cells(10, 40)
    assert oblong[0] < oblong[1]
    for rows, columns in [(7, 7), (13, 11), (10, 40), (41, 11)]:
        grid = grid_cells(rows, columns)
        assert grid[0] >= rows
        assert grid[1] >= columns
        assert grid[0] == grid[1] or max(grid) ** 2 > SQUARE_LIMIT * grid[0] * grid[1]
