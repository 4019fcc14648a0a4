"""LFAnalyze's metadata as settings: nothing is lost silently."""

import json
from typing import Any

import pytest

from lfcore.errors import DataError
from lfcore.lfanalyze import ELSEWHERE, IMAGES, NOT_TAKEN, TAKEN, convert

CALIBRATE: dict[str, Any] = {
    "radiometry_frame_file": "white.tif",
    "dark_frame_file": "",
    "ulens_pitch": 125.0,
    "pixel_size": 7.4,
    "ulens_focal_length": 2500.0,
    "ulens_focal_distance": 2433.0,
    "objective_magnification": 16.7,
    "objective_na": 0.5,
    "tubelens_focal_length": 180.0,
    "center_wavelength": 593.0,
    "medium_index": 1.36,
    "ulens_fill_factor": 0.8,
    "ulens_profile": "circ",
    "num_slices": 4,
    "um_per_slice": 12.5,
    "supersample": 3,
    "z_center": -5,
}


def metadata(calibrate: dict[str, Any] | None = None, **sections: dict[str, Any]) -> str:
    given = {key: value for key, value in {**CALIBRATE, **(calibrate or {})}.items() if value is not None}
    return json.dumps({"calibrate": given, "deconvolve": {"input_file": "field.tif", "max_iter": 9}, **sections})


def test_every_number_arrives_in_its_own_unit() -> None:
    values = convert(metadata(), "m.txt").values
    assert values["microscope.wavelength_um"] == pytest.approx(0.593)
    assert values["microscope.magnification"] == 16.7
    assert values["microscope.tube_lens_mm"] == 180
    assert values["camera.pixel_um"] == 7.4
    assert values["microlens_array.pitch_um"] == 125
    assert (values["microlens_array.focal_length_um"], values["microlens_array.sensor_distance_um"]) == (2500, 2433)
    assert (values["microlens_array.aperture"], values["microlens_array.aperture_um"]) == ("round", 100)
    # Four slices of 12.5 about -5: the centres of LFAnalyze's slices, counted towards the objective as here.
    assert values["volume.z_um"] == {"start": -23.75, "stop": 13.75, "step": 12.5}
    assert values["volume.samples_per_lenslet"] == 3
    assert values["reconstruction.iterations"] == 9
    assert values["images.light_field"] == "field.tif"
    assert values["images.radiometry"] == "white.tif"
    assert "images.dark" not in values


NOTES: dict[str, tuple[str, str]] = {
    "focal distance": (metadata(), "ulens_focal_distance 2433 is not the focal length 2500"),
    "native plane": (metadata({"z_center": 0, "num_slices": 5}), "a plane lies at z = 0; LFAnalyze computed +0.1 um"),
    "default": (metadata({"medium_index": ""}), "calibrate.medium_index is not given; LFAnalyze's default 1.33"),
    "unknown": (metadata({"colour": 1}), "unknown key 'calibrate.colour': not taken"),
    "unknown section": (metadata(extra={"x": 1}), "unknown key 'extra.x': not taken"),
    "supersample": (
        metadata({"output_filename": "a-SS5.lfc"}),
        "calibrate.output_filename 'a-SS5.lfc' says SS5, calibrate.supersample says 3",
    ),
    "solver": (metadata(deconvolve={"solver": "lsqr", "input_file": "f.tif"}), "deconvolve.solver 'lsqr'"),
    "folder": (
        metadata({"radiometry_frame_file": "C:\\data\\w.tif"}),
        "'C:\\data\\w.tif': the folder is left out; images lie below the data set",
    ),
    "no light field": (metadata(deconvolve={}), "deconvolve.input_file is not given; set images.light_field"),
    "other calibration": (
        metadata({"output_filename": "a.lfc"}, deconvolve={"calibration_file": "b.lfc"}),
        "deconvolve.calibration_file 'b.lfc' is not calibrate.output_filename 'a.lfc'",
    ),
}


@pytest.mark.parametrize("case", NOTES)
def test_what_its_owner_should_look_at_is_noted(case: str) -> None:
    text, note = NOTES[case]
    assert any(note in found for found in convert(text, "m.txt").notes)


REFUSED: dict[str, tuple[str, str]] = {
    "no JSON": ("magnification = 20", "m.txt: is not JSON"),
    "another JSON": ("[1, 2]", "m.txt: has no section 'calibrate'"),
    "no pitch": (metadata({"ulens_pitch": None}), "m.txt: calibrate.ulens_pitch is missing"),
    "no number": (metadata({"pixel_size": "six"}), "m.txt: calibrate.pixel_size is 'six'; it must be a number"),
    "not finite": (metadata({"pixel_size": "nan"}), "calibrate.pixel_size is 'nan'; it must be a number"),
    "profile": (metadata({"ulens_profile": "hex"}), "calibrate.ulens_profile is 'hex'; it must be one of rect, circ"),
    "no slices": (metadata({"num_slices": 0}), "calibrate.num_slices 0 of um_per_slice 12.5 are no planes"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_metadata_is_refused(case: str) -> None:
    text, message = REFUSED[case]
    with pytest.raises(DataError) as caught:
        convert(text, "m.txt")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_key_of_the_programs_is_forgotten_or_treated_twice() -> None:
    keys = [*TAKEN, *IMAGES, *ELSEWHERE, *(key for keys in NOT_TAKEN.values() for key in keys)]
    assert len(keys) == len(set(keys))
    given: dict[str, dict[str, Any]] = {}
    for key in keys:
        section, name = key.split(".")
        given.setdefault(section, {})[name] = CALIBRATE.get(name, "")
    found = convert(json.dumps(given), "m.txt")
    assert not [note for note in found.notes if "unknown" in note]
    said = {entry.split()[0] for entries in found.left.values() for entry in entries}
    assert said == {key for keys in NOT_TAKEN.values() for key in keys}


def test_a_light_field_is_a_name_and_no_pattern() -> None:
    assert convert(metadata(deconvolve={"input_file": "a[1].tif"}), "m").values["images.light_field"] == "a[[]1].tif"
