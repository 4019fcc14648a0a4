"""Resolution against depth from bars: ``python benchmarks/resolution.py [PLOT.png]`` prints one JSON line a depth.

Bars of the USAF 1951 series, long in y, thin in z, are imaged at each depth by the simulation: more positions than the
reconstruction has samples, pixels twice as fine, a turned lattice, Poisson noise. The plane is then reconstructed
by Richardson-Lucy. *Contrast* is the amplitude of the bars' own frequency and phase over the mean, relative to that of
the bars, the lower of two phases against the lattice. The limit is where contrast first falls below ``CONTRAST``.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lfcore.calibration.model import Calibration
from lfcore.calibration.rectify import rectify
from lfcore.optics.instrument import Instrument
from lfcore.optics.psf import point_images
from lfcore.optics.resolution import band_limit, lenslet_limit, native_limit, near_um
from lfcore.projection.kernels import plane_kernels
from lfcore.projection.numpy_projector import NumpyProjector
from lfcore.report.canvas import canvas, png
from lfcore.simulation.camera import Bench
from lfcore.simulation.dataset import Scenario, make_bench
from lfcore.solvers.richardson_lucy import richardson_lucy

Floats = npt.NDArray[np.float64]

BROXTON = Instrument(20, 0.5, 1.33, ((0.51, 1.0),), 125, 2433, 2433, "square", 17)
DISTANCES_UM = (5, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100)
DEPTHS_UM = (*(-float(z_um) for z_um in reversed(DISTANCES_UM)), 0.0, *map(float, DISTANCES_UM))
PER_UM = tuple(2 ** (step / 6) / 1000 for step in range(33, 55))
PHASES = (0.0, 0.25)
CONTRAST = 0.1


@dataclass(frozen=True)
class Target:
    """How bars are imaged, from ``positions`` across and ``rows`` along them a lenslet, and reconstructed.

    ``lenslets`` (y, x) on the camera, ``photons`` at the brightest pixel.
    """

    lenslets: tuple[int, int] = (5, 15)
    positions: int = 24
    rows: int = 4
    samples: int = 9
    iterations: int = 40
    photons: float = 2000.0
    seed: int = 7


def contrasts(instrument: Instrument, z_um: float, frequencies: Sequence[float], target: Target) -> Floats:
    """(frequency,) contrast after reconstruction of bars at ``z_um``, the lower of the two phases."""
    bars = [(frequency, phase) for frequency in frequencies for phase in PHASES]
    frames = _frames(instrument, z_um, bars, target)
    projector = NumpyProjector([plane_kernels(instrument, z_um, target.samples)], *target.lenslets)
    nothing = np.full(len(frames), 1e-3 * frames.mean())
    volume = richardson_lucy(projector, frames, np.ones_like(frames[:1]), nothing, target.iterations).volume[:, 0]
    # The outermost lenslets share their light with the margin, so they are left out too.
    inside = [count * target.samples for count in target.lenslets]
    starts = [(whole - length) // 2 + target.samples for whole, length in zip(volume.shape[1:], inside, strict=True)]
    rows, columns = (
        slice(start, start + length - 2 * target.samples) for start, length in zip(starts, inside, strict=True)
    )
    seen = volume[:, rows, columns]
    place_um = ((np.arange(seen.shape[2]) + target.samples + 0.5) / target.samples - 0.5) * instrument.object_pitch_um
    found = [_contrast(profile, place_um, *bar) for profile, bar in zip(seen.mean(1), bars, strict=True)]
    return np.asarray(np.reshape(found, (len(frequencies), len(PHASES))).min(1))


def limit(frequencies: Sequence[float], contrast: Floats) -> float:
    """Frequency at which contrast first falls below ``CONTRAST``, between the bars on a logarithmic scale."""
    below = np.flatnonzero(contrast < CONTRAST)
    if not len(below) or below[0] == 0:
        return float(frequencies[-1 if not len(below) else 0])
    last = below[0] - 1
    part = (contrast[last] - CONTRAST) / (contrast[last] - contrast[last + 1])
    return float(frequencies[last] * (frequencies[last + 1] / frequencies[last]) ** part)


def _frames(
    instrument: Instrument, z_um: float, bars: list[tuple[float, float]], target: Target
) -> npt.NDArray[np.float32]:
    """(bar, y, x) rectified noisy light fields."""
    scenario = Scenario(
        rows=target.lenslets[0], columns=target.lenslets[1], pitch_px=instrument.pixels_per_lenslet + 0.3
    )
    bench = make_bench(instrument, scenario)
    calibration = Calibration(
        lattice=bench.lattice,
        rows=target.lenslets[0],
        columns=target.lenslets[1],
        found=1,
        inliers=1,
        residual_rms_px=0.0,
        residual_max_px=0.0,
        pixels_per_lenslet=instrument.pixels_per_lenslet,
        image_shape=bench.image_shape,
    )
    rng = np.random.default_rng(target.seed)
    frames = []
    for light in _light_fields(bench, z_um, bars, target):
        camera = bench.on_camera(light, (-2, -2))
        photons = rng.poisson(camera * (target.photons / camera.max())).astype(np.float64)
        frames.append(np.nan_to_num(rectify(photons, calibration)))
    return np.maximum(np.stack(frames), 0)


def _light_fields(bench: Bench, z_um: float, bars: list[tuple[float, float]], target: Target) -> Floats:
    """(bar, y, x) on the fine pixels, two lenslets more than the camera's on each side; all rows of them alike."""
    lines = _line_images(bench.fine, z_um, target)
    reach, size = lines.shape[1] // 2, bench.fine.pixels_per_lenslet
    pitch_um = bench.instrument.object_pitch_um
    rows, columns = (count + 4 for count in target.lenslets)
    lenslets = np.arange(-2 - reach, columns - 2 + reach)
    edges = np.arange(target.positions + 1) / target.positions - 0.5
    turns = np.multiply.outer(lenslets, np.ones(target.positions + 1)) + edges
    fields = np.zeros((len(bars), columns, size, size))
    for field, (frequency, phase) in zip(fields, bars, strict=True):
        lit = np.diff(_lit_until(turns * pitch_um * frequency - phase), axis=1)
        for step in range(2 * reach + 1):
            # Lenslet l sees the lines of lenslet l - m through the part m of their images.
            sources = lit[2 * reach - step : 2 * reach - step + columns]
            field += np.einsum("lj,jvu->lvu", sources, lines[:, step], optimize=True)
    whole = np.tile(fields.transpose(0, 2, 1, 3)[:, None], (1, rows, 1, 1, 1))
    return whole.reshape(len(bars), rows * size, columns * size)


