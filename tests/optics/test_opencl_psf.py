"""Point images on the device against the float64 twin, and against the reference that the twin is held to."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lfcore.errors import UnavailableError
from lfcore.opencl.device import Device
from lfcore.optics.instrument import Instrument
from lfcore.optics.opencl_psf import DevicePointImages, layout
from lfcore.optics.psf import point_images
from lfcore.settings import Layers
from tests.devices import PoisonedSession
from tests.instruments import described, instrument

TWIN = 1e-5
"""Relative L2 distance of an image in float32 from the twin's in float64."""

INSTRUMENTS = {
    "odd": instrument(),
    "even": instrument(pixels_per_lenslet=4),
    "round": instrument(aperture="round", pixels_per_lenslet=6),
    "water, off the focal plane": instrument(
        magnification=40.0, numerical_aperture=1.1, pitch_um=100.0, focal_length_um=1500.0, sensor_distance_um=1320.0
    ),
    "gaps": instrument(aperture_um=95.0, gaps="clear", pixels_per_lenslet=6),
    "aberrated": instrument(zernike=((3, 1, 0.1), (2, -2, 0.07), (4, 0, 0.05))),
    "layers": instrument(
        numerical_aperture=0.9, layers=Layers(immersion_index=1.515, focus_depth_um=40.0), zernike=((4, 0, 0.1),)
    ),
    "two lines": instrument(spectrum=((0.5, 0.25), (0.61, 0.75))),
}


@pytest.fixture(scope="module")
def session(cpu_device: Device) -> PoisonedSession:
    return PoisonedSession(cpu_device)


def places(optics: Instrument, count: int, seed: int) -> list[tuple[float, float]]:
    """Offsets anywhere in the cell, among them its centre."""
    random = np.random.default_rng(seed)
    drawn = random.uniform(-0.5, 0.5, (count - 1, 2)) * optics.object_pitch_um
    return [(0.0, 0.0), *((float(dy_um), float(dx_um)) for dy_um, dx_um in drawn)]


def assert_alike(images: np.ndarray[Any, Any], twin: np.ndarray[Any, Any]) -> None:
    assert images.dtype == np.float32
    assert images.shape == twin.shape
    for image, expected in zip(images, twin, strict=True):
        assert np.linalg.norm(image - expected) <= TWIN * np.linalg.norm(expected)


@pytest.mark.parametrize("name", INSTRUMENTS)
@pytest.mark.parametrize(("z_um", "radius"), [(0.0, 1), (-9.0, None), (13.0, None)])
def test_the_twin(session: PoisonedSession, name: str, z_um: float, radius: int | None) -> None:
    optics = INSTRUMENTS[name]
    offsets = places(optics, 4, seed=61)
    images = DevicePointImages(session, optics).host_images(z_um, offsets, radius)
    assert_alike(images, point_images(optics, z_um, offsets, radius, np.float64))


def test_planes_one_after_another_and_again(session: PoisonedSession) -> None:
    """What is kept from plane to plane belongs to the window and the offsets, not to the plane."""
    optics = INSTRUMENTS["odd"]
    device_images = DevicePointImages(session, optics)
    calls = [(4.0, 1), (-4.0, 1), (-4.0, 2), (20.0, 2)]
    for z_um, seed in calls:
        offsets = places(optics, 3, seed)
        assert_alike(device_images.host_images(z_um, offsets), point_images(optics, z_um, offsets, None, np.float64))


def test_small_memory_gives_the_same_in_more_batches(session: PoisonedSession) -> None:
    optics = INSTRUMENTS["even"]
    offsets = places(optics, 5, seed=7)
    point_bytes = layout(optics, 0.51, 3).stored_bytes
    whole = DevicePointImages(session, optics).host_images(6.0, offsets, 3)
    for batch_bytes in (1, 2 * point_bytes):
        parts = DevicePointImages(session, optics, batch_bytes).host_images(6.0, offsets, 3)
        np.testing.assert_array_equal(parts, whole)


def test_two_lines_of_local_memory_do(cpu_device: Device) -> None:
    optics, offsets = INSTRUMENTS["odd"], [(0.4, -1.2)]
    line_bytes = 8 * layout(optics, 0.51, 2).grid.size
    small = PoisonedSession(replace(cpu_device, local_bytes=3 * line_bytes - 1))
    images = DevicePointImages(small, optics).host_images(3.0, offsets, 2)
    assert_alike(images, point_images(optics, 3.0, offsets, 2, np.float64))


def test_a_line_too_long_for_local_memory_is_refused_in_one_line(cpu_device: Device) -> None:
    line_bytes = 8 * layout(instrument(), 0.51, 2).grid.size
    small = PoisonedSession(replace(cpu_device, local_bytes=line_bytes - 1))
    with pytest.raises(UnavailableError, match=f"needs {line_bytes} bytes of local memory") as caught:
        DevicePointImages(small, instrument()).images(3.0, [(0.0, 0.0)], 2)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("number", range(5))
def test_the_reference(session: PoisonedSession, shared_reference: Path, number: int) -> None:
    entry = json.loads((shared_reference / "psf_reference.json").read_text())[number]
    expected = np.load(shared_reference / "psf_reference.npz")[entry["key"]]
    device_images = DevicePointImages(session, described(entry))
    offsets = [(entry["dy_um"], entry["dx_um"])]
    image = device_images.host_images(entry["z_um"], offsets, entry["lenslets"] // 2)[0]
    assert np.linalg.norm(image - expected) <= 0.01 * np.linalg.norm(expected)
    assert image.sum() == pytest.approx(entry["energy"], rel=0.005)
