"""The whole of ``lfcore run`` on published light fields; the figures are those of the issue that asked for it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import yaml

from lfcore.calibration.lattice import fit_lattice
from lfcore.io import ome_zarr
from lfcore.simulation.compare import correlation
from lfcore.simulation.scores import lattice_index

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("real data"), pytest.mark.timeout(900)]

IMAGES = {"light_field": "light_field.tif", "radiometry": "radiometry.tif", "dark": "dark.tif"}
SEA_URCHIN: dict[str, Any] = {
    "microscope": {"magnification": 20, "numerical_aperture": 0.5, "medium_index": 1.35, "wavelength_um": 0.593},
    "microlens_array": {"pitch_um": 125, "focal_length_um": 2500},
    "camera": {"pixel_um": 7.4},
    "images": IMAGES,
    "volume": {"z_um": {"start": -174, "stop": 174, "step": 12}, "samples_per_lenslet": 3},
    "reconstruction": {"iterations": 15, "acceleration": False},
}
VESICLE: dict[str, Any] = {
    "microscope": {"magnification": 60, "numerical_aperture": 1.2, "medium_index": 1.35, "wavelength_um": 0.593},
    "microlens_array": {"pitch_um": 100, "focal_length_um": 2500},
    "camera": {"pixel_um": 6.5},
    "images": IMAGES,
    "volume": {"z_um": {"start": -13.2894, "stop": 13.2894, "step": 0.5778}, "samples_per_lenslet": 3},
    "reconstruction": {"iterations": 20, "acceleration": True},
}

RunSample = Callable[..., Path]


@pytest.fixture(scope="module")
def run_sample(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> RunSample:
    """A function that runs ``lfcore run`` on a sample, in a process of its own, and returns the run's folder."""
    root = tmp_path_factory.mktemp("real data")

    def run(sample: str, settings: dict[str, Any], name: str, *overrides: str) -> Path:
        dataset, folder = root / sample, root / f"{sample} runs" / name
        if not dataset.exists():
            dataset.mkdir()
            for image in IMAGES.values():
                (dataset / image).symlink_to(shared_data / sample / image)
            (dataset / "dataset.yaml").write_text(yaml.safe_dump(settings))
        given = [part for text in overrides for part in ("--set", text)]
        command = [sys.executable, "-m", "lfcore", "run", str(dataset), str(folder), *given]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "2"})
        assert done.returncode == 0, done.stderr
        return folder

    return run


def content(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def test_sea_urchin(run_sample: RunSample) -> None:
    run = run_sample("seaurchin", SEA_URCHIN, "egg")
    calibration, metrics = content(run / "calibration" / "calibration.json"), content(run / "report" / "metrics.json")
    assert calibration["pitch_px"] == pytest.approx([17.206, 17.206], abs=0.02)
    assert calibration["rotation_deg"] == pytest.approx(0.177, abs=0.02)
    assert calibration["lenslets"]["inliers"] >= 4600
    assert metrics["relative_residual"] <= 0.10
    assert max(metrics["peak_memory_bytes"].values()) <= 4 * 2**30
    volume = ome_zarr.read_frame(str(run / "volumes.ome.zarr"), 0)
    assert volume.shape == (30, 3 * calibration["lenslets"]["rows"], 3 * calibration["lenslets"]["columns"])
    assert np.isfinite(volume).all()
    assert volume.min() >= 0


def test_sea_urchin_s_lattice_without_its_white_frame(shared_data: Path) -> None:
    folder = shared_data / "seaurchin"
    images = [tifffile.imread(folder / IMAGES[role]).astype(np.float32) for role in ("radiometry", "light_field")]
    dark = tifffile.imread(folder / IMAGES["dark"])
    with_it, without = (
        fit_lattice(image - dark, 125 / 7.4, None, source).calibration.lattice
        for image, source in zip(images, ("radiometry", "light_field"), strict=True)
    )
    assert without.pitch_px == pytest.approx(with_it.pitch_px, abs=0.05)
    assert without.pitch_px == pytest.approx((17.206, 17.206), abs=0.05)
    assert without.rotation_deg == pytest.approx(with_it.rotation_deg, abs=0.02)


def vesicle_ncc(run: Path, truth: np.ndarray[Any, Any]) -> float:
    """Correlation with the truth, which lies in the middle of a larger field with nothing around it."""
    volume = ome_zarr.read_frame(str(run / "volumes.ome.zarr"), 0)
    assert volume.shape == (47, 87, 87)
    edge = (87 - 47) // 2
    return correlation(volume[:, edge:-edge, edge:-edge], truth)


def test_vesicle_whatever_the_nominal_pitch(run_sample: RunSample, shared_data: Path) -> None:
    truth = tifffile.imread(shared_data / "guvsimul1" / "truth.tif")
    runs = [
        run_sample("guvsimul1", VESICLE, f"pitch {pitch}", f"microlens_array.pitch_um={pitch}") for pitch in (100, 104)
    ]
    figures = [vesicle_ncc(run, truth) for run in runs]
    print(f"correlation with the truth: {figures}")
    assert min(figures) >= 0.78
    assert figures[0] == pytest.approx(figures[1], abs=0.005)
    # The pitch that counts is the measured one, so the second run has nothing to compute anew.
    transforms = [[content(path) for path in (run / "done" / "transforms").iterdir()] for run in runs]
    assert len(list((runs[0].parent / "transforms").iterdir())) == 1
    assert not any(record["reused"] for record in transforms[0])
    assert all(record["reused"] for record in transforms[1])


DEEPER = tuple(f"volume.z_um.{end}={sign}16.1784" for end, sign in (("start", "-"), ("stop", "")))
"""Five planes more on either side, for light that the model puts there."""


@pytest.mark.parametrize(("model", "least"), [("waves", 0.84), ("rays", 0.90)])
def test_vesicle_against_its_truth(run_sample: RunSample, shared_data: Path, model: str, least: float) -> None:
    truth = tifffile.imread(shared_data / "guvsimul1" / "truth.tif")
    chosen = "reconstruction.anti_aliasing=1.0", "reconstruction.iterations=25", f"microscope.model={model}"
    run = run_sample("guvsimul1", VESICLE, model, *DEEPER, *chosen)
    volume = ome_zarr.read_frame(str(run / "volumes.ome.zarr"), 0)[5:-5, 20:-20, 20:-20]
    figure = correlation(volume, truth)
    print(f"correlation with the truth, {model}: {figure}")
    assert figure >= least


def test_no_lattice_near_the_native_plane(run_sample: RunSample) -> None:
    plain = "reconstruction.anti_aliasing=0", "reconstruction.lattice_suppression=false"
    usual = "reconstruction.acceleration=null", "reconstruction.iterations=15"
    runs = [run_sample("seaurchin", SEA_URCHIN, name, *chosen) for name, chosen in (("usual", usual), ("plain", plain))]
    volumes = [ome_zarr.read_frame(str(run / "volumes.ome.zarr"), 0) for run in runs]
    figures = [max(lattice_index(volume[plane], 3) for plane in (14, 15)) for volume in volumes]
    residuals = [content(run / "report" / "metrics.json")["relative_residual"] for run in runs]
    print(f"lattice index: {figures}, residuals: {residuals}")
    assert figures[0] <= 8 < figures[1]
    assert residuals[0] <= 1.05 * residuals[1]
