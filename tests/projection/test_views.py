"""Views of the array: which pixel goes where, and in which direction a point moves."""

import numpy as np
import pytest

from lfcore.projection.views import view_pitch_um, views
from tests.instruments import instrument
from tests.projection.raytracer import traced_point


def test_each_pixel_goes_to_its_view() -> None:
    light_field = np.arange(20 * 35, dtype=np.float32).reshape(20, 35)
    found = views(light_field, instrument())
    assert found.shape == (5, 5, 4, 7)
    assert found[3, 1, 2, 6] == light_field[2 * 5 + 3, 6 * 5 + 1]


@pytest.mark.parametrize("z_um", [-60.0, 60.0])
def test_a_point_towards_the_objective_has_negative_disparity(z_um: float) -> None:
    """And of the size that Levoy's geometry gives: ``-M^2 z / (n d N)`` lenslets a pixel, near the axis."""
    optics = instrument(pixels_per_lenslet=11)
    middle = 10 * optics.object_pitch_um
    found = views(traced_point(optics, (21, 21), (z_um, middle, middle), 400_000, seed=4), optics)
    rows, columns = np.mgrid[:21, :21]
    near = range(3, 8)
    places = [
        [(found[v, u] * axis).sum() / found[v, u].sum() for v, u in pairs]
        for axis, pairs in ((rows, [(v, 5) for v in near]), (columns, [(5, u) for u in near]))
    ]
    slopes = [np.polyfit(near, line, 1)[0] for line in places]
    d_um = optics.sensor_distance_um
    paraxial = -(optics.magnification**2) * z_um / (optics.medium_index * d_um * 11)
    np.testing.assert_allclose(slopes, paraxial, rtol=0.06)


@pytest.mark.parametrize(("orientation", "size"), [("rows", 11), ("columns", 12)])
def test_hexagonal_views_lie_on_a_rectangular_grid(orientation: str, size: int) -> None:
    """A light field that is a linear function of the place on the array, the same in all views, stays linear."""
    optics = instrument(lattice="hexagonal", aperture="hexagonal", orientation=orientation, pixels_per_lenslet=size)
    height, width = optics.cell.pixels
    y, x = np.mgrid[: 6 * height, : 7 * width]
    ramp = 3.0 * (y + 0.5) / height - 2.0 * (x + 0.5) / width
    found = views(ramp, optics)
    step_y, step_x = (0.5, 1.0) if orientation == "rows" else (1.0, 0.5)
    down, right = np.meshgrid(np.arange(found.shape[2]), np.arange(found.shape[3]), indexing="ij")
    inside = (slice(1, -2), slice(1, -2))
    for v, u in ((0, 0), (found.shape[0] // 2, 3)):
        plane = found[v, u] - (3.0 * step_y * down - 2.0 * step_x * right)
        np.testing.assert_allclose(plane[inside], plane[inside].mean(), atol=1e-4)
    pitch = view_pitch_um(optics)
    assert max(pitch) == pytest.approx(optics.object_pitch_um)
    assert min(pitch) == pytest.approx(np.sqrt(3) / 2 * optics.object_pitch_um)
