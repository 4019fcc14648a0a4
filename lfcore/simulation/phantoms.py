"""Objects with known truth: points with positions in um and a brightness in every frame.

``y`` and ``x`` count from the centre of lenslet (0, 0) in the object, ``z > 0`` is towards the objective.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lfcore.errors import SettingsError

Floats = npt.NDArray[np.float64]

TRIES = 20_000
FRACTIONS = 6
"""Extended objects are sampled at this many positions a lenslet, twice as fine as a usual reconstruction."""


@dataclass(frozen=True)
class Extent:
    """The part of the object in front of the camera.

    ``z_um`` (first, last), ``size_um`` (y, x), and ``pitch_um`` of a lenslet in the object.
    """

    z_um: tuple[float, float]
    size_um: tuple[float, float]
    pitch_um: float


@dataclass(frozen=True)
class Phantom:
    """``positions_um`` (point, 3) as z, y, x; ``brightness`` (frame, point)."""

    positions_um: Floats
    brightness: Floats


def beads(
    extent: Extent, frames: int, rng: np.random.Generator, count: int = 20, separation_um: float = 0.0
) -> Phantom:
    """Point sources at random places, each brightening and dimming in its own rhythm, never below a third.

    No two come nearer than ``separation_um`` laterally (default: two lenslets). Raises ``SettingsError`` when they do
    not fit.
    """
    separation_um = separation_um or 2 * extent.pitch_um
    low = np.array([extent.z_um[0], extent.pitch_um, extent.pitch_um])
    high = np.array([extent.z_um[1], extent.size_um[0] - 2 * extent.pitch_um, extent.size_um[1] - 2 * extent.pitch_um])
    placed: list[Floats] = []
    for _ in range(TRIES):
        candidate = rng.uniform(low, high)
        if all(np.hypot(*(candidate - other)[1:]) >= separation_um for other in placed):
            placed.append(candidate)
        if len(placed) == count:
            break
    else:
        raise SettingsError(
            f"{count} beads do not fit with {separation_um:g} um between them; ask for fewer or a larger field"
        )
    phase = rng.uniform(0, 2 * np.pi, count)
    period = rng.uniform(4, 12, count)
    time = np.arange(frames)[:, None]
    return Phantom(np.array(placed), 0.65 + 0.35 * np.sin(2 * np.pi * time / period + phase))


def vessels(extent: Extent, frames: int, rng: np.random.Generator, count: int = 4) -> Phantom:
    """Winding filaments that cross the field at changing depth, with bright cells that travel along them."""
    step_um = extent.pitch_um / FRACTIONS
    points, along = [], []
    for _ in range(count):
        length = np.arange(0, extent.size_um[1] - extent.pitch_um, step_um)
        turn = 2 * np.pi * length / extent.size_um[1]
        y_um = extent.size_um[0] * (
            rng.uniform(0.25, 0.75) + 0.2 * np.sin(turn * rng.uniform(0.5, 1.5) + rng.uniform(0, 6))
        )
        depth = 0.5 + 0.5 * np.sin(turn * rng.uniform(0.5, 1) + rng.uniform(0, 6))
        z_um = extent.z_um[0] + (extent.z_um[1] - extent.z_um[0]) * np.round(depth * 12) / 12
        points.append(np.stack([z_um, np.round(y_um / step_um) * step_um, length], axis=1))
        along.append(length / extent.size_um[1] + rng.uniform(0, 1))
    time = np.arange(frames)[:, None] / max(frames, 1)
    brightness = np.where(np.sin(2 * np.pi * (3 * np.concatenate(along) - 2 * time)) > 0.9, 3.0, 1.0)
    return Phantom(np.concatenate(points), brightness)


def planes(extent: Extent, frames: int, rng: np.random.Generator, count: int = 3) -> Phantom:
    """Square bars on ``count`` planes through the depth, each plane with bars of its own width."""
    step_um = extent.pitch_um / FRACTIONS
    y_um, x_um = np.meshgrid(*(np.arange(0, size, step_um) for size in extent.size_um), indexing="ij")
    parts = []
    for index, z_um in enumerate(np.linspace(extent.z_um[0], extent.z_um[1], count + 2)[1:-1]):
        width_um = extent.pitch_um * (1.5 + index)
        lit = (np.floor(x_um / width_um) % 2 == 0) & (np.floor(y_um / (4 * width_um)) % 2 == index % 2)
        parts.append(np.stack([np.full(lit.sum(), z_um), y_um[lit], x_um[lit]], axis=1))
    positions = np.concatenate(parts)
    return Phantom(positions, np.repeat(1 + 0.2 * rng.uniform(-1, 1, (frames, 1)), len(positions), axis=1))


PRESETS = {"beads": beads, "vessels": vessels, "planes": planes}
"""``uniform``, the fourth preset, has no points: its frames are white frames."""


def render(voxels: Floats, brightness: Floats, shape: tuple[int, int, int]) -> Floats:
    """The truth as volumes (frame, z, y, x): each point as a Gaussian of one voxel standard deviation on every axis.

    ``voxels`` (point, 3) are fractional indices into ``shape`` (z, y, x); ``brightness`` is (frame, point).
    """
    profiles = [
        np.exp(-np.square(np.arange(length) - voxels[:, axis : axis + 1]) / 2) for axis, length in enumerate(shape)
    ]
    return np.asarray(np.einsum("tp,pz,py,px->tzyx", brightness, *profiles, optimize=True))