def _lit_until(periods: Floats) -> Floats:
    """Integral of bars that are lit over the middle half of each period, around whole numbers."""
    whole = np.floor(periods + 0.5)
    return np.asarray(whole / 2 + np.clip(periods - whole, -0.25, 0.25))


def _line_images(fine: Instrument, z_um: float, target: Target) -> Floats:
    """(position, lenslet, y, x) images of lines along y, those left of the axis by mirroring."""
    pitch_um = fine.object_pitch_um
    across = (np.arange(target.positions // 2) + 0.5) / target.positions
    along = (np.arange(target.rows // 2) + 0.5) / target.rows
    offsets = [(float(y * pitch_um), float(x * pitch_um)) for x in across for y in along]
    images = point_images(fine, z_um, offsets)
    size = fine.pixels_per_lenslet
    count = images.shape[1] // size
    lines = images.reshape(len(across), len(along), count, size, count, size).sum((1, 2), dtype=np.float64)
    lines = (lines + lines[:, ::-1]).transpose(0, 2, 1, 3)
    return np.asarray(np.concatenate([lines[::-1, ::-1, :, ::-1], lines]))


def _contrast(profile: npt.NDArray[np.floating], place_um: Floats, frequency: float, phase: float) -> float:
    """Amplitude of the bars in ``profile`` over its mean, one where they are as the bars themselves."""
    angle = 2 * np.pi * (frequency * place_um - phase)
    waves = np.stack([np.ones_like(angle), np.cos(angle), np.sin(angle)], axis=1)
    mean, cosine, _ = np.linalg.lstsq(waves, profile, rcond=None)[0]
    return float(cosine / mean / (4 / np.pi))


def plot(rows: list[dict[str, Any]]) -> bytes:
    """Contrast in grey against depth and frequency, and the three limits."""
    with canvas(9.0, 5.4, paper="white", ink="#20242a") as figure:
        axes = figure.add_subplot()
        depths = [row["z_um"] for row in rows]
        grey = axes.pcolormesh(
            depths, PER_UM, np.array([row["contrast"] for row in rows]).T, cmap="Greys_r", vmin=0, vmax=1
        )
        figure.colorbar(grey, ax=axes, label="contrast of the bars")
        far = np.linspace(near_um(BROXTON), max(depths), 60)
        for side, label in ((-far, None), (far, "Broxton 2013, d / (0.94 λ M |z|)")):
            axes.plot(side, [lenslet_limit(BROXTON, float(z)) for z in side], color="#ff5d8f", lw=2, label=label)
        axes.plot(depths, [row["operator_per_um"] for row in rows], color="#4cc9f0", label="operator")
        axes.plot(depths, [row["bars_per_um"] for row in rows], "o", color="#ffd166", label="bars, contrast 10 %")
        axes.axhline(native_limit(BROXTON), color="#ffd166", lw=1, ls=":", label="half a period a lenslet")
        axes.set_xlabel("z (um), from the native object plane")
        axes.set_ylabel("frequency (periods / um)")
        axes.legend(loc="upper right", fontsize=8)
        return png(figure)


if __name__ == "__main__":
    results: list[dict[str, Any]] = []
    for depth_um in DEPTHS_UM:
        contrast = contrasts(BROXTON, depth_um, PER_UM, Target())
        result = {
            "z_um": depth_um,
            "bars_per_um": round(limit(PER_UM, contrast), 4),
            "operator_per_um": round(band_limit(BROXTON, depth_um), 4),
            "broxton_per_um": round(lenslet_limit(BROXTON, depth_um), 4),
            "contrast": [round(float(value), 3) for value in contrast],
        }
        print(json.dumps(result), flush=True)
        results.append(result)
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_bytes(plot(results))
