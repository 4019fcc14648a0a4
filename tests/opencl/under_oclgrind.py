"""Kernels in Oclgrind, a simulator that reports memory that is not theirs, data races and barriers that not all reach.

``python -m tests.opencl.under_oclgrind NAME`` runs one case in this process; ``run_case`` starts that so that the
simulator is the only device there, and gives back its report. It interprets, so sizes are the smallest that reach every
branch. Buffers are poisoned, so a value that was never written shows in the results. Oclgrind can follow such values
by itself, also through local memory, but its version 21.10 trips over divisions with remainder and over vectors put
together from parts: it does so in the cases of ``FOLLOWED`` only.

A new kernel: write a function that takes the device and launches it, and name it in ``CASES``.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyopencl

from lfcore.calibration.distortion import Distortion
from lfcore.calibration.opencl_rectify import DeviceRectifier
from lfcore.opencl.device import Device, candidates
from lfcore.opencl.probe import probe_result
from lfcore.opencl.session import Session
from lfcore.optics.opencl_psf import DevicePointImages
from lfcore.projection.opencl_matrices import PlaneImages
from lfcore.projection.opencl_products import PortableProducts, Products, UnitProducts
from lfcore.projection.opencl_projector import OpenclProjector
from lfcore.projection.tiling import tiling
from tests.calibration.test_rectify import calibration_of
from tests.devices import PoisonedSession
from tests.instruments import instrument

REPOSITORY = Path(__file__).resolve().parents[2]
SECONDS = 120
CHECKS = {"OCLGRIND_DATA_RACES": "1", "OCLGRIND_UNIFORM_WRITES": "1"}
Case = Callable[[Device], None]


def run_case(name: str, folder: Path) -> str:
    """What the simulator reports of a case, empty if nothing; ``folder`` is for its log."""
    log = folder / "oclgrind.log"
    # Where no driver is registered, the one that came with pyopencl's wheel is left.
    settings = CHECKS | {"OCL_ICD_VENDORS": str(folder), "OCLGRIND_LOG": str(log)}
    if name in FOLLOWED:
        settings["OCLGRIND_UNINITIALIZED"] = "1"
    command = [sys.executable, "-m", "tests.opencl.under_oclgrind", name]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=os.environ | settings, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return log.read_text().strip()


def probe(device: Device) -> None:
    """The kernel by which devices are judged."""
    np.testing.assert_array_equal(*probe_result(device))


def portable_projector(device: Device) -> None:
    """One grid that is not square, odd and even cells, two frames, the fused steps."""
    iterate(PoisonedSession(device), samples=3, pixels=4, half=False, products=PortableProducts, tiles=(1, 1))


def tiled_projector(device: Device) -> None:
    """Two tiles along each axis, so nothing is fused."""
    iterate(PoisonedSession(device), samples=2, pixels=3, half=False, products=PortableProducts, tiles=(2, 2))


def matrix_units(device: Device) -> None:
    """Half-precision matrices and the emulated instruction."""

    class Emulated(UnitProducts):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, ptx=False)

    iterate(PoisonedSession(device), samples=3, pixels=3, half=True, products=Emulated, tiles=(1, 1))


def point_images(device: Device) -> None:
    """Two points of an instrument with few pixels."""
    images = DevicePointImages(PoisonedSession(device), instrument(pixels_per_lenslet=2))
    assert np.isfinite(images.host_images(3.0, [(0.0, 0.0), (1.0, -0.5)], 0)).all()


def rectified_frames(device: Device) -> None:
    """Counts, and values of which some are missing, of a lattice turned a little and bent."""
    calibration = calibration_of((17, 21), 5.3, 0.5, (4.1, 3.4), 3, 4, 4)
    bend = Distortion((8.0, 10.0), 13.5, (0.01, -0.02), 0.02)
    calibration = replace(calibration, lattice=replace(calibration.lattice, distortion=bend))
    rectify = DeviceRectifier(PoisonedSession(device), calibration)
    counts = np.random.default_rng(3).integers(0, 65536, calibration.image_shape, np.uint16)
    values = counts.astype(np.float32)
    values[2:5, 3] = np.nan
    for frame in (counts, values):
        found = rectify.session.download(rectify(frame), (12, 16), np.float32)
        np.testing.assert_array_equal(np.isnan(found), np.isnan(rectify.twin(frame)))


def iterate(
    session: Session, samples: int, pixels: int, half: bool, products: type[Products], tiles: tuple[int, int]
) -> None:
    """Every operation of a projector on random fields (seed 3), lazily as a solver does and on values."""
    generator = np.random.default_rng(3)
    evens = -(-samples // 2)
    images = generator.random((evens * (evens + 1) // 2, 3 * pixels, 3 * pixels), np.float32)
    images /= images.sum((1, 2), keepdims=True)
    planes = [PlaneImages((1, 1), session.upload(images))]
    grids = tiling(2, 5, (1, 1), session.device.local_bytes, *tiles)
    assert grids
    projector = OpenclProjector(session, grids, planes, (samples, samples), (pixels, pixels), 2, half, products)
    measured = projector.pack_image(generator.random((2, 2 * pixels, 5 * pixels), np.float32))
    weight = projector.pack_image(np.ones((1, 2 * pixels, 5 * pixels), np.float32))
    volume = projector.pack_volume(generator.random((2, *projector.volume_shape), np.float32))
    normaliser = projector.adjoint(projector.weigh(projector.pack_image(np.ones((2, 2 * pixels, 5 * pixels))), weight))
    correction, squares = projector.compare(measured, projector.forward(volume), weight, np.array([0.1, 0.2]))
    assert np.isfinite(squares).all()
    stepped = projector.update(volume, projector.adjoint(correction), normaliser)
    ahead = projector.extrapolate(stepped, volume, np.array([0.5, 0.25]))
    step = projector.difference(ahead, volume)
    assert np.isfinite(projector.inner(step, step)).all()
    assert np.isfinite(projector.unpack_volume(step)).all()
    assert np.isfinite(projector.unpack_image(projector.forward(ahead))).all()


def planted(body: str) -> Case:
    """A case of 16 work-items, in groups of 8, that fill ``float x[16]`` by ``body``."""

    def run(device: Device) -> None:
        head = "#define i get_global_id(0)\n#define here get_local_id(0)\n"
        source = f"{head}kernel void planted(global float *x) {{ local float shared[8]; {body} }}"
        kernel = pyopencl.Kernel(pyopencl.Program(device.context(), source).build(), "planted")
        buffer = pyopencl.Buffer(device.context(), pyopencl.mem_flags.READ_WRITE, 64)
        with pyopencl.CommandQueue(device.context()) as queue:
            kernel(queue, (16,), (8,), buffer)
            queue.finish()

    return run


CASES: dict[str, Case] = {
    "probe": probe,
    "portable projector": portable_projector,
    "tiled projector": tiled_projector,
    "matrix units": matrix_units,
    "point images": point_images,
    "rectified frames": rectified_frames,
}

FINE = "no fault"
PLANTED: dict[str, Case] = {
    FINE: planted("shared[here] = i; barrier(CLK_LOCAL_MEM_FENCE); x[i] = shared[7 - here];"),
    "Invalid write of size 4 at global memory": planted("x[i + 1] = i;"),
    "Invalid read of size 4 at global memory": planted("x[i] = x[i + 1000];"),
    "Read-write data race at local memory": planted("shared[here] = i; x[i] = shared[7 - here];"),
    "Write-write data race at global memory": planted("x[i / 2] = i;"),
    "Uninitialized value": planted(
        "if (here < 4) shared[here] = i; barrier(CLK_LOCAL_MEM_FENCE); x[i] = shared[here];"
    ),
    "Work-group divergence": planted("x[i] = i; if (here < 3) barrier(CLK_LOCAL_MEM_FENCE);"),
}
"""Faults by the words with which they are reported."""

FOLLOWED = {"probe", *PLANTED}


if __name__ == "__main__":
    [simulator] = [device for device, _ in candidates() if device.platform == "Oclgrind"]
    (CASES | PLANTED)[sys.argv[1]](simulator)
