"""Every kind of operator against the sum of its point images, and against its own transpose.

    python -m benchmarks.operators

One JSON line a kind of instrument and precision: parity classes, relative L2 error of a projection, and relative
difference of the inner products ``<H x, y>`` and ``<x, H^T y>``.
"""

import json

import numpy as np

from lfcore.projection.host import host_projector
from lfcore.projection.kernels import plane_kernels
from lfcore.projection.parity import parity_classes
from tests.direct_sum import direct_sum, images_of
from tests.instruments import instrument

SEED, SAMPLES, FIELD, PLANES_UM = 7, 3, (4, 5), (-7.0, 0.0, 5.0)
HEXAGONAL = {"lattice": "hexagonal", "aperture": "hexagonal"}
KINDS = {
    "square": instrument(),
    "hexagonal, rows": instrument(**HEXAGONAL),
    "hexagonal, columns": instrument(**HEXAGONAL, orientation="columns"),
    "astigmatism": instrument(zernike=((2, 2, 0.06),)),
    "oblique astigmatism": instrument(zernike=((2, -2, 0.06),)),
    "coma along x": instrument(zernike=((3, 1, 0.08),)),
    "both comas": instrument(zernike=((3, 1, 0.05), (3, -1, 0.07))),
    "both comas, hexagonal": instrument(**HEXAGONAL, zernike=((3, 1, 0.05), (3, -1, 0.07))),
}


def main() -> None:
    """Print a line for each."""
    for name, optics in KINDS.items():
        kernels = [plane_kernels(optics, z_um, SAMPLES) for z_um in PLANES_UM]
        planes = [images_of(optics, z_um, SAMPLES) for z_um in PLANES_UM]
        classes = len(parity_classes(optics.symmetry))
        for dtype in (np.float32, np.float64):
            generator, projector = np.random.default_rng(SEED), host_projector(kernels, *FIELD, dtype)
            volume = generator.random((1, *projector.volume_shape))
            packed = projector.pack_volume(volume)
            image = projector.unpack_image(projector.forward(packed)).astype(np.float64)
            other = generator.random(image.shape)
            back = projector.unpack_volume(projector.adjoint(projector.pack_image(other))).astype(np.float64)
            cell = optics.cell
            expected = direct_sum(
                planes, cell.samples(SAMPLES), cell.pixels, projector.margin_cells, volume[0].astype(np.float64)
            )
            error = float(np.linalg.norm(image[0] - expected) / np.linalg.norm(expected))
            left, right = float(np.vdot(image, other)), float(np.vdot(volume, back))
            line = {"kind": name, "dtype": dtype.__name__, "classes": classes}
            print(json.dumps(line | {"direct_sum": error, "adjoint": abs(left - right) / abs(left)}))


if __name__ == "__main__":
    main()
