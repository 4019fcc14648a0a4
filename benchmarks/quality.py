"""Solvers against known truth: ``python -m benchmarks.quality [--quick] [--frames DIR] [--depth PART] > LINES``.

Prints one JSON line a structure, photon count, seed and solver; ``quality_table`` makes the table in
``docs/quality.md`` of them.

Beads, filaments, shells, bars and cell bodies are imaged by the simulation: a band of three wavelengths, pixels twice
as fine as the camera's, places and depths off the reconstruction's samples and planes, a turned lattice whose pitch is
no whole number of pixels, vignetting, read noise, and shot noise of a stated number of photons at the brightest pixel.
The frames are rectified by the true lattice and reconstructed as a run does it, with one wavelength. ``--frames`` keeps
the frames without noise between calls. ``--depth`` takes the place of the default of ``anti_aliasing``.
"""

import argparse
import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from lfcore.calibration.model import Calibration
from lfcore.calibration.rectify import rectify
from lfcore.optics.instrument import Instrument
from lfcore.optics.resolution import depth_resolution_um, resolution_curve
from lfcore.projection.kernels import PlaneKernels, plane_kernels
from lfcore.projection.numpy_projector import NumpyProjector
from lfcore.settings import Reconstruction
from lfcore.simulation.camera import DARK_COUNTS, Bench, KeptImages, expected_frames, record, vignetting, white_frame
from lfcore.simulation.compare import correlation
from lfcore.simulation.dataset import Scenario, make_bench
from lfcore.simulation.phantoms import Extent, Phantom, beads, render
from lfcore.simulation.scores import lattice_index, located, matched, psnr_db, ssim
from lfcore.simulation.structures import STRUCTURES, snapped
from lfcore.stages.artefacts import ArtefactRemoval
from lfcore.stages.reconstruct import weight_of
from lfcore.stages.series import reconstruct_frames

Floats = npt.NDArray[np.float64]
Volumes = npt.NDArray[np.float32]

TWENTY_TIMES = Instrument(20, 0.5, 1.33, ((0.51, 1.0),), 125, 2433, 2433, "square", 15)
BAND = ((0.495, 0.3), (0.51, 0.4), (0.525, 0.3))
LENSLETS, PITCH_PX, SAMPLES = 21, 15.3, 5
PLANES_UM = tuple(float(z_um) for z_um in range(-60, 61, 5))
DEPTHS_UM = -55.0, 55.0
BEADS, APART_UM = 20, 12.5
PHOTONS, SEEDS = (10, 100, 1_000, 10_000), (1, 2, 3)
READ_NOISE, CORNER_LIGHT, WHITE_PHOTONS = 1.0, 0.7, 20_000.0
KINDS = ("beads", *STRUCTURES)


RICHARDSON_LUCY: dict[str, dict[str, Any]] = {
    "10 iterations": {"iterations": 10},
    "40 iterations": {"iterations": 40},
    "not accelerated": {"acceleration": False},
    "artefacts left": {"anti_aliasing": 0, "lattice_suppression": False},
    "not accelerated, artefacts left": {
        "acceleration": False,
        "anti_aliasing": 0,
        "lattice_suppression": False,
    },
}
"""What else is tried with Richardson-Lucy besides its defaults."""

SLOW = ("least_squares", "admm_tv")
"""Solvers that take frames one by one, eight projections an iteration: given the first seed's, with some photons."""

SOME_PHOTONS = PHOTONS[1:3]


def solvers(depth: float | None = None) -> dict[str, Reconstruction]:
    """What is compared: every solver as the settings have it, and Richardson-Lucy with other settings.

    ``depth`` takes the place of the default of ``anti_aliasing``.
    """
    names = get_args(Reconstruction.model_fields["solver"].annotation)
    usual = {} if depth is None else {"anti_aliasing": depth}
    others = {
        f"richardson_lucy, {name}": Reconstruction(**usual | changes) for name, changes in RICHARDSON_LUCY.items()
    }
    return {name: Reconstruction(solver=name, **usual) for name in names} | others


@dataclass(frozen=True)
class Operator:
    """What a run builds for some settings: the projector, its sensitivity (y, x), and what is done about artefacts."""

    projector: NumpyProjector
    weight: npt.NDArray[np.float32]
    removal: ArtefactRemoval


