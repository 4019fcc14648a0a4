"""The operator against sums of point images, against a convolution, and against its own transpose."""

from functools import lru_cache
from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
from scipy.signal import fftconvolve

from lfcore.errors import SettingsError
from lfcore.optics.instrument import Instrument
from lfcore.optics.psf import point_images
from lfcore.projection import numpy_projector
from lfcore.projection.kernels import PlaneKernels, plane_kernels
from lfcore.projection.numpy_projector import NumpyProjector
from tests.instruments import instrument

Floats = npt.NDArray[np.float64]
PLANES_UM = (-8.0, 0.0, 5.0)
FIELDS = {"square": (5, 5), "oblong on a square grid": (3, 5), "oblong": (2, 17), "upright": (17, 2), "one": (1, 1)}


def projector(
    optics: Instrument,
    samples: int,
    field: tuple[int, int],
    planes_um: tuple[float, ...] = PLANES_UM,
    dtype: npt.DTypeLike = np.float64,
) -> NumpyProjector:
    return NumpyProjector([kernels_of(optics, z_um, samples) for z_um in planes_um], *field, dtype)


@lru_cache
def kernels_of(optics: Instrument, z_um: float, samples: int) -> PlaneKernels:
    return plane_kernels(optics, z_um, samples)


@lru_cache
def image_of(optics: Instrument, z_um: float, samples: int, a: int, c: int) -> npt.NDArray[np.floating]:
    """The image of the sample (a, c) of a cell, computed at its own place."""
    dy_um, dx_um = (((index + 0.5) / samples - 0.5) * optics.object_pitch_um for index in (a, c))
    return point_images(optics, z_um, [(dy_um, dx_um)])[0]


def random_volume(model: NumpyProjector, frames: int, seed: int) -> Floats:
    return np.random.default_rng(seed).normal(size=(frames, *model.volume_shape))


def random_image(model: NumpyProjector, frames: int, seed: int) -> Floats:
    return np.random.default_rng(seed).normal(size=(frames, *model.image_shape))


def forward(model: NumpyProjector, volume: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    return model.unpack_image(model.forward(model.pack_volume(volume)))


def adjoint(model: NumpyProjector, image: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    return model.unpack_volume(model.adjoint(model.pack_image(image)))


def direct_sum(optics: Instrument, samples: int, model: NumpyProjector, volume: Floats) -> Floats:
    """Every voxel's own point image, added up on pixels."""
    size, margin = optics.pixels_per_lenslet, model.margin_cells[0]
    shape = (model.rows + 2 * margin) * size, (model.columns + 2 * margin) * size
    total = np.zeros(shape)
    for plane, a, c in product(range(model.planes), range(samples), range(samples)):
        image = image_of(optics, PLANES_UM[plane], samples, a, c)
        reach = image.shape[0] // size // 2
        padded = np.zeros((shape[0] + 2 * reach * size, shape[1] + 2 * reach * size))
        cells = volume[plane, a::samples, c::samples]
        for row, column in product(range(cells.shape[0]), range(cells.shape[1])):
            top, left = row * size, column * size
            padded[top : top + image.shape[0], left : left + image.shape[1]] += cells[row, column] * image
        total += padded[reach * size : reach * size + shape[0], reach * size : reach * size + shape[1]]
    edge = margin * size
    return total[edge:-edge, edge:-edge]


@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)
@pytest.mark.parametrize(("size", "samples"), [(4, 3), (5, 2), (5, 3), (4, 1), (5, 4)])
def test_the_operator_is_the_sum_of_its_point_images(field: tuple[int, int], size: int, samples: int) -> None:
    optics = instrument(pixels_per_lenslet=size)
    model = projector(optics, samples, field, dtype=np.float32)
    volume = random_volume(model, 1, seed=size * 10 + samples)
    expected = direct_sum(optics, samples, model, volume[0])
    image = forward(model, volume)[0]
    assert image.shape == expected.shape == (field[0] * size, field[1] * size)
    assert np.linalg.norm(image - expected) < 1e-5 * np.linalg.norm(expected)


def test_fields_stand_for_both_kinds_of_grid() -> None:
    grids = {name: projector(instrument(), 1, field).grid for name, field in FIELDS.items()}
    assert grids["oblong on a square grid"][0] == grids["oblong on a square grid"][1]
    assert grids["oblong"][0] < grids["oblong"][1]
    assert grids["upright"] == grids["oblong"][::-1]


@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)
@pytest.mark.parametrize("size", [4, 5, 9, 10])
@pytest.mark.parametrize("samples", [1, 2, 3, 4])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-5), (np.float64, 1e-12)])
def test_the_adjoint_is_the_transpose(
    field: tuple[int, int], size: int, samples: int, dtype: npt.DTypeLike, tolerance: float
) -> None:
    model = projector(instrument(pixels_per_lenslet=size), samples, field, (-6.0, 4.0), dtype)
    volume, image = random_volume(model, 2, seed=1), random_image(model, 2, seed=2)
    seen, spread = forward(model, volume).astype(float), adjoint(model, image).astype(float)
    for frame in range(2):
        left, right = np.vdot(seen[frame], image[frame]), np.vdot(volume[frame], spread[frame])
        assert abs(left - right) < tolerance * np.linalg.norm(seen[frame]) * np.linalg.norm(image[frame])


