"""The stored matrices against the Fourier sum of the point images that they are made of, in double precision."""

from itertools import product

import numpy as np
import numpy.typing as npt
import pytest

from lfcore.opencl.device import Device
from lfcore.projection import matrix_layout
from lfcore.projection.cell import parity_matrix
from lfcore.projection.kernels import PlaneKernels, plane_kernels
from lfcore.projection.matrix_layout import MatrixLayout
from lfcore.projection.opencl_matrices import device_matrices
from lfcore.projection.quads import EMPTY, QuadOrder, quad_order
from tests.devices import PoisonedSession
from tests.instruments import instrument
from tests.projectors import Case, distance, pair, plane_images, tiling_of

Floats = npt.NDArray[np.float64]

CASES = {
    "even cells": Case(2, 4, (1,), 5, 6),
    "odd cells": Case(3, 5, (1, 2), 5, 4),
    "odd and even cells, oblong": Case(5, 6, (2, 0), 2, 17),
    "one sample, upright": Case(1, 3, (3, 1), 17, 2),
    "one pixel": Case(4, 1, (1,), 3, 3),
    "cells higher than wide": Case((4, 2), (5, 3), ((1, 2), (2, 1)), 4, 7, exchange=False),
    "cells wider than high": Case((3, 5), (4, 7), ((1, 0),), 6, 6, exchange=False),
    "square cells without an exchange": Case(3, 4, (1,), 5, 5, exchange=False),
}


@pytest.fixture(scope="module")
def session(cpu_device: Device) -> PoisonedSession:
    return PoisonedSession(cpu_device)


def layout_of(session: PoisonedSession, case: Case, half: bool = False) -> MatrixLayout:
    grids = tiling_of(case, session.device.local_bytes)
    return MatrixLayout(grids, quad_order(pair(case.samples)), quad_order(pair(case.pixels)), len(case.radii), half)


def stored(session: PoisonedSession, layout: MatrixLayout, kernels: list[PlaneKernels]) -> Floats:
    """(group, volume row, image row) as the device keeps them."""
    shape = len(layout.tiling.groups()), len(layout.volume_kinds), len(layout.image_kinds), 4, 4
    matrices = device_matrices(session, layout, plane_images(session, kernels))
    blocks = session.download(matrices, shape, np.float16 if layout.half else np.float32)
    return blocks.swapaxes(2, 3).reshape(shape[0], 4 * shape[1], 4 * shape[2]).astype(np.float64) / layout.scale


def fourier_sum(
    kernel: PlaneKernels, groups: npt.NDArray[np.int32], grid: tuple[int, int]
) -> npt.NDArray[np.complex128]:
    """(group, a, c, u, v) ``sum over m of h[m] exp(-2 pi i k m / L)`` of the image of every sample (a, c)."""
    offsets = [np.arange(-radius, radius + 1) for radius in kernel.radius_cells]
    down, across = (np.exp(-2j * np.pi / grid[axis] * np.outer(groups[:, axis], offsets[axis])) for axis in (0, 1))
    (height, width), (above, left) = kernel.pixels, map(len, offsets)
    result = np.empty((len(groups), *kernel.samples, height, width), complex)
    for a, c in product(*map(range, kernel.samples)):
        image = kernel.image(a, c).astype(np.float64).reshape(above, height, left, width)
        result[:, a, c] = np.einsum("gm,gn,munv->guv", down, across, image, optimize=True)
    return result


