"""What is taken off as a pattern of the lattice, and what is left alone."""

import numpy as np
import pytest

from lfcore.simulation.scores import lattice_index
from lfcore.solvers.lattice_pattern import without_lattice_pattern

SEED = 31
CELLS = 24


def rough(samples: tuple[int, int]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """A plane of smooth light and a little noise, so that the index has a neighbourhood to compare with."""
    y, x = np.meshgrid(*(np.linspace(0, 1, CELLS * count) for count in samples), indexing="ij")
    noise = np.random.default_rng(SEED).normal(1, 0.02, y.shape)
    return ((1 + 0.5 * np.sin(3 * y) + x) * noise).astype(np.float32)


@pytest.mark.parametrize("samples", [(3, 3), (4, 4), (5, 3), (8, 8)])
def test_a_pattern_goes(samples: tuple[int, int]) -> None:
    plain = rough(samples)
    cell = np.random.default_rng(SEED).normal(0, 0.1, samples)
    striped = plain * (1 + np.tile(cell - cell.mean(), (CELLS, CELLS))).astype(np.float32)
    cured = without_lattice_pattern(striped[None, None], samples, np.array([True]))[0, 0]
    assert lattice_index(striped, samples) > 100
    assert lattice_index(cured, samples) < 8
    assert np.linalg.norm(cured - plain) < 0.2 * np.linalg.norm(striped - plain)


def test_slopes_and_single_beads_stay() -> None:
    samples = 5, 5
    y, x = np.meshgrid(np.arange(120.0), np.arange(120.0), indexing="ij")
    slope = (10 + 0.3 * y + 0.1 * x).astype(np.float32)
    beads = slope.copy()
    beads[[22, 61, 90], [31, 64, 13]] += 500
    for plane, tolerance in ((slope, 2e-3), (beads, 0.1)):
        cured = without_lattice_pattern(plane[None, None], samples, np.array([True]))[0, 0]
        # The mean over a lenslet leans at the volume's edges, and neighbourhoods reach some lenslets in.
        inside = np.s_[30:-30, 30:-30]
        assert np.abs(cured[inside] / plane[inside] - 1).max() < tolerance


def test_only_the_planes_asked_for_change() -> None:
    volume = np.random.default_rng(SEED).random((2, 3, 40, 40), np.float32)
    cured = without_lattice_pattern(volume, (4, 4), np.array([False, True, False]))
    np.testing.assert_array_equal(cured[:, [0, 2]], volume[:, [0, 2]])
    assert (cured[:, 1] != volume[:, 1]).any()
    assert (cured >= 0).all()


def test_nothing_and_one_sample_stay_as_they_are() -> None:
    nothing = np.zeros((1, 1, 12, 12), np.float32)
    np.testing.assert_array_equal(without_lattice_pattern(nothing, (3, 3), np.array([True])), nothing)
    volume = np.random.default_rng(SEED).random((1, 1, 12, 12), np.float32)
    np.testing.assert_array_equal(without_lattice_pattern(volume, (1, 1), np.array([True])), volume)