@pytest.mark.parametrize("size", [4, 5])
def test_one_lateral_position_is_a_convolution_of_the_upsampled_plane(size: int) -> None:
    optics, samples = instrument(pixels_per_lenslet=size), 3
    model = projector(optics, samples, (6, 4))
    kernel = kernels_of(optics, PLANES_UM[2], samples).image(2, 0).astype(float)
    lit = np.abs(random_volume(model, 1, seed=3))[0, 2, 2::samples, 0::samples]
    volume = np.zeros((1, *model.volume_shape))
    volume[0, 2, 2::samples, 0::samples] = lit
    upsampled = np.zeros([length * size for length in lit.shape])
    upsampled[::size, ::size] = lit
    whole = fftconvolve(upsampled, kernel, mode="full")
    start = (kernel.shape[0] // size // 2 + model.margin_cells[0]) * size
    expected = whole[start:, start:][: 6 * size, : 4 * size]
    np.testing.assert_allclose(forward(model, volume)[0], expected, atol=1e-6 * expected.max())


def test_the_operator_is_linear_and_frames_do_not_mix() -> None:
    model = projector(instrument(), 2, (4, 3))
    first, second = random_volume(model, 1, seed=4), random_volume(model, 1, seed=5)
    both = forward(model, np.concatenate([first, second]))
    np.testing.assert_allclose(both[:1], forward(model, first), atol=1e-13)
    np.testing.assert_allclose(both[1:], forward(model, second), atol=1e-13)
    np.testing.assert_allclose(forward(model, 3 * first - second)[0], 3 * both[0] - both[1], atol=1e-12)
    spread = adjoint(model, both)
    np.testing.assert_allclose(spread[1:], adjoint(model, both[1:]), atol=1e-13)
    assert np.abs(forward(model, np.concatenate([np.zeros_like(first), second]))[0]).max() == 0


def test_an_empty_plane_adds_nothing() -> None:
    optics = instrument()
    model, alone = projector(optics, 2, (4, 4)), projector(optics, 2, (4, 4), PLANES_UM[1:2])
    volume = random_volume(model, 1, seed=6)
    volume[:, [0, 2]] = 0
    edge = (model.margin_cells[0] - alone.margin_cells[0]) * 2
    expected = forward(alone, volume[:, 1:2, edge:-edge, edge:-edge])
    np.testing.assert_allclose(forward(model, volume), expected, atol=1e-6 * expected.max())
    assert np.abs(forward(model, np.zeros_like(volume))).max() == 0


def test_a_uniform_plane_gives_every_lenslet_its_light_back() -> None:
    model = projector(instrument(), 2, (4, 4), (10.0,))
    light = forward(model, np.ones((1, *model.volume_shape)))[0]
    np.testing.assert_allclose(light.reshape(4, 5, 4, 5).sum((1, 3)), 4, rtol=0.01)


def test_packing_is_undone_by_unpacking() -> None:
    model = projector(instrument(), 3, (4, 3))
    volume, image = random_volume(model, 2, seed=7), random_image(model, 2, seed=8)
    np.testing.assert_array_equal(model.unpack_volume(model.pack_volume(volume)), volume)
    np.testing.assert_array_equal(model.unpack_image(model.pack_image(image)), image)
    assert model.volume_shape == (3, (4 + 2 * model.margin_cells[0]) * 3, (3 + 2 * model.margin_cells[0]) * 3)


def test_the_back_projection_stays_on_the_volume() -> None:
    """Nothing is kept of the periodic grid outside the volume, lest a solver fill it."""
    model = projector(instrument(), 2, (8, 1))
    assert max(model.grid) > model.columns + 2 * model.margin_cells[0]
    resident = model.adjoint(model.pack_image(np.ones((1, 40, 5))))
    assert resident.size == np.prod(model.volume_shape)
    assert np.count_nonzero(resident) == resident.size


def test_what_is_fetched_is_the_volume_without_its_margin() -> None:
    model = projector(instrument(), 3, (4, 3))
    volume, edge = random_volume(model, 2, seed=13), 3 * model.margin_cells[0]
    np.testing.assert_array_equal(model.fetch_inside(model.pack_volume(volume))(), volume[..., edge:-edge, edge:-edge])


def test_results_are_the_callers_own() -> None:
    model = projector(instrument(), 2, (4, 3))
    volume, image = (
        model.pack_volume(random_volume(model, 1, seed=9)),
        model.pack_image(random_image(model, 1, seed=10)),
    )
    seen, spread = model.forward(volume), model.adjoint(image)
    before = seen.copy(), spread.copy()
    model.forward(2 * volume), model.adjoint(2 * image)
    np.testing.assert_array_equal(seen, before[0])
    np.testing.assert_array_equal(spread, before[1])


def test_products_in_blocks_are_the_same_products(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = projector(instrument(), 2, (4, 3))
    monkeypatch.setattr(numpy_projector, "SMALL_PRODUCT", 3 * 25 * 8)
    blocks = projector(instrument(), 2, (4, 3))
    volume, image = random_volume(whole, 2, seed=11), random_image(whole, 2, seed=12)
    np.testing.assert_allclose(forward(blocks, volume), forward(whole, volume), atol=1e-13)
    np.testing.assert_allclose(adjoint(blocks, image), adjoint(whole, image), atol=1e-13)


@pytest.mark.parametrize("shape", [(1, 20, 16), (20, 15), (1, 15, 20)])
def test_a_light_field_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    model = projector(instrument(), 2, (4, 3))
    with pytest.raises(SettingsError, match=r"takes \(frame, 20, 15\)"):
        model.pack_image(np.zeros(shape))


@pytest.mark.parametrize("planes", [2, 4])
def test_a_volume_of_another_shape_is_refused(planes: int) -> None:
    model = projector(instrument(), 2, (4, 3))
    with pytest.raises(SettingsError, match=r"takes \(frame, 3, "):
        model.pack_volume(np.zeros((1, planes, *model.volume_shape[1:])))


def test_a_projector_of_nothing_is_refused() -> None:
    with pytest.raises(SettingsError, match="0 planes over 4 x 4"):
        NumpyProjector([], 4, 4)
    with pytest.raises(SettingsError, match="over 0 x 4 cells"):
        NumpyProjector([kernels_of(instrument(), 0.0, 1)], 0, 4)
