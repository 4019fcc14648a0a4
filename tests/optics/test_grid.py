"""Sampling: where the samples lie, and that no edge is ever hit."""

import numpy as np
import pytest

from lfcore.optics.grid import make_grid
from tests.instruments import instrument


@pytest.mark.parametrize("pixels", [4, 5, 15, 16])
@pytest.mark.parametrize("cells", [1, 7])
def test_samples_lie_symmetrically_and_beside_every_edge(pixels: int, cells: int) -> None:
    optics = instrument(pixels_per_lenslet=pixels)
    axis = make_grid(optics, 0.51, (cells, 3)).down
    positions = axis.positions_um()
    np.testing.assert_allclose(positions, -positions[::-1], atol=1e-9)
    assert axis.window == cells * pixels * axis.oversampling
    assert axis.pixels == cells * pixels
    assert positions[axis.start] == pytest.approx(-cells * optics.pitch_um / 2 + axis.step_um / 2)
    in_pixels = positions / axis.step_um + axis.window / 2
    np.testing.assert_allclose(in_pixels % 1, 0.5, atol=1e-6)


@pytest.mark.parametrize("orientation", ["rows", "columns"])
def test_an_oblong_cell_has_its_own_step_along_each_axis(orientation: str) -> None:
    optics = instrument(lattice="hexagonal", aperture="hexagonal", orientation=orientation, pixels_per_lenslet=7)
    grid = make_grid(optics, 0.51, (3, 5))
    pixels, size_um = optics.cell.pixels, optics.cell.size_um
    assert sorted(pixels) == [7, 12]
    for axis, cells, count, side_um in zip((grid.down, grid.right), (3, 5), pixels, size_um, strict=True):
        assert axis.pixels == cells * count
        assert axis.window * axis.step_um == pytest.approx(cells * side_um)


def test_the_step_takes_both_bandwidths() -> None:
    optics = instrument(pixels_per_lenslet=15)
    grid = make_grid(optics, 0.51, (3, 3))
    pupil = optics.numerical_aperture / (optics.magnification * 0.51)
    lens = optics.pitch_um / (2 * optics.focal_length_um * 0.51)
    assert 1 / grid.right.step_um > 4 * (pupil + lens)


def test_a_guard_surrounds_the_window() -> None:
    optics = instrument()
    axis = make_grid(optics, 0.51, (3, 3), guard_lenslets=2.0).right
    assert (axis.size - axis.window) * axis.step_um >= 2 * 2 * optics.pitch_um
