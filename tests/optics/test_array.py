"""The array's geometry against brute force, and images of arrays of every kind against what their lattice demands."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lfcore.optics.array import cover, from_nearest, transmission
from lfcore.optics.grid import make_grid
from lfcore.optics.instrument import Instrument
from lfcore.optics.psf import outer_ring_energy, point_images
from tests.instruments import instrument


def hexagonal(**changes: Any) -> Instrument:  # noqa: ANN401 - a field of any type
    return instrument(**{"lattice": "hexagonal", "aperture": "hexagonal", **changes})


def centres(optics: Instrument) -> np.ndarray[Any, Any]:
    """(lenslet, 2) centres (y, x) of a hexagonal lattice, from its two basis vectors."""
    first, second = np.array([0, 1]), np.array([np.sqrt(0.75), 0.5])
    steps = np.arange(-8, 9)
    places = optics.pitch_um * (steps[:, None, None] * first + steps[None, :, None] * second).reshape(-1, 2)
    return np.asarray(places if optics.orientation == "rows" else places[:, ::-1])


@pytest.mark.parametrize("orientation", ["rows", "columns"])
def test_the_nearest_lenslet(orientation: str) -> None:
    optics = hexagonal(orientation=orientation)
    points = np.random.default_rng(11).uniform(-2, 2, (500, 2)) * optics.pitch_um
    vectors = points[:, None] - centres(optics)
    nearest = vectors[np.arange(500), np.linalg.norm(vectors, axis=2).argmin(1)]
    np.testing.assert_allclose(np.stack(from_nearest(optics, points[:, 0], points[:, 1]), 1), nearest, atol=1e-9)
    # Nearer to a lenslet's centre than to any other is inside its hexagon.
    assert cover(optics, nearest[:, 0], nearest[:, 1]).all()
    beyond = nearest * (1.16 * optics.pitch_um / 2 / np.linalg.norm(nearest, axis=1))[:, None]
    assert not cover(optics, beyond[:, 0], beyond[:, 1]).any()


@pytest.mark.parametrize("orientation", ["rows", "columns"])
def test_hexagons_tile_the_plane(orientation: str) -> None:
    optics = hexagonal(orientation=orientation, pixels_per_lenslet=15)
    passed = np.abs(transmission(optics, 0.51, make_grid(optics, 0.51, (1, 1)))) ** 2
    assert np.median(passed) == pytest.approx(1)
    assert passed.mean() > 0.98


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"aperture": "square", "aperture_um": 100.0}, 0.64),
        ({"aperture": "round"}, np.pi / 4),
        ({"aperture": "round", "aperture_um": 100.0}, np.pi / 4 * 0.64),
        ({"lattice": "hexagonal", "aperture": "round"}, np.pi / np.sqrt(12)),
        ({"lattice": "hexagonal", "aperture": "hexagonal", "aperture_um": 100.0}, 0.64),
    ],
)
def test_lenslets_pass_as_much_as_they_cover(changes: dict[str, Any], part: float) -> None:
    optics = instrument(pixels_per_lenslet=15, **changes)
    grid = make_grid(optics, 0.51, (3, 3), guard_lenslets=0.0)
    inside = [slice(axis.start, axis.start + axis.window) for axis in (grid.down, grid.right)]
    opaque = transmission(optics, 0.51, grid)[inside[0], inside[1]]
    assert np.abs(opaque).mean() == pytest.approx(part, abs=0.005)
    clear = transmission(replace(optics, gaps="clear"), 0.51, grid)[inside[0], inside[1]]
    between = np.abs(opaque) == 0
    np.testing.assert_allclose(clear[between], 1)
    np.testing.assert_allclose(clear[np.abs(opaque) > 0.999], opaque[np.abs(opaque) > 0.999], atol=1e-3)


def test_the_second_lenslet_of_a_cell_is_like_the_first() -> None:
    optics = hexagonal(pixels_per_lenslet=8)
    assert optics.cell.pixels == (14, 8)
    height, width = optics.object_cell_um
    middle, corner = point_images(optics, 11.0, [(0.4, -0.3), (0.4 + height / 2, -0.3 - width / 2)], (4, 6), np.float64)
    np.testing.assert_allclose(corner[7:, :-4], middle[:-7, 4:], atol=2e-9 + 1e-6 * middle.max())


@pytest.mark.parametrize("aperture", ["hexagonal", "round"])
def test_columns_are_rows_turned(aperture: str) -> None:
    rows, columns = (hexagonal(aperture=aperture, orientation=orientation) for orientation in ("rows", "columns"))
    assert rows.cell.pixels == columns.cell.pixels[::-1] == (9, 5)
    image = point_images(rows, -13.0, [(0.9, -0.4)], None, np.float64)[0]
    turned = point_images(columns, -13.0, [(-0.4, 0.9)], None, np.float64)[0]
    np.testing.assert_allclose(turned.T, image, atol=1e-14)


@pytest.mark.parametrize("changes", [{}, {"aperture": "round"}, {"aperture_um": 100.0, "gaps": "clear"}])
def test_hexagonal_images_have_the_symmetry_of_the_rectangle(changes: dict[str, Any]) -> None:
    optics = hexagonal(**changes)
    image, down, right = point_images(optics, -14.0, [(1.3, 0.6), (-1.3, 0.6), (1.3, -0.6)], 4, np.float64)
    np.testing.assert_allclose(down, image[::-1], atol=1e-12)
    np.testing.assert_allclose(right, image[:, ::-1], atol=1e-12)
    assert not optics.symmetry.exchange


def test_light_between_clear_gaps_arrives() -> None:
    optics = instrument(aperture="round", aperture_um=90.0)
    offsets = [(0.0, 0.0)]
    opaque, clear = (
        point_images(replace(optics, gaps=gaps), 40.0, offsets, None, np.float64, 2.0)[0].sum()
        for gaps in ("opaque", "clear")
    )
    assert opaque == pytest.approx(np.pi / 4 * (90 / 125) ** 2, abs=0.02)
    assert clear > 0.97


@pytest.mark.parametrize("part_of_focus", [0.4, 1.0, 1.8])
def test_the_window_holds_spots_off_the_focal_plane(part_of_focus: float) -> None:
    optics = instrument(sensor_distance_um=2433 * part_of_focus)
    for z_um in (0.0, 15.0):
        images = point_images(optics, z_um, [(3.1, -3.1)], None, np.float64, 2.0)
        assert images.sum() > 0.99


def test_the_outer_ring_is_the_outermost_cells() -> None:
    optics = hexagonal(pixels_per_lenslet=4)
    images = np.zeros((2, 5 * 7, 3 * 4))
    images[0, 6, 5] = images[1, 7, 4] = images[1, 8, 3] = 1
    assert outer_ring_energy(images, optics) == 1.0
    assert outer_ring_energy(images[:, :14, :8], optics) == 1.0
