"""Fixtures for all tests."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import yaml

from lfcore.opencl.device import Device, absence, candidates

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = REPOSITORY.parent / "shared"


def pytest_configure(config: pytest.Config) -> None:
    """Give Airflow a home of this process's own; it reads its environment once, when it is first imported."""
    home = tempfile.mkdtemp(prefix="lightfield-airflow-")
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
    os.environ |= {
        "AIRFLOW_HOME": home,
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
    }


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real light fields beside the checkout."""
    return _shared("data")


@pytest.fixture(scope="session")
def shared_reference() -> Path:
    """The folder of independently computed point images beside the checkout."""
    return _shared("reference")


def _shared(name: str) -> Path:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"../shared/{name} is not there")
    return folder


@pytest.fixture(scope="session")
def cpu_device() -> Device:
    """The processor as an OpenCL device, what every OpenCL test runs on; CI refuses the skip."""
    for device, refused in candidates():
        if device.platform == "Portable Computing Language" and refused is None:
            return device
    pytest.skip(f"no usable PoCL device (Debian: apt-get install pocl-opencl-icd): {absence() or candidates()}")


TINY_SETTINGS: dict[str, Any] = {
    "microscope": {"magnification": 20, "numerical_aperture": 0.5, "wavelength_um": 0.51},
    "microlens_array": {"pitch_um": 100, "focal_length_um": 2000},
    "camera": {"pixel_um": 10},
    "images": {"light_field": "raw/*.tif", "radiometry": "radiometry.tif", "dark": "dark.tif"},
    "volume": {"z_um": {"start": -10, "stop": 10, "step": 10}, "samples_per_lenslet": 2},
    "reconstruction": {"iterations": 2},
}


@pytest.fixture
def tiny_dataset(tmp_path: Path) -> Callable[..., Path]:
    """A function that makes a data set of 10 x 12 lenslets of 10 px: a lit slab with noise (seed 5), white, dark."""

    def make(name: str = "data set", frames: int = 3, settings: dict[str, Any] | None = None) -> Path:
        folder = tmp_path / name
        (folder / "raw").mkdir(parents=True)
        generator = np.random.default_rng(5)
        y, x = np.mgrid[:100, :120]
        discs = np.hypot((y + 0.5) % 10 - 5, (x + 0.5) % 10 - 5) < 4.2
        white = 100 + 2000.0 * discs
        blob = np.exp(-((y - 50) ** 2 + (x - 60) ** 2) / 900)
        for frame in range(frames):
            light = 100 + discs * (200 + 1500 * blob * (1 + frame / 5))
            tifffile.imwrite(folder / "raw" / f"frame_{frame}.tif", generator.poisson(light).astype(np.uint16))
        tifffile.imwrite(folder / "radiometry.tif", generator.poisson(white).astype(np.uint16))
        tifffile.imwrite(folder / "dark.tif", generator.poisson(np.full(white.shape, 100.0)).astype(np.uint16))
        (folder / "dataset.yaml").write_text(yaml.safe_dump({**TINY_SETTINGS, **(settings or {})}))
        return folder

    return make


@pytest.fixture
def s3_bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty bucket, ``s3://name``, on a server of this process's own."""
    import boto3
    import s3fs
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    # An fsspec instance remembers the endpoint that it was made for.
    s3fs.S3FileSystem.clear_instance_cache()
    # All servers of a process share one memory.
    bucket = f"lightfield-{uuid.uuid4().hex}"
    boto3.client("s3").create_bucket(Bucket=bucket)
    yield f"s3://{bucket}"
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()
