"""The projector on the device against the twin in double precision, alone and under a solver."""

from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from scipy.signal import fftconvolve

from lfcore.errors import DataError, SettingsError
from lfcore.opencl.device import Device
from lfcore.projection.kernels import plane_kernels
from lfcore.projection.opencl_projector import OpenclProjector
from lfcore.solvers.richardson_lucy import Estimate, richardson_lucy
from tests.devices import PoisonedSession
from tests.instruments import instrument
from tests.projectors import Case, Pair, Values, distance, plane_images, projector_pair, tiling_of

SINGLE = 1e-5
"""Relative L2 distance; the requirement is 1e-4."""

CASES = {
    "even cells": Case(2, 4, (1,), 5, 6, frames=2),
    "odd cells": Case(3, 5, (1, 2), 5, 4, frames=3),
    "one sample, a plane in focus": Case(1, 3, (0, 3), 3, 3, frames=1),
    "one lenslet": Case(4, 5, (2,), 1, 1, frames=2),
    "oblong": Case(3, 4, (1, 2), 2, 17, frames=3),
    "upright, many frames": Case(2, 3, (1,), 17, 2, frames=17),
    "two by two tiles": Case(4, 5, (1, 3), 13, 10, (2, 2), 2),
    "a row of tiles": Case(3, 4, (2, 1), 5, 26, (1, 3), 2),
    "a column of tiles": Case(1, 2, (1,), 26, 3, (3, 1), 3),
    "oblong, one frame": Case(3, 4, (1, 2), 2, 17),
    "cells higher than wide": Case((5, 3), (7, 4), ((1, 2), (0, 1)), 5, 9, frames=2, exchange=False),
    "cells wider than high, tiles": Case((2, 3), (4, 7), ((2, 1),), 14, 9, (2, 2), 2, exchange=False),
    "square cells without an exchange": Case(3, 4, (1, 2), 6, 6, frames=2, exchange=False),
}

Maker = Callable[[str], Pair]


@pytest.fixture(scope="module")
def session(cpu_device: Device) -> PoisonedSession:
    return PoisonedSession(cpu_device)


@pytest.fixture(scope="module")
def pair_of(session: PoisonedSession) -> Maker:
    """The projectors of a case with random kernels."""
    return cache(lambda name: projector_pair(session, CASES[name], CASES[name].kernels(seed=51)))


def forward(model: OpenclProjector, volume: Values) -> Values:
    return model.unpack_image(model.forward(model.pack_volume(volume)))


def adjoint(model: OpenclProjector, image: Values) -> Values:
    return model.unpack_volume(model.adjoint(model.pack_image(image)))


def twin_forward(pair: Pair, volume: Values) -> Values:
    return pair.twin.unpack_image(pair.twin.forward(pair.twin.pack_volume(volume)))


def twin_adjoint(pair: Pair, image: Values) -> Values:
    return pair.twin.unpack_volume(pair.twin.adjoint(pair.twin.pack_image(image)))


def scene(pair: Pair, seed: int, weights: int | None = None) -> tuple[Values, Values]:
    """Counts of a random object and a weight that misses some pixels."""
    generator = np.random.default_rng(seed)
    truth = 300 * pair.volumes(generator) * (pair.volumes(generator) < 0.2)
    weight = (0.5 + pair.images(generator, weights)) * (pair.images(generator, weights) > 0.1)
    return generator.poisson(np.maximum(weight * twin_forward(pair, truth), 0) + 2 * (weight > 0)).astype(float), weight


def background_of(pair: Pair) -> npt.NDArray[np.float64]:
    return np.linspace(1, 2, pair.device.frames)


def solved(model: OpenclProjector, counts: Values, weight: Values, iterations: int, accelerate: bool) -> Estimate:
    background = np.linspace(1, 2, len(counts))
    return richardson_lucy(model, counts, weight, background, iterations, accelerate)


def test_cases_stand_for_every_kind_of_grid(session: PoisonedSession) -> None:
    tilings = {name: tiling_of(case, session.device.local_bytes) for name, case in CASES.items()}
    assert {name: (found.square, found.tiles) for name, found in tilings.items()} == {
        "even cells": (True, 1),
        "odd cells": (True, 1),
        "one sample, a plane in focus": (True, 1),
        "one lenslet": (True, 1),
        "oblong": (False, 1),
        "upright, many frames": (False, 1),
        "two by two tiles": (True, 4),
        "a row of tiles": (False, 3),
        "a column of tiles": (False, 3),
        "oblong, one frame": (False, 1),
        "cells higher than wide": (False, 1),
        "cells wider than high, tiles": (False, 4),
        "square cells without an exchange": (False, 1),
    }


