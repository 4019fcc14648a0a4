"""Richardson-Lucy against one written with a dense matrix, and what the likelihood demands."""

import numpy as np
import numpy.typing as npt
import pytest

from lfcore.errors import DataError
from lfcore.projection.kernels import plane_kernels
from lfcore.projection.numpy_projector import NumpyProjector
from lfcore.solvers.richardson_lucy import Estimate, richardson_lucy
from tests.instruments import instrument

Floats = npt.NDArray[np.float64]
BACKGROUND = 0.3


@pytest.fixture(scope="module")
def tiny() -> NumpyProjector:
    """Two planes in front of 3 x 2 lenslets of 4 px, two samples a lenslet, double precision."""
    optics = instrument(pixels_per_lenslet=4)
    return NumpyProjector([plane_kernels(optics, z_um, 2) for z_um in (-6.0, 8.0)], 3, 2, np.float64)


@pytest.fixture(scope="module")
def matrix(tiny: NumpyProjector) -> Floats:
    """The operator of ``tiny``, (pixel, voxel), column by column."""
    count = int(np.prod(tiny.volume_shape))
    columns = [
        tiny.unpack_image(tiny.forward(tiny.pack_volume(unit.reshape(1, *tiny.volume_shape)))).ravel()
        for unit in np.eye(count)
    ]
    return np.maximum(np.stack(columns, axis=1), 0)


@pytest.fixture(scope="module")
def scene(tiny: NumpyProjector) -> tuple[Floats, Floats]:
    """Counts and a weight (1, y, x) with missing pixels, of a random object (seed 3)."""
    rng = np.random.default_rng(3)
    truth = rng.exponential(size=(1, *tiny.volume_shape)) * (rng.random((1, *tiny.volume_shape)) < 0.1) * 200
    light = tiny.unpack_image(tiny.forward(tiny.pack_volume(truth)))
    weight = rng.uniform(0.5, 1.5, light.shape) * (rng.random(light.shape) > 0.15)
    return rng.poisson(np.maximum(weight * light, 0) + BACKGROUND * (weight > 0)).astype(float), weight


def solve(model: NumpyProjector, counts: Floats, weight: Floats, iterations: int, accelerate: bool = False) -> Estimate:
    return richardson_lucy(model, counts, weight, np.full(len(counts), BACKGROUND), iterations, accelerate)


def log_likelihood(matrix: Floats, volume: Floats, counts: Floats, weight: Floats) -> float:
    """Poisson, without the part that no volume changes; pixels without weight say nothing."""
    seen = weight.ravel() > 0
    mean = (weight.ravel() * (matrix @ volume.ravel()) + BACKGROUND)[seen]
    return float((counts.ravel()[seen] * np.log(mean) - mean).sum())


def dense_richardson_lucy(matrix: Floats, counts: Floats, weight: Floats, iterations: int) -> list[Floats]:
    """The volumes after 0, 1, … iterations."""
    b, w = counts.ravel(), weight.ravel()
    b = np.where(w > 0, b, 0)
    g = np.where(w > 0, BACKGROUND, 0)
    volume = matrix.T @ (w * b) / (matrix.T @ (w * w * (matrix @ np.ones(matrix.shape[1]))))
    volumes = [volume]
    for _ in range(iterations):
        mean = w * (matrix @ volume) + g
        ratio = np.where(mean > 0, w * b / np.where(mean > 0, mean, 1), 0)
        volume = volume * (matrix.T @ ratio) / (matrix.T @ w)
        volumes.append(volume)
    return volumes


@pytest.mark.parametrize("iterations", [0, 1, 2, 10])
def test_it_is_the_dense_one(
    tiny: NumpyProjector, matrix: Floats, scene: tuple[Floats, Floats], iterations: int
) -> None:
    volume = solve(tiny, *scene, iterations).volume.ravel()
    expected = dense_richardson_lucy(matrix, *scene, iterations)[-1]
    # Voxels that next to no pixel sees are set to zero here; a quotient of two roundings there.
    seen = matrix.T @ scene[1].ravel() > 1e-4 * (matrix.T @ scene[1].ravel()).max()
    assert seen.mean() > 0.5
    assert np.linalg.norm(volume[seen] - expected[seen]) < 1e-5 * np.linalg.norm(expected[seen])


def test_the_likelihood_never_falls(tiny: NumpyProjector, matrix: Floats, scene: tuple[Floats, Floats]) -> None:
    values = [log_likelihood(matrix, solve(tiny, *scene, n).volume, *scene) for n in range(16)]
    assert (np.diff(values) > 0).all()


