"""Measured point images: what is refused, in one line, and what becomes of a good stack."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lfcore.errors import DataError, LfcoreError, SettingsError
from lfcore.optics.instrument import Instrument, instrument_from
from lfcore.optics.measured import measured_images, nearest_position
from lfcore.settings import Settings
from tests.conftest import TINY_SETTINGS

PLANES = 5


def settings(lattice: str = "square", **measured: Any) -> Settings:  # noqa: ANN401 - a field of any type
    about = {"file": "psf.tif", "z_um": {"start": -20, "stop": 20, "step": 10}, "pixel_um": 10.05, **measured}
    content = {
        **TINY_SETTINGS,
        "microscope": {**TINY_SETTINGS["microscope"], "measured_psf": about},
        "microlens_array": {**TINY_SETTINGS["microlens_array"], "lattice": lattice},
    }
    if lattice == "none":
        content["volume"] = {**TINY_SETTINGS["volume"], "samples_per_lenslet": 1}
    return Settings.model_validate(content)


def stack(samples: int = 4, side: int = 30, planes: int = PLANES) -> np.ndarray[Any, Any]:
    return np.random.default_rng(8).uniform(0, 50, (planes * samples, side, side)).astype(np.float32)


def described(of: Settings) -> Instrument:
    return instrument_from(of)


def test_a_stack_is_split_into_planes_and_positions() -> None:
    of, pages = settings(), stack()
    found = measured_images(pages, of, described(of), "psf.tif")
    assert found.planes_um == (-20, -10, 0, 10, 20)
    assert found.images.dtype == np.float32
    assert found.about.radius == (1, 1)
    scale = pages[8:12].sum((1, 2), dtype=np.float64).mean()
    np.testing.assert_allclose(found.at(10.0), pages[12:16] / scale, rtol=1e-5)
    assert found.at(0.0).sum((1, 2)).mean() == pytest.approx(1, rel=1e-5)


def test_a_fourier_stack_has_one_image_a_plane() -> None:
    of = settings("none")
    found = measured_images(stack(1, 41), of, described(of), "psf.tif")
    assert found.images.shape == (PLANES, 1, 41, 41)
    assert found.about.radius == (20, 20)
    optics = replace(described(of), measured=found.about)
    assert optics.window_radius_cells(0.0) == (20, 20)


def test_measured_images_have_no_symmetry_and_their_own_fingerprint() -> None:
    of = settings()
    first, second = (
        replace(described(of), measured=measured_images(pages, of, described(of), "psf.tif").about)
        for pages in (stack(), stack()[::-1])
    )
    assert not any((first.symmetry.mirror_y, first.symmetry.mirror_x, first.symmetry.inversion))
    assert len({described(of).fingerprint(), first.fingerprint(), second.fingerprint()}) == 3


@pytest.mark.parametrize(
    ("changes", "pages", "error", "message"),
    [
        ({"pixel_um": 6.5}, stack(), SettingsError, "pixel_um 6.5: the light field has 10 um; resample"),
        ({"z_um": [-20, -10, 0, 10, 21]}, stack(), None, ""),
        ({"z_um": [-20, -11, 0, 10, 20]}, stack(), SettingsError, "the plane -10 um is not among those"),
        ({}, stack(9), DataError, "psf.tif: holds 45 images, and 5 planes of 2 x 2 samples are 20"),
        ({}, stack(planes=4), DataError, "psf.tif: holds 16 images, and 5 planes"),
        ({}, stack(side=40), DataError, "40 x 40 px; they must be an odd number of cells of 10 x 10 px a side"),
        ({}, stack(side=31), DataError, "31 x 31 px; they must be an odd number"),
        ({}, stack() - 1, DataError, "psf.tif: holds negative values"),
        ({}, np.where(stack() > 49, np.nan, stack()), DataError, "what is no number"),
        ({}, 0 * stack(), DataError, "its middle plane is all dark"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(
    changes: dict[str, Any], pages: np.ndarray[Any, Any], error: type[LfcoreError] | None, message: str
) -> None:
    of = settings(**changes)
    if error is None:
        measured_images(pages, of, described(of), "psf.tif")
        return
    with pytest.raises(error, match=message) as caught:
        measured_images(pages, of, described(of), "psf.tif")
    assert "\n" not in str(caught.value)


def test_an_even_fourier_window_is_refused() -> None:
    of = settings("none")
    with pytest.raises(DataError, match="odd number of pixels a side"):
        measured_images(stack(1, 40), of, described(of), "psf.tif")


def test_the_nearest_sample() -> None:
    optics = described(settings())
    pitch = optics.object_pitch_um
    places = [(-0.25, -0.25), (-0.25, 0.25), (0.25, -0.25), (0.25, 0.25)]
    found = [nearest_position(optics, 2, (0.9 * dy * pitch, 1.2 * dx * pitch)) for dy, dx in places]
    assert found == [0, 1, 2, 3]
