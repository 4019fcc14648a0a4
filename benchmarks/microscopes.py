"""How exact other microscopes' point images are: ``python benchmarks/microscopes.py`` prints one JSON line a figure."""

import json
import time
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from lfcore.optics.boxes import box_nodes
from lfcore.optics.instrument import Box, Instrument
from lfcore.optics.psf import point_images
from lfcore.optics.rays import ray_images
from lfcore.projection.kernels import plane_kernels
from lfcore.settings import Layers

NEARLY_RAYS_UM = 0.04
PLACE_UM = (0.8, -2.1)
LEVOY = Instrument(20, 0.5, 1.33, ((0.51, 1.0),), 125, 2433, 2433, "square", 7)
VESICLE = Instrument(60, 1.2, 1.35, ((0.593, 1.0),), 104, 2500, 2500, "square", 16, model="rays")
VESICLE_PLANES_UM = 0.5778 * np.arange(-23, 24)
OIL = Layers(immersion_index=1.6, coverslip_index=1.6, coverslip_design_index=1.6, focus_depth_um=150.0)

KINDS: dict[str, dict[str, Any]] = {
    "square": {},
    "hexagonal": {"lattice": "hexagonal", "aperture": "hexagonal"},
    "round, clear gaps": {"aperture": "round", "aperture_um": 90.0, "gaps": "clear"},
    "camera off the focal plane": {"sensor_distance_um": 1500.0},
    "coma and astigmatism": {"zernike": ((3, -1, 0.8), (2, 2, 0.5))},
    "layers": {"layers": OIL},
}


def waves_and_rays() -> None:
    """Correlation of both models at a short wavelength, slightly blurred; and of one flipped or with the wrong z."""
    for kind, changes in KINDS.items():
        optics = replace(LEVOY, spectrum=((NEARLY_RAYS_UM, 1.0),), **changes)
        waves = point_images(optics, 12.0, [PLACE_UM], 2)[0]
        rays, wrong = (ray_images(optics, z_um, [PLACE_UM], (5, 5))[0] for z_um in (12.0, -12.0))
        others = (rays[::-1], rays[:, ::-1], np.roll(rays, 1, 0), wrong)
        figures = {
            "ncc": _correlation(waves, rays),
            "best of the wrong ones": max(_correlation(waves, o) for o in others),
        }
        print(json.dumps({"waves and rays": kind} | {name: round(value, 4) for name, value in figures.items()}))


def ray_noise() -> None:
    """Relative L2 distance of ray images from ones of 32 times as many rays."""
    optics = replace(LEVOY, pixels_per_lenslet=15)
    for z_um in (3.0, 25.0):
        usual, many = (ray_images(optics, z_um, [PLACE_UM], (9, 9), *rays)[0] for rays in ([], [2**25]))
        print(json.dumps({"ray noise at z": z_um, "relative_l2": round(_distance(usual, many), 5)}))


def ray_times() -> None:
    """Seconds for all point images of the vesicle's 47 planes."""
    for samples in (3, 6):
        started = time.perf_counter()
        for z_um in VESICLE_PLANES_UM:
            plane_kernels(VESICLE, float(z_um), samples)
        print(json.dumps({"47 planes by rays, S": samples, "seconds": round(time.perf_counter() - started, 1)}))


def boxes() -> None:
    """Relative L2 distance of the image of a box from the mean over 1000 points, and the nodes that it takes."""
    optics = replace(LEVOY, pixels_per_lenslet=5, box=Box(4.0, 12))
    side = optics.object_pitch_um / 12
    parts = (np.arange(10) + 0.5) / 10 - 0.5
    offsets = [(PLACE_UM[0] + side * dy, PLACE_UM[1] + side * dx) for dy in parts for dx in parts]
    points = replace(optics, box=None)
    mean = np.mean([point_images(points, 7 + 4 * part, offsets, 2, np.float64).mean(0) for part in parts], axis=0)
    box = point_images(optics, 7.0, [PLACE_UM], 2, np.float64)[0]
    nodes = box_nodes(optics)
    counts = [len(axis) for axis in (nodes.z, nodes.y, nodes.x)]
    print(json.dumps({"box": "4 um deep, S = 12", "relative_l2": round(_distance(box, mean), 5), "nodes": counts}))


def _correlation(first: np.ndarray[Any, Any], second: np.ndarray[Any, Any]) -> float:
    return float(np.corrcoef(gaussian_filter(first, 0.7).ravel(), gaussian_filter(second, 0.7).ravel())[0, 1])


def _distance(image: np.ndarray[Any, Any], exact: np.ndarray[Any, Any]) -> float:
    return float(np.linalg.norm(image - exact) / np.linalg.norm(exact))


if __name__ == "__main__":
    for measure in (waves_and_rays, ray_noise, ray_times, boxes):
        measure()