def parity_rows(order: QuadOrder, values: npt.NDArray[np.complex128], quads: int) -> npt.NDArray[np.complex128]:
    """(…, y, x) of a cell to (…, row): in the parity basis, in quad order, times -i where odd under inversion."""
    bases = (parity_matrix(length, np.float64) for length in order.shape)
    parity = np.einsum("ai,bj,...ij->...ab", *bases, values)
    rows = np.zeros((*values.shape[:-2], 4 * quads), complex)
    evens_y, evens_x = (-(-length // 2) for length in order.shape)
    for row, (down, right) in enumerate(order.parities.reshape(-1, 2)):
        if down != EMPTY:
            rows[..., row] = parity[..., down, right] * (-1j if (down >= evens_y) != (right >= evens_x) else 1)
    return rows


def expected_matrices(layout: MatrixLayout, kernels: list[PlaneKernels]) -> Floats:
    """What ``stored`` should give; asserts that the matrices are real."""
    tiling, planes = layout.tiling, []
    for kernel in kernels:
        sums = fourier_sum(kernel, tiling.groups(), (tiling.plane.y.points, tiling.plane.x.points))
        image_rows = parity_rows(layout.pixels, sums, len(layout.image_kinds))
        # Back along the samples, where the factor is the other way round.
        planes.append(parity_rows(layout.samples, np.moveaxis(image_rows, 3, 1).conj(), layout.samples.quads).conj())
    rows = np.concatenate(planes, axis=-1)
    padding = 4 * len(layout.volume_kinds) - rows.shape[-1]
    rows = np.pad(rows, [(0, 0), (0, 0), (0, padding)]).swapaxes(1, 2)
    assert np.abs(rows.imag).max() < 1e-6 * np.abs(rows.real).max()
    return np.asarray(rows.real)


def assert_alike(session: PoisonedSession, layout: MatrixLayout, kernels: list[PlaneKernels], limit: float) -> None:
    found, expected = stored(session, layout, kernels), expected_matrices(layout, kernels)
    assert distance(found[None], expected[None]) < limit
    np.testing.assert_array_equal(found[np.broadcast_to(unused(expected), found.shape)], 0)


def unused(expected: Floats) -> npt.NDArray[np.bool_]:
    """(volume row, image row) where no matrix has anything: rows of quads that no channel has."""
    used_volume, used_image = expected.any((0, 2)), expected.any((0, 1))
    return ~np.outer(used_volume, used_image)


@pytest.mark.parametrize("name", CASES)
def test_they_are_the_fourier_sums(session: PoisonedSession, name: str) -> None:
    case = CASES[name]
    assert_alike(session, layout_of(session, case), case.kernels(seed=21), 1e-6)


@pytest.mark.parametrize("name", ["odd cells", "even cells"])
def test_halves_are_the_fourier_sums_rounded(session: PoisonedSession, name: str) -> None:
    case = CASES[name]
    assert_alike(session, layout_of(session, case, half=True), case.kernels(seed=22), 2**-11)


@pytest.mark.parametrize("pixels", [4, 5])
def test_point_images(session: PoisonedSession, pixels: int) -> None:
    kernels = [plane_kernels(instrument(pixels_per_lenslet=pixels), z_um, 3) for z_um in (-8.0, 5.0)]
    case = Case(3, pixels, tuple(kernel.radius_cells[0] for kernel in kernels), 5, 4)
    assert_alike(session, layout_of(session, case), kernels, 1e-6)


@pytest.mark.parametrize("positions_at_a_time", [1, 2, 5])
def test_little_room_gives_the_same_in_parts(
    session: PoisonedSession, monkeypatch: pytest.MonkeyPatch, positions_at_a_time: int
) -> None:
    """Parts begin at any position, so none may need the alignment of a buffer of its own."""
    case = CASES["odd and even cells, oblong"]
    layout, kernels = layout_of(session, case), case.kernels(seed=23)
    whole = stored(session, layout, kernels)
    assert isinstance(case.pixels, int)
    side, half_y = 5 * case.pixels, layout.tiling.plane.y.points // 2 + 1
    position_bytes = 4 * side * (side + 2 * half_y * case.pixels)
    monkeypatch.setattr(matrix_layout, "LARGEST_WORK_BYTES", positions_at_a_time * position_bytes)
    np.testing.assert_array_equal(stored(session, layout, kernels), whole)
    monkeypatch.setattr(matrix_layout, "LARGEST_WORK_BYTES", 1)
    np.testing.assert_array_equal(stored(session, layout, kernels), whole)


def test_nothing_is_left_of_matrices_whose_room_is_used_again(session: PoisonedSession) -> None:
    """One sample leaves more rows empty than two, in as many bytes."""
    two, one = Case(2, 4, (1,), 5, 6), Case(1, 4, (1,), 5, 6)
    before, after = layout_of(session, two), layout_of(session, one)
    assert before.size_bytes == after.size_bytes
    session.release_free()
    stored(session, before, two.kernels(seed=24))
    taken = session.taken_bytes
    assert_alike(session, after, one.kernels(seed=25), 1e-6)
    assert session.taken_bytes < taken + before.size_bytes
