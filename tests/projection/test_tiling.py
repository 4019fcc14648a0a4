"""Tiles against a plain convolution, and what kernels count on: every value written once, every slot used once."""

from itertools import product

import numpy as np
import numpy.typing as npt
import pytest

from lfcore.opencl.fourier import LENGTHS
from lfcore.projection.tiling import Axis, Span, Tiling, part_of, tiling

Floats = npt.NDArray[np.float64]
LOCAL_BYTES = 2**20
AXES = [
    Axis(lenslets, margin, tiles, even)
    for lenslets, margin, tiles, even in product((1, 2, 5, 8, 21), (0, 1, 2, 5), (1, 2, 3, 5), (False, True))
    if tiles <= lenslets
]


def grid_of(axis: Axis, extra: int) -> int:
    """A length of the grid; even, as all lengths are."""
    return axis.points + axis.points % 2 + extra


def read(field: Floats, span: Span, tile: int, points: int) -> Floats:
    """A tile's window of a field, zero outside it."""
    at = np.arange(points) + span.base + tile * span.step
    there = (at >= 0) & (at < len(field))
    return np.where(there, field[np.clip(at, 0, len(field) - 1)], 0)


def write(field: Floats, writes: npt.NDArray[np.int_], grid: Floats, span: Span, tile: int) -> None:
    """Put what is right of a tile's grid into a field, and count."""
    for position in range(span.low, min(span.high, len(grid))):
        at = position + span.base + tile * span.step
        if 0 <= at < len(field):
            field[at] = grid[position]
            writes[at] += 1


def periodic(values: Floats, kernel: Floats) -> Floats:
    """Periodic convolution with a kernel around zero."""
    margin = len(kernel) // 2
    return sum(weight * np.roll(values, shift - margin) for shift, weight in enumerate(kernel))


def through_tiles(
    axis: Axis, points: int, kernel: Floats, source: Floats, reads: Span, target: int, writes: Span
) -> Floats:
    """What comes out of all tiles; asserts that each value of the target is written once."""
    result, count = np.full(target, np.nan), np.zeros(target, int)
    for tile in range(axis.tiles):
        write(result, count, periodic(read(source, reads, tile, points), kernel), writes, tile)
    np.testing.assert_array_equal(count, 1)
    return result


@pytest.mark.parametrize("extra", [0, 6])
@pytest.mark.parametrize("axis", AXES, ids=str)
def test_tiles_of_the_image_are_the_convolution(axis: Axis, extra: int) -> None:
    generator = np.random.default_rng(axis.lenslets)
    kernel, volume = generator.random(2 * axis.margin + 1), np.zeros(axis.volume)
    first, last = axis.volume_exists
    volume[first:last] = generator.random(last - first)
    points, reads, writes = grid_of(axis, extra), axis.volume_reads(), axis.image_writes()
    image = through_tiles(axis, points, kernel, volume, reads, axis.image, writes)
    np.testing.assert_allclose(image[: axis.lenslets], np.convolve(volume[first:last], kernel, "valid"), rtol=1e-12)


@pytest.mark.parametrize("extra", [0, 6])
@pytest.mark.parametrize("axis", AXES, ids=str)
def test_tiles_of_the_volume_are_the_correlation(axis: Axis, extra: int) -> None:
    generator = np.random.default_rng(axis.lenslets)
    kernel, image = generator.random(2 * axis.margin + 1), np.zeros(axis.image)
    image[: axis.lenslets] = generator.random(axis.lenslets)
    points, reads, writes = grid_of(axis, extra), axis.image_reads(), axis.volume_writes()
    volume = through_tiles(axis, points, kernel, image, reads, axis.volume, writes)
    first, last = axis.volume_exists
    expected = np.convolve(image[: axis.lenslets], kernel, "full")
    np.testing.assert_allclose(volume[first:last], expected, rtol=1e-12)


