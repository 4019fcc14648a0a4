"""Groups of frequencies: every one of the half plane is served, by the right matrix."""

from collections import Counter

import numpy as np
import pytest

from lfcore.projection.cell import is_odd
from lfcore.projection.spectrum import SQUARE_LIMIT, channel_map, frequency_groups, grid_lenslets

GRIDS = [(1, 1), (4, 4), (5, 5), (6, 6), (4, 9), (9, 4), (5, 8), (1, 6)]


def on_edge(k: int, lenslets: int) -> bool:
    """Whether a frequency is its own mirror."""
    return k == 0 or 2 * k == lenslets


@pytest.mark.parametrize("grid", GRIDS)
def test_every_frequency_of_the_half_plane_belongs_to_one_group(grid: tuple[int, int]) -> None:
    groups = frequency_groups(*grid)
    served: dict[int, set[int]] = {}
    for group, members in enumerate(groups.members):
        for member in members:
            served.setdefault(int(member), set()).add(group)
    assert set(served) == set(range(grid[0] * (grid[1] // 2 + 1)))
    assert all(len(of) == 1 for of in served.values())


@pytest.mark.parametrize("grid", GRIDS)
def test_a_frequency_comes_twice_only_where_it_is_its_own_image(grid: tuple[int, int]) -> None:
    groups = frequency_groups(*grid)
    for ky, kx, members in zip(groups.ky, groups.kx, groups.members, strict=True):
        symmetric = on_edge(ky, grid[0]) or on_edge(kx, grid[1]) or (grid[0] == grid[1] and ky == kx)
        assert symmetric == (max(Counter(members.tolist()).values()) > 1) or on_edge(kx, grid[1])


@pytest.mark.parametrize("grid", GRIDS)
def test_members_are_the_images_of_the_stored_frequency(grid: tuple[int, int]) -> None:
    groups = frequency_groups(*grid)
    width = grid[1] // 2 + 1
    assert len(groups.mirrored) == len(groups.exchanged) == groups.members.shape[1]
    for index, (mirrored, exchanged) in enumerate(zip(groups.mirrored, groups.exchanged, strict=True)):
        ky, kx = (groups.kx, groups.ky) if exchanged else (groups.ky, groups.kx)
        np.testing.assert_array_equal(groups.members[:, index] // width, -ky % grid[0] if mirrored else ky)
        np.testing.assert_array_equal(groups.members[:, index] % width, kx)


def test_a_square_grid_needs_half_the_matrices() -> None:
    assert len(frequency_groups(64, 64).ky) == 33 * 34 // 2
    assert len(frequency_groups(64, 65).ky) == 33 * 33


def test_the_grid_is_square_unless_that_costs_too_much() -> None:
    assert grid_lenslets(20, 24) == (24, 24)
    oblong = grid_lenslets(10, 40)
    assert oblong[0] < oblong[1]
    for rows, columns in [(7, 7), (13, 11), (10, 40), (41, 11)]:
        grid = grid_lenslets(rows, columns)
        assert grid[0] >= rows
        assert grid[1] >= columns
        assert grid[0] == grid[1] or max(grid) ** 2 > SQUARE_LIMIT * grid[0] * grid[1]


@pytest.mark.parametrize("length", [1, 2, 3, 4])
@pytest.mark.parametrize("grid", [(6, 6), (4, 9)])
def test_the_channel_map_permutes_and_keeps_lengths(length: int, grid: tuple[int, int]) -> None:
    groups = frequency_groups(*grid)
    channels = channel_map(length, groups, np.complex128)
    np.testing.assert_allclose(np.abs(channels.factor), 1)
    assert channels.factor.dtype == np.complex128
    odd_y, odd_x = np.meshgrid(is_odd(length), is_odd(length), indexing="ij")
    for member, exchanged in enumerate(groups.exchanged):
        assert sorted(channels.order[member]) == list(range(length**2))
        transposed = np.arange(length**2).reshape(length, length).T.ravel()
        np.testing.assert_array_equal(channels.order[member], transposed if exchanged else np.arange(length**2))
    # Purely imaginary exactly where the two parities differ: that is what makes the matrix real.
    np.testing.assert_array_equal(channels.factor[0].imag != 0, (odd_y ^ odd_x).ravel())
