"""Quad order against the definitions: mirror images stand together, and no row is lost or had twice."""

import numpy as np
import pytest

from lfcore.projection.cell import parity_matrix
from lfcore.projection.quads import CENTRE, EMPTY, FULL, LINES, QuadOrder, padded_kinds, plane_rows, quad_order

SHAPES = [
    *((length, length) for length in (*range(1, 10), 15, 16)),
    (3, 5),
    (5, 3),
    (4, 7),
    (7, 4),
    (2, 6),
    (1, 4),
    (5, 1),
]


def used(rows: np.ndarray) -> list[tuple[int, int]]:
    """The rows (y, x) of all quads that are not empty."""
    return [(int(y), int(x)) for y, x in rows.reshape(-1, 2) if y != EMPTY]


def orbit(order: QuadOrder, y: int, x: int) -> set[tuple[int, int]]:
    """A position and its mirror images."""
    below, right = (side - 1 for side in order.shape)
    return {(y, x), (below - y, x), (y, right - x), (below - y, right - x)}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_position_and_every_parity_has_one_row(shape: tuple[int, int]) -> None:
    order, everything = quad_order(shape), list(np.ndindex(shape))
    assert sorted(used(order.positions)) == everything
    assert sorted(used(order.parities)) == everything
    np.testing.assert_array_equal(order.positions == EMPTY, order.parities == EMPTY)
    assert order.quads == len(order.kinds)
    if shape[0] == shape[1]:
        assert order.quads == -(-(shape[0] ** 2 + 3 * (shape[0] % 2)) // 4), "a square's quads are full"


@pytest.mark.parametrize("shape", SHAPES)
def test_a_quad_holds_whole_sets_of_mirror_images(shape: tuple[int, int]) -> None:
    order = quad_order(shape)
    for kind, positions in zip(order.kinds, order.positions, strict=True):
        rows = used(positions)
        assert set(rows) == set().union(*(orbit(order, *row) for row in rows))
        assert len(rows) in {FULL: (4,), LINES: (4,) if shape[0] == shape[1] else (2, 4), CENTRE: (1,)}[int(kind)]
        assert len(orbit(order, *rows[0])) == {FULL: 4, LINES: 2, CENTRE: 1}[int(kind)]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_parity_row_of_a_quad_is_made_of_its_positions_alone(shape: tuple[int, int]) -> None:
    order, (basis_y, basis_x) = quad_order(shape), (parity_matrix(length, np.float64) for length in shape)
    for positions, parities in zip(order.positions, order.parities, strict=True):
        for down, right in used(parities):
            weights = np.outer(basis_y[down], basis_x[right])
            assert {(int(y), int(x)) for y, x in np.argwhere(weights)} <= set(used(positions))


@pytest.mark.parametrize("shape", SHAPES)
def test_slots_have_the_parities_that_kernels_count_on(shape: tuple[int, int]) -> None:
    """``mirrored_slots`` and ``odd_slots`` of ``quad.cl``."""
    order, evens = quad_order(shape), [-(-length // 2) for length in shape]
    # Slots that are odd down, and odd across.
    odd = {FULL: ([2, 3], [1, 3]), LINES: ([3], [1]), CENTRE: ([], [])}
    for kind, parities in zip(order.kinds, order.parities, strict=True):
        for axis in (0, 1):
            there = [slot for slot in odd[int(kind)][axis] if parities[slot, axis] != EMPTY]
            assert [slot for slot in range(4) if parities[slot, axis] >= evens[axis]] == there


@pytest.mark.parametrize("shape", SHAPES)
def test_rows_of_channels_lead_back_to_their_positions(shape: tuple[int, int]) -> None:
    order = quad_order(shape)
    at = order.positions.reshape(-1, 2)[order.row_of_channel()]
    np.testing.assert_array_equal(at, list(np.ndindex(shape)))


@pytest.mark.parametrize("planes", [1, 3])
@pytest.mark.parametrize("length", [1, 4, 5])
def test_rows_of_planes_follow_one_another_and_know_their_transpose(length: int, planes: int) -> None:
    order = quad_order((length, length))
    rows = plane_rows(order, planes)
    assert len(np.unique(rows[:, 0])) == len(rows) == planes * length**2
    for channel, (row, swapped) in enumerate(rows):
        plane, (down, right) = channel // length**2, divmod(channel % length**2, length)
        assert row // (4 * order.quads) == swapped // (4 * order.quads) == plane
        assert order.positions.reshape(-1, 2)[row % (4 * order.quads)].tolist() == [down, right]
        assert order.positions.reshape(-1, 2)[swapped % (4 * order.quads)].tolist() == [right, down]


@pytest.mark.parametrize(("length", "planes", "multiple", "quads"), [(4, 2, 8, 8), (3, 1, 4, 4), (5, 3, 8, 24)])
def test_quads_are_filled_up_with_such_as_mix_nothing(length: int, planes: int, multiple: int, quads: int) -> None:
    order = quad_order((length, length))
    kinds = padded_kinds(order, planes, multiple)
    assert len(kinds) == quads
    np.testing.assert_array_equal(kinds[: planes * order.quads].reshape(planes, -1), [order.kinds] * planes)
    assert (kinds[planes * order.quads :] == CENTRE).all()
