"""100 confs, from the schema and beside it, through the real ways into Airflow: accepted exactly when valid."""

import copy
import json
import math
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from airflow.exceptions import ParamValidationError
from airflow.models.dagbag import DBDagBag
from airflow.utils.session import create_session
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from lfcore.errors import LfcoreError
from lfcore.settings import REQUIRED_KEYS, Settings
from lightfield.request import check_request
from tests.api_server import ApiServer

CAPS = {"max_gpu_jobs": (int, 1, 300), "max_cpu_jobs": (int, 1, 100), "job_minutes": (float, 0.01, 1440)}
DOTTED = {
    "reconstruction.iterations": st.integers(-1, 12_000),
    "reconstruction.solver": st.sampled_from(["rl_tv", "admm_tv", "rl-tv", "ADMM"]),
    "reconstruction.warm_start": st.sampled_from([True, False, "true", "maybe", 2]),
    "reconstruction.background": st.sampled_from([0, 0.5, 1, 1.01, -0.1, math.nan]),
    "reconstruction.stopping.tolerance": st.sampled_from([0.1, 0, math.inf, "0.1"]),
    "microscope.wavelength_um": st.sampled_from([0.5, 0, -1, [0.5]]),
    "microscope.layers.coverslip_index": st.sampled_from([1.5, 0.9, 2.5, 2.6]),
    "volume.z_um.step": st.sampled_from([1, 0.5, 0, -2, math.inf]),
    "output.format": st.sampled_from(["ome-zarr", "ome-tiff", "tiff"]),
}
PATHS = st.sampled_from(
    ["/data/fish", "/data/fish 3/", "s3://lab/fish", "s3://lab", "fish", "/data/../x", "", "/", "/a\nb", 3, "/data/run"]
)
NESTED = {
    "reconstruction": {"iterations": [3, 0, "3", 2.5, True], "huber": [None, 0, -1], "itrations": [3], "solver": ["x"]},
    "camera": {"pixel_um": [6.5, 0, math.nan, None], "frame_interval_s": [None, 0.1, "fast"], "pixel": [6.5]},
    "volume": {"z_um": [[1, 2], {"start": 1}, {"begin": 1}, 5, [1, "2"]], "voxels": ["boxes", "cubes"]},
    "microscope": {"layers": [None, {"coverslip_um": 0}, {"coverslp_um": 1}], "zernike": [[], [{"n": 0, "m": 0}]]},
    "images": {"dark": [None, "dark.tif", 5]},
    "volum": {"voxels": ["boxes"]},
    "reconstruction.iterations": {"": [3]},
}


@dataclass(frozen=True)
class Case:
    """A conf, and the names of which a refusal has to say one; none when it is valid."""

    conf: dict[str, Any]
    faults: frozenset[str]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """At most a fault or a few in something that is valid otherwise."""
    conf: dict[str, Any] = {"dataset": draw(st.sampled_from(["/data/fish", "s3://lab/fish/"]) | PATHS)}
    conf |= draw(st.fixed_dictionaries({}, optional={"run": st.sampled_from([None, "/data/run"]) | PATHS}))
    chosen = draw(st.lists(st.sampled_from(sorted(DOTTED)), max_size=2, unique=True))
    conf |= {key: draw(st.none() | DOTTED[key]) for key in chosen}
    numbers = st.sampled_from([1, 30, 100, 101, 300, 301, 0, 0.5, 8.0, "8", True, math.nan, 1441])
    conf |= {key: draw(numbers) for key in draw(st.lists(st.sampled_from(sorted(CAPS)), max_size=1))}
    if draw(st.integers(0, 9)) == 0:
        conf[
            draw(st.sampled_from(["datset", "max_jobs", "iterations", "reconstruction.itrations", "Settings", ""]))
        ] = 1
    if draw(st.booleans()):
        conf["settings"] = draw(nested())
    return Case(conf, frozenset(faults(conf)))


@st.composite
def nested(draw: st.DrawFn) -> object:
    if draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from([{}, [], "x", 3, {"reconstruction": []}, {"camera": None}]))
    section = draw(st.sampled_from(sorted(NESTED)))
    name = draw(st.sampled_from(sorted(NESTED[section])))
    return {section: {name: copy.deepcopy(draw(st.sampled_from(NESTED[section][name])))}}


