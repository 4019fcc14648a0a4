"""Normalise: camera frames as float32, the dark frame taken off, NaN where nothing is known."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from lfcore.contracts import RunPaths, Stage, WorkItem
from lfcore.errors import DataError
from lfcore.io import sources, store, tiff
from lfcore.io.sources import Frame
from lfcore.stages.progress import Listener, silent
from lfcore.stages.record import read_run
from lfcore.stages.runner import Do, Outcome, Pulse, Record, process

Floats = npt.NDArray[np.float64]

CONVERTER_BITS = (8, 10, 11, 12, 13, 14, 15, 16)
PLATEAU_PIXELS = 8
PLATEAU_WINDOW = 0.02
"""A plateau holds at least this many pixels, and more than lie within this fraction of its level below it."""

HOT_SIGMAS = 12.0
HOT_COUNTS = 10.0
"""A pixel is hot when its dark value exceeds the median by so many robust standard deviations, and so many counts."""

LEAST_KNOWN = 0.01
"""A frame of which less than this part is known is of no use."""

LIGHT_SIGMAS = 6.0
"""A frame is dark when no pixel exceeds zero by so many standard deviations of the noise."""

ROUNDING_COUNTS = 0.5
"""Integer frames cannot show less noise than this, one standard deviation."""


def run_items(run: RunPaths, items: Sequence[WorkItem], listener: Listener = silent) -> Outcome:
    """Normalise the frames of ``items`` into ``normalised/``."""

    def prepare(pulse: Pulse) -> Do:
        dark = read_dark(read_run(run).inputs_of("dark"))

        def do(item: WorkItem) -> Record:
            output = run.normalised(item["frame"])
            store.write_bytes(
                output, tiff.encode_image(read_normalised(item["source"], item["page"], dark, reader.read))
            )
            return {"outputs": [output]}

        return do

    with sources.FrameReader() as reader:
        return process(run, Stage.NORMALISE, items, prepare, listener)


def read_normalised(
    path: str, page: int, dark: Floats | None, read: Callable[[str, int], Frame] = sources.read_frame
) -> npt.NDArray[np.float32]:
    """One frame of a file, normalised. Raises ``DataError`` that names the file."""
    raw = read(path, page)
    try:
        return normalise_frame(raw, dark, saturation_level(raw))
    except DataError as error:
        raise DataError(f"{path}, frame {page}: {error}") from error


def read_dark(paths: list[str]) -> Floats | None:
    """The mean dark frame (y, x), NaN at hot pixels; None without dark frames."""
    return mark_hot_pixels(sources.read_mean(paths)) if paths else None


def normalise_frame(raw: Frame, dark: Floats | None, saturation: float | None) -> npt.NDArray[np.float32]:
    """A camera frame less the dark frame, float32 (y, x), NaN where it says nothing.

    ``raw`` (y, x) may hold NaN; ``dark`` (y, x) is NaN at hot pixels; values from ``saturation`` up are missing. Raises
    ``DataError`` when sizes differ or the frame holds no light or nothing but missing pixels.
    """
    if dark is not None and dark.shape != raw.shape:
        raise DataError(f"is {raw.shape} px (y, x), but the dark frame is {dark.shape}; use images of one size")
    frame = raw.astype(np.float64)
    frame[~np.isfinite(frame)] = np.nan
    saturated = np.zeros(raw.shape, bool) if saturation is None else raw >= saturation
    frame[saturated] = np.nan
    if dark is not None:
        frame -= dark
    known = frame[np.isfinite(frame)]
    if known.size <= LEAST_KNOWN * frame.size:
        cause = f"{saturated.mean():.0%} of its pixels are saturated" if saturated.any() else "it holds no numbers"
        raise DataError(f"no usable pixel, {cause}; take it again with a shorter exposure or remove it")
    if not _holds_light(known, ROUNDING_COUNTS if raw.dtype.kind in "ui" else 0.0):
        raise DataError("no light in it, its pixels are all dark or all the same; check the shutter or remove it")
    return frame.astype(np.float32)


def saturation_level(raw: Frame) -> float | None:
    """The level from which pixels are saturated, or None.

    It is the full scale of the integer type, or that of a converter with fewer bits (12 bits in the low or high ones of
    16) when the frame's largest value is just that and shows a plateau. Floating point frames have none.
    """
    if raw.dtype.kind not in "ui":
        return None
    full_scale, highest = int(np.iinfo(raw.dtype).max), int(raw.max())
    if highest >= full_scale:
        return float(full_scale)
    width = 8 * raw.dtype.itemsize
    limits = {(2**bits - 1) << shift for bits in CONVERTER_BITS for shift in {0, max(width - bits, 0)}}
    return float(highest) if highest in limits and _is_plateau(raw, highest) else None


def mark_hot_pixels(dark: Floats) -> Floats:
    """``dark`` (y, x) with NaN at pixels far brighter than the rest (median and median absolute deviation)."""
    median, spread = _median_and_spread(dark[np.isfinite(dark)])
    limit = median + max(HOT_SIGMAS * spread, HOT_COUNTS)
    return np.where(dark > limit, np.nan, dark)


def _is_plateau(raw: Frame, level: int) -> bool:
    at_level = int(np.count_nonzero(raw == level))
    near = int(np.count_nonzero((raw >= level * (1 - PLATEAU_WINDOW)) & (raw < level)))
    return at_level >= PLATEAU_PIXELS and at_level > near


def _holds_light(known: Floats, least_noise: float) -> bool:
    """Whether the known pixels, less dark, are more than a constant and more than noise about zero.

    Light is never negative, so the root mean square of the negative values is the noise.
    """
    negative = known[known < 0]
    noise = max(least_noise, float(np.sqrt(np.mean(np.square(negative)))) if negative.size else 0.0)
    highest = float(known.max())
    return highest > known.min() and (float(np.median(known)) > noise or highest > LIGHT_SIGMAS * noise)


def _median_and_spread(values: Floats) -> tuple[float, float]:
    """Median, and the standard deviation that the median absolute deviation of normal noise suggests."""
    if not values.size:
        return 0.0, 0.0
    median = float(np.median(values))
    return median, 1.4826 * float(np.median(np.abs(values - median)))
