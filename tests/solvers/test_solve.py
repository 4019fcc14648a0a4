"""All solvers through their one interface: starts, rules to stop by, divergence, and batches."""

from typing import get_args

import numpy as np
import numpy.typing as npt
import pytest

from lfcore.errors import DataError
from lfcore.projection.cell import Array
from lfcore.projection.kernels import plane_kernels
from lfcore.projection.numpy_projector import NumpyProjector
from lfcore.settings import Reconstruction
from lfcore.solvers.problem import Options, Problem, Solution, Weighting
from lfcore.solvers.solve import METHODS, Method, solve
from tests.instruments import instrument

Floats = npt.NDArray[np.float64]
BACKGROUND = 0.5
SEED = 61


@pytest.fixture(scope="module")
def projector() -> NumpyProjector:
    """Three planes in front of 5 x 4 lenslets of 5 px, two samples a lenslet."""
    optics = instrument(pixels_per_lenslet=5)
    return NumpyProjector([plane_kernels(optics, z_um, 2) for z_um in (-10.0, 0.0, 10.0)], 5, 4, np.float64)


def problem(projector: NumpyProjector, light: Floats, weight: Floats) -> Problem[Array]:
    background = np.full(len(light), BACKGROUND)
    return Problem(projector, np.where(weight > 0, light, 0), Weighting.of(projector, weight), background)


def truth(projector: NumpyProjector, seed: int, frames: int = 1) -> Floats:
    """Blocks of light."""
    generator = np.random.default_rng(seed)
    volume = np.zeros((frames, *projector.volume_shape))
    for frame in volume:
        for corner in generator.integers([0, 2, 2], [2, 12, 10], (6, 3)):
            frame[tuple(slice(low, low + 3) for low in corner)] += generator.uniform(20, 60)
    return volume


def clean(projector: NumpyProjector, volume: Floats, weight: Floats | float = 1.0) -> Floats:
    return np.maximum(weight * projector.unpack_image(projector.forward(projector.pack_volume(volume))), 0)


def scene(projector: NumpyProjector, seed: int = SEED, frames: int = 1) -> tuple[Floats, Floats]:
    """Counts and a weight with missing pixels."""
    generator = np.random.default_rng(seed)
    light = clean(projector, truth(projector, seed, frames))
    weight = generator.uniform(0.5, 1.5, light.shape) * (generator.random(light.shape) > 0.05)
    return generator.poisson(weight * light + BACKGROUND * (weight > 0)).astype(float), weight


def volume_of(projector: NumpyProjector, solution: Solution[Array]) -> Floats:
    return np.asarray(projector.unpack_volume(solution.volume), np.float64)


