"""Structures to judge by: inside their extent, smooth and full as their shapes say, and off the usual samples."""

import numpy as np
import pytest
from scipy.spatial import KDTree

from lfcore.simulation.camera import KeptImages, expected_frames
from lfcore.simulation.dataset import Scenario, make_bench
from lfcore.simulation.phantoms import Extent, Phantom
from lfcore.simulation.structures import STRUCTURES, bars, filaments, neurons, shells, snapped
from tests.instruments import instrument

EXTENT = Extent((-55.0, 50.0), (21 * 6.25, 24 * 6.25), 6.25)


@pytest.mark.parametrize("kind", STRUCTURES)
def test_the_same_seed_gives_the_same_structure(kind: str) -> None:
    first, same, other = (STRUCTURES[kind](EXTENT, np.random.default_rng(seed)) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first.positions_um, same.positions_um)
    assert first.positions_um.shape != other.positions_um.shape or np.any(first.positions_um != other.positions_um)
    assert first.brightness.shape == (1, len(first.positions_um))
    assert 0.2 <= first.brightness.min() <= first.brightness.max() <= 1


@pytest.mark.parametrize("kind", STRUCTURES)
def test_snapped_points_lie_in_the_extent_off_planes_and_samples(kind: str) -> None:
    made = STRUCTURES[kind](EXTENT, np.random.default_rng(7))
    phantom = snapped(made, EXTENT)
    z_um, y_um, x_um = phantom.positions_um.T
    assert -55 <= z_um.min() <= z_um.max() <= 50
    for place, size in ((y_um, 21 * 6.25), (x_um, 24 * 6.25)):
        assert -3.125 <= place.min() <= place.max() <= size - 3.125
        np.testing.assert_allclose(abs((place / 1.25) % 1 - 0.5), 0.25, atol=1e-9)
    np.testing.assert_allclose(abs((z_um / 5) % 1 - 0.5), 0.25, atol=1e-9)
    # What is cut off is no more than what curves reach past the extent.
    assert len(z_um) > 0.8 * len(made.positions_um)
    nearest, _ = KDTree(made.positions_um).query(phantom.positions_um)
    assert nearest.max() <= np.hypot(1.25, np.hypot(0.3125, 0.3125)) + 1e-9


def test_filaments_are_curves_without_gaps() -> None:
    phantom = filaments(EXTENT, np.random.default_rng(2), count=3)
    for curve in np.split(phantom.positions_um, 3):
        assert np.linalg.norm(np.diff(curve, axis=0), axis=1).max() < 2
        assert np.ptp(curve, axis=0)[1:].max() > 100


def test_shells_are_hollow_and_even() -> None:
    phantom = shells(EXTENT, np.random.default_rng(3), count=1)
    middle = phantom.positions_um.mean(0)
    radii = np.linalg.norm(phantom.positions_um - middle, axis=1)
    assert 8 <= radii.mean() <= 18
    assert np.ptp(radii) < 0.1
    apart, _ = KDTree(phantom.positions_um).query(phantom.positions_um, k=2)
    assert 0.5 < apart[:, 1].min() <= apart[:, 1].max() < 1.5


def test_a_group_of_bars_has_gaps_as_wide_as_its_bars() -> None:
    phantom = bars(EXTENT, np.random.default_rng(3), depths=2, count=1)
    assert len(np.unique(phantom.positions_um[:, 0])) == 2
    group = phantom.positions_um[phantom.positions_um[:, 0] == phantom.positions_um[0, 0], 1:]
    across = group[:, np.argmin([len(np.unique(group[:, 0].round(6))), len(np.unique(group[:, 1].round(6)))])]
    rows = np.unique(across.round(6))
    wide = np.diff(rows)
    assert np.count_nonzero(wide > 1.5 * wide.min()) == 2
    assert np.ptp(rows) == pytest.approx(10 - wide.min(), rel=0.01)


def test_cell_bodies_are_filled() -> None:
    phantom = neurons(EXTENT, np.random.default_rng(8), count=1)
    tree = KDTree(phantom.positions_um)
    crowd = [len(near) for near in tree.query_ball_point(phantom.positions_um, 4)]
    assert max(crowd) > 80
    assert min(crowd) < 15


def test_kept_images_make_the_frame_that_the_model_makes() -> None:
    bench = make_bench(instrument(pixels_per_lenslet=9), Scenario(rows=8, columns=9, pitch_px=9.4))
    rng = np.random.default_rng(6)
    places = rng.choice([-0.35, -0.15, 0.15, 0.35], (12, 2)) + rng.integers(1, 7, (12, 2))
    points = np.column_stack([rng.choice([-6.25, 3.75], 12), 6.25 * places])
    phantom = Phantom(points, rng.uniform(0.5, 1, (2, 12)))
    expected = expected_frames(bench, phantom)
    np.testing.assert_allclose(
        expected_frames(bench, phantom, KeptImages(bench.fine)), expected, atol=1e-5 * expected.max()
    )
