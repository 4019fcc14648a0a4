"""Numbers in words, and what to think of them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


def number(value: float, digits: int = 3) -> str:
    """``value`` with so many significant digits, without an exponent where a reader can do without."""
    text = f"{value:.{digits}g}"
    return f"{value:,.0f}" if "e+" in text else text


def bytes_in_words(count: int) -> str:
    """``count`` in binary units."""
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def seconds_in_words(seconds: float) -> str:
    """``seconds`` as s, min and s, or h and min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


@dataclass(frozen=True)
class Verdict:
    """One measured quantity: its name, value, what good looks like, and whether it is so."""

    name: str
    value: str
    good: str
    is_good: bool


def calibration_verdicts(calibration: Mapping[str, Any], nominal_pitch_px: float | None = None) -> list[Verdict]:
    """What ``calibration.json`` says, with what good looks like beside it.

    The limits come from the samples at hand, where a good fit leaves 1 % of the pitch.
    """
    if calibration.get("lattice") == "none":
        return [_source_verdict(calibration)]
    steps, hexagonal = calibration["pitch_px"], calibration.get("lattice") == "hexagonal"
    # The cell of a hexagonal lattice is longer one way, and has one lenslet in its middle and one between four cells.
    long_side = (calibration["orientation"] != "rows") if hexagonal else None
    pitch_y, pitch_x = (
        step / (math.sqrt(3) if axis == long_side else 1) for axis, step in zip((False, True), steps, strict=True)
    )
    pitch = (pitch_y + pitch_x) / 2
    lenslets, residual = calibration["lenslets"], calibration["residual_px"]
    whole = lenslets["rows"] * lenslets["columns"] + hexagonal * (lenslets["rows"] - 1) * (lenslets["columns"] - 1)
    oblong = abs(pitch_y - pitch_x) / pitch
    verdicts = [
        _source_verdict(calibration),
        Verdict(
            "lenslets in the fit",
            f"{lenslets['inliers']:,} of {whole:,} ({lenslets['rows']} rows, {lenslets['columns']} columns)",
            "more than 95 %; the rest are dirty, dim or cut off by the camera's edge",
            lenslets["inliers"] > 0.95 * whole,
        ),
        Verdict(
            "residual, rms",
            f"{residual['rms']:.3f} px ({residual['rms'] / pitch:.2%} of the pitch)",
            "below 2 % of the pitch; arrows that turn slowly over the field are the array's own distortion",
            residual["rms"] < 0.02 * pitch,
        ),
        Verdict(
            "residual, largest",
            f"{residual['max']:.3f} px",
            "below 10 % of the pitch",
            residual["max"] < 0.1 * pitch,
        ),
        Verdict(
            "pitch (y, x)",
            f"{pitch_y:.4f}, {pitch_x:.4f} px",
            "equal to 0.5 %: the lattice is seen straight on",
            oblong < 0.005,
        ),
        Verdict(
            "rotation",
            f"{calibration['rotation_deg']:+.3f} degrees",
            "within 10 degrees; less leaves fewer pixels of the corners unused",
            abs(calibration["rotation_deg"]) <= 10,
        ),
    ]
    if calibration.get("distortion"):
        verdicts.append(_bend_verdict(calibration["distortion"]))
    if nominal_pitch_px is not None:
        off = pitch / nominal_pitch_px - 1
        verdicts.append(
            Verdict(
                "measured over nominal pitch",
                f"{off:+.2%} ({nominal_pitch_px:.3f} px nominal)",
                "within 2 %; else check pitch_um, pixel_um and relay_magnification (the measured one is used)",
                abs(off) < 0.02,
            )
        )
    return verdicts


def _source_verdict(calibration: Mapping[str, Any]) -> Verdict:
    """Where the lattice comes from; anything but a white frame is a fall-back."""
    kind, source = calibration.get("lattice", "square"), calibration["source"]
    value = "no array images the pupil: each camera pixel stands for itself"
    if kind != "none":
        value = f"{kind}, from the {source.replace('_', ' ')}{' values' if source == 'nominal' else ' frames'}"
    warning = calibration.get("warning")
    return Verdict(
        "lattice",
        f"{value}; {warning}" if warning else value,
        "from a radiometry frame, which tells the sensitivity of each pixel too",
        not warning,
    )


def _bend_verdict(bend: Mapping[str, Any]) -> Verdict:
    """How far the lattice is bent at the camera's corners."""
    tilt_px, radial_px = (bend["radius_px"] * term for term in (math.hypot(*bend["projective"]), bend["radial"]))
    return Verdict(
        "bending at the corners",
        f"{tilt_px:.2f} px by perspective, {radial_px:+.2f} px radially",
        "below half a pitch; it is taken out in resampling, as these terms pay at lenslets left out of the fit",
        True,
    )