@pytest.mark.parametrize("name", CASES)
def test_forward_and_adjoint_are_the_twins(pair_of: Maker, name: str) -> None:
    pair, generator = pair_of(name), np.random.default_rng(52)
    volume, image = pair.volumes(generator), pair.images(generator)
    assert pair.device.volume_shape == pair.twin.volume_shape
    assert pair.device.margin_cells == pair.twin.margin_cells
    assert distance(forward(pair.device, volume), twin_forward(pair, volume)) < SINGLE
    assert distance(adjoint(pair.device, image), twin_adjoint(pair, image)) < SINGLE


@pytest.mark.parametrize("name", CASES)
def test_the_adjoint_is_the_transpose(pair_of: Maker, name: str) -> None:
    """On values of either sign, whose sums nearly cancel."""
    pair, generator = pair_of(name), np.random.default_rng(53)
    volume, image = pair.volumes(generator) - 0.5, pair.images(generator) - 0.5
    seen, spread = forward(pair.device, volume).astype(float), adjoint(pair.device, image).astype(float)
    for frame in range(pair.device.frames):
        left, right = np.vdot(seen[frame], image[frame]), np.vdot(volume[frame], spread[frame])
        assert abs(left - right) < 1e-6 * np.linalg.norm(seen[frame]) * np.linalg.norm(image[frame])


@pytest.mark.parametrize("name", ["odd cells", "upright, many frames", "two by two tiles"])
@pytest.mark.parametrize("frames", [1, 2])
def test_fewer_frames_than_planned(pair_of: Maker, name: str, frames: int) -> None:
    pair, generator = pair_of(name), np.random.default_rng(54)
    volume, image = pair.volumes(generator, frames), pair.images(generator, frames)
    assert distance(forward(pair.device, volume), twin_forward(pair, volume)) < SINGLE
    assert distance(adjoint(pair.device, image), twin_adjoint(pair, image)) < SINGLE


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("shared", [False, True])
def test_the_steps_of_an_iteration_are_the_twins(pair_of: Maker, name: str, shared: bool) -> None:
    """One after another, so that each begins with what the device left of the one before."""
    pair = pair_of(name)
    counts, weight = scene(pair, 55, 1 if shared else None)
    generator = np.random.default_rng(56)
    start = pair.volumes(generator, 1 if shared else None)
    everywhere = np.broadcast_to(start, (pair.device.frames, *start.shape[1:]))
    results = []
    for model in (pair.device, pair.twin):
        weights, volume = model.pack_image(weight), model.pack_volume(start)
        normaliser, seen = model.adjoint(weights), model.forward(model.pack_volume(everywhere))
        correction, squares = model.compare(model.pack_image(counts), seen, weights, background_of(pair))
        stepped = model.update(volume, model.adjoint(correction), normaliser)
        ahead = model.unpack_image(model.forward(stepped))
        results.append((squares[:, None], model.unpack_volume(stepped), ahead))
    for found, expected in zip(*results, strict=True):
        assert distance(found, expected) < SINGLE


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("accelerate", [False, True])
def test_richardson_lucy_is_the_twins(pair_of: Maker, name: str, accelerate: bool) -> None:
    pair = pair_of(name)
    counts, weight = scene(pair, seed=57)
    found, expected = (solved(model, counts, weight, 4, accelerate) for model in (pair.device, pair.twin))
    assert distance(found.volume, expected.volume) < SINGLE
    np.testing.assert_allclose(found.residuals, expected.residuals, rtol=1e-5)


@pytest.mark.parametrize("name", ["odd cells", "oblong", "two by two tiles"])
def test_one_weight_for_all_frames_is_that_weight_for_each(pair_of: Maker, name: str) -> None:
    pair = pair_of(name)
    counts, weight = scene(pair, 58, 1)
    each = np.repeat(weight, pair.device.frames, axis=0)
    one, many = (solved(pair.device, counts, weights, 3, True) for weights in (weight, each))
    np.testing.assert_array_equal(one.volume, many.volume)
    np.testing.assert_array_equal(one.residuals, many.residuals)


@pytest.mark.parametrize("name", ["odd cells", "a row of tiles"])
def test_two_runs_give_the_same_bits(session: PoisonedSession, pair_of: Maker, name: str) -> None:
    pair = pair_of(name)
    again = projector_pair(session, CASES[name], CASES[name].kernels(seed=51))
    counts, weight = scene(pair, seed=59)
    first, second, third = (
        solved(model, counts, weight, 3, True) for model in (pair.device, pair.device, again.device)
    )
    for other in (second, third):
        np.testing.assert_array_equal(first.volume, other.volume)
        np.testing.assert_array_equal(first.residuals, other.residuals)


