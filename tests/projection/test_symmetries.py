"""Operators with every symmetry that an instrument may have left, down to none: exact, and their transposes exact."""

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
import pytest

from lfcore.optics.instrument import Instrument, Symmetry
from lfcore.projection.cell import positions, relations
from lfcore.projection.kernels import PlaneKernels, plane_kernels
from lfcore.projection.numpy_projector import NumpyProjector
from lfcore.projection.parity import parity_classes
from tests.direct_sum import Floats, Images, direct_sum, images_of
from tests.instruments import instrument

SEED = 31
NONE = Symmetry(mirror_y=False, mirror_x=False, inversion=False, exchange=False)
RECTANGLE = Symmetry(exchange=False)
SYMMETRIES = {
    "square": Symmetry(),
    "rectangle": RECTANGLE,
    "mirror in y": Symmetry(mirror_x=False, inversion=False, exchange=False),
    "mirror in x": Symmetry(mirror_y=False, inversion=False, exchange=False),
    "inversion": Symmetry(mirror_y=False, mirror_x=False, exchange=False),
    "inversion and exchange": Symmetry(mirror_y=False, mirror_x=False),
    "none": NONE,
}
TOLERANCES = [(np.float32, 1e-5), (np.float64, 1e-12)]
CLASSES = {"square": 1, "rectangle": 1, "mirror in y": 2, "mirror in x": 2, "inversion": 2, "none": 4}


@dataclass(frozen=True)
class Cell:
    """``samples`` and ``pixels`` (y, x) of a cell, the ``reach`` (y, x) of each plane in cells, and a field."""

    samples: tuple[int, int]
    pixels: tuple[int, int]
    reaches: tuple[tuple[int, int], ...]
    field: tuple[int, int]


SQUARE_CELLS = [
    Cell((3, 3), (4, 4), ((1, 1), (0, 0)), (3, 4)),
    Cell((2, 2), (5, 5), ((1, 1),), (4, 4)),
    Cell((2, 2), (3, 3), ((2, 2), (1, 1)), (1, 7)),
]
OBLONG_CELLS = [
    Cell((3, 2), (5, 3), ((1, 2), (1, 1)), (3, 4)),
    Cell((2, 4), (4, 7), ((1, 1),), (4, 3)),
    Cell((2, 1), (3, 2), ((0, 2), (2, 0)), (3, 5)),
]


def symmetric_images(cell: Cell, reach: tuple[int, int], symmetry: Symmetry, generator: np.random.Generator) -> Images:
    """A random image for every sample, averaged over all that the symmetries relate it to."""
    (down, right), sides = cell.samples, [(2 * far + 1) * size for far, size in zip(reach, cell.pixels, strict=True)]
    plain = generator.random((down, right, *sides))
    mirrored = {(False, False)}
    mirrored |= {(True, False)} if symmetry.mirror_y else set()
    mirrored |= {(False, True)} if symmetry.mirror_x else set()
    mirrored |= {(True, True)} if symmetry.inversion else set()
    total = np.zeros_like(plain)
    for y, x in mirrored:
        axes = [axis for axis, flipped in enumerate((y, x, y, x)) if flipped]
        total += np.flip(plain, axes)
    if symmetry.exchange:
        total += total.transpose(1, 0, 3, 2)
    return {(a, c): total[a, c] for a, c in product(range(down), range(right))}


def kernels_of(cell: Cell, images: Images, symmetry: Symmetry) -> PlaneKernels:
    kept = np.stack([images[place] for place in positions(cell.samples, symmetry)])
    return PlaneKernels(0.0, cell.samples, cell.pixels, kept, symmetry)


def cases() -> list[object]:
    every = [(name, cell) for name in SYMMETRIES for cell in SQUARE_CELLS]
    every += [(name, cell) for name, symmetry in SYMMETRIES.items() for cell in OBLONG_CELLS if not symmetry.exchange]
    return [pytest.param(SYMMETRIES[name], cell, id=f"{name} {cell.samples} {cell.pixels}") for name, cell in every]


def assert_exact(model: NumpyProjector, planes: list[Images], tolerance: float) -> None:
    """Against the direct sum, and forward against adjoint, for two frames of random numbers."""
    generator = np.random.default_rng(SEED)
    volume, image = generator.normal(size=(2, *model.volume_shape)), generator.normal(size=(2, *model.image_shape))
    seen = model.unpack_image(model.forward(model.pack_volume(volume))).astype(np.float64)
    spread = model.unpack_volume(model.adjoint(model.pack_image(image))).astype(np.float64)
    for frame in range(2):
        expected = direct_sum(planes, model.samples, model.pixels, model.margin_cells, volume[frame])
        assert seen[frame].shape == expected.shape
        assert np.linalg.norm(seen[frame] - expected) < tolerance * np.linalg.norm(expected)
        left, right = np.vdot(seen[frame], image[frame]), np.vdot(volume[frame], spread[frame])
        assert abs(left - right) < tolerance * np.linalg.norm(seen[frame]) * np.linalg.norm(image[frame])


