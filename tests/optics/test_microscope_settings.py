"""What settings of the optics are refused with, in one line."""

from typing import Any

import pytest
import yaml

from lfcore.errors import SettingsError
from lfcore.optics.instrument import instrument_from
from lfcore.settings import Settings, parse_settings
from tests.conftest import TINY_SETTINGS

NA_14 = {"numerical_aperture": 1.4}
LAYERS = {"immersion_index": 1.515}


def parsed(sections: dict[str, dict[str, Any]]) -> Settings:
    content = {name: {**TINY_SETTINGS.get(name, {}), **sections.get(name, {})} for name in TINY_SETTINGS}
    return parse_settings(yaml.safe_dump(content), "dataset.yaml")


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"microscope": NA_14}, "numerical_aperture 1.4 must be below medium_index 1.33"),
        (
            {"microscope": {**NA_14, "layers": {**LAYERS, "coverslip_index": 1.38}}},
            "numerical_aperture 1.4 must be below layers.coverslip_index 1.38",
        ),
        (
            {"microscope": {**NA_14, "layers": {"immersion_index": 1.33}}},
            "numerical_aperture 1.4 must be below layers.immersion_index 1.33",
        ),
        ({"microscope": {"layers": {**LAYERS, "immersion_design_index": 1.518}}}, "immersion_design_um: must be given"),
        ({"microscope": {"wavelength_um": []}}, "wavelength_um: the list is empty"),
        ({"microscope": {"wavelength_um": [{"um": 0.5, "weight": 0}]}}, "the weights sum to nothing"),
        ({"microscope": {"zernike": [{"n": 3, "m": 2, "path_um": 0.1}]}}, "n 3, m 2: |m| must be at most n"),
        ({"microlens_array": {"aperture": "hexagonal"}}, "aperture 'hexagonal' does not tile lattice 'square'"),
        ({"microlens_array": {"aperture_um": 101}}, "aperture_um 101 must not exceed pitch_um 100"),
        ({"microlens_array": {"arrangement": "rows"}}, "only lattice 'none' has one"),
        ({"microlens_array": {"lattice": "none"}}, "lattice 'none' needs microlens_array.fourier_lens_mm or"),
        ({"microlens_array": {"fourier_lens_mm": 50}}, "fourier_lens_mm belongs to lattice 'none', not to 'square'"),
        (
            {"microlens_array": {"lattice": "none", "fourier_lens_mm": 50}},
            "volume.samples_per_lenslet must be 1 with lattice 'none'",
        ),
        ({"volume": {"voxels": "boxes", "z_um": [0.0, 1.0, 3.0]}}, "'boxes' needs planes at equal distances"),
        (
            {
                "volume": {"voxels": "boxes"},
                "microscope": {"measured_psf": {"file": "a.tif", "z_um": [0, 1], "pixel_um": 10}},
            },
            "a measured_psf is of points",
        ),
        (
            {"microscope": {"measured_psf": {"file": "../a.tif", "z_um": [0, 1], "pixel_um": 10}}},
            "'../a.tif' leaves the data set",
        ),
        (
            {"microscope": {"measured_psf": {"file": "a.tif", "z_um": [1, 0], "pixel_um": 10}}},
            "every plane once, from the lowest",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(sections: dict[str, dict[str, Any]], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parsed(sections)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_aperture_above_the_samples_index_needs_layers() -> None:
    optics = instrument_from(parsed({"microscope": {**NA_14, "layers": LAYERS}}))
    assert optics.pupil.edge == 1.33


def test_an_array_in_the_pupil_is_as_the_settings_say() -> None:
    settings = parsed(
        {
            "microlens_array": {"lattice": "none", "fourier_lens_mm": 50, "arrangement": "columns"},
            "volume": {"samples_per_lenslet": 1},
            "camera": {"pixel_um": 6.6, "relay_magnification": 1.1},
        }
    )
    optics = instrument_from(settings, pitch_px=17.3)
    assert optics.cell.size_um == pytest.approx((6.0, 6.0))
    assert optics.pitch_um == 100
    assert (optics.is_hexagonal, optics.orientation) == (True, "columns")
    assert optics.image_magnification == pytest.approx(20 * 2000 / 50_000)


def test_boxes_are_as_deep_as_planes_are_apart() -> None:
    boxed = {"voxels": "boxes", "samples_per_lenslet": 4}
    for z_um, depth_um in (({"start": -3, "stop": 3, "step": 1.5}, 1.5), ([0.0, 0.5, 1.0], 0.5)):
        box = instrument_from(parsed({"volume": {**boxed, "z_um": z_um}})).box
        assert box is not None
        assert (box.depth_um, box.samples_per_lenslet) == (depth_um, 4)


def test_the_fingerprint_covers_what_a_microscope_may_have() -> None:
    changes: list[dict[str, dict[str, Any]]] = [
        {},
        {"microscope": {"model": "rays"}},
        {"microscope": {"layers": LAYERS}},
        {"microscope": {"layers": {**LAYERS, "focus_depth_um": 10}}},
        {"microscope": {"zernike": [{"n": 4, "m": 0, "path_um": 0.1}]}},
        {"microlens_array": {"lattice": "hexagonal"}},
        {"microlens_array": {"lattice": "hexagonal", "aperture": "round"}},
        {"microlens_array": {"aperture_um": 90}},
        {"microlens_array": {"aperture_um": 90, "gaps": "clear"}},
        {"volume": {"voxels": "boxes"}},
        {"volume": {"voxels": "boxes", "z_um": {"start": 0, "stop": 8, "step": 4}}},
        {"volume": {"voxels": "boxes", "samples_per_lenslet": 3}},
    ]
    prints = {instrument_from(parsed(change)).fingerprint() for change in changes}
    assert len(prints) == len(changes)
    # Points do not depend on how far planes are apart.
    points = parsed({"volume": {"z_um": {"start": 0, "stop": 8, "step": 4}}})
    assert instrument_from(points).fingerprint() in prints
