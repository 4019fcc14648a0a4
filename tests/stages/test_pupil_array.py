"""An array in the pupil, from a frame to a volume: cells of one pixel, nothing to calibrate, the FFT's operator."""

import json
from pathlib import Path

import numpy as np
import tifffile
import yaml
import zarr

from lfcore.contracts import RunPaths
from lfcore.stages.model import project_file
from lfcore.stages.run import run_all

SETTINGS = {
    "microscope": {"magnification": 20, "numerical_aperture": 0.5, "medium_index": 1.33, "wavelength_um": 0.51},
    "microlens_array": {
        "pitch_um": 1000,
        "focal_length_um": 20000,
        "lattice": "none",
        "fourier_lens_mm": 40,
        "aperture": "round",
    },
    "camera": {"pixel_um": 20},
    "images": {"light_field": "raw/*.tif"},
    "volume": {"z_um": {"start": -20, "stop": 20, "step": 10}, "samples_per_lenslet": 1},
    "reconstruction": {"iterations": 12},
}
POINTS = [(0, 40, 50), (2, 55, 44), (4, 48, 60)]


def test_points_come_back_as_the_brightest_voxels(tmp_path: Path) -> None:
    dataset, run = tmp_path / "dataset", RunPaths(str(tmp_path / "run"))
    (dataset / "raw").mkdir(parents=True)
    (dataset / "dataset.yaml").write_text(yaml.safe_dump(SETTINGS))
    volume = np.zeros((5, 96, 96), np.float32)
    volume[tuple(np.transpose(POINTS))] = 1000
    tifffile.imwrite(tmp_path / "volume.tif", volume, photometric="minisblack")
    project_file(str(dataset), {}, str(tmp_path / "volume.tif"), str(dataset / "raw" / "frame.tif"), adjoint=False)
    run_all(str(dataset), run)
    assert json.loads(Path(run.calibration_json).read_text())["lattice"] == "none"
    found = np.asarray(zarr.open_group(run.ome_zarr, mode="r")["0"])[0]
    assert found.shape == volume.shape
    brightest = np.argsort(found, axis=None)[-len(POINTS) :]
    assert sorted(zip(*np.unravel_index(brightest, found.shape), strict=True)) == POINTS
