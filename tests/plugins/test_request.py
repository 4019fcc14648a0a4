import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfcore.contracts import RunPaths, Stage, parse_items
from lfcore.errors import DataError, SettingsError
from lightfield.fanout import Caps
from lightfield.params import reconstruction_params
from lightfield.request import check_request, default_run, read_run_json, told, write_plan_item

RUN_ID = "manual__2026-11-22T15:00:00.123+00:00"


def test_run_defaults_to_a_folder_beside_the_data_set() -> None:
    request = check_request({"dataset": "/data/fish3/"}, RUN_ID, {})
    assert request.dataset == "/data/fish3"
    assert request.run == "/data/runs/fish3-manual__2026-11-22T15-00-00-123-00-00"


def test_run_defaults_beside_a_prefix_too_and_the_environment_names_another_root() -> None:
    assert default_run("s3://bucket/fish3", "a") == "s3://bucket/runs/fish3-a"
    request = check_request({"dataset": "/data/fish3"}, "a", {"LIGHTFIELD_RUNS": "s3://results/runs/"})
    assert request.run == "s3://results/runs/fish3-a"


@given(first=st.text(min_size=1, max_size=250), second=st.text(min_size=1, max_size=250))
def test_default_runs_are_safe_and_differ_when_odd_ids_do(first: str, second: str) -> None:
    runs = [default_run("/data/fish3", f"é{run_id}") for run_id in (first, second)]
    for run in runs:
        assert re.fullmatch(r"/data/runs/[A-Za-z0-9_-]{1,255}", run)
    assert (runs[0] == runs[1]) == (first == second)


@pytest.mark.parametrize(
    "dataset",
    [None, 3, "", "fish3", "../fish3", "/data/../etc", "/data/..", "/", "s3://bucket", "s3://", "/a\nb", "/a\n"],
)
def test_bad_data_sets_are_refused_by_name(dataset: object) -> None:
    with pytest.raises(SettingsError, match=r"^dataset: .*must be an absolute path or s3://"):
        check_request({"dataset": dataset}, RUN_ID, {})