def faults(conf: Mapping[str, Any]) -> set[str]:
    """The names of what is wrong: rules for paths and caps written here, all else as pydantic finds it."""
    found = {name for name in ("dataset", "run") if not is_path(conf.get(name), may_be_none=name == "run")}
    if not found and conf.get("run") and conf["run"].rstrip("/") == conf["dataset"].rstrip("/"):
        found.add("run")
    for name, (kind, low, high) in CAPS.items():
        value = conf.get(name, 30)
        is_number = type(value) in (int, float) and (kind is float or value == value // 1)
        if not (is_number and low <= value <= high):
            found.add(name)
    overrides = conf.get("settings", {})
    if not isinstance(overrides, dict):
        found.add("settings")
        overrides = {}
    found |= wrong_keys(overrides)
    for key, value in conf.items():
        if key in DOTTED and value is not None:
            words = {"true": True, "false": False} if key == "reconstruction.warm_start" else {}
            value = words.get(value, value) if isinstance(value, str) else value
            for name in reversed(key.split(".")):
                value = {name: value}
            found |= {key} if wrong_keys(value) or clashes(value, overrides) or isinstance(conf[key], list) else set()
        elif key not in ("dataset", "run", "settings", *CAPS) and value is not None:
            found.add(f"'{key}'")
    return found


def is_path(value: object, may_be_none: bool) -> bool:
    if not isinstance(value, str):
        return may_be_none and value is None
    parts = value.removeprefix("s3://").lstrip("/").rstrip("/").split("/")
    is_deep = len(parts) > 1 if value.startswith("s3://") else value.startswith("/") and parts != [""]
    return is_deep and ".." not in parts and value.isprintable()


def wrong_keys(overrides: Mapping[str, Any]) -> set[str]:
    """Last names of the keys that strict pydantic objects to, without what rests on the other half."""

    def laid_over(base: Any, over: Any) -> Any:  # noqa: ANN401 - any JSON
        if not (isinstance(base, Mapping) and isinstance(over, Mapping)):
            return over
        return {**base, **{key: laid_over(base.get(key), value) for key, value in over.items()}}

    whole = laid_over(REQUIRED_KEYS, overrides)
    try:
        Settings.model_validate(whole, strict=True)
    except ValidationError as error:
        wrong = [detail for detail in error.errors() if detail["type"] not in ("value_error", "missing")]
        # Of a union, a branch of which the value has not even the type says nothing where another branch fits.
        fitting = [detail["loc"] for detail in error.errors() if not detail["type"].endswith("_type")]
        wrong = [
            detail
            for detail in wrong
            if not (
                str(detail["loc"][-1]).startswith(("list[", "ZRange", "constrained-float"))
                and any(location[: len(detail["loc"]) - 1] == detail["loc"][:-1] for location in fitting)
            )
        ]
        names = {str(name) for detail in wrong for name in detail["loc"] if not str(name).startswith("list[")}
        return names - {"ZRange", "constrained-float"}
    return set()


def clashes(field: Mapping[str, Any], overrides: object) -> bool:
    [(name, value)] = field.items()
    if not isinstance(overrides, dict) or name not in overrides:
        return not isinstance(overrides, dict)
    return clashes(value, overrides[name]) if isinstance(value, dict) else overrides[name] != value


SEEN: dict[str, int] = {"accepted": 0, "refused": 0}


@seed(20261123)
@settings(max_examples=100, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(case=cases())
def test_a_conf_is_accepted_exactly_when_it_is_valid(server: ApiServer, case: Case) -> None:
    status, answer = server.trigger(case.conf)
    assert (status == 200) == (not case.faults), (case, answer)
    SEEN["accepted" if status == 200 else "refused"] += 1
    if case.faults:
        assert status == 400
        assert any(name in answer["detail"] for name in case.faults)
        assert "\n" not in answer["detail"]
    assert case.faults == frozenset() or refused_without_an_api_server(case)


def refused_without_an_api_server(case: Case) -> bool:
    """Whether ``airflow dags trigger`` or, behind it, task ``request`` refuses, by name."""
    with create_session() as session:
        dag = DBDagBag().get_latest_version_of_dag("lightfield_reconstruction", session=session)
    try:
        dag.params.deep_merge(case.conf).validate()
        check_request(case.conf, "manual")
    except (ParamValidationError, LfcoreError) as error:
        return any(name in str(error) for name in case.faults)
    return False


def test_enough_of_both_kinds_were_tried() -> None:
    assert SEEN["accepted"] >= 15
    assert SEEN["refused"] >= 40


@pytest.mark.parametrize(
    ("conf", "named"),
    [
        ({"dataset": "/data/fish", "reconstruction.iterations": 4}, None),
        ({"dataset": "fish"}, "Invalid input for param dataset"),
        (
            {"dataset": "/data/fish", "reconstruction.iterations": 0},
            "Invalid input for param reconstruction.iterations",
        ),
        ({"dataset": "/data/fish", "settings": {"reconstruction": {"itrations": 3}}}, "'itrations' was unexpected"),
    ],
)
def test_the_command_line_refuses_by_name(server: ApiServer, conf: dict[str, Any], named: str | None) -> None:
    command = [sys.executable, "-m", "airflow", "dags", "trigger", "lightfield_reconstruction", "--conf"]
    done = subprocess.run([*command, json.dumps(conf)], capture_output=True, text=True, timeout=120)
    said = " ".join((done.stdout + done.stderr).split())
    assert (done.returncode == 0) == (named is None), said
    assert named is None or named in said
