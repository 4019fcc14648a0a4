"""init, check, doctor, and overrides on the command line."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lfcore.contracts import LIST_FILE_VARIABLE, RunPaths, Stage
from lfcore.io import ome_zarr, store
from lfcore.opencl import device
from lfcore.opencl.device import Candidate, Device
from lfcore.settings import Settings, parse_settings
from lfcore.template import EXAMPLES, schema, template

MakeDataset = Callable[..., Path]


def test_init_writes_settings_that_are_in_order(lfcore: Callable[..., object], tmp_path: Path) -> None:
    result = lfcore("init", tmp_path / "new", "--schema")
    assert result.code == 0
    text = (tmp_path / "new" / "dataset.yaml").read_text()
    settings = parse_settings(text, "template")
    assert settings.images.radiometry == "radiometry.tif"
    assert json.loads((tmp_path / "new" / "dataset.schema.json").read_text()) == Settings.model_json_schema()
    again = lfcore("init", tmp_path / "new")
    assert again.code == 2
    assert "is there already" in again.error
    assert (tmp_path / "new" / "dataset.yaml").read_text() == text


def test_the_template_explains_every_key() -> None:
    text = template()
    for name, field in Settings.model_fields.items():
        for key, entry in field.annotation.model_fields.items():
            assert re.search(rf"^  (# )?{key}: .+# {re.escape(entry.description)}$", text, re.MULTILINE), (
                f"{name}.{key}"
            )


def test_every_commented_key_of_the_template_is_in_order_too() -> None:
    text = re.sub(
        r"^  # (?!fourier_lens_mm|regularisation|huber)(\w+: )",
        r"  \1",
        re.sub(r"^# (calibration:)", r"\1", template(), flags=re.MULTILINE),
        flags=re.M,
    )
    settings = parse_settings(text, "template").model_dump(mode="json")
    for place, value in EXAMPLES.items():
        section, key = place.split(".")
        if key in ("fourier_lens_mm", "regularisation", "huber"):  # of another lattice or solver than the template's
            continue
        found = settings[section][key]
        assert found == (found | value if isinstance(value, dict) else value)


def test_the_schema_refuses_unknown_keys() -> None:
    assert json.loads(schema())["additionalProperties"] is False


def test_check_says_what_would_be_computed(lfcore: Callable[..., object], tiny_dataset: MakeDataset) -> None:
    result = lfcore("check", tiny_dataset())
    assert result.code == 0
    assert "3 of 100 x 120 px in 3 files" in result.out
    assert "10 x 12 lenslets" in result.out
    assert "3 x 20 x 24 voxels (z, y, x) of 10 x 2.5 x 2.5 um, z from -10 to 10 um" in result.out
    assert re.search(r"^reconstruct +3 ", result.out, re.MULTILINE)
    assert result.err == ""


def test_check_proposes_how_to_sample_the_volume(
    lfcore: Callable[..., object], tiny_dataset: MakeDataset, tmp_path: Path
) -> None:
    result = lfcore("check", tiny_dataset(), "--plot", tmp_path / "curve.png")
    assert result.code == 0
    assert re.search(r"^proposed +z from -(\S+) to \1 um in steps of \S+ um, \d+ samples a lenslet: ", result.out, re.M)
    depths = re.search(r"^z, um +(.+)$", result.out, re.M).group(1).split()
    across = re.search(r"^across, um +(.+)$", result.out, re.M).group(1).split()
    assert len(depths) == len(across)
    # Near the native plane the period resolved is the longest but for the ends of the range.
    assert float(across[depths.index("0")]) > min(map(float, across))
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_check_writes_nothing(lfcore: Callable[..., object], tiny_dataset: MakeDataset) -> None:
    dataset = tiny_dataset()
    before = sorted(dataset.rglob("*"))
    lfcore("check", dataset)
    assert sorted(dataset.rglob("*")) == before


def test_check_warns_where_settings_and_data_disagree(lfcore: Callable[..., object], tiny_dataset: MakeDataset) -> None:
    dataset = tiny_dataset()
    (dataset / "raw" / "frame_1.tif").write_bytes(b"no image")
    result = lfcore(
        "check", dataset, "--set", "microlens_array.pitch_um=95", "--set", "microlens_array.focal_length_um=3000"
    )
    assert result.code == 0
    warnings = result.err.splitlines()
    assert all(line.startswith("Warning: ") for line in warnings)
    assert any("frame_1.tif" in line and "will be set aside" in line for line in warnings)
    assert any("pitch is 10.0" in line and "say 9.500 px" in line for line in warnings)
    assert any("the pupil's image is 150 um wide under a lenslet of 100 um" in line for line in warnings)


def test_overrides_are_yaml_and_reach_the_run(
    lfcore: Callable[..., object], tiny_dataset: MakeDataset, tmp_path: Path
) -> None:
    given = ["volume.z_um=[-5, 0, 7.5]", "reconstruction.iterations=9", "output.format=ome-tiff"]
    arguments = [part for text in given for part in ("--set", text)]
    assert lfcore("plan", tiny_dataset(), tmp_path / "run", *arguments).code == 0
    settings = json.loads((tmp_path / "run" / "run.json").read_text())["settings"]
    assert settings["volume"]["z_um"] == [-5, 0, 7.5]
    assert settings["reconstruction"]["iterations"] == 9
    assert settings["output"]["format"] == "ome-tiff"


@pytest.mark.parametrize("text", ["iterations", "=3", "a..b=3", "reconstruction.iterations=[1"])
def test_an_override_of_another_form_is_wrong_usage(lfcore: Callable[..., object], tmp_path: Path, text: str) -> None:
    result = lfcore("plan", tmp_path, tmp_path / "run", "--set", text)
    assert result.code == 2
    assert "--set" in result.error


@pytest.mark.parametrize("verb", ["run", "plan"])
def test_a_run_is_not_written_into_its_data_set(
    lfcore: Callable[..., object], tiny_dataset: MakeDataset, verb: str
) -> None:
    dataset = tiny_dataset()
    before = sorted(dataset.rglob("*"))
    result = lfcore(verb, dataset, f"{dataset}/")
    assert result.code == 2
    assert result.error.endswith("is the data set itself; give RUN a folder of its own")
    assert sorted(dataset.rglob("*")) == before


def test_stages_one_by_one_and_by_slices(
    lfcore: Callable[..., object], tiny_dataset: MakeDataset, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    assert lfcore("plan", tiny_dataset(), run).code == 0
    assert lfcore("normalise", run, "--slice", "0/2").code == 0
    assert len(list((run / "normalised").iterdir())) == 1
    assert lfcore("normalise", run, "--slice", "1/2").code == 0
    assert len(list((run / "normalised").iterdir())) == 3
    assert "3 of 3 items were done before" in lfcore("normalise", run).err


def test_a_stage_without_a_plan_says_what_to_run_first(lfcore: Callable[..., object], tmp_path: Path) -> None:
    result = lfcore("normalise", tmp_path / "run")
    assert result.code == 2
    assert f"run 'lfcore plan DATASET {tmp_path / 'run'}' first" in result.error


def test_doctor_tells_the_machine(lfcore: Callable[..., object], tmp_path: Path) -> None:
    facts = json.loads(lfcore("doctor", "--json", "--storage", tmp_path).out)
    assert facts["storage"] == {"path": str(tmp_path), "usable": True, "note": "written, read and deleted"}
    assert facts["libraries"]["numpy"]
    assert facts["linear_algebra"]
    assert {"opencl", "aws", "processors"} <= facts.keys()
    assert list(tmp_path.iterdir()) == []
    assert "numpy" in lfcore("doctor").out


def test_doctor_tells_each_device_and_the_choice(
    lfcore: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    card = Device("0:0", "NVIDIA CUDA", "NVIDIA H200", "NVIDIA", "550.1", "gpu", 140 * 10**9, 1, 1, 132, True)
    broken = Device("1:0", "Portable Computing Language", "pthread", "someone", "3.0", "cpu", 8 * 10**9, 1, 1, 2, False)
    found = [Candidate(card, None), Candidate(broken, "unknown target CPU 'generic'")]
    monkeypatch.setattr(device, "_survey", lambda: (found, ""))
    lines = lfcore("doctor").out.splitlines()
    first = next(index for index, line in enumerate(lines) if line.startswith("OpenCL"))
    assert [line[12:] for line in lines[first : first + 3]] == [
        "0:0 NVIDIA H200 (NVIDIA CUDA, driver 550.1): gpu, 140.0 GB, 132 compute units, matrix units; usable",
        "1:0 pthread (Portable Computing Language, driver 3.0): cpu, 8.0 GB, 2 compute units; "
        "refused: unknown target CPU 'generic'",
        "--device auto picks 0:0",
    ]
    facts = json.loads(lfcore("doctor", "--json").out)["opencl"]
    assert [(entry["name"], entry["refused"]) for entry in facts["devices"]] == [
        ("NVIDIA H200", None),
        ("pthread", "unknown target CPU 'generic'"),
    ]
    assert facts["auto"] == ["0:0"]
    monkeypatch.setattr(device, "_survey", lambda: ([], "no driver at all"))
    told = lfcore("doctor").out
    assert "OpenCL      no driver at all\n            --device auto picks none of them, numpy computes\n" in told


def test_the_device_flag_reaches_the_stages(
    lfcore: Callable[..., object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(device.DEVICE_VARIABLE, "numpy")
    assert lfcore("reconstruct", tmp_path / "run", "--device", "0:1").code == 2
    assert os.environ[device.DEVICE_VARIABLE] == "0:1"
    assert lfcore("reconstruct", tmp_path / "run").code == 2
    assert os.environ[device.DEVICE_VARIABLE] == "0:1"


def test_a_demanded_device_that_is_missing_fails_before_the_first_stage_that_may_use_it(
    lfcore: Callable[..., object], monkeypatch: pytest.MonkeyPatch, tiny_dataset: MakeDataset, tmp_path: Path
) -> None:
    monkeypatch.setattr(device, "_survey", lambda: ([], "no driver at all"))
    monkeypatch.setenv(device.DEVICE_VARIABLE, "numpy")
    dataset, run = tiny_dataset(frames=1), RunPaths(f"{tmp_path}/run")
    result = lfcore("run", dataset, run.root, "--device", "all")
    assert result.code == 69
    assert "no driver at all" in result.error
    assert not Path(run.root).exists()
    assert lfcore("plan", dataset, run.root).code == 0
    assert lfcore("normalise", run.root).code == 0
    for stage, code in ((Stage.CALIBRATE, 0), (Stage.TRANSFORMS, 69), (Stage.RECONSTRUCT, 69)):
        monkeypatch.setenv(LIST_FILE_VARIABLE, run.items(stage))
        assert lfcore("work").code == code
        assert lfcore(stage, run.root).code == code


def test_doctor_ends_with_69_where_nothing_can_be_stored(lfcore: Callable[..., object], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = lfcore("doctor", "--storage", tmp_path / "file")
    assert result.code == 69
    assert "cannot be used for storage" in result.error


def test_doctor_tries_an_object_store_and_finds_credentials(lfcore: Callable[..., object], s3_bucket: str) -> None:
    facts = json.loads(lfcore("doctor", "--json", "--storage", s3_bucket).out)
    assert facts["storage"]["usable"]
    assert facts["aws"]["credentials"]
    assert "test" not in facts["aws"]["note"].split()


def test_a_whole_run_in_an_object_store(
    lfcore: Callable[..., object], tiny_dataset: MakeDataset, s3_bucket: str
) -> None:
    dataset, remote, run = tiny_dataset(frames=2), f"{s3_bucket}/fish [3]", f"{s3_bucket}/runs/one"
    for path in dataset.rglob("*"):
        if path.is_file():
            store.write_bytes(f"{remote}/{path.relative_to(dataset)}", path.read_bytes())
    first = lfcore("run", remote, run)
    assert first.code == 0, first.err
    assert json.loads(store.read_bytes(f"{run}/report/metrics.json"))["frames"]["done"] == 2
    assert ome_zarr.read_frame(f"{run}/volumes.ome.zarr", 1).any()
    again = lfcore("run", remote, run)
    assert again.code == 0
    assert "reconstruct: 2 of 2 items were done before" in again.err
