"""The tempered step against differences of the total variation itself, and the device against its twin."""

import numpy as np
import numpy.typing as npt
import pytest

from lfcore.opencl.device import Device
from lfcore.projection.variation import LEAST_DIVISOR, divergence, gradient, lengths, tempered
from tests.devices import PoisonedSession
from tests.projectors import Case, distance, projector_pair

Floats = npt.NDArray[np.float64]
SEED = 71


def total_variation(volume: Floats, smallest: float) -> float:
    """Written out voxel by voxel: (frame, z, y, x) of one frame."""
    total, shape = 0.0, volume.shape
    for place in np.ndindex(shape):
        squares = smallest**2
        for axis in (1, 2, 3):
            after = tuple(index + (axis == along) for along, index in enumerate(place))
            if after[axis] < shape[axis]:
                squares += (volume[after] - volume[place]) ** 2
        total += squares**0.5
    return total


def test_the_divergence_is_the_slope_of_the_total_variation() -> None:
    generator = np.random.default_rng(SEED)
    volume, smallest, step = generator.random((1, 3, 4, 5)), 0.1, 1e-6
    slope = gradient(volume)
    found = -divergence(slope / lengths(slope, smallest))
    for place in np.ndindex(volume.shape):
        sides = []
        for sign in (1, -1):
            moved = volume.copy()
            moved[place] += sign * step
            sides.append(total_variation(moved, smallest))
        assert found[place] == pytest.approx((sides[0] - sides[1]) / (2 * step), abs=1e-6)


def test_the_divergence_is_less_the_transpose_of_the_gradient() -> None:
    generator = np.random.default_rng(SEED)
    volume, field = generator.normal(size=(2, 3, 4, 5)), generator.normal(size=(3, 2, 3, 4, 5))
    assert np.vdot(gradient(volume), field) == pytest.approx(-np.vdot(volume, divergence(field)))


def test_a_step_is_divided_by_one_and_the_slope() -> None:
    generator = np.random.default_rng(SEED)
    stepped, before = generator.random((2, 2, 3, 4, 5))
    smallest = np.array([0.1, 0.3])
    for frame in range(2):
        slope = gradient(before[frame : frame + 1])
        change = -divergence(slope / np.sqrt(np.square(slope).sum(0) + smallest[frame] ** 2))
        found = tempered(stepped, before, 0.05, smallest)[frame]
        np.testing.assert_allclose(found, stepped[frame] / (1 + 0.05 * change[0]))


def test_what_is_even_or_dark_stays_as_it_is() -> None:
    stepped = np.random.default_rng(SEED).random((1, 3, 4, 5))
    for before in (np.full(stepped.shape, 2.0), np.zeros(stepped.shape)):
        np.testing.assert_array_equal(tempered(stepped, before, 0.3, np.zeros(1)), stepped)


def test_no_strength_makes_a_volume_negative_or_much_brighter() -> None:
    generator = np.random.default_rng(SEED)
    stepped, before = generator.random((2, 1, 5, 6, 7))
    found = tempered(stepped, before, 100.0, np.full(1, 1e-3))
    assert found.min() >= 0
    assert (found <= stepped / LEAST_DIVISOR * (1 + 1e-12)).all()


CASES = {
    "even cells": Case(2, 4, (1,), 5, 6, frames=2),
    "odd cells": Case(3, 5, (1, 2), 5, 4, frames=3),
    "one sample": Case(1, 3, (0, 3), 3, 3),
    "tiles": Case(4, 5, (1, 3), 13, 10, (2, 2), 2),
    "cells higher than wide": Case((5, 3), (7, 4), ((1, 2), (0, 1)), 5, 9, frames=2, exchange=False),
}


@pytest.mark.parametrize("name", CASES)
def test_the_device_tempers_as_its_twin(cpu_device: Device, name: str) -> None:
    """Also what is projected after it, for which a field's spectrum must be that of the new values."""
    case = CASES[name]
    pair = projector_pair(PoisonedSession(cpu_device), case, case.kernels(seed=SEED))
    generator = np.random.default_rng(SEED)
    stepped, before = pair.volumes(generator), pair.volumes(generator)
    smallest = np.linspace(0.05, 0.2, case.frames)
    volumes, images = [], []
    for model in (pair.device, pair.twin):
        weights = model.pack_image(np.ones((case.frames, *pair.image_shape)))
        # As a solver does it, so that the step comes with a spectrum of its own.
        fresh = model.update(model.pack_volume(stepped), model.adjoint(weights), model.adjoint(weights))
        result = model.temper(fresh, model.pack_volume(before), 0.2, smallest)
        images.append(model.unpack_image(model.forward(result)))
        volumes.append(model.unpack_volume(result))
    assert distance(volumes[0], volumes[1]) < 1e-5
    assert distance(images[0], images[1]) < 1e-5
