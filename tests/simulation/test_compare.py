"""Comparison with the truth, on volumes made up to be right or wrong in a known way."""

import numpy as np
import numpy.typing as npt
import pytest

from lfcore.simulation.compare import compare, correlation, find_peaks
from lfcore.simulation.phantoms import render

SHAPE = (9, 30, 36)
VOXELS = np.array([[2.0, 8.3, 9.0], [5.6, 20.0, 12.4], [7.0, 14.0, 28.0]])
BRIGHTNESS = np.array([[1.0, 0.5, 0.8], [0.4, 1.0, 0.9]])


def volumes() -> npt.NDArray[np.float64]:
    return render(VOXELS, BRIGHTNESS, SHAPE)


def test_the_truth_is_found_whole() -> None:
    result = compare(volumes(), VOXELS, BRIGHTNESS)
    assert (result.beads_found, result.beads_total, result.false_peaks) == (6, 6, 0)
    assert result.ncc == pytest.approx(1)
    assert max(result.largest_offset_voxels) < 0.3


def test_a_missing_bead_is_missed() -> None:
    made = volumes()
    made[1] = render(VOXELS[1:], BRIGHTNESS[1:, 1:], SHAPE)[0]
    result = compare(made, VOXELS, BRIGHTNESS)
    assert (result.beads_found, result.false_peaks) == (5, 0)
    assert 0.5 < result.ncc < 0.99


def test_a_peak_that_is_no_bead_is_told() -> None:
    made = volumes() + render(np.array([[4.0, 4.0, 30.0]]), np.array([[0.5], [0.02]]), SHAPE)
    result = compare(made, VOXELS, BRIGHTNESS)
    assert (result.beads_found, result.false_peaks) == (6, 1)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_bead_two_voxels_off_is_lost_and_false(axis: int) -> None:
    moved = VOXELS.copy()
    moved[2, axis] -= 2
    result = compare(render(moved, BRIGHTNESS, SHAPE), VOXELS, BRIGHTNESS)
    assert (result.beads_found, result.false_peaks) == (4, 2)


@pytest.mark.parametrize("flipped", [0, 1, 2])
def test_a_mirrored_volume_is_not_the_truth(flipped: int) -> None:
    result = compare(np.flip(volumes(), flipped + 1), VOXELS, BRIGHTNESS)
    assert result.beads_found < 3
    assert result.ncc < 0.5


def test_an_empty_volume_has_no_peaks() -> None:
    assert find_peaks(np.zeros(SHAPE)).shape == (0, 3)
    result = compare(np.zeros((2, *SHAPE)), VOXELS, BRIGHTNESS)
    assert (result.beads_found, result.beads_total, result.false_peaks, result.ncc) == (0, 6, 0, 0)


def test_correlation_knows_neither_scale_nor_offset() -> None:
    rng = np.random.default_rng(4)
    first, second = rng.normal(size=(2, 5, 6, 7))
    assert correlation(first, 3 * first + 100) == pytest.approx(1)
    assert correlation(first, -first) == pytest.approx(-1)
    expected = np.corrcoef(first.ravel(), second.ravel())[0, 1]
    assert correlation(first, second) == pytest.approx(expected)
