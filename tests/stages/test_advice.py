"""The advice on sampling, and what it says about settings that differ from it."""

import math
from dataclasses import replace
from typing import Any

import pytest

from lfcore.calibration.model import Calibration, Lattice
from lfcore.settings import Settings
from lfcore.stages.advice import Advice, advise

CALIBRATION = Calibration(
    lattice=Lattice((8.0, 8.0), (17.0, 0.0), (0.0, 17.0)),
    rows=20,
    columns=30,
    found=600,
    inliers=600,
    residual_rms_px=0.0,
    residual_max_px=0.0,
    pixels_per_lenslet=17,
    image_shape=(340, 510),
)


# ``array`` holds settings, of any type.
def settings(step_um: float = 4.0, reach_um: float = 40.0, samples: int = 5, **array: Any) -> Settings:  # noqa: ANN401
    return Settings.model_validate(
        {
            "microscope": {"magnification": 20, "numerical_aperture": 0.5, "wavelength_um": 0.51},
            "microlens_array": {"pitch_um": 125, "focal_length_um": 2433} | array,
            "camera": {"pixel_um": 125 / 17},
            "images": {"light_field": "raw/*.tif"},
            "volume": {
                "z_um": {"start": -reach_um, "stop": reach_um, "step": step_um},
                "samples_per_lenslet": samples,
            },
        }
    )


@pytest.fixture(scope="module")
def advice() -> Advice:
    found = advise(settings(), CALIBRATION)
    assert found is not None
    return found


def remarks(monkeypatch: pytest.MonkeyPatch, known: Advice, chosen: Settings) -> list[str]:
    """What is said of ``chosen``; the curve does not depend on it and is not computed again."""
    monkeypatch.setattr("lfcore.stages.advice.resolution_curve", lambda instrument: known.curve)
    found = advise(chosen, CALIBRATION)
    assert found is not None
    return found.remarks


def test_the_proposal_has_a_shape_and_reasons(advice: Advice) -> None:
    proposal = advice.proposal
    assert advice.shape == (proposal.planes, 20 * proposal.samples_per_lenslet, 30 * proposal.samples_per_lenslet)
    assert proposal.samples_per_lenslet == 5
    assert proposal.step_um == 4
    assert 100 < proposal.reach_um < 117
    assert [reason.partition(":")[0] for reason in advice.reasons] == ["range", "step", "samples", "limits"]
    assert all("\n" not in reason for reason in advice.reasons)
    assert advice.picture().startswith(b"\x89PNG")


def test_settings_as_proposed_need_no_remark(monkeypatch: pytest.MonkeyPatch, advice: Advice) -> None:
    assert advice.remarks == []
    proposal = advice.proposal
    same = settings(proposal.step_um, proposal.reach_um, proposal.samples_per_lenslet)
    assert remarks(monkeypatch, advice, same) == []


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"step_um": 10.0}, "a step of 10 um is coarser"),
        ({"step_um": 1.0}, "a step of 1 um is finer than what is resolved; 4 times the planes"),
        ({"reach_um": 160.0}, "planes lie outside"),
        ({"samples": 3}, "3 is coarser than the 4"),
        ({"samples": 15}, "15 is finer than what is resolved; 9 times the voxels"),
    ],
)
def test_settings_that_differ_are_told_the_consequence(
    monkeypatch: pytest.MonkeyPatch, advice: Advice, chosen: dict[str, Any], said: str
) -> None:
    (remark,) = remarks(monkeypatch, advice, settings(**chosen))
    assert said in remark
    assert remark.startswith(("volume.z_um: ", "volume.samples_per_lenslet: "))


def test_one_plane_has_no_step(monkeypatch: pytest.MonkeyPatch, advice: Advice) -> None:
    assert remarks(monkeypatch, advice, settings(1.0, 0.0)) == []


def test_there_is_none_for_an_array_in_the_pupil() -> None:
    assert advise(settings(samples=1, lattice="none", fourier_lens_mm=100), CALIBRATION) is None


def test_it_follows_the_measured_pitch(monkeypatch: pytest.MonkeyPatch, advice: Advice) -> None:
    monkeypatch.setattr("lfcore.stages.advice.resolution_curve", lambda instrument: advice.curve)
    steps = (18.7, 0.0), (0.0, 18.7)
    wider = advise(settings(), replace(CALIBRATION, lattice=Lattice((8.0, 8.0), *steps)))
    assert wider is not None
    assert math.isclose(wider.instrument.pitch_um, 137.5, rel_tol=1e-3)
