"""Structures to judge reconstructions by: filaments, shells, bars, and cell bodies with processes.

Each is many points on curves, surfaces or in solids that know of no grid. ``snapped`` then moves them to the nearest
of few places in a lenslet, off the reconstruction's samples and planes, so that few point images need be computed; the
truth is what was snapped. Lengths are um, points (point, 3) as z, y, x in an ``Extent``.
"""

from collections.abc import Callable

import numpy as np

from lfcore.simulation.phantoms import Extent, Floats, Phantom

SPACING_UM = 1.25
"""Distance of neighbouring points: well below what 20x/0.5 resolves."""

DEPTH_STEP_UM = 2.5
"""Snapped depths are odd multiples of half of this."""

PLACES = 10
"""Snapped lateral positions a lenslet, symmetrical about its axis."""


def filaments(extent: Extent, rng: np.random.Generator, count: int = 6) -> Phantom:
    """Winding curves that cross the field and the depth, each of its own brightness from 0.5 to 1."""
    along = np.linspace(0, 1, 1 + int(max(extent.size_um) / SPACING_UM * 2))[:, None]
    curves = []
    for _ in range(count):
        ends, bends = rng.uniform(0.05, 0.95, (2, 3)), rng.uniform(-0.12, 0.12, (2, 3))
        ends[:, 2] = 0.03, 0.97
        path = ends[0] + along * (ends[1] - ends[0])
        path = path + sum(bend * np.sin((order + 2) * np.pi * along) for order, bend in enumerate(bends))
        curves.append(path[:, [0, 2, 1]] if rng.integers(2) else path)
    return _lit([_placed(curve, extent) for curve in curves], rng.uniform(0.5, 1, count))


def shells(extent: Extent, rng: np.random.Generator, count: int = 4) -> Phantom:
    """Hollow spheres of 8 to 18 um radius."""
    radii = rng.uniform(8, 18, count)
    surfaces = [_inside(radius, extent, rng) + radius * _sphere(radius) for radius in radii]
    return _lit(surfaces, rng.uniform(0.5, 1, count))


def bars(extent: Extent, rng: np.random.Generator, depths: int = 3, count: int = 9) -> Phantom:
    """Groups of three bars of 2 to 9 um, as long as the group is wide, upright or lying, on several depths."""
    groups = []
    for part in range(depths):
        z_um = extent.z_um[0] + (part + rng.uniform(0.1, 0.9)) / depths * (extent.z_um[1] - extent.z_um[0])
        cells = rng.permutation(16)[:count]
        for cell, width_um in zip(cells, np.geomspace(2, extent.size_um[0] / 20, count), strict=True):
            group = _three_bars(width_um)
            group = group[:, ::-1] if rng.integers(2) else group
            middle = (np.array(divmod(int(cell), 4)) + 0.5) / 4 * extent.size_um - extent.pitch_um / 2
            groups.append(np.column_stack([np.full(len(group), z_um), group + middle]))
    return _lit(groups, np.ones(len(groups)))


def neurons(extent: Extent, rng: np.random.Generator, count: int = 10) -> Phantom:
    """Filled cell bodies of 4 to 7 um radius, brightness 0.2 to 1, each with two thin processes."""
    parts, brightness = [], []
    for radius, light in zip(rng.uniform(4, 7, count), rng.uniform(0.2, 1, count), strict=True):
        middle = _inside(radius, extent, rng)
        parts.append(middle + radius * _ball(radius, rng))
        for _ in range(2):
            target = _inside(0, extent, rng)
            steps = np.linspace(0, 1, 2 + int(np.linalg.norm(target - middle) / SPACING_UM))[:, None]
            bend = rng.uniform(-8, 8, 3) * np.sin(np.pi * steps)
            parts.append(middle + steps * (target - middle) + bend)
        brightness += [light, light, light]
    return _lit(parts, np.array(brightness))


STRUCTURES: dict[str, Callable[[Extent, np.random.Generator], Phantom]] = {
    "filaments": filaments,
    "shells": shells,
    "bars": bars,
    "neurons": neurons,
}


def snapped(phantom: Phantom, extent: Extent) -> Phantom:
    """The phantom with its points moved to the places nearest to them; points outside the extent are left out."""
    z_um, lateral_um = phantom.positions_um[:, 0], phantom.positions_um[:, 1:]
    step_um = extent.pitch_um / PLACES
    moved = np.column_stack([_to_odd_halves(z_um, DEPTH_STEP_UM), _to_odd_halves(lateral_um, step_um)])
    low = np.array([extent.z_um[0], -extent.pitch_um / 2, -extent.pitch_um / 2])
    high = np.array([extent.z_um[1], *(size - extent.pitch_um / 2 for size in extent.size_um)])
    inside = np.all((moved >= low) & (moved <= high), axis=1)
    return Phantom(moved[inside], phantom.brightness[:, inside])


def _to_odd_halves(places: Floats, step: float) -> Floats:
    return np.asarray((np.floor(places / step) + 0.5) * step)


def _lit(parts: list[Floats], brightness: Floats) -> Phantom:
    """One frame in which each part's points have the part's brightness."""
    lit = np.repeat(brightness, [len(part) for part in parts])
    return Phantom(np.concatenate(parts), lit[None])


def _placed(path: Floats, extent: Extent) -> Floats:
    """A path in fractions of the extent, in um."""
    size = np.array([extent.z_um[1] - extent.z_um[0], *extent.size_um])
    return np.asarray([extent.z_um[0], -extent.pitch_um / 2, -extent.pitch_um / 2] + path * size)


def _inside(radius_um: float, extent: Extent, rng: np.random.Generator) -> Floats:
    """(3,) a place so far from the extent's faces."""
    size = np.array([extent.z_um[1] - extent.z_um[0], *extent.size_um])
    return _placed(rng.uniform(radius_um / size, 1 - radius_um / size), extent)


def _sphere(radius_um: float) -> Floats:
    """(point, 3) evenly on the unit sphere, ``SPACING_UM`` apart on one of ``radius_um`` (Fibonacci's lattice)."""
    count = int(4 * np.pi * (radius_um / SPACING_UM) ** 2)
    height = (2 * np.arange(count) + 1) / count - 1
    turn = np.pi * (3 - np.sqrt(5)) * np.arange(count)
    across = np.sqrt(1 - height**2)
    return np.column_stack([height, across * np.sin(turn), across * np.cos(turn)])


def _ball(radius_um: float, rng: np.random.Generator) -> Floats:
    """(point, 3) in the unit ball, at random, as dense as a grid of ``SPACING_UM`` in one of ``radius_um``."""
    cube = rng.uniform(-1, 1, (int((2 * radius_um / SPACING_UM) ** 3), 3))
    return np.asarray(cube[np.linalg.norm(cube, axis=1) <= 1])


def _three_bars(width_um: float) -> Floats:
    """(point, 2) three bars along x, centred, as long as the group is wide."""
    count = max(2, round(width_um / SPACING_UM * 1.5))
    across = (np.arange(count) + 0.5) / count * width_um
    along = np.linspace(-2.5, 2.5, 5 * count) * width_um
    rows = np.concatenate([across + start * width_um for start in (-2.5, -0.5, 1.5)])
    y_um, x_um = np.meshgrid(rows, along, indexing="ij")
    return np.stack([y_um.ravel(), x_um.ravel()], axis=1)