@pytest.mark.parametrize("axis", AXES, ids=str)
def test_fields_hold_what_exists_in_whole_pairs_or_sectors(axis: Axis) -> None:
    first, last = axis.volume_exists
    assert last - first == axis.lenslets + 2 * axis.margin
    assert 0 <= first <= last <= axis.volume
    assert axis.lead == first + axis.margin
    assert axis.image >= axis.lenslets
    assert axis.volume % (2 if axis.even else 4) == axis.image % (2 if axis.even else 4) == 0
    spans = [axis.volume_reads(), axis.image_writes(), axis.image_reads(), axis.volume_writes()]
    if axis.even:
        assert all(value % 2 == 0 for span in spans for value in (span.step, span.base, span.low))


@pytest.mark.parametrize(("rows", "columns"), [(5, 5), (7, 6), (9, 30), (30, 9), (1, 60)])
def test_each_frequency_of_a_quarter_plane_has_a_group_and_each_group_a_slot(rows: int, columns: int) -> None:
    found = tiling(rows, columns, (2, 2), LOCAL_BYTES)
    assert found is not None
    groups, slots = found.groups(), found.slots()
    halves = found.plane.y.points // 2, found.plane.x.points // 2
    own = {(ky, kx) for ky, kx in groups.tolist()}
    quarter = set(np.ndindex(halves[0] + 1, halves[1] + 1))
    assert len(own) == len(groups)
    assert own == ({(ky, kx) for ky, kx in quarter if kx <= ky} if halves[0] == halves[1] else quarter)
    assert len(set(slots.tolist())) == len(slots)
    assert slots.min() == 0
    assert slots.max() < found.slot_count
    assert found.slot_count % 2 == 0
    assert (slots[groups[:, 1] == 0] % 2 == 0).all()


@pytest.mark.parametrize(
    ("rows", "columns", "margin", "expected"),
    [
        (5, 5, 0, (8, 8)),
        (8, 5, 1, (12, 12)),
        (5, 20, 1, (8, 24)),
        (20, 2, 3, (30, 8)),
        (1, 1, 0, (4, 4)),
        (22, 17, 0, (24, 24)),
    ],
)
def test_a_grid_holds_the_field_and_is_square_where_that_is_cheap(
    rows: int, columns: int, margin: int, expected: tuple[int, int]
) -> None:
    found = tiling(rows, columns, (margin, margin), LOCAL_BYTES)
    assert found is not None
    assert (found.plane.y.points, found.plane.x.points) == expected
    assert found.square == (expected[0] == expected[1])
    assert found.y.points <= expected[0]
    assert found.x.points <= expected[1]


