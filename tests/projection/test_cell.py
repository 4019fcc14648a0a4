"""The parity basis against an explicit matrix, and the positions in front of a lenslet."""

import math

import numpy as np
import numpy.typing as npt
import pytest

from lfcore.projection.cell import (
    LARGEST_JOINT_CELL,
    change_axis,
    change_basis,
    even_count,
    octant,
    pair_weight,
    parity_matrix,
    sample_offsets,
)

LARGEST_JOINT_SIDE = math.isqrt(LARGEST_JOINT_CELL)
LENGTHS = [1, 2, 3, 4, 5, LARGEST_JOINT_SIDE, LARGEST_JOINT_SIDE + 1]


def spelled_out(length: int) -> npt.NDArray[np.float64]:
    """Even pairs first, then the unpaired middle, then odd pairs."""
    rows = []
    points = np.eye(length)
    pairs = range(length // 2)
    rows += [(points[pair] + points[length - 1 - pair]) / np.sqrt(2) for pair in pairs]
    rows += [points[length // 2]] * (length % 2)
    rows += [(points[pair] - points[length - 1 - pair]) / np.sqrt(2) for pair in pairs]
    return np.array(rows)


@pytest.mark.parametrize("length", LENGTHS)
def test_the_parity_basis_is_the_one_spelled_out(length: int) -> None:
    matrix = parity_matrix(length, np.float64)
    np.testing.assert_allclose(matrix, spelled_out(length), atol=1e-15)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(length), atol=1e-15)


@pytest.mark.parametrize("length", LENGTHS)
def test_a_change_of_basis_takes_both_axes_and_the_transpose_takes_them_back(length: int) -> None:
    cells = np.random.default_rng(1).normal(size=(3, 4, length, length))
    before, matrix = cells.copy(), parity_matrix(length, np.float64)
    changed = change_basis(cells, matrix, matrix)
    expected = np.einsum("pu,qv,ijuv->ijpq", spelled_out(length), spelled_out(length), cells)
    np.testing.assert_allclose(changed, expected, atol=1e-14)
    np.testing.assert_allclose(change_basis(changed, matrix.T, matrix.T), before, atol=1e-14)
    np.testing.assert_array_equal(cells, before)


def test_one_axis_can_be_changed_alone() -> None:
    array, matrix = np.random.default_rng(4).normal(size=(2, 3, 4, 3, 2)), parity_matrix(3, np.float64)
    out = np.empty_like(array)
    change_axis(array[:, :, 1:3], matrix, 3, out=out[:, :, 1:3])
    np.testing.assert_allclose(out[:, :, 1:3], np.einsum("pu,ijkuv->ijkpv", matrix, array[:, :, 1:3]), atol=1e-14)
    change_axis(array, matrix, 1, out=out)
    np.testing.assert_allclose(out, np.einsum("pu,iujkv->ipjkv", matrix, array), atol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_precision_is_kept(dtype: npt.DTypeLike) -> None:
    for length in (3, LARGEST_JOINT_SIDE + 1):
        matrix = parity_matrix(length, dtype)
        assert change_basis(np.ones((2, length, length), dtype), matrix, matrix).dtype == dtype


@pytest.mark.parametrize("length", LENGTHS)
def test_a_mirror_changes_the_sign_of_the_odd_members(length: int) -> None:
    array, matrix = np.random.default_rng(2).normal(size=length), parity_matrix(length, np.float64)
    sign = np.where(np.arange(length) >= even_count(length), -1, 1)
    np.testing.assert_allclose(matrix @ array[::-1], sign * (matrix @ array), atol=1e-15)


@pytest.mark.parametrize("length", LENGTHS)
def test_an_even_function_is_its_first_half_times_the_pair_weight(length: int) -> None:
    half = np.random.default_rng(3).normal(size=even_count(length))
    whole = np.concatenate([half, half[: length // 2][::-1]])
    even = (parity_matrix(length, np.float64) @ whole)[: even_count(length)]
    np.testing.assert_allclose(even, half * pair_weight(length), atol=1e-14)


def test_samples_lie_as_the_conventions_say() -> None:
    np.testing.assert_allclose(sample_offsets(3), [-1 / 3, 0, 1 / 3])
    np.testing.assert_allclose(sample_offsets(4), [-3 / 8, -1 / 8, 1 / 8, 3 / 8])


@pytest.mark.parametrize("samples", LENGTHS)
def test_the_symmetries_of_the_square_make_the_octant_the_whole_cell(samples: int) -> None:
    last = samples - 1
    reached = [
        {(a, c), (last - a, c), (a, last - c), (last - a, last - c), (c, a), (last - c, a), (c, last - a)}
        | {(last - c, last - a)}
        for a, c in octant(samples)
    ]
    assert set().union(*reached) == {(a, c) for a in range(samples) for c in range(samples)}
    assert sum(map(len, reached)) == samples**2
