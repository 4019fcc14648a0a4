"""Products with matrices in half precision, portable and on (emulated) matrix units, against the twin in double."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from lfcore.opencl.device import Device
from lfcore.opencl.session import Session
from lfcore.projection.kernels import plane_kernels
from lfcore.projection.opencl_products import MOST_TILES, MOST_WARPS, Operator, PortableProducts, Products, UnitProducts
from lfcore.solvers.richardson_lucy import richardson_lucy
from tests.devices import PoisonedSession
from tests.instruments import instrument
from tests.projectors import Case, Pair, Values, distance, projector_pair

REDUCED = 2e-3
"""What the reduced mode promises; the products alone do better."""

ALONE = 5e-4

CASES = {
    "odd cells": Case(3, 5, (1, 2), 7, 6, frames=2),
    "even cells, two warps": Case(2, 6, (1,), 5, 6, frames=3),
    "one sample, one pixel": Case(1, 1, (1, 0, 2), 4, 4, frames=1),
    "oblong, a tile and a part": Case(3, 4, (1, 2), 2, 17, frames=5),
    "many frames": Case(2, 3, (1,), 4, 4, frames=14),
    "many planes": Case(4, 2, (0,) * 25, 3, 3, frames=2),
    "tiles": Case(3, 4, (2, 1), 5, 26, (1, 3), 2),
    "oblong cells": Case((5, 3), (7, 4), ((1, 2), (1, 1)), 5, 7, frames=3, exchange=False),
}


class Emulated(UnitProducts):
    """The matrix units' kernel without the instruction."""

    def __init__(self, session: Session, operator: Operator, columns: int) -> None:
        super().__init__(session, operator, columns, ptx=False)


KINDS: dict[str, type[Products]] = {"portable": PortableProducts, "matrix units": Emulated}
Maker = Callable[[str, str], Pair]


@pytest.fixture(scope="module")
def session(cpu_device: Device) -> PoisonedSession:
    return PoisonedSession(cpu_device)


@pytest.fixture(scope="module")
def pair_of(session: PoisonedSession) -> Maker:
    """The projectors of a case with random kernels and one kind of products."""

    @cache
    def make(name: str, kind: str) -> Pair:
        case = CASES[name]
        return projector_pair(session, case, case.kernels(seed=81), half=True, products=KINDS[kind])

    return make


def forward(pair: Pair, volume: Values) -> tuple[Values, Values]:
    """By the device and by the twin."""
    found, expected = (
        model.unpack_image(model.forward(model.pack_volume(volume))) for model in (pair.device, pair.twin)
    )
    return found, expected


def adjoint(pair: Pair, image: Values) -> tuple[Values, Values]:
    found, expected = (
        model.unpack_volume(model.adjoint(model.pack_image(image))) for model in (pair.device, pair.twin)
    )
    return found, expected


def brightness(frames: int) -> Values:
    """(frame, 1, 1) factors so far apart that no common scale would do for halves."""
    return np.logspace(-12, 9, frames, dtype=np.float32)[:, None, None]


def test_cases_stand_for_every_way_to_share_work(pair_of: Maker) -> None:
    products = {name: pair_of(name, "matrix units").device.products for name in CASES}
    blocks = {name: -(-max(units.quads.values()) // 8) for name, units in products.items()}
    tiles = {name: -(-units.operator.exchanges * units.columns // 2) for name, units in products.items()}
    assert {units.operator.exchanges for units in products.values()} == {1, 2}
    assert blocks["even cells, two warps"] == 2
    assert blocks["many planes"] > MOST_WARPS
    assert tiles["many frames"] > MOST_TILES
    assert products["oblong, a tile and a part"].columns % 2 == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CASES)
def test_forward_and_adjoint_are_the_twins(pair_of: Maker, name: str, kind: str) -> None:
    pair, generator = pair_of(name, kind), np.random.default_rng(82)
    assert distance(*forward(pair, pair.volumes(generator))) < ALONE
    assert distance(*adjoint(pair, pair.images(generator))) < ALONE


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["odd cells", "oblong, a tile and a part", "many frames"])
def test_each_frame_has_its_own_scale_and_sign(pair_of: Maker, name: str, kind: str) -> None:
    pair, generator = pair_of(name, kind), np.random.default_rng(83)
    scale = brightness(pair.device.frames)
    assert distance(*forward(pair, scale[..., None] * (pair.volumes(generator) - 0.5))) < ALONE
    assert distance(*adjoint(pair, scale * (pair.images(generator) - 0.5))) < ALONE


@pytest.mark.parametrize("kind", KINDS)
def test_a_point_alone_is_as_good(pair_of: Maker, kind: str) -> None:
    """Its spectrum is flat, so no element is as large as the scale allows for."""
    pair, generator = pair_of("odd cells", kind), np.random.default_rng(84)
    volume, image = np.zeros_like(pair.volumes(generator)), np.zeros_like(pair.images(generator))
    volume[0, 1, 11, 12], volume[1, 0, 14, 9], image[0, 17, 8], image[1, 20, 20] = 1, 3, 2, 1e6
    assert distance(*forward(pair, volume)) < ALONE
    assert distance(*adjoint(pair, image)) < ALONE


@pytest.mark.parametrize("kind", KINDS)
def test_a_dark_frame_is_dark_beside_a_bright_one(pair_of: Maker, kind: str) -> None:
    pair, generator = pair_of("odd cells", kind), np.random.default_rng(85)
    volume, image = pair.volumes(generator), pair.images(generator)
    volume[0], image[1] = 0, 0
    assert not forward(pair, volume)[0][0].any()
    assert not adjoint(pair, image)[0][1].any()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["odd cells", "many frames", "tiles"])
def test_the_adjoint_is_the_transpose(pair_of: Maker, name: str, kind: str) -> None:
    """Up to the rounding of what is multiplied, 2^-12 on either side, for the matrices are the same."""
    pair, generator = pair_of(name, kind), np.random.default_rng(86)
    volume, image = pair.volumes(generator), pair.images(generator)
    seen, spread = forward(pair, volume)[0].astype(float), adjoint(pair, image)[0].astype(float)
    for frame in range(pair.device.frames):
        left, right = np.vdot(seen[frame], image[frame]), np.vdot(volume[frame], spread[frame])
        assert abs(left - right) < ALONE * np.linalg.norm(seen[frame]) * np.linalg.norm(image[frame])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["odd cells", "many frames"])
