"""``lfcore init --from-lfanalyze``, with the samples' own metadata where they are there."""

import json
from pathlib import Path

import pytest

from lfcore.errors import SettingsError
from lfcore.stages.dataset import read_settings
from lfcore.stages.lfanalyze import write_converted

SMALLEST = {"ulens_pitch": 100, "pixel_size": 10}


def write(path: Path, **calibrate: object) -> str:
    path.write_text(json.dumps({"calibrate": {**SMALLEST, **calibrate}, "deconvolve": {"input_file": "a b.tif"}}))
    return str(path)


def test_the_result_says_what_was_taken_and_what_was_not(tmp_path: Path) -> None:
    notes = write_converted(write(tmp_path / "m.txt", num_threads=10, objective_na=0.4), str(tmp_path))
    text = (tmp_path / "dataset.yaml").read_text()
    settings = read_settings(str(tmp_path))
    assert settings.microscope.numerical_aperture == 0.4
    assert settings.images.light_field == "a b.tif"
    assert "(calibrate.objective_na 0.4)" in text
    assert "#     calibrate.num_threads 10\n" in text
    assert all(f"# - {note}" in text for note in notes)
    assert f"images.light_field: 'a b.tif' is not in {tmp_path}; put it there, or correct its name" in notes


def test_values_that_contradict_each_other_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"m\.txt as dataset\.yaml: microscope: numerical_aperture 1\.4 must be"):
        write_converted(write(tmp_path / "m.txt", objective_na=1.4), str(tmp_path))
    assert not (tmp_path / "dataset.yaml").exists()


@pytest.mark.parametrize(
    ("sample", "pitch_px", "planes", "contradicts"),
    [("seaurchin", 16.892, 30, False), ("guvsimul1", 15.385, 104, True)],
)
def test_the_samples(
    shared_data: Path, tmp_path: Path, sample: str, pitch_px: float, planes: int, contradicts: bool
) -> None:
    notes = write_converted(str(shared_data / sample / "lfanalyze_metadata.txt"), str(tmp_path))
    settings = read_settings(str(tmp_path))
    assert settings.nominal_pitch_px == pytest.approx(pitch_px, abs=0.001)
    assert len(settings.volume.planes_um) == planes
    assert settings.volume.planes_um[0] == pytest.approx(-settings.volume.planes_um[-1])
    assert any("says SS3, calibrate.supersample says 5" in note for note in notes) == contradicts
    assert not [note for note in notes if "unknown" in note]
