"""Images of full voxels against the mean over very many points."""

from typing import Any

import numpy as np
import pytest

from lfcore.errors import SettingsError
from lfcore.optics.boxes import box_nodes, box_um
from lfcore.optics.instrument import Box
from lfcore.optics.psf import point_images
from tests.instruments import instrument


@pytest.mark.parametrize("changes", [{}, {"lattice": "hexagonal", "aperture": "hexagonal"}])
def test_a_box_is_the_mean_of_its_points(changes: dict[str, Any]) -> None:
    optics = instrument(box=Box(3.0, 14), pixels_per_lenslet=4, **changes)
    sides = box_um(optics)
    place = (0.6, -1.2)
    image = point_images(optics, 7.0, [place], 2, np.float64)[0]
    points = instrument(pixels_per_lenslet=4, **changes)
    # The midpoint rule at 6 x 6 x 6 points, independent of the nodes in use.
    parts = (np.arange(6) + 0.5) / 6 - 0.5
    offsets = [(place[0] + sides[1] * dy, place[1] + sides[2] * dx) for dy in parts for dx in parts]
    mean = np.mean([point_images(points, 7.0 + sides[0] * dz, offsets, 2, np.float64).mean(0) for dz in parts], axis=0)
    assert np.linalg.norm(image - mean) < 4e-3 * np.linalg.norm(mean)
    middle = point_images(points, 7.0, [place], 2, np.float64)[0]
    assert np.linalg.norm(image - middle) > 0.02 * np.linalg.norm(mean)


def test_nodes_fill_the_box_evenly() -> None:
    optics = instrument(box=Box(5.0, 4))
    nodes = box_nodes(optics)
    for axis, side in zip((nodes.z, nodes.y, nodes.x), box_um(optics), strict=True):
        places, weights = np.array(axis).T
        assert weights.sum() == pytest.approx(1)
        np.testing.assert_allclose(places, -places[::-1], atol=1e-12)
        assert np.abs(places).max() < side / 2
        # The mean of x^2 over the box.
        assert weights @ places**2 == pytest.approx(side**2 / 12)


def test_small_boxes_need_few_nodes() -> None:
    counts = [len(box_nodes(instrument(box=Box(1.0, samples))).x) for samples in (64, 8, 1)]
    assert counts == sorted(counts)
    assert counts[0] <= 2
    assert len(box_nodes(instrument()).z) == 1


def test_a_voxel_too_large_to_integrate_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"voxels 1e\+03 um wide or deep hold too fine a pattern") as caught:
        box_nodes(instrument(box=Box(1000.0, 8)))
    assert "\n" not in str(caught.value)


def test_the_window_holds_the_whole_box() -> None:
    assert instrument(box=Box(40.0, 1)).window_radius_cells(10.0) == instrument().window_radius_cells(30.0)


def test_box_images_keep_the_symmetry() -> None:
    optics = instrument(box=Box(1.0, 12))
    image, down, exchanged = point_images(optics, -8.0, [(1.0, 0.4), (-1.0, 0.4), (0.4, 1.0)], 2, np.float64)
    np.testing.assert_allclose(down, image[::-1], atol=1e-14)
    np.testing.assert_allclose(exchanged, image.T, atol=1e-14)
