"""Lattices of all kinds, on frames drawn independently: square and hexagonal, bent, faint, under a sample."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.lattice import random_kind
from benchmarks.white_frames import Kind, WhiteFrame
from lfcore.calibration.lattice import LatticeFit, fit_lattice
from lfcore.calibration.model import Calibration, Orientation
from lfcore.calibration.spectrum import LatticeKindError, Tiling
from lfcore.errors import EXIT_BAD_DATA, CalibrationError

HEXAGONAL = Kind((300, 340), 17.3, 2.0, (5.0, 6.0), lattice="hexagonal", photons=2000)


def errors_of(fit: LatticeFit, frame: WhiteFrame) -> tuple[float, float, float]:
    """Of pitch, px, rotation, degrees, and centres, px rms."""
    lattice = fit.calibration.lattice
    pitch = np.max(np.abs(np.array(lattice.pitch_px) - np.hypot(*frame.steps)))
    centres = np.sqrt(np.mean(frame.error_px(fit.centres[fit.on_grid]) ** 2))
    return float(pitch), abs(lattice.rotation_deg - frame.kind.rotation_deg), float(centres)


@pytest.mark.parametrize("seed", range(1000, 1008))
def test_frames_of_all_kinds_are_found_as_well_as_the_photons_allow(seed: int) -> None:
    kind, nominal = random_kind(seed, largest_px=260)
    frame = WhiteFrame(kind)
    fit = fit_lattice(frame.image, nominal * kind.pitch_px)
    bound = frame.bound()
    assert fit.calibration.lattice.kind == kind.lattice
    for error, name, target in zip(
        errors_of(fit, frame), ("pitch_px", "rotation_deg", "centres_px"), (0.003, 0.003, 0.05), strict=True
    ):
        assert error <= max(target, 4 * bound[name]), name


@pytest.mark.parametrize("orientation", ["rows", "columns"])
@pytest.mark.parametrize("rotation_deg", [-10.0, 0.0, 10.0])
def test_a_hexagonal_lattice_is_counted_in_cells_of_two_lenslets(orientation: Orientation, rotation_deg: float) -> None:
    frame = WhiteFrame(replace(HEXAGONAL, orientation=orientation, rotation_deg=rotation_deg))
    fit = fit_lattice(frame.image, 1.08 * 17.3)
    calibration = fit.calibration
    pitch, rotation, centres = errors_of(fit, frame)
    assert pitch < 0.003
    assert rotation < 0.01
    assert centres < 0.02
    assert (calibration.lattice.kind, calibration.orientation) == ("hexagonal", orientation)
    assert calibration.lattice.mean_pitch_px == pytest.approx(17.3, abs=0.003)
    assert calibration.cell_pixels == ((29, 17) if orientation == "rows" else (17, 29))
    rows, columns = calibration.rows, calibration.columns
    # Turned, some corners of the grid are off the camera.
    whole = rows * columns + (rows - 1) * (columns - 1)
    assert np.count_nonzero(fit.on_grid) == whole if not rotation_deg else 0.7 * whole < np.count_nonzero(fit.on_grid)
    assert frame.error_px(calibration.lattice.centres(rows, columns)).max() < 0.05


@pytest.mark.parametrize(("drawn", "said", "angle"), [("hexagonal", "square", 60), ("square", "hexagonal", 90)])
def test_a_lattice_of_another_kind_is_told_with_what_was_seen(drawn: Tiling, said: Tiling, angle: int) -> None:
    frame = WhiteFrame(replace(HEXAGONAL, lattice=drawn))
    with pytest.raises(LatticeKindError) as caught:
        fit_lattice(frame.image, 17.3, kind=said)
    message = str(caught.value)
    assert f"its lattice is {drawn} (neighbours 17.3" in message
    assert f"{angle} degrees between them), but microlens_array.lattice is '{said}'; set it to '{drawn}'" in message
    assert "\n" not in message
    assert caught.value.exit_code == EXIT_BAD_DATA


BENT = Kind((420, 400), 14.2, 1.5, (3.0, 2.0), photons=3000, softness_px=0.8)


@pytest.mark.parametrize(
    ("projective", "radial"), [((0.0, 0.0), 0.0), ((0.012, -0.007), 0.0), ((0.0, 0.0), -0.008), ((0.01, 0.006), 0.007)]
)
def test_bending_terms_are_taken_when_and_only_when_they_are_there(
    projective: tuple[float, float], radial: float
) -> None:
    frame = WhiteFrame(replace(BENT, projective=projective, radial=radial))
    fit = fit_lattice(frame.image, 14.2)
    found = fit.calibration.lattice.distortion
    assert errors_of(fit, frame)[2] < 0.05
    if not radial and not any(projective):
        assert found is None
        return
    assert found is not None
    assert found.projective == pytest.approx(projective, abs=4e-4)
    assert found.radial == pytest.approx(radial, abs=4e-4)
    assert Calibration.from_json(json.loads(json.dumps(fit.calibration.to_json()))) == fit.calibration


@pytest.mark.parametrize("photons", [10, 30])
def test_a_faint_frame_is_found(photons: float) -> None:
    frame = WhiteFrame(Kind((300, 300), 15.0, 3.0, (4.0, 9.0), photons=photons, corner_light=0.2, missing=0.1))
    fit = fit_lattice(frame.image, 1.1 * 15.0)
    bound = frame.bound()
    pitch, rotation, centres = errors_of(fit, frame)
    assert pitch < 4 * bound["pitch_px"]
    assert rotation < 4 * bound["rotation_deg"]
    assert centres < 3 * bound["centres_px"]


def under_a_sample(frame: WhiteFrame, seed: int) -> NDArray[np.float64]:
    """A light field: the white frame times a coarse sample that leaves half of the field nearly dark, with noise."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[: frame.kind.shape[0], : frame.kind.shape[1]]
    sample = np.full(y.shape, 0.02)
    for _ in range(12):
        middle, size = random.uniform(0.2, 0.8, 2) * frame.kind.shape, random.uniform(25, 60)
        sample += np.exp(-((y - middle[0]) ** 2 + (x - middle[1]) ** 2) / (2 * size**2))
    texture = 1 + 0.3 * np.cos(0.9 * y + 0.2 * x) * np.cos(0.7 * x)
    return random.poisson(200 * frame.light * sample * texture).astype(float)


@pytest.mark.parametrize("lattice", ["square", "hexagonal"])
def test_a_light_field_shows_its_own_lattice(lattice: Tiling) -> None:
    frame = WhiteFrame(Kind((420, 420), 16.4, -4.0, (4.0, 9.0), lattice=lattice, background=0.0))
    fit = fit_lattice(under_a_sample(frame, 5), 1.07 * 16.4, None, "light_field")
    pitch, rotation, centres = errors_of(fit, frame)
    assert pitch < 0.01
    assert rotation < 0.03
    assert centres < 0.15
    assert fit.calibration.source == "light_field"


def test_the_part_done_is_told_and_never_falls() -> None:
    parts: list[float] = []
    fit_lattice(WhiteFrame(HEXAGONAL).image, 17.3, pulse=parts.append)
    assert len(parts) >= 5
    assert parts == sorted(parts)
    assert 0 < parts[0] < parts[-1] <= 1


def test_too_small_a_field_is_refused_in_one_line(white_frame: Callable[..., Any]) -> None:
    with pytest.raises(
        CalibrationError, match="only 4 x 15 cells of the lattice lie on the camera; at least 5"
    ) as caught:
        fit_lattice(white_frame((89, 300), 20.0, 0.0, (9.5, 9.5)).image, 20.0)
    assert "\n" not in str(caught.value)
