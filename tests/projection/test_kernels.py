"""Kernels: the octant stands for the whole cell, and a transform file is either whole or refused."""

import io
import pickle
from typing import Any

import numpy as np
import pytest

from lfcore.errors import DataError
from lfcore.optics.psf import point_images
from lfcore.projection.kernels import PlaneKernels, kernels_from_bytes, plane_kernels
from tests.instruments import instrument


@pytest.mark.parametrize("samples", [1, 2, 3, 4, 5])
def test_the_octant_gives_every_position_of_the_cell(samples: int) -> None:
    optics, z_um = instrument(pixels_per_lenslet=4 + samples % 2), 9.0
    kernels = plane_kernels(optics, z_um, samples)
    assert len(kernels.images) == {1: 1, 2: 1, 3: 3, 4: 3, 5: 6}[samples]
    pitch = optics.object_pitch_um
    for a in range(samples):
        for c in range(samples):
            place = ((a + 0.5) / samples - 0.5) * pitch, ((c + 0.5) / samples - 0.5) * pitch
            direct = point_images(optics, z_um, [place])[0]
            np.testing.assert_allclose(kernels.image(a, c), direct, atol=2e-6 * direct.max())


def test_kernels_tell_their_reach_and_their_energy() -> None:
    optics = instrument()
    kernels = plane_kernels(optics, 25.0, 3)
    assert kernels.radius_cells == 2 * (np.ceil(optics.blur_radius_lenslets(25.0)) + 2,)
    assert 0.98 < kernels.energy_inside < 1.0
    assert kernels.images.dtype == np.float32


def file_of(array: Any, **options: Any) -> bytes:  # noqa: ANN401 - whatever numpy can save
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def test_a_file_brings_the_kernels_back() -> None:
    kernels = plane_kernels(instrument(), -7.0, 3)
    back = kernels_from_bytes(kernels.to_bytes(), -7.0, (3, 3), (5, 5), "here")
    assert (back.z_um, back.samples, back.pixels) == (-7.0, (3, 3), (5, 5))
    np.testing.assert_array_equal(back.images, kernels.images)


WHOLE = PlaneKernels(0.0, (3, 3), (5, 5), np.ones((3, 15, 15), np.float32)).to_bytes()


class Explosive:
    """What a pickle could run."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a pickle was run",))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"no array", id="text"),
        pytest.param(WHOLE[:-100], id="cut short"),
        pytest.param(WHOLE[:40], id="cut in the header"),
        pytest.param(pickle.dumps(Explosive()), id="a pickle"),
        pytest.param(file_of(np.array([Explosive()], dtype=object), allow_pickle=True), id="a pickle inside"),
        pytest.param(file_of(np.ones((2, 15, 15), np.float32)), id="too few positions"),
        pytest.param(file_of(np.ones((3, 20, 20), np.float32)), id="an even number of lenslets"),
        pytest.param(file_of(np.ones((3, 16, 16), np.float32)), id="no whole lenslets"),
        pytest.param(file_of(np.ones((3, 15, 25), np.float32)), id="oblong"),
        pytest.param(file_of(np.ones((15, 15), np.float32)), id="one image"),
        pytest.param(file_of(np.float32(3)), id="a number"),
        pytest.param(file_of(np.full((3, 15, 15), np.nan, np.float32)), id="not numbers"),
        pytest.param(file_of(np.full((3, 15, 15), "text")), id="words"),
    ],
)
def test_what_is_no_transform_file_is_refused_by_name(content: bytes) -> None:
    with pytest.raises(DataError, match=r"^store/z_0\.npy: .*delete it and run") as caught:
        kernels_from_bytes(content, 0.0, (3, 3), (5, 5), "store/z_0.npy")
    assert "\n" not in str(caught.value)


def test_the_whole_file_is_taken() -> None:
    assert kernels_from_bytes(WHOLE, 0.0, (3, 3), (5, 5), "here").radius_cells == (1, 1)