def test_a_frame_that_is_not_a_number_stays_alone(pair_of: Maker, name: str, kind: str) -> None:
    pair, generator = pair_of(name, kind), np.random.default_rng(87)
    volume, image = pair.volumes(generator), pair.images(generator)
    seen, spread = forward(pair, volume)[0], adjoint(pair, image)[0]
    others = np.arange(pair.device.frames) != 1
    for value in (np.nan, np.inf):
        bad_volume, bad_image = volume.copy(), image.copy()
        bad_volume[1, 0, 2, 2], bad_image[1, 3, 3] = value, value
        for _ in range(2):
            model = pair.device
            found = model.unpack_image(model.forward(model.pack_volume(bad_volume)))
            np.testing.assert_array_equal(found[others], seen[others])
            found = model.unpack_volume(model.adjoint(model.pack_image(bad_image)))
            np.testing.assert_array_equal(found[others], spread[others])
    np.testing.assert_array_equal(forward(pair, volume)[0], seen)
    np.testing.assert_array_equal(adjoint(pair, image)[0], spread)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["odd cells", "oblong, a tile and a part", "tiles"])
@pytest.mark.parametrize("accelerate", [False, True])
def test_richardson_lucy(pair_of: Maker, name: str, kind: str, accelerate: bool) -> None:
    pair, generator = pair_of(name, kind), np.random.default_rng(88)
    truth = 200 * pair.volumes(generator)
    weight = (0.5 + pair.images(generator)) * (pair.images(generator) > 0.1)
    counts = generator.poisson(weight * np.maximum(forward(pair, truth)[1], 0)).astype(float)
    background = np.full(pair.device.frames, 0.5)
    found, expected = (
        richardson_lucy(model, counts, weight, background, 3, accelerate) for model in (pair.device, pair.twin)
    )
    assert distance(found.volume, expected.volume) < REDUCED
    np.testing.assert_allclose(found.residuals, expected.residuals, rtol=REDUCED)


@pytest.mark.parametrize("kind", KINDS)
def test_an_instrument(session: PoisonedSession, kind: str) -> None:
    kernels = [plane_kernels(instrument(), z_um, 3) for z_um in (-8.0, 0.0, 5.0)]
    case = Case(3, 5, tuple(kernel.radius_cells[0] for kernel in kernels), 7, 8, frames=2)
    pair = projector_pair(session, case, kernels, half=True, products=KINDS[kind])
    generator = np.random.default_rng(89)
    volume, image = pair.volumes(generator), pair.images(generator)
    assert distance(*forward(pair, volume)) < ALONE
    assert distance(*adjoint(pair, image)) < ALONE


@pytest.mark.parametrize("kind", KINDS)
def test_two_runs_give_the_same_bits(pair_of: Maker, kind: str) -> None:
    pair, generator = pair_of("many frames", kind), np.random.default_rng(90)
    volume, image = pair.volumes(generator), pair.images(generator)
    np.testing.assert_array_equal(forward(pair, volume)[0], forward(pair, volume)[0])
    np.testing.assert_array_equal(adjoint(pair, image)[0], adjoint(pair, image)[0])


@pytest.mark.parametrize("half", [False, True])
def test_a_device_without_matrix_units_multiplies_portably(session: PoisonedSession, half: bool) -> None:
    case = CASES["one sample, one pixel"]
    assert not session.device.has_matrix_units
    pair = projector_pair(session, case, case.kernels(seed=91), half)
    assert isinstance(pair.device.products, PortableProducts)