@pytest.mark.parametrize(("symmetry", "cell"), cases())
@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES)
def test_an_operator_with_what_symmetry_is_left_is_the_sum_of_its_point_images(
    symmetry: Symmetry, cell: Cell, dtype: npt.DTypeLike, tolerance: float
) -> None:
    generator = np.random.default_rng(SEED)
    planes = [symmetric_images(cell, reach, symmetry, generator) for reach in cell.reaches]
    kernels = [kernels_of(cell, images, symmetry) for images in planes]
    assert_exact(NumpyProjector(kernels, *cell.field, dtype), planes, tolerance)


@pytest.mark.parametrize("symmetry", SYMMETRIES.values(), ids=SYMMETRIES)
def test_a_symmetry_that_is_used_changes_nothing_but_the_matrices(symmetry: Symmetry) -> None:
    """The same images given once with their symmetry and once as if they had none."""
    cell, generator = Cell((3, 3), (3, 3), ((1, 1),), (3, 3)), np.random.default_rng(SEED)
    images = symmetric_images(cell, (1, 1), symmetry, generator)
    known, plain = (NumpyProjector([kernels_of(cell, images, given)], 3, 3, np.float64) for given in (symmetry, NONE))
    volume = known.pack_volume(generator.normal(size=(1, *known.volume_shape)))
    np.testing.assert_allclose(known.forward(volume), plain.forward(volume), atol=1e-12)


@pytest.mark.parametrize("name", CLASSES)
def test_only_the_parity_classes_that_a_symmetry_leaves_are_kept(name: str) -> None:
    classes = parity_classes(SYMMETRIES[name])
    assert len(classes) == CLASSES[name]
    assert (classes[0].odd_y, classes[0].odd_x) == (False, False)
    if name == "mirror in y":
        assert [(part.odd_y, part.odd_x) for part in classes[1:]] == [(False, True)]
    if name == "inversion":
        assert [(part.odd_y, part.odd_x) for part in classes[1:]] == [(True, True)]


SAMPLES = [(1, 1), (2, 2), (3, 3), (4, 4), (3, 5), (4, 3), (1, 6)]


# Only a square cell has an exchange of axes.
@pytest.mark.parametrize(
    ("name", "samples"),
    [
        (name, samples)
        for name, samples in product(SYMMETRIES, SAMPLES)
        if samples[0] == samples[1] or not SYMMETRIES[name].exchange
    ],
)
def test_each_position_of_a_cell_follows_from_exactly_one(name: str, samples: tuple[int, int]) -> None:
    symmetry = SYMMETRIES[name]
    orbits = [
        {relation.position(place, samples) for relation in relations(symmetry)}
        for place in positions(samples, symmetry)
    ]
    assert set().union(*orbits) == set(product(*map(range, samples)))
    assert sum(map(len, orbits)) == samples[0] * samples[1]


INSTRUMENTS = {
    "hexagonal, rows": instrument(lattice="hexagonal", aperture="hexagonal", pixels_per_lenslet=4),
    "hexagonal, columns": instrument(
        lattice="hexagonal", aperture="hexagonal", pixels_per_lenslet=5, orientation="columns"
    ),
    "hexagonal, round": instrument(lattice="hexagonal", aperture="round", pixels_per_lenslet=4),
    "coma along x": instrument(zernike=((3, 1, 0.08),)),
    "coma along y": instrument(zernike=((3, -1, 0.08),)),
    "both comas": instrument(zernike=((3, 1, 0.05), (3, -1, 0.07))),
    "astigmatism": instrument(zernike=((2, 2, 0.06),)),
    "oblique astigmatism": instrument(zernike=((2, -2, 0.06),)),
    "quadrafoil": instrument(zernike=((4, 4, 0.05),)),
    "trefoil, hexagonal": instrument(
        lattice="hexagonal", aperture="hexagonal", pixels_per_lenslet=4, zernike=((3, 3, 0.08),)
    ),
    "plenoptic 2.0": instrument(sensor_distance_um=1900.0),
}


@pytest.mark.parametrize("optics", INSTRUMENTS.values(), ids=INSTRUMENTS)
def test_the_operator_of_an_instrument_is_the_sum_of_its_point_images(optics: Instrument) -> None:
    planes_um, samples = (-6.0, 4.0), 2
    planes = [images_of(optics, z_um, samples) for z_um in planes_um]
    kernels = [plane_kernels(optics, z_um, samples) for z_um in planes_um]
    assert_exact(NumpyProjector(kernels, 3, 4), planes, 1e-5)


def test_an_aberration_shows_in_what_is_left() -> None:
    """Lest the cases above be all alike."""
    pictures: list[Floats] = [
        np.asarray(images_of(optics, 4.0, 1)[0, 0]) for name, optics in INSTRUMENTS.items() if "hexagonal" not in name
    ]
    plain = np.asarray(images_of(instrument(), 4.0, 1)[0, 0])
    for picture in pictures:
        assert np.linalg.norm(picture - plain) > 0.01 * np.linalg.norm(plain)