def test_the_settings_know_the_same_solvers() -> None:
    named = Reconstruction.model_fields["solver"].annotation
    assert set(get_args(named)) == set(get_args(Method)) == set(METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_volumes_explain_what_was_measured(projector: NumpyProjector, method: Method) -> None:
    """The last residual is that of the volume returned, and far below that of the start."""
    counts, weight = scene(projector)
    solution = solve(method, problem(projector, counts, weight), Options(20))
    volume, seen = volume_of(projector, solution), weight > 0
    rest = (counts - clean(projector, volume, weight))[seen]
    assert volume.min() >= 0
    assert solution.residuals.shape == (21, 1)
    assert solution.residuals[-1, 0] == pytest.approx(np.linalg.norm(rest) / np.linalg.norm(counts[seen]), rel=1e-6)
    assert solution.residuals[-1, 0] < 0.7 * solution.residuals[0, 0]
    assert solution.stopped == "iterations"


@pytest.mark.parametrize("method", METHODS)
def test_the_volume_grows_with_the_light(projector: NumpyProjector, method: Method) -> None:
    """So that defaults mean the same for any brightness: a camera's gain changes nothing but the scale."""
    counts, weight = scene(projector)
    dim = problem(projector, counts, weight)
    bright = Problem(projector, 50 * dim.light, dim.weighting, 50 * dim.background)
    volumes = [volume_of(projector, solve(method, each, Options(6))) for each in (dim, bright)]
    assert np.linalg.norm(volumes[1] - 50 * volumes[0]) < 1e-5 * np.linalg.norm(volumes[1])


@pytest.mark.parametrize("method", METHODS)
def test_frames_of_a_batch_do_not_know_each_other(projector: NumpyProjector, method: Method) -> None:
    counts, weight = scene(projector, frames=2)
    both = solve(method, problem(projector, counts, weight), Options(4))
    for frame in range(2):
        alone = solve(method, problem(projector, counts[frame : frame + 1], weight[frame : frame + 1]), Options(4))
        difference = volume_of(projector, both)[frame] - volume_of(projector, alone)[0]
        assert np.linalg.norm(difference) < 1e-6 * np.linalg.norm(volume_of(projector, alone))
        np.testing.assert_allclose(both.residuals[:, frame], alone.residuals[:, 0], rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [0.0, 1e6, np.nan])
def test_what_a_missing_pixel_holds_has_no_influence(projector: NumpyProjector, method: Method, value: float) -> None:
    counts, weight = scene(projector)
    expected, changed = (
        solve(method, problem(projector, light, weight), Options(3))
        for light in (counts, np.where(weight > 0, counts, value))
    )
    np.testing.assert_array_equal(volume_of(projector, changed), volume_of(projector, expected))


@pytest.mark.parametrize("method", METHODS)
def test_a_given_start_is_where_it_begins(projector: NumpyProjector, method: Method) -> None:
    counts, weight = scene(projector)
    posed = problem(projector, counts, weight)
    cold = solve(method, posed, Options(12))
    warm = solve(method, posed, Options(1), volume_of(projector, cold))
    first, last = cold.residuals[0, 0], cold.residuals[-1, 0]
    assert warm.residuals[0, 0] - last < (first - last) / 3


@pytest.mark.parametrize("method", METHODS)
def test_what_was_dark_before_may_light_up(projector: NumpyProjector, method: Method) -> None:
    """Multiplications leave zeros as they are, so a start is never quite without light."""
    counts, weight = scene(projector)
    solution = solve(method, problem(projector, counts, weight), Options(30), np.zeros((1, *projector.volume_shape)))
    cold = solve(method, problem(projector, counts, weight), Options(30))
    assert solution.residuals[-1, 0] < 1.1 * cold.residuals[-1, 0]


@pytest.mark.parametrize("method", METHODS)
def test_it_ends_once_the_residual_hardly_changes(projector: NumpyProjector, method: Method) -> None:
    counts, weight = scene(projector)
    solution = solve(method, problem(projector, counts, weight), Options(200, rule="change", tolerance=0.02))
    changes = np.abs(np.diff(solution.residuals[:, 0])) / solution.residuals[:-1, 0]
    assert solution.stopped == "change"
    assert changes[-1] <= 0.02
    assert (changes[:-1] > 0.02).all()


@pytest.mark.parametrize("method", ["richardson_lucy", "rl_tv", "admm_tv"])
def test_it_ends_when_noise_explains_the_rest(projector: NumpyProjector, method: Method) -> None:
    counts, weight = scene(projector)
    posed = problem(projector, counts, weight)
    squares = counts.sum() + np.count_nonzero(weight) * BACKGROUND**2
    noise = np.sqrt([squares / np.square(counts).sum()])
    noisy = Problem(projector, posed.light, posed.weighting, posed.background, noise)
    solution = solve(method, noisy, Options(200, rule="discrepancy"))
    assert solution.stopped == "discrepancy"
    assert solution.residuals[-1, 0] <= noise[0] < solution.residuals[-2, 0]
    loose = solve(method, noisy, Options(200, rule="discrepancy", tolerance=1.5))
    assert len(loose.residuals) <= len(solution.residuals)
    assert loose.residuals[-1, 0] <= 1.5 * noise[0]


def test_a_batch_goes_on_until_all_its_frames_may_end(projector: NumpyProjector) -> None:
    counts, weight = scene(projector, frames=2)
    counts[1] = counts[1].mean()
    options = Options(200, rule="change", tolerance=0.01)
    both = solve("richardson_lucy", problem(projector, counts, weight), options)
    each = [
        len(solve("richardson_lucy", problem(projector, counts[at], weight[at]), options).residuals)
        for at in (slice(1), slice(1, 2))
    ]
    assert each[0] != each[1]
    assert len(both.residuals) == max(each)


class Wrong(NumpyProjector):
    """An operator that, after some projections, gives more light with every one."""

    projections_in_order = 10
    growth = 1.0

    def forward(self, volume: Array) -> Array:
        self.projections_in_order -= 1
        excess = max(-self.projections_in_order, 0)
        return super().forward(volume) * self.dtype.type(self.growth**excess)


@pytest.fixture
def wrong() -> Wrong:
    optics = instrument(pixels_per_lenslet=5)
    return Wrong([plane_kernels(optics, z_um, 2) for z_um in (-10.0, 0.0, 10.0)], 5, 4, np.float64)


@pytest.mark.parametrize("method", METHODS)
def test_a_solver_that_goes_nowhere_is_stopped(wrong: Wrong, method: Method) -> None:
    posed = problem(wrong, *scene(wrong))
    wrong.growth = 4.0
    heard: list[float] = []
    with pytest.raises(
        DataError, match=rf"{method} diverges: at iteration \d+ .* times its smallest; .*stop before"
    ) as error:
        solve(method, posed, Options(200), on_iteration=lambda _, residual: heard.append(float(residual[0])))
    assert "\n" not in str(error.value)
    # Three in a row: the last of them is not announced any more.
    assert len(heard) < 60
    assert heard[-1] > 2 * min(heard)


@pytest.mark.parametrize("method", METHODS)
def test_what_is_no_number_is_not_returned(wrong: Wrong, method: Method) -> None:
    posed = problem(wrong, *scene(wrong))
    wrong.growth = float("nan")
    with pytest.raises(DataError, match=r"diverges: at iteration \d+ .* is not a number"):
        solve(method, posed, Options(50))


def test_the_error_says_what_can_be_done(wrong: Wrong) -> None:
    posed, messages = problem(wrong, *scene(wrong)), []
    for method, accelerate in (("richardson_lucy", True), ("rl_tv", False)):
        wrong.projections_in_order, wrong.growth = 10, 4.0
        with pytest.raises(DataError) as error:
            solve(method, posed, Options(200, accelerate))  # type: ignore[arg-type]
        messages.append(str(error.value))
    assert "acceleration off" in messages[0]
    assert "regularisation" not in messages[0]
    assert "raise reconstruction.regularisation" in messages[1]
    assert "acceleration" not in messages[1]