@pytest.mark.parametrize("name", ["odd cells", "upright, many frames", "two by two tiles"])
def test_a_frame_that_is_not_a_number_stays_alone(pair_of: Maker, name: str) -> None:
    """Nor is anything left of it in what comes afterwards."""
    pair, generator = pair_of(name), np.random.default_rng(60)
    volume, image = pair.volumes(generator), pair.images(generator)
    seen, spread = forward(pair.device, volume), adjoint(pair.device, image)
    others = np.arange(pair.device.frames) != 1
    for value in (np.nan, np.inf):
        bad_volume, bad_image = volume.copy(), image.copy()
        bad_volume[1], bad_image[1] = value, value
        for _ in range(2):
            np.testing.assert_array_equal(forward(pair.device, bad_volume)[others], seen[others])
            np.testing.assert_array_equal(adjoint(pair.device, bad_image)[others], spread[others])
    np.testing.assert_array_equal(forward(pair.device, volume), seen)
    np.testing.assert_array_equal(adjoint(pair.device, image), spread)


def test_a_frame_that_is_not_a_number_is_named_by_a_solver_and_leaves_no_traces(pair_of: Maker) -> None:
    pair = pair_of("odd cells")
    counts, weight = scene(pair, 61, 1)
    clean, bad = solved(pair.device, counts, weight, 3, True), counts.copy()
    bad[1, 2, 3] = np.nan
    with pytest.raises(DataError, match="frame 1 of this batch is not a number"):
        solved(pair.device, bad, weight, 3, True)
    again = solved(pair.device, counts, weight, 3, True)
    np.testing.assert_array_equal(again.volume, clean.volume)


def test_projectors_take_each_others_room_without_traces(session: PoisonedSession) -> None:
    """As many bytes for one sample as for two, where other rows are empty."""
    two, one = Case(2, 4, (1,), 5, 6, frames=2), Case(1, 4, (1,), 5, 6, frames=2)
    pairs = [projector_pair(session, case, case.kernels(seed=62)) for case in (two, one)]
    generator = np.random.default_rng(63)
    for pair in 2 * pairs:
        volume, image = pair.volumes(generator), pair.images(generator)
        assert distance(forward(pair.device, volume), twin_forward(pair, volume)) < SINGLE
        assert distance(adjoint(pair.device, image), twin_adjoint(pair, image)) < SINGLE
        forward(pair.device, np.full_like(volume, np.nan))
        adjoint(pair.device, np.full_like(image, np.nan))


@pytest.mark.parametrize("tiles", [(2, 2), (1, 3)])
def test_tiles_leave_no_seam(session: PoisonedSession, tiles: tuple[int, int]) -> None:
    """Nowhere, also not on the lenslets beside a cut, does the field differ from the one that was not cut."""
    whole, cut = Case(3, 4, (2, 1), 11, 14), Case(3, 4, (2, 1), 11, 14, tiles)
    kernels, generator = whole.kernels(seed=64), np.random.default_rng(65)
    one, many = (projector_pair(session, case, kernels) for case in (whole, cut))
    volume, image = one.volumes(generator), one.images(generator)
    for apply, values in ((forward, volume), (adjoint, image)):
        expected = apply(one.device, values)
        assert np.abs(apply(many.device, values) - expected).max() < 2e-6 * expected.max()
    counts, weight = scene(one, seed=66)
    expected, found = (solved(pair.device, counts, weight, 5, True).volume for pair in (one, many))
    assert np.abs(found - expected).max() < 1e-4 * expected.max()


@pytest.mark.parametrize("tiles_at_a_time", [1, 2, 3])
@pytest.mark.parametrize(("spends", "accelerate"), [(False, False), (False, True), (True, False)])
@pytest.mark.parametrize("name", ["two by two tiles", "a row of tiles"])
def test_some_tiles_at_a_time_make_the_same_bits(
    session: PoisonedSession, pair_of: Maker, name: str, spends: bool, accelerate: bool, tiles_at_a_time: int
) -> None:
    whole, case = pair_of(name), CASES[name]
    kernels = case.kernels(seed=51)
    parts = projector_pair(session, case, kernels, tiles_at_a_time=tiles_at_a_time, spends=spends)
    counts, weight = scene(whole, seed=72)
    expected, found = (solved(pair.device, counts, weight, 3, accelerate) for pair in (whole, parts))
    np.testing.assert_array_equal(found.volume, expected.volume)
    np.testing.assert_array_equal(found.residuals, expected.residuals)
    # A weight for all frames, and counts that follow other counts.
    expected, found = (solved(pair.device, counts / 2, weight[:1], 2, accelerate) for pair in (whole, parts))
    np.testing.assert_array_equal(found.volume, expected.volume)


