"""One-pixel cells: the FFT's operator against the sum of its images, its transpose, and the general operator."""

import numpy as np
import numpy.typing as npt
import pytest

from lfcore.errors import SettingsError
from lfcore.optics.instrument import Symmetry
from lfcore.projection.host import host_projector
from lfcore.projection.kernels import PlaneKernels
from lfcore.projection.numpy_projector import NumpyProjector
from lfcore.projection.shift_invariant import ShiftInvariantProjector
from tests.direct_sum import direct_sum

SEED = 37
NONE = Symmetry(mirror_y=False, mirror_x=False, inversion=False, exchange=False)
RADII = {"square": ((3, 3), (1, 1)), "oblong": ((4, 2), (0, 3)), "a point": ((0, 0),), "wide": ((9, 8),)}
TOLERANCES = [(np.float32, 1e-5), (np.float64, 1e-12)]


def kernels_of(radii: tuple[tuple[int, int], ...]) -> list[PlaneKernels]:
    generator = np.random.default_rng(SEED)
    images = [generator.random((1, 2 * down + 1, 2 * right + 1)) for down, right in radii]
    return [PlaneKernels(0.0, (1, 1), (1, 1), image, NONE) for image in images]


@pytest.mark.parametrize("radii", RADII.values(), ids=RADII)
@pytest.mark.parametrize("field", [(7, 10), (8, 5), (1, 1)])
@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES)
def test_it_is_the_sum_of_its_images_and_its_adjoint_the_transpose(
    radii: tuple[tuple[int, int], ...], field: tuple[int, int], dtype: npt.DTypeLike, tolerance: float
) -> None:
    kernels, generator = kernels_of(radii), np.random.default_rng(SEED + 1)
    model = ShiftInvariantProjector(kernels, *field, dtype)
    volume, image = generator.normal(size=(2, *model.volume_shape)), generator.normal(size=(2, *field))
    seen = model.unpack_image(model.forward(model.pack_volume(volume)))
    spread = model.unpack_volume(model.adjoint(model.pack_image(image)))
    assert seen.dtype == spread.dtype == dtype
    planes = [{(0, 0): kernel.images[0]} for kernel in kernels]
    for frame in range(2):
        expected = direct_sum(planes, (1, 1), (1, 1), model.margin_cells, volume[frame])
        assert np.linalg.norm(seen[frame] - expected) < tolerance * np.linalg.norm(expected)
        left = np.vdot(seen[frame].astype(float), image[frame])
        right = np.vdot(volume[frame], spread[frame].astype(float))
        assert abs(left - right) < tolerance * np.linalg.norm(expected) * np.linalg.norm(image[frame])


def test_the_general_operator_says_the_same_of_one_pixel_cells() -> None:
    kernels = kernels_of(RADII["oblong"])
    quick, general = ShiftInvariantProjector(kernels, 6, 9, np.float64), NumpyProjector(kernels, 6, 9, np.float64)
    assert quick.volume_shape == general.volume_shape
    assert quick.margin_cells == general.margin_cells == (4, 3)
    volume = np.random.default_rng(SEED).normal(size=(1, *quick.volume_shape))
    image = quick.unpack_image(quick.forward(quick.pack_volume(volume)))
    expected = general.unpack_image(general.forward(general.pack_volume(volume)))
    np.testing.assert_allclose(image, expected, atol=1e-12)
    np.testing.assert_array_equal(
        quick.fetch_inside(quick.pack_volume(volume))(), general.fetch_inside(general.pack_volume(volume))()
    )


def test_what_is_packed_and_what_comes_back_are_the_callers_own() -> None:
    model = ShiftInvariantProjector(kernels_of(RADII["square"]), 6, 9, np.float64)
    volume = np.random.default_rng(SEED).normal(size=(1, *model.volume_shape))
    before, packed = volume.copy(), model.pack_volume(volume)
    packed += 1
    np.testing.assert_array_equal(volume, before)
    assert model.image_room(2).shape == (2, 6, 9)


def test_one_pixel_cells_are_told_from_others() -> None:
    assert isinstance(host_projector(kernels_of(RADII["square"]), 4, 4), ShiftInvariantProjector)
    other = PlaneKernels(0.0, (1, 1), (2, 2), np.ones((1, 6, 6)))
    assert isinstance(host_projector([other], 4, 4), NumpyProjector)
    with pytest.raises(SettingsError, match="not shift-invariant"):
        ShiftInvariantProjector([other], 4, 4)
    with pytest.raises(SettingsError, match="0 planes over 4 x 4 pixels"):
        ShiftInvariantProjector([], 4, 4)


def test_other_shapes_are_refused() -> None:
    model = ShiftInvariantProjector(kernels_of(RADII["square"]), 6, 9)
    with pytest.raises(SettingsError, match=r"takes \(frame, 6, 9\)"):
        model.pack_image(np.zeros((1, 9, 6)))
    with pytest.raises(SettingsError, match=r"takes \(frame, 2, 12, 15\)"):
        model.pack_volume(np.zeros((1, 2, 15, 12)))