def test_without_an_exchange_axes_are_their_own() -> None:
    found = tiling(9, 8, (3, 1), LOCAL_BYTES, exchange=False)
    assert found is not None
    assert not found.square
    assert (found.y.margin, found.x.margin) == (3, 1)
    assert len(found.groups()) == (found.plane.y.points // 2 + 1) * (found.plane.x.points // 2 + 1)
    assert not tiling(8, 8, (1, 1), LOCAL_BYTES, exchange=False).square  # type: ignore[union-attr]


def test_what_does_not_fit_has_no_tiling_until_it_is_cut() -> None:
    whole = tiling(50, 50, (3, 3), LOCAL_BYTES)
    assert whole is not None
    less = whole.plane.y.points // 2 * (whole.plane.x.points + 2) * 8 - 1
    assert tiling(50, 50, (3, 3), less) is None
    cut = tiling(50, 50, (3, 3), less, 2, 2)
    assert cut is not None
    assert cut.plane.size_bytes <= less
    assert cut.tiles == 4


def test_a_field_longer_than_every_grid_has_no_tiling_until_it_is_cut() -> None:
    assert tiling(300, 4, (1, 1), 2**30) is None
    assert tiling(300, 4, (1, 1), 2**30, 2, 1) is not None


@pytest.mark.parametrize(("rows", "columns"), [(6, 5), (11, 30), (40, 12), (239, 239)])
def test_visits_go_to_every_piece(rows: int, columns: int) -> None:
    """239 lenslets make the largest plane, whose places do not fit 15 bits."""
    found = tiling(rows, columns, (0, 0), LOCAL_BYTES)
    assert found is not None
    plane = found.plane
    visits, stores = found.visits()
    slots = {tuple(group): int(slot) for group, slot in zip(found.groups().tolist(), found.slots(), strict=True)}
    expected = {}
    for ky, kx in np.ndindex(plane.y.points // 2 + 1, plane.x.points // 2 + 1):
        visit = 2 * slots[ky, kx] if (ky, kx) in slots else 2 * slots[kx, ky] + 1
        expected[visit] = plane.place(ky, kx), plane.place(-ky % plane.y.points, kx)
    # On the diagonal of a square grid both exchanges hold the same frequency.
    diagonal = {2 * slots[k, k] + 1: expected[2 * slots[k, k]] for k in range(plane.y.points // 2 + 1) if found.square}
    used = set(slots.values())
    unpacked = [(int(visit), (int(places) & 0xFFFF, int(places) >> 16)) for visit, places in visits.view(np.uint32)]
    loads = unpacked[: len(unpacked) - stores]
    assert len(loads) == len(expected)
    assert dict(loads) == expected
    stored = dict(unpacked[-stores:])
    assert len(stored) == stores
    assert expected | diagonal == {visit: places for visit, places in stored.items() if visit // 2 in used}
    # Unused slots, each beside one that has a piece and with the same, so that whole sectors are written.
    others = set(stored) - set(expected | diagonal)
    assert all(visit % 4 >= 2 and stored[visit] == stored[visit - 2] for visit in others)
    assert {visit ^ 2 for visit in stored} == set(stored)
    assert max(stored) // 2 < found.slot_count


@pytest.mark.parametrize("tiles", range(1, 8))
def test_blocks_hold_every_tile_once_or_reach_past_the_frame(tiles: int) -> None:
    found = tiling(40, 60, (2, 2), LOCAL_BYTES, 4, 3)
    assert found is not None
    down, right = found.block(tiles)
    assert down * right <= tiles
    covered = [(y + i, x + j) for y, x in found.blocks(tiles) for i in range(down) for j in range(right)]
    assert len(set(covered)) == len(covered)
    assert set(np.ndindex(4, 3)) <= set(covered)


def test_the_window_of_a_block_begins_at_its_first_tile() -> None:
    found = tiling(40, 60, (2, 2), LOCAL_BYTES, 4, 3)
    assert found is not None
    window = found.volume_window(found.y.volume_reads(), found.x.volume_reads())
    part = part_of(window, (2, 1), (1, 2))
    names = "pairs width row0 row1 column0 column1 tiles_x tiles step_y step_x base_y base_x low_y high_y low_x high_x"
    before, after = (dict(zip(names.split(), values.tolist(), strict=True)) for values in (window, part))
    moved = {"base_y": before["base_y"] + 2 * before["step_y"], "base_x": before["base_x"] + before["step_x"]}
    assert after == before | moved | {"tiles_x": 2, "tiles": 2}


def test_windows_tell_where_the_field_exists() -> None:
    found = tiling(5, 7, (3, 3), LOCAL_BYTES)
    assert isinstance(found, Tiling)
    volume = found.volume_window(found.y.volume_writes(), found.x.volume_writes())
    # Three lenslets of margin make four of lead down, so that rows stay in pairs.
    assert volume[:6].tolist() == [6, 16, 1, 12, 0, 13]
    image = found.image_window(found.y.image_writes(), found.x.image_writes())
    assert image[:6].tolist() == [3, 8, 0, 5, 0, 7]
    assert LENGTHS[0].points <= found.plane.y.points