@pytest.mark.parametrize("plain", [45, 60, 90])
def test_acceleration_needs_a_third_of_the_iterations(
    tiny: NumpyProjector, matrix: Floats, scene: tuple[Floats, Floats], plain: int
) -> None:
    """For the same Poisson likelihood."""
    reached = log_likelihood(matrix, solve(tiny, *scene, plain).volume, *scene)
    assert log_likelihood(matrix, solve(tiny, *scene, plain // 3, True).volume, *scene) >= reached


@pytest.mark.parametrize("accelerate", [False, True])
def test_volumes_are_never_negative(tiny: NumpyProjector, scene: tuple[Floats, Floats], accelerate: bool) -> None:
    assert solve(tiny, *scene, 12, accelerate).volume.min() >= 0


@pytest.mark.parametrize("accelerate", [False, True])
def test_the_truth_is_a_fixed_point(tiny: NumpyProjector, matrix: Floats, accelerate: bool) -> None:
    """A step from the truth leads nowhere: H^T(W b / (W H x + g)) = H^T W when b is the mean itself."""
    rng = np.random.default_rng(8)
    truth = rng.uniform(1, 2, (1, *tiny.volume_shape))
    weight = rng.uniform(0.5, 1.5, (1, 12, 8))
    resident = tiny.pack_volume(truth)
    expected, weights = tiny.forward(resident), tiny.pack_image(weight)
    offset = tiny.pack_image(np.full(weight.shape, BACKGROUND))
    correction, _ = tiny.compare(weights * expected + offset, expected, weights, offset)
    stepped = tiny.unpack_volume(tiny.update(resident, tiny.adjoint(correction), tiny.adjoint(weights)))
    seen = (matrix.T @ weight.ravel()).reshape(truth.shape) > 1e-4
    np.testing.assert_allclose(stepped[seen], truth[seen], rtol=1e-8)


@pytest.mark.parametrize("value", [0.0, 1e6, -1e6, np.nan])
def test_what_a_missing_pixel_holds_has_no_influence(
    tiny: NumpyProjector, scene: tuple[Floats, Floats], value: float
) -> None:
    counts, weight = scene
    expected = solve(tiny, counts, weight, 5)
    changed = solve(tiny, np.where(weight > 0, counts, value), weight, 5)
    np.testing.assert_array_equal(changed.volume, expected.volume)
    np.testing.assert_array_equal(changed.residuals, expected.residuals)


def test_the_residual_is_over_the_pixels_that_count(
    tiny: NumpyProjector, matrix: Floats, scene: tuple[Floats, Floats]
) -> None:
    counts, weight = scene
    heard: list[tuple[int, float]] = []
    estimate = richardson_lucy(
        tiny, counts, weight, np.array([BACKGROUND]), 4, on_iteration=lambda n, values: heard.append((n, values[0]))
    )
    seen = weight > 0
    model = (weight.ravel() * (matrix @ estimate.volume.ravel())).reshape(counts.shape)
    expected = np.linalg.norm((counts - model)[seen]) / np.linalg.norm(counts[seen])
    assert estimate.residuals.shape == (5, 1)
    assert estimate.residuals[-1, 0] == pytest.approx(expected, rel=1e-6)
    assert heard == [(n, value) for n, value in enumerate(estimate.residuals[:, 0])]


def test_a_frame_without_light_is_refused(tiny: NumpyProjector, scene: tuple[Floats, Floats]) -> None:
    counts, weight = (np.repeat(array, 2, axis=0) for array in scene)
    counts[1] = -3
    with pytest.raises(DataError, match="frame 1 of this batch holds no light"):
        solve(tiny, counts, weight, 1)
    with pytest.raises(DataError, match="no light"):
        solve(tiny, scene[0], np.zeros_like(scene[1]), 1)


@pytest.mark.parametrize("accelerate", [False, True])
def test_dark_pixels_without_background_give_no_nan(tiny: NumpyProjector, accelerate: bool) -> None:
    counts = np.zeros((1, 12, 8))
    counts[0, 5, 3] = 100
    estimate = richardson_lucy(tiny, counts, np.ones_like(counts), np.zeros(1), 40, accelerate)
    assert np.isfinite(estimate.volume).all()
    assert np.isfinite(estimate.residuals).all()
    assert estimate.volume.max() > 0


@pytest.mark.parametrize("accelerate", [False, True])
def test_frames_of_a_batch_do_not_know_each_other(
    tiny: NumpyProjector, scene: tuple[Floats, Floats], accelerate: bool
) -> None:
    counts, weight = scene
    rng = np.random.default_rng(9)
    other = rng.poisson(5, counts.shape).astype(float), rng.uniform(0.5, 1.5, weight.shape)
    backgrounds = np.array([BACKGROUND, 1.5])
    both = richardson_lucy(
        tiny, np.concatenate([counts, other[0]]), np.concatenate([weight, other[1]]), backgrounds, 6, accelerate
    )
    for index, (frame, weights) in enumerate([(counts, weight), other]):
        alone = richardson_lucy(tiny, frame, weights, backgrounds[index : index + 1], 6, accelerate)
        np.testing.assert_allclose(both.residuals[:, index], alone.residuals[:, 0], rtol=1e-9)
        difference = np.linalg.norm(both.volume[index] - alone.volume[0])
        assert difference < 1e-6 * np.linalg.norm(alone.volume)