@dataclass(frozen=True)
class Sight:
    """What all frames share: the camera, what rectifies its frames, the white frame (y, x) and kernels."""

    bench: Bench
    calibration: Calibration
    white: npt.NDArray[np.float32]
    kernels: list[PlaneKernels]

    @classmethod
    def make(cls) -> "Sight":
        """Some seconds of work."""
        scenario = Scenario(rows=LENSLETS, columns=LENSLETS, pitch_px=PITCH_PX)
        bench = make_bench(replace(TWENTY_TIMES, spectrum=BAND), scenario)
        calibration = Calibration(
            lattice=bench.lattice,
            rows=LENSLETS,
            columns=LENSLETS,
            found=LENSLETS**2,
            inliers=LENSLETS**2,
            residual_rms_px=0.0,
            residual_max_px=0.0,
            pixels_per_lenslet=TWENTY_TIMES.pixels_per_lenslet,
            image_shape=bench.image_shape,
        )
        white = white_frame(bench) * vignetting(bench.image_shape, CORNER_LIGHT) * WHITE_PHOTONS
        seen = record(white, READ_NOISE, np.random.default_rng(0)) - DARK_COUNTS
        kernels = [plane_kernels(TWENTY_TIMES, z_um, SAMPLES) for z_um in PLANES_UM]
        return cls(bench, calibration, rectify(seen, calibration), kernels)

    def operator(self, settings: Reconstruction) -> Operator:
        """What reconstructs with these settings; those of a kind share the projector."""
        removal = ArtefactRemoval.of(settings, TWENTY_TIMES, self.kernels)
        if settings.anti_aliasing not in self._operators:
            projector = NumpyProjector(removal.kernels(self.kernels), LENSLETS, LENSLETS)
            self._operators[settings.anti_aliasing] = projector, weight_of(projector, self.white)
        return Operator(*self._operators[settings.anti_aliasing], removal)

    @cached_property
    def _operators(self) -> dict[float, tuple[NumpyProjector, npt.NDArray[np.float32]]]:
        return {}

    @property
    def extent(self) -> Extent:
        """Where structures may be."""
        size_um = LENSLETS * TWENTY_TIMES.object_pitch_um
        return Extent(DEPTHS_UM, (size_um, size_um), TWENTY_TIMES.object_pitch_um)

    def rectified(self, frame: Floats, photons: float, seed: int) -> npt.NDArray[np.float32]:
        """(y, x) what the camera makes of a ``frame`` without noise, rectified."""
        rng = np.random.default_rng([seed, int(photons)])
        light = frame * vignetting(frame.shape, CORNER_LIGHT)
        return rectify(record(light * (photons / light.max()), READ_NOISE, rng) - DARK_COUNTS, self.calibration)


def phantom_of(kind: str, seed: int, extent: Extent) -> Phantom:
    """The structure of a seed. Beads are equally bright and lie anywhere; the others are snapped."""
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    if kind == "beads":
        placed = beads(extent, 1, rng, BEADS, APART_UM)
        return Phantom(placed.positions_um, np.ones((1, BEADS)))
    return snapped(STRUCTURES[kind](extent, rng), extent)


def voxels_of(phantom: Phantom) -> Floats:
    """(point, 3) fractional voxels of the phantom's points."""
    z_um, lateral_um = phantom.positions_um[:, :1], phantom.positions_um[:, 1:]
    step_um = PLANES_UM[1] - PLANES_UM[0]
    lateral = (lateral_um / TWENTY_TIMES.object_pitch_um + 0.5) * SAMPLES - 0.5
    return np.column_stack([(z_um - PLANES_UM[0]) / step_um, lateral])


def resolution_um(z_um: Floats) -> Floats:
    """(depth, 3) theoretical resolution along z, y and x at the depths: shortest periods."""
    curve = resolution_curve(TWENTY_TIMES)
    limits = np.interp(z_um, curve.z_um, curve.band_limit)
    along = np.array([depth_resolution_um(TWENTY_TIMES, float(limit)) for limit in limits])
    return np.column_stack([along, 1 / limits, 1 / limits])


@dataclass(frozen=True)
class Truth:
    """A phantom, where its points are in voxels (point, 3), and the volume (z, y, x) that shows them."""

    phantom: Phantom
    voxels: Floats
    volume: Floats

    @classmethod
    def of(cls, phantom: Phantom) -> "Truth":
        """Render it on the reconstruction's grid, every point as a Gaussian of one voxel."""
        shape = len(PLANES_UM), LENSLETS * SAMPLES, LENSLETS * SAMPLES
        voxels = voxels_of(phantom)
        return cls(phantom, voxels, render(voxels, phantom.brightness, shape)[0])