def test_one_lateral_position_is_a_convolution_of_the_upsampled_plane(session: PoisonedSession) -> None:
    """Without the twin: the sample (2, 0) of the second plane."""
    case = Case(3, 4, (1, 2), 6, 4)
    kernels = case.kernels(seed=67)
    pair = projector_pair(session, case, kernels)
    volume = np.zeros((1, *pair.device.volume_shape))
    lit = np.random.default_rng(68).random(volume[0, 1, 2::3, 0::3].shape)
    volume[0, 1, 2::3, 0::3] = lit
    upsampled = np.zeros([length * 4 for length in lit.shape])
    upsampled[::4, ::4] = lit
    whole = fftconvolve(upsampled, kernels[1].image(2, 0).astype(float), mode="full")
    expected = whole[16:, 16:][:24, :16]
    np.testing.assert_allclose(forward(pair.device, volume)[0], expected, atol=1e-5 * expected.max())


@pytest.mark.parametrize(("size", "samples", "tiles"), [(5, 3, (1, 1)), (4, 2, (1, 1)), (5, 2, (2, 2))])
def test_an_instrument(session: PoisonedSession, size: int, samples: int, tiles: tuple[int, int]) -> None:
    kernels = [plane_kernels(instrument(pixels_per_lenslet=size), z_um, samples) for z_um in (-8.0, 0.0, 5.0)]
    case = Case(samples, size, tuple(kernel.radius_cells[0] for kernel in kernels), 7, 8, tiles, 2)
    pair, generator = projector_pair(session, case, kernels), np.random.default_rng(69)
    volume, image = pair.volumes(generator), pair.images(generator)
    assert distance(forward(pair.device, volume), twin_forward(pair, volume)) < SINGLE
    assert distance(adjoint(pair.device, image), twin_adjoint(pair, image)) < SINGLE
    counts, weight = scene(pair, seed=70)
    plain, faster = (
        [solved(model, counts, weight, 6, way) for model in (pair.device, pair.twin)] for way in (False, True)
    )
    # Far out in the margin next to nothing of a voxel is seen, and single precision divides rounding by rounding there.
    # Alone that stays outside; with acceleration the inner products carry it everywhere.
    edge = pair.twin.margin_cells[0] * samples
    inside = [estimate.volume[:, :, edge:-edge, edge:-edge] for estimate in plain]
    assert distance(*inside) < SINGLE
    np.testing.assert_allclose(plain[0].residuals, plain[1].residuals, rtol=1e-5)
    np.testing.assert_allclose(faster[0].residuals, faster[1].residuals, rtol=1e-3)


@pytest.mark.parametrize("name", CASES)
def test_planes_are_mixed_as_by_the_twin(pair_of: Maker, name: str) -> None:
    both, generator = pair_of(name), np.random.default_rng(71)
    volumes = both.volumes(generator)
    mixture = generator.random((volumes.shape[1], volumes.shape[1])) * np.tri(volumes.shape[1], k=1)
    mixed = [
        projector.unpack_volume(projector.mix_planes(projector.pack_volume(volumes), mixture))
        for projector in (both.device, both.twin)
    ]
    np.testing.assert_allclose(*mixed, rtol=1e-5, atol=1e-6)


def test_nothing_gives_nothing(pair_of: Maker) -> None:
    pair = pair_of("odd cells")
    dark = np.zeros((3, *pair.image_shape))
    assert not adjoint(pair.device, dark).any()
    assert not forward(pair.device, np.zeros((3, *pair.device.volume_shape))).any()


def test_a_projector_of_nothing_is_refused(session: PoisonedSession) -> None:
    case = Case(2, 4, (1,), 5, 6)
    grids, planes = tiling_of(case, session.device.local_bytes), plane_images(session, case.kernels(seed=71))
    with pytest.raises(SettingsError, match="0 planes, 1 frames"):
        OpenclProjector(session, grids, [], (2, 2), (4, 4))
    with pytest.raises(SettingsError, match="1 planes, 0 frames"):
        OpenclProjector(session, grids, planes, (2, 2), (4, 4), frames=0)
    with pytest.raises(SettingsError, match="0 tiles at a time"):
        OpenclProjector(session, grids, planes, (2, 2), (4, 4), tiles_at_a_time=0)
