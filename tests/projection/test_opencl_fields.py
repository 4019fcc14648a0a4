"""Fields on the device: their order, the way to the host and back, and the steps of a solver against plain numpy."""

import numpy as np
import numpy.typing as npt
import pytest

from lfcore.errors import SettingsError
from lfcore.opencl.device import Device
from lfcore.projection.numpy_steps import UNSEEN
from lfcore.projection.opencl_fields import Field, Side
from lfcore.projection.opencl_projector import OpenclProjector
from tests.devices import PoisonedSession
from tests.projectors import Case, Pair, Values, projector_pair

FRAMES = 3
CASE = Case(3, 4, (1, 3), 9, 7, (2, 1), FRAMES)
"""More values than work-items take at a time; rows that fill no pairs, and columns that fill no sectors."""


@pytest.fixture(scope="module")
def pair(cpu_device: Device) -> Pair:
    return projector_pair(PoisonedSession(cpu_device), CASE, CASE.kernels(seed=31))


@pytest.fixture
def model(pair: Pair) -> OpenclProjector:
    return pair.device


def sparse(values: Values, generator: np.random.Generator) -> Values:
    """With a third of the values zero."""
    return values * (generator.random(values.shape) < 2 / 3)


def in_device_order(side: Side, host: Values) -> npt.NDArray[np.float32]:
    """(frame, plane, y, x) as (frame, channel, row pair, x, 2), lenslet by lenslet."""
    field = np.zeros((len(host), side.planes, *side.cell, side.height, side.width), np.float32)
    for row in range(side.count[0]):
        for column in range(side.count[1]):
            top, left = row * side.cell[0], column * side.cell[1]
            cell = host[:, :, top : top + side.cell[0], left : left + side.cell[1]]
            field[..., side.origin[0] + row, side.origin[1] + column] = cell
    pairs = field.reshape(len(host), side.channels, side.height // 2, 2, side.width)
    return np.ascontiguousarray(np.moveaxis(pairs, 3, 4))


def resident(model: OpenclProjector, field: Field) -> npt.NDArray[np.float32]:
    """All that the device keeps of a field."""
    side = field.side
    shape = field.frames, side.channels, side.height // 2, side.width, 2
    return model.session.download(model.fields.values(field), shape, np.float32)


def test_fields_lie_in_row_pairs_of_channels_with_zeros_round_them(pair: Pair, model: OpenclProjector) -> None:
    generator = np.random.default_rng(32)
    volume, image = pair.volumes(generator), pair.images(generator)
    found = resident(model, model.pack_volume(volume))
    np.testing.assert_array_equal(found, in_device_order(model.volume, volume))
    found = resident(model, model.pack_image(image))
    np.testing.assert_array_equal(found, in_device_order(model.image, image[:, None]))


def test_what_does_not_exist_is_zero_after_a_back_projection_too(pair: Pair, model: OpenclProjector) -> None:
    image = pair.images(np.random.default_rng(33))
    spread = model.adjoint(model.pack_image(image))
    np.testing.assert_array_equal(resident(model, spread), in_device_order(model.volume, model.unpack_volume(spread)))


@pytest.mark.parametrize("frames", [1, FRAMES])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_packing_is_undone_by_unpacking(pair: Pair, model: OpenclProjector, frames: int, dtype: npt.DTypeLike) -> None:
    generator = np.random.default_rng(34)
    volume, image = pair.volumes(generator, frames).astype(dtype), pair.images(generator, frames).astype(dtype)
    np.testing.assert_array_equal(model.unpack_volume(model.pack_volume(volume)), volume)
    np.testing.assert_array_equal(model.unpack_image(model.pack_image(image)), image)


def test_an_array_of_any_order_is_packed(pair: Pair, model: OpenclProjector) -> None:
    image = pair.images(np.random.default_rng(35))
    turned = np.ascontiguousarray(image.transpose(2, 0, 1)).transpose(1, 2, 0)
    np.testing.assert_array_equal(model.unpack_image(model.pack_image(turned)), image)


def test_room_for_images_is_packed_like_other_arrays(pair: Pair, model: OpenclProjector) -> None:
    image, room = pair.images(np.random.default_rng(36)), model.image_room(FRAMES)
    assert room.shape == image.shape
    room[:] = image
    np.testing.assert_array_equal(model.unpack_image(model.pack_image(room)), image)


def test_volumes_come_back_without_their_margin_beside_other_work(pair: Pair, model: OpenclProjector) -> None:
    generator = np.random.default_rng(37)
    volumes = [pair.volumes(generator) for _ in range(3)]
    waiting = [model.fetch_inside(model.pack_volume(volume)) for volume in volumes]
    edge = pair.twin.margin_cells[0] * CASE.samples
    for wait, volume in zip(waiting, volumes, strict=True):
        np.testing.assert_array_equal(wait(), volume[:, :, edge:-edge, edge:-edge])


def test_an_array_that_came_back_is_nobody_elses_while_it_is_held(pair: Pair, model: OpenclProjector) -> None:
    generator = np.random.default_rng(38)
    volume = pair.volumes(generator)
    held = model.fetch_inside(model.pack_volume(volume))()[1:, 0]
    copy = held.copy()
    for _ in range(3):
        model.fetch_inside(model.pack_volume(pair.volumes(generator)))()
    np.testing.assert_array_equal(held, copy)


@pytest.mark.parametrize(("images", "weights"), [(FRAMES, FRAMES), (FRAMES, 1), (1, FRAMES), (1, 1)])
def test_weigh(pair: Pair, model: OpenclProjector, images: int, weights: int) -> None:
    generator = np.random.default_rng(39)
    image, weight = pair.images(generator, images), sparse(pair.images(generator, weights), generator)
    found = model.unpack_image(model.weigh(model.pack_image(image), model.pack_image(weight)))
    np.testing.assert_array_equal(found, image * weight)


@pytest.mark.parametrize("weights", [1, FRAMES])
def test_compare(pair: Pair, model: OpenclProjector, weights: int) -> None:
    generator = np.random.default_rng(40)
    measured, expected = 9 * pair.images(generator), 5 * sparse(pair.images(generator), generator)
    weight, background = sparse(pair.images(generator, weights), generator), np.array([0.0, 0.2, 3.0])
    fields = (model.pack_image(values) for values in (measured, expected, weight))
    correction, squares = model.compare(*fields, background)
    total = weight * expected.astype(np.float64) + background[:, None, None]
    quotient = np.divide(weight * measured, total, out=np.zeros_like(total), where=total > 0)
    assert (quotient[0] == 0).any()
    np.testing.assert_allclose(model.unpack_image(correction), quotient, rtol=1e-5)
    rest = np.where(weight > 0, measured - weight * expected.astype(np.float64), 0)
    np.testing.assert_allclose(squares, np.square(rest).sum((1, 2)), rtol=1e-5)


@pytest.mark.parametrize(("volumes", "normalisers"), [(FRAMES, FRAMES), (1, FRAMES), (FRAMES, 1), (1, 1)])
def test_update(pair: Pair, model: OpenclProjector, volumes: int, normalisers: int) -> None:
    generator = np.random.default_rng(41)
    volume, correction = pair.volumes(generator, volumes), pair.volumes(generator) - 0.2
    normaliser = sparse(pair.volumes(generator, normalisers), generator)
    largest = normaliser.max((1, 2, 3))
    # What the camera hardly sees, on both sides of the limit.
    normaliser[:, 0, 0, 0], normaliser[:, 1, 0, 0] = 0.9 * UNSEEN * largest, 1.1 * UNSEEN * largest
    fields = (model.pack_volume(values) for values in (volume, correction, normaliser))
    found = model.unpack_volume(model.update(*fields))
    seen = normaliser > UNSEEN * largest[:, None, None, None]
    factor = np.divide(np.maximum(correction, 0), normaliser, out=np.zeros_like(correction), where=seen)
    assert not found[:, 0, 0, 0].any()
    assert (found[:, 1, 0, 0] > 0).any()
    np.testing.assert_allclose(found, volume * factor, rtol=1e-5)


def test_extrapolate(pair: Pair, model: OpenclProjector) -> None:
    generator = np.random.default_rng(42)
    current, previous, step = pair.volumes(generator), pair.volumes(generator), np.array([0.0, 0.4, 1.0])
    found = model.unpack_volume(model.extrapolate(model.pack_volume(current), model.pack_volume(previous), step))
    expected = np.maximum(current + step[:, None, None, None] * (current.astype(np.float64) - previous), 0)
    assert (expected == 0).any()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_difference_and_inner_product(pair: Pair, model: OpenclProjector) -> None:
    generator = np.random.default_rng(43)
    first, second = pair.volumes(generator), pair.volumes(generator)
    one, other = model.pack_volume(first), model.pack_volume(second)
    np.testing.assert_array_equal(model.unpack_volume(model.difference(one, other)), first - second)
    expected = np.einsum("tzyx,tzyx->t", first, second, dtype=np.float64)
    np.testing.assert_allclose(model.inner(one, other), expected, rtol=1e-6)


@pytest.mark.parametrize("shape", [(1, 36, 29), (1, 28, 36), (36, 28), (0, 36, 28), (1, 1, 36, 28)])
def test_a_light_field_of_another_shape_is_refused(model: OpenclProjector, shape: tuple[int, ...]) -> None:
    with pytest.raises(SettingsError, match=r"light field of shape .* takes \(frame, 1, 36, 28\)"):
        model.pack_image(np.zeros(shape))


@pytest.mark.parametrize("change", [(0, 1, 0, 0), (0, 0, -1, 0), (0, 0, 0, 3)])
def test_a_volume_of_another_shape_is_refused(model: OpenclProjector, change: tuple[int, ...]) -> None:
    shape = np.add((1, *model.volume_shape), change)
    with pytest.raises(SettingsError, match=r"volume of shape .* takes \(frame, 2, 45, 39\)"):
        model.pack_volume(np.zeros(shape))
    with pytest.raises(SettingsError, match="volume of shape"):
        model.pack_volume(np.zeros(model.volume_shape))


def test_more_frames_than_planned_are_refused(pair: Pair, model: OpenclProjector) -> None:
    generator = np.random.default_rng(44)
    with pytest.raises(SettingsError, match="4 frames at a time: this projector is planned for 3"):
        model.pack_image(pair.images(generator, 4))
    with pytest.raises(SettingsError, match="5 frames at a time"):
        model.pack_volume(pair.volumes(generator, 5))
