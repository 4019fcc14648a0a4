"""How exact the model is: ``python benchmarks/accuracy.py REFERENCE`` prints one JSON line a figure.

``REFERENCE`` is a folder with ``psf_reference.npz`` and ``psf_reference.json``: point images by another program.
"""

import json
import sys
from pathlib import Path

import numpy as np

from lfcore.optics.instrument import Instrument
from lfcore.optics.psf import point_images
from lfcore.projection.kernels import plane_kernels
from lfcore.projection.numpy_projector import NumpyProjector

GUARD_LENSLETS = 4.0
SEED = 1
SMALL = Instrument(20, 0.5, 1.33, ((0.51, 1.0),), 125, 2433, 2433, "square", 8)
PLANES_UM = (-20.0, 0.0, 15.0)
SAMPLES = 3
FIELD = (4, 6)


def against_reference(folder: Path) -> None:
    """Relative L2 error and energy of every reference image."""
    arrays = np.load(folder / "psf_reference.npz", allow_pickle=False)
    for entry in json.loads((folder / "psf_reference.json").read_text()):
        instrument = Instrument(
            entry["magnification"],
            entry["numerical_aperture"],
            entry["medium_index"],
            ((entry["wavelength_um"], 1.0),),
            entry["pitch_um"],
            entry["focal_length_um"],
            entry["focal_length_um"],
            "square",
            entry["pixels_per_lenslet"],
        )
        offset_um = [(entry["dy_um"], entry["dx_um"])]
        image = point_images(instrument, entry["z_um"], offset_um, entry["lenslets"] // 2, np.float64, GUARD_LENSLETS)[
            0
        ]
        reference = arrays[entry["key"]]
        error = float(np.linalg.norm(image - reference) / np.linalg.norm(reference))
        energy = float(image.sum() / reference.sum() - 1)
        print(json.dumps({"point image": entry["key"], "relative_l2": round(error, 5), "energy": round(energy, 5)}))


def adjoint() -> None:
    """Relative difference of ``<Hx, y>`` and ``<x, H'y>`` in both precisions."""
    generator = np.random.default_rng(SEED)
    kernels = [plane_kernels(SMALL, z_um, SAMPLES) for z_um in PLANES_UM]
    for dtype in (np.float32, np.float64):
        projector = NumpyProjector(kernels, *FIELD, dtype)
        volume = projector.pack_volume(generator.random((1, *projector.volume_shape)))
        image = projector.pack_image(generator.random((1, *(lenslets * 8 for lenslets in FIELD))))
        one = float(np.vdot(projector.forward(volume).astype(np.float64), image.astype(np.float64)))
        other = float(np.vdot(volume.astype(np.float64), projector.adjoint(image).astype(np.float64)))
        print(json.dumps({"adjoint": dtype.__name__, "relative": abs(one - other) / abs(one)}))


def against_direct_sum() -> None:
    """Relative L2 error of a projection against the sum of its own point images, one by one."""
    generator = np.random.default_rng(SEED)
    kernels = [plane_kernels(SMALL, z_um, SAMPLES) for z_um in PLANES_UM]
    projector = NumpyProjector(kernels, *FIELD)
    volume = generator.random((1, *projector.volume_shape), np.float32)
    image = projector.unpack_image(projector.forward(projector.pack_volume(volume)))[0]
    size, margin = SMALL.pixels_per_lenslet, projector.margin_cells[0]
    total = np.zeros([(lenslets + 4 * margin) * size for lenslets in FIELD])
    offsets = (np.arange(SAMPLES) - (SAMPLES - 1) / 2) / SAMPLES * SMALL.object_pitch_um
    for plane, z_um in enumerate(PLANES_UM):
        radius = kernels[plane].radius_cells[0]
        for a, c in np.ndindex(SAMPLES, SAMPLES):
            point = point_images(SMALL, z_um, [(float(offsets[a]), float(offsets[c]))], radius, np.float64)[0]
            for (row, column), value in np.ndenumerate(volume[0, plane, a::SAMPLES, c::SAMPLES]):
                top, left = ((index + margin - radius) * size for index in (row, column))
                total[top : top + len(point), left : left + len(point)] += value * point
    low = 2 * margin * size
    direct = total[low : low + image.shape[0], low : low + image.shape[1]]
    error = float(np.linalg.norm(image - direct) / np.linalg.norm(direct))
    print(json.dumps({"direct sum": "float32", "relative_l2": error}))


if __name__ == "__main__":
    against_reference(Path(sys.argv[1]))
    adjoint()
    against_direct_sum()
