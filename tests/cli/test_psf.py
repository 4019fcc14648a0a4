"""``lfcore psf`` against the reference, on data sets that a user would write."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import yaml


def write_settings(folder: Path, entry: dict[str, Any]) -> Path:
    folder.mkdir()
    camera_px = entry["pitch_um"] / entry["pixels_per_lenslet"]
    optics = ("magnification", "numerical_aperture", "medium_index", "wavelength_um")
    settings = {
        "microscope": {key: entry[key] for key in optics},
        "microlens_array": {"pitch_um": entry["pitch_um"], "focal_length_um": entry["focal_length_um"]},
        "camera": {"pixel_um": camera_px},
        "images": {"light_field": "raw/*.tif"},
        "volume": {"z_um": [entry["z_um"]]},
    }
    (folder / "dataset.yaml").write_text(yaml.safe_dump(settings))
    return folder


@pytest.mark.parametrize("number", range(5))
def test_the_reference(lfcore: Callable[..., Any], shared_reference: Path, tmp_path: Path, number: int) -> None:
    entry = json.loads((shared_reference / "psf_reference.json").read_text())[number]
    expected = np.load(shared_reference / "psf_reference.npz")[entry["key"]]
    dataset, output = write_settings(tmp_path / "set", entry), tmp_path / "psf.tif"
    place = ["--z", entry["z_um"], "--dy", entry["dy_um"], "--dx", entry["dx_um"], "--lenslets", entry["lenslets"]]
    result = lfcore("psf", dataset, *place, "-o", output)
    assert result.code == 0, result.err
    image = tifffile.imread(output)
    assert image.dtype == np.float32
    assert image.shape == expected.shape
    assert np.linalg.norm(image - expected) <= 0.01 * np.linalg.norm(expected)
    assert image.sum(dtype=float) == pytest.approx(entry["energy"], rel=0.005)
    assert f"{image.sum(dtype=float):.4f} of the pupil's energy" in result.out


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return write_settings(
        tmp_path / "set",
        {
            "magnification": 20,
            "numerical_aperture": 0.5,
            "medium_index": 1.33,
            "wavelength_um": 0.51,
            "pitch_um": 100,
            "focal_length_um": 2000,
            "pixels_per_lenslet": 5,
            "z_um": 10,
        },
    )


def test_without_lenslets_the_image_holds_the_blur(lfcore: Callable[..., Any], dataset: Path, tmp_path: Path) -> None:
    shapes = []
    for z_um in (0, 20):
        assert lfcore("psf", dataset, "--z", z_um, "-o", tmp_path / "psf.tif").code == 0
        image = tifffile.imread(tmp_path / "psf.tif")
        shapes.append(image.shape)
        assert image.sum() > 0.99
        np.testing.assert_allclose(image, image.T, atol=1e-6)
    assert shapes[0] == (13 * 5, 13 * 5)
    assert shapes[1] > shapes[0]


def test_settings_can_be_overridden(lfcore: Callable[..., Any], dataset: Path, tmp_path: Path) -> None:
    lfcore("psf", dataset, "--z", 10, "--lenslets", 7, "-o", tmp_path / "a.tif")
    override = "microlens_array.aperture=round"
    lfcore("psf", dataset, "--z", 10, "--lenslets", 7, "-o", tmp_path / "b.tif", "--set", override)
    assert tifffile.imread(tmp_path / "b.tif").sum() < 0.9 * tifffile.imread(tmp_path / "a.tif").sum()


def test_an_even_number_of_lenslets_is_wrong_usage(lfcore: Callable[..., Any], dataset: Path, tmp_path: Path) -> None:
    result = lfcore("psf", dataset, "--z", 10, "--lenslets", 4, "-o", tmp_path / "psf.tif")
    assert result.code == 2
    assert "--lenslets 4: must be odd" in result.error
    assert not (tmp_path / "psf.tif").exists()


def test_no_data_set_is_told(lfcore: Callable[..., Any], tmp_path: Path) -> None:
    result = lfcore("psf", tmp_path / "nowhere", "--z", 0, "-o", tmp_path / "psf.tif")
    assert result.code in (65, 78)
    assert "nowhere" in result.error
