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


def dataset_with(folder: Path, changes: dict[str, Any]) -> Path:
    """A data set of five pixels a lenslet with sections changed."""
    settings: dict[str, Any] = {
        "microscope": {"magnification": 20, "numerical_aperture": 0.5, "wavelength_um": 0.51},
        "microlens_array": {"pitch_um": 125, "focal_length_um": 2433},
        "camera": {"pixel_um": 25},
        "images": {"light_field": "raw/*.tif"},
        "volume": {"z_um": {"start": -8, "stop": 8, "step": 2}, "samples_per_lenslet": 12},
    }
    for section, values in changes.items():
        settings[section] = {**settings[section], **values}
    folder.mkdir()
    (folder / "dataset.yaml").write_text(yaml.safe_dump(settings))
    return folder


KINDS: dict[str, tuple[dict[str, Any], tuple[int, int]]] = {
    "hexagonal": ({"microlens_array": {"lattice": "hexagonal"}}, (3 * 9, 3 * 5)),
    "clear gaps": ({"microlens_array": {"aperture": "round", "aperture_um": 100, "gaps": "clear"}}, (15, 15)),
    "rays": ({"microscope": {"model": "rays"}}, (15, 15)),
    "boxes": ({"volume": {"voxels": "boxes", "samples_per_lenslet": 3}}, (15, 15)),
    "layers": ({"microscope": {"layers": {"immersion_index": 1.515, "focus_depth_um": 300}}}, (15, 15)),
    "coma": ({"microscope": {"zernike": [{"n": 3, "m": 1, "path_um": 0.1}]}}, (15, 15)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_microscope(lfcore: Callable[..., Any], tmp_path: Path, kind: str) -> None:
    changes, shape = KINDS[kind]
    output = tmp_path / "psf.tif"
    place = ["--z", 4, "--dy", 0.5, "--lenslets", 3]
    images = []
    for name, settings in (("plain", {}), ("kind", changes)):
        result = lfcore("psf", dataset_with(tmp_path / name, settings), *place, "-o", output)
        assert result.code == 0, result.err
        images.append(tifffile.imread(output))
    plain, image = images
    assert image.shape == shape
    assert 0.7 < image.sum() < 1.001
    assert image.shape != plain.shape or np.linalg.norm(image - plain) > 0.02 * np.linalg.norm(plain)


def test_a_fourier_microscope(lfcore: Callable[..., Any], tmp_path: Path) -> None:
    array = {"lattice": "none", "fourier_lens_mm": 20, "pitch_um": 300, "focal_length_um": 3000}
    changes = {"microlens_array": array, "camera": {"pixel_um": 6}, "volume": {"samples_per_lenslet": 1}}
    result = lfcore("psf", dataset_with(tmp_path / "set", changes), "--z", 4, "-o", tmp_path / "psf.tif")
    assert result.code == 0, result.err
    image = tifffile.imread(tmp_path / "psf.tif")
    assert image.shape[0] == image.shape[1]
    assert image.shape[0] % 2 == 1
    assert image.sum() > 0.97
    middle = image.shape[0] // 2
    assert image[middle, middle] > 0.2 * image.max()


def test_a_measured_image_is_the_nearest_samples(lfcore: Callable[..., Any], tmp_path: Path) -> None:
    about = {"file": "psf.tif", "z_um": [-2.0, 0.0, 2.0], "pixel_um": 25}
    changes = {
        "microscope": {"measured_psf": about},
        "volume": {"z_um": {"start": -2, "stop": 2, "step": 2}, "samples_per_lenslet": 2},
    }
    dataset, output = dataset_with(tmp_path / "set", changes), tmp_path / "point.tif"
    pages = np.random.default_rng(6).uniform(0, 1, (12, 15, 15)).astype(np.float32)
    tifffile.imwrite(dataset / "psf.tif", pages)
    result = lfcore("psf", dataset, "--z", 2, "--dy", 1.4, "--dx", -2, "-o", output)
    assert result.code == 0, result.err
    np.testing.assert_allclose(tifffile.imread(output), pages[10] / pages[4:8].sum((1, 2)).mean(), rtol=1e-5)
    refused = lfcore("psf", dataset, "--z", 1, "-o", output)
    assert refused.code == 78
    assert "the plane 1 um is not among those of microscope.measured_psf.z_um" in refused.err
    windowed = lfcore("psf", dataset, "--z", 2, "--lenslets", 3, "-o", output)
    assert windowed.code == 2
    assert "measured point images have their own window" in windowed.err
