"""Objects of known truth: where they may lie, and what they look like as volumes."""

import numpy as np
import pytest

from lfcore.errors import SettingsError
from lfcore.simulation.phantoms import PRESETS, Extent, Phantom, beads, render

EXTENT = Extent((-40.0, 40.0), (20 * 6.25, 24 * 6.25), 6.25)


@pytest.mark.parametrize("preset", PRESETS)
def test_objects_lie_within_half_a_lenslet_of_the_camera_and_shine(preset: str) -> None:
    phantom = PRESETS[preset](EXTENT, 3, np.random.default_rng(1))
    z_um, y_um, x_um = phantom.positions_um.T
    assert phantom.brightness.shape == (3, len(phantom.positions_um))
    assert phantom.brightness.min() > 0
    assert -40 <= z_um.min() <= z_um.max() <= 40
    assert -0.5 * 6.25 <= y_um.min() <= y_um.max() <= 20 * 6.25
    assert -0.5 * 6.25 <= x_um.min() <= x_um.max() <= 24 * 6.25
    assert len(np.unique(z_um)) > 1


@pytest.mark.parametrize("preset", PRESETS)
def test_the_same_seed_gives_the_same_object(preset: str) -> None:
    def make(seed: int) -> Phantom:
        return PRESETS[preset](EXTENT, 2, np.random.default_rng(seed))

    np.testing.assert_array_equal(make(4).positions_um, make(4).positions_um)
    np.testing.assert_array_equal(make(4).brightness, make(4).brightness)
    assert not np.array_equal(make(4).brightness, make(5).brightness)


def test_beads_keep_their_distance_and_their_light() -> None:
    phantom = beads(EXTENT, 12, np.random.default_rng(2), count=15)
    lateral = phantom.positions_um[:, 1:]
    distance = np.linalg.norm(lateral[:, None] - lateral[None], axis=2)
    assert distance[~np.eye(15, dtype=bool)].min() >= 2 * 6.25
    assert phantom.brightness.min() >= 0.3 * phantom.brightness.max()


def test_more_beads_than_fit_are_refused() -> None:
    with pytest.raises(SettingsError, match="200 beads do not fit"):
        beads(EXTENT, 1, np.random.default_rng(3), count=200)


def test_a_rendered_point_is_a_gaussian_about_its_place() -> None:
    volume = render(np.array([[3.3, 5.6, 8.0]]), np.array([[2.0], [0.5]]), (9, 12, 17))
    z, y, x = np.mgrid[:9, :12, :17]
    expected = np.exp(-((z - 3.3) ** 2 + (y - 5.6) ** 2 + (x - 8) ** 2) / 2)
    np.testing.assert_allclose(volume, [2 * expected, 0.5 * expected], atol=1e-12)


def test_rendered_points_add_up() -> None:
    voxels = np.array([[1.0, 2.0, 3.0], [2.0, 2.0, 2.0]])
    both = render(voxels, np.array([[1.0, 3.0]]), (4, 5, 6))
    apart = [render(voxels[i : i + 1], np.array([[weight]]), (4, 5, 6)) for i, weight in enumerate((1.0, 3.0))]
    np.testing.assert_allclose(both, sum(apart), atol=1e-12)
