import json
import math
import types
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import ParamValidationError
from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for
from pydantic import BaseModel

from lfcore.settings import REQUIRED_KEYS, Settings
from lightfield.nightly_params import nightly_params
from lightfield.params import overrides_schema, reconstruction_params
from lightfield.schemas import CHECKED, checked


def test_the_schema_of_overrides_is_valid_and_needs_nothing() -> None:
    schema = overrides_schema()
    Draft202012Validator.check_schema(schema)
    assert "$ref" not in json.dumps(schema)
    Draft202012Validator(schema).validate({})
    Draft202012Validator(schema).validate({"volume": {"z_um": {"step": 2}}})


def test_every_setting_can_be_overridden() -> None:
    full = Settings.model_validate(dict(REQUIRED_KEYS)).model_dump(mode="json")
    Draft202012Validator(overrides_schema()).validate(full)


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("dataset", "relative/path", "dataset"),
        ("dataset", "/data/../etc", "dataset"),
        ("run", "/", "run"),
        ("settings", {"volum": {}}, "volum"),
        ("settings", {"reconstruction": {"itrations": 3}}, "itrations"),
        ("settings", {"reconstruction": {"iterations": "many"}}, "iterations"),
        ("settings", {"microscope": {"layers": {"coverslp_um": 3}}}, "coverslp_um"),
        ("reconstruction.iterations", 1.5, "reconstruction.iterations"),
        ("reconstruction.warm_start", "maybe", "reconstruction.warm_start"),
        ("microscope.model", "wave", "microscope.model"),
        ("max_gpu_jobs", 0, "max_gpu_jobs"),
        ("max_gpu_jobs", 301, "max_gpu_jobs"),
        ("max_cpu_jobs", 101, "max_cpu_jobs"),
        ("job_minutes", 0, "job_minutes"),
    ],
)
def test_bad_values_are_refused_by_name(key: str, value: object, named: str) -> None:
    with pytest.raises(ParamValidationError, match=f"(?s){named}"):
        ParamsDict(dict(reconstruction_params()))[key] = value


def test_only_the_data_set_must_be_given() -> None:
    params = reconstruction_params()
    with pytest.raises(ParamValidationError):
        params.pop("dataset").resolve()
    said = {key: param.resolve() for key, param in params.items()}
    assert {key: value for key, value in said.items() if value is not None} == {
        "settings": {},
        "max_gpu_jobs": 64,
        "max_cpu_jobs": 32,
        "job_minutes": 10,
    }


def scalars(model: type[BaseModel], above: str = "") -> Iterator[str]:
    """Dotted keys of all that is a number, a choice or a yes or no, found by the models' types."""
    for name, field in model.model_fields.items():
        is_union = typing.get_origin(field.annotation) in (types.UnionType, typing.Union)
        for kind in typing.get_args(field.annotation) if is_union else [field.annotation]:
            kind = typing.get_args(kind)[0] if typing.get_origin(kind) is typing.Annotated else kind
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from scalars(kind, f"{above}{name}.")
            elif kind in (int, float, bool) or isinstance(kind, str) or typing.get_origin(kind) is typing.Literal:
                yield f"{above}{name}"


def test_every_scalar_setting_has_a_field() -> None:
    asked = {key for key in reconstruction_params() if "." in key}
    # A measured point image needs a file's name, which belongs into dataset.yaml.
    assert asked == {key for key in scalars(Settings) if "measured_psf" not in key}


def test_fields_say_what_they_are() -> None:
    params = reconstruction_params()
    iterations = params["reconstruction.iterations"]
    assert iterations.schema["minimum"] == 1
    assert iterations.schema["maximum"] == 10_000
    assert iterations.schema["title"] == "Iterations"
    assert iterations.schema["section"] == "Reconstruction"
    assert (
        iterations.description == "iterations, at most (reconstruction.iterations; empty: as in dataset.yaml, else 15)"
    )
    assert params["microlens_array.pitch_um"].schema["title"] == "Pitch, um"
    assert params["volume.z_um.start"].schema["title"] == "Z, um: start"
    assert params["microscope.model"].schema["enum"] == [None, "waves", "rays"]
    order = list(dict.fromkeys(param.schema.get("section") for param in params.values()))
    assert order[:5] == [None, "Volume", "Reconstruction", "Output", "Calibration"]


@pytest.mark.parametrize("value", [None, True, False, "true", "false"])
def test_yes_and_no_are_words_or_json(value: object) -> None:
    assert reconstruction_params()["reconstruction.warm_start"].resolve(value) == value


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_number_may_be_infinite_or_none_at_all(value: float) -> None:
    params = reconstruction_params()
    for key in ("reconstruction.regularisation", "camera.pixel_um", "volume.z_um.start", "job_minutes"):
        with pytest.raises(ParamValidationError):
            params[key].resolve(value)
    with pytest.raises(ParamValidationError, match="pixel_um"):
        params["settings"].resolve({"camera": {"pixel_um": value}})


def test_known_data_sets_are_proposed_and_others_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("fish 2", "fish 1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "dataset.yaml").touch()
    (tmp_path / "runs").mkdir()
    monkeypatch.setenv("LIGHTFIELD_ROOTS", f"s3://bucket/data, {tmp_path},/not/there")
    dataset = reconstruction_params()["dataset"]
    assert dataset.schema["examples"] == [f"{tmp_path}/fish 1", f"{tmp_path}/fish 2"]
    assert dataset.resolve("s3://bucket/other") == "s3://bucket/other"


def test_the_schemas_that_airflow_is_told_not_to_check_are_in_order() -> None:
    for params in (reconstruction_params(), nightly_params({})):
        for param in params.values():
            validator = validator_for({"$schema": param.schema.get("$schema", "")}, Draft202012Validator)
            (Draft202012Validator if validator.META_SCHEMA == {"$id": CHECKED} else validator).check_schema(
                param.schema
            )


def test_a_checked_schema_refuses_what_its_draft_refuses() -> None:
    schema = {"type": "integer", "minimum": 3, "not": {"const": 5}}
    named = checked(schema)
    for value in (2, 3, 4, 5, 3.5, "3", None):
        assert validator_for(named)(named).is_valid(value) == Draft202012Validator(schema).is_valid(value)