def scores(truth: Truth, volume: Volumes) -> dict[str, float]:
    """How alike a volume (z, y, x) is to the truth, and how much its native plane shows the lenslets."""
    scaled = matched(volume, truth.volume)
    return {
        "ncc": correlation(volume, truth.volume),
        "psnr_db": psnr_db(scaled, truth.volume),
        "ssim": ssim(scaled, truth.volume),
        "lattice_index": lattice_index(volume[PLANES_UM.index(0.0)], SAMPLES),
    }


def localisation(truth: Truth, volume: Volumes) -> dict[str, Any]:
    """Of every bead its depth, its error (z, y, x), um and in parts of the resolution there, NaN where not found."""
    z_um = truth.phantom.positions_um[:, 0]
    voxel_um = np.array([PLANES_UM[1] - PLANES_UM[0], *[TWENTY_TIMES.object_pitch_um / SAMPLES] * 2])
    resolution = resolution_um(z_um)
    error_um = (located(volume, truth.voxels, resolution / voxel_um) - truth.voxels) * voxel_um
    return {
        "z_um": z_um.tolist(),
        "error_um": error_um.tolist(),
        "error_in_resolution": (error_um / resolution).tolist(),
    }


def light_of(sight: Sight, kinds: list[str], seeds: list[int], folder: Path | None) -> dict[tuple[str, int], Floats]:
    """(y, x) energy a camera pixel of every structure and seed, without noise."""
    kept, light = KeptImages(sight.bench.fine), {}
    for kind, seed in itertools.product(kinds, seeds):
        path = folder / f"{kind}_{seed}.npy" if folder else None
        if path and path.exists():
            light[kind, seed] = np.load(path)
            continue
        phantom = phantom_of(kind, seed, sight.extent)
        [light[kind, seed]] = expected_frames(sight.bench, phantom, None if kind == "beads" else kept)
        if path:
            np.save(path, light[kind, seed])
    return light


def results(
    sight: Sight, light: dict[tuple[str, int], Floats], photons: list[int], chosen: dict[str, Reconstruction]
) -> Iterator[tuple[dict[str, Any], Volumes]]:
    """Every frame by every solver: what is printed of it, and its volume (z, y, x)."""
    for kind in dict.fromkeys(kind for kind, _ in light):
        seeds = [seed for other, seed in light if other == kind]
        truths = {seed: Truth.of(phantom_of(kind, seed, sight.extent)) for seed in seeds}
        for name, settings in chosen.items():
            slow = settings.solver in SLOW
            cases = [
                (seed, count)
                for seed, count in itertools.product(seeds, photons)
                if not slow or (seed == seeds[0] and count in SOME_PHOTONS)
            ]
            frames = np.stack([sight.rectified(light[kind, seed], count, seed) for seed, count in cases])
            operator, began = sight.operator(settings), time.perf_counter()
            estimate = reconstruct_frames(
                operator.projector, frames, operator.weight, settings, removal=operator.removal
            )
            seconds = (time.perf_counter() - began) / len(cases)
            for index, ((seed, count), volume) in enumerate(zip(cases, estimate.volume, strict=True)):
                line = {"kind": kind, "seed": seed, "photons": count, "solver": name, "seconds": round(seconds, 2)}
                line |= {"residual": float(estimate.residuals[-1, index])} | scores(truths[seed], volume)
                yield line | (localisation(truths[seed], volume) if kind == "beads" else {}), volume


def main() -> None:
    """Print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one seed, two photon counts")
    parser.add_argument("--frames", type=Path, help="folder that keeps the frames without noise")
    parser.add_argument("--depth", type=float, help="in place of the default of anti_aliasing")
    parser.add_argument("--solvers", nargs="+", choices=solvers(), default=list(solvers()), metavar="NAME")
    arguments = parser.parse_args()
    seeds, photons = (SEEDS[:1], SOME_PHOTONS) if arguments.quick else (SEEDS, PHOTONS)
    sight = Sight.make()
    light = light_of(sight, list(KINDS), list(seeds), arguments.frames)
    chosen = {name: settings for name, settings in solvers(arguments.depth).items() if name in arguments.solvers}
    for line, _ in results(sight, light, list(photons), chosen):
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