@pytest.mark.parametrize("dataset", ["/data/fish 3", "/data/..fish", "/data/poisson é", "s3://bucket/a..b/c"])
def test_odd_but_harmless_names_are_taken(dataset: str) -> None:
    assert check_request({"dataset": dataset}, RUN_ID, {}).dataset == dataset


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({"datset": "/d"}, "unknown key 'datset'; did you mean 'dataset'"),
        ({"settings": {"reconstruction": {"itrations": 2}}}, "did you mean 'reconstruction.iterations'"),
        ({"settings": {"camera": {"pixel_um": -1}}}, "settings: camera.pixel_um"),
        ({"settings": "reconstruction"}, "^settings: 'reconstruction' must be an object"),
        ({"reconstruction.itrations": 2}, "'reconstruction.itrations'; did you mean 'reconstruction.iterations'"),
        ({"iterations": 2}, "'iterations'; did you mean 'reconstruction.iterations'"),
        (
            {"settings": {"reconstruction": {"stopping": {"tolerance": []}}}},
            "settings: reconstruction.stopping.tolerance",
        ),
        ({"settings": {"microscope": {"layers": {}, "magnification": []}}}, "settings: microscope.magnification"),
        ({"settings": {"volume": {"z_um": 5}}}, "settings: volume.z_um"),
        ({"reconstruction.iterations": 0}, "conf: reconstruction.iterations: must be greater"),
        ({"reconstruction.warm_start": "maybe"}, "conf: reconstruction.warm_start: must be a valid boolean"),
        ({"max_gpu_jobs": 301}, "^max_gpu_jobs: 301 must be an integer from 1 to 300"),
        ({"max_cpu_jobs": True}, "^max_cpu_jobs: True"),
        ({"max_cpu_jobs": None}, "^max_cpu_jobs: None"),
        ({"job_minutes": "long"}, "^job_minutes: 'long'"),
        ({"run": "/data/../x"}, "^run: "),
        ({"run": "/data/fish3/"}, "is the data set itself"),
    ],
)
def test_bad_conf_is_refused_by_name(conf: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        check_request({"dataset": "/data/fish3"} | conf, RUN_ID, {})


@pytest.mark.parametrize(
    "settings",
    [
        {"microscope": {"numerical_aperture": 1.4}, "volume": {"z_um": {"stop": -10}}},
        {"reconstruction": {"stopping": {"tolerance": 0.5}}},
        {"microscope": {"layers": {"coverslip_um": 0}, "measured_psf": {"z_um": {"start": 1}}}},
    ],
)
def test_what_rests_on_the_data_set_is_left_to_plan(settings: dict[str, object]) -> None:
    assert check_request({"dataset": "/d/x", "settings": settings}, RUN_ID, {}).settings == settings


def test_fields_of_the_form_are_merged_into_the_settings() -> None:
    conf = {
        "dataset": "/d/x",
        "reconstruction.iterations": 20,
        "reconstruction.warm_start": "true",
        "reconstruction.lattice_suppression": False,
        "reconstruction.solver": None,
        "volume.z_um.step": 2,
        "settings": {"reconstruction": {"huber": None, "iterations": 20.0}, "volume": {"z_um": {"start": 0}}},
        "max_gpu_jobs": 8.0,
    }
    request = check_request(conf, RUN_ID, {})
    assert request.settings == {
        "reconstruction": {"huber": None, "iterations": 20, "warm_start": True, "lattice_suppression": False},
        "volume": {"z_um": {"start": 0, "step": 2}},
    }
    assert request.caps == Caps(max_gpu_jobs=8, max_cpu_jobs=32, job_minutes=10)
    assert "settings.reconstruction.iterations: 20" in told(request)


@pytest.mark.parametrize(
    ("key", "settings", "named"),
    [
        ("reconstruction.iterations", {"reconstruction": {"iterations": 3}}, "'iterations': 3"),
        ("volume.z_um.start", {"volume": {"z_um": [1, 2]}}, r"'z_um': \[1, 2\]"),
        ("reconstruction.stopping.tolerance", {"reconstruction": {"stopping": None}}, "'stopping': None"),
    ],
)
def test_a_field_that_contradicts_the_settings_is_refused(key: str, settings: dict[str, object], named: str) -> None:
    with pytest.raises(SettingsError, match=f"conf: '{key}' is 7, but 'settings' has {named}; give one"):
        check_request({"dataset": "/d/x", key: 7, "settings": settings}, RUN_ID, {})


def test_the_form_as_it_stands_asks_for_nothing() -> None:
    form = {key: param.value for key, param in reconstruction_params().items()} | {"dataset": "/d/x"}
    assert check_request(form, RUN_ID, {}) == check_request({"dataset": "/d/x"}, RUN_ID, {})


def test_the_plan_item_is_written_whole(tmp_path: Path) -> None:
    request = check_request({"dataset": "/data/fish3", "run": f"{tmp_path}/run"}, RUN_ID, {})
    path = Path(write_plan_item(request))
    assert path == tmp_path / "run/plan/plan.jsonl"
    assert [entry.name for entry in path.parent.iterdir()] == ["plan.jsonl"]
    [item] = parse_items(path.read_bytes())
    assert (item["stage"], item["dataset"], item["run"]) == (Stage.PLAN, "/data/fish3", f"{tmp_path}/run")


def test_a_prefix_is_read_and_written_as_well() -> None:
    from upath import UPath

    request = check_request({"dataset": "/data/fish3"}, RUN_ID, {"LIGHTFIELD_RUNS": "/x"})
    request = type(request)(request.dataset, "memory://bucket/run", request.settings, request.caps)
    path = write_plan_item(request)
    assert parse_items(UPath(path).read_bytes())[0]["run"] == "memory://bucket/run"
    UPath(RunPaths(request.run).run_json).write_text(json.dumps({"frames": 3}))
    assert read_run_json(request.run) == {"frames": 3}


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_broken_run_json_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(DataError, match=r"run.json.*plan the run again"):
        read_run_json(str(tmp_path))
