"""The cases of ``lfcore bench``: what is computed, by which name, on a device or on the processor."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from lfcore.errors import UsageError
from lfcore.optics.instrument import Instrument

SEED = 20
TINY_GROUP = "tiny"
ITERATIONS = 4
"""Of a reconstruction; its start is the back projection."""


class Kind(StrEnum):
    """What of a scene is timed."""

    SERIES = "a series of batches"
    ALONE = "a frame by itself"
    ITERATION = "iteration"
    SETUP = "set-up"
    PROJECTIONS = "projections"


@dataclass(frozen=True)
class Scene:
    """A field of ``rows`` x ``columns`` lenslets in front of ``planes_um``, on a device in ``tiles`` (y, x)."""

    title: str
    instrument: Instrument
    planes_um: tuple[float, ...]
    samples_per_lenslet: int
    rows: int
    columns: int
    tiles: tuple[int, int] = (1, 1)

    @property
    def image_shape(self) -> tuple[int, int]:
        """(y, x) of a rectified light field."""
        pixels = self.instrument.pixels_per_lenslet
        return self.rows * pixels, self.columns * pixels


@dataclass(frozen=True)
class Case:
    """A figure, or some that come together; ``group`` names it with others."""

    name: str
    group: str
    scene: Scene
    kind: Kind
    frames: int = 1


def focused_array(
    magnification: float, aperture: float, index: float, um: float, pitch_um: float, focal_um: float, pixels: int
) -> Instrument:
    """A square array whose camera stands in the lenslets' focal plane."""
    line = ((um, 1.0),)
    return Instrument(magnification, aperture, index, line, pitch_um, focal_um, focal_um, "square", pixels)


def _depths(first_um: float, last_um: float, count: int) -> tuple[float, ...]:
    return tuple(float(z_um) for z_um in np.linspace(first_um, last_um, count))


F = Scene(
    "F: 1463 x 1273 px, 77 x 67 lenslets, N = S = 19, 25 planes of 5 um, 22.222x/0.5",
    focused_array(22.222, 0.5, 1.33, 0.52, 125, 3125, 19),
    _depths(-60, 60, 25),
    19,
    77,
    67,
)
P = Scene(
    "P: 1920 x 1920 px, 128 x 128 lenslets in 2 x 2 tiles, N = S = 15, 51 planes of 4 um, 20x/0.5",
    focused_array(20, 0.5, 1.33, 0.52, 125, 3125, 15),
    _depths(-100, 100, 51),
    15,
    128,
    128,
    (2, 2),
)
TINY = Scene(
    "tiny: 40 x 30 px, 8 x 6 lenslets, N = 5, S = 3, 3 planes of 5 um, 20x/0.5",
    focused_array(20, 0.5, 1.33, 0.52, 125, 3125, 5),
    _depths(-5, 5, 3),
    3,
    8,
    6,
)
PLANES_10 = Scene(
    "10 planes of 1 um, N 16, S 4, 28 x 27 lenslets, 60x/1.2",
    focused_array(60, 1.2, 1.35, 0.593, 100, 2500, 16),
    _depths(-4.5, 4.5, 10),
    4,
    28,
    27,
)
PLANES_5 = Scene(
    "5 planes in +-40 um, N = S = 15, 15 x 15 lenslets, 20x/0.5",
    focused_array(20, 0.5, 1.0, 0.525, 150, 3000, 15),
    _depths(-40, 40, 5),
    15,
    15,
    15,
)
PLANES_30 = Scene(
    "30 planes of 12 um, N 17, S 3, 69 x 69 lenslets, 20x/0.5 (the sea urchin's)",
    focused_array(20, 0.5, 1.35, 0.593, 127.3, 2500, 17),
    _depths(-174, 174, 30),
    3,
    69,
    69,
)

DEVICE_CASES = (
    Case("f-setup", "f", F, Kind.SETUP, 24),
    Case("f-alone", "f", F, Kind.ALONE),
    Case("f-frame", "f", F, Kind.SERIES),
    Case("f-batch", "f", F, Kind.SERIES, 24),
    Case("f-iteration", "f", F, Kind.ITERATION, 24),
    Case("p-iteration", "p", P, Kind.ITERATION, 1),
    Case("tiny-setup", TINY_GROUP, TINY, Kind.SETUP, 2),
    Case("tiny-alone", TINY_GROUP, TINY, Kind.ALONE),
    Case("tiny-series", TINY_GROUP, TINY, Kind.SERIES, 2),
    Case("tiny-iteration", TINY_GROUP, TINY, Kind.ITERATION, 2),
)
HOST_CASES = (
    Case("planes-10", "operator", PLANES_10, Kind.PROJECTIONS),
    Case("planes-5", "operator", PLANES_5, Kind.PROJECTIONS),
    Case("planes-30", "operator", PLANES_30, Kind.PROJECTIONS),
    Case("tiny-projections", TINY_GROUP, TINY, Kind.PROJECTIONS),
)


def choose_cases(names: tuple[str, ...], *, on_device: bool) -> list[Case]:
    """The cases of these names or groups, in the order of the table; none given: all but the tiny ones.

    Raises ``UsageError`` for a name that there is not, on a device or on the processor.
    """
    cases = DEVICE_CASES if on_device else HOST_CASES
    known = {word for case in cases for word in (case.name, case.group)}
    for name in names:
        if name not in known:
            place = "a device" if on_device else "the processor"
            raise UsageError(f"--case {name}: no case for {place}; there are {', '.join(sorted(known))}")
    wanted = {*names} or {case.group for case in cases} - {TINY_GROUP}
    return [case for case in cases if wanted & {case.name, case.group}]
