import json

import pytest
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import ParamValidationError
from jsonschema import Draft202012Validator

from lfcore.settings import REQUIRED_KEYS, Settings
from lightfield.params import overrides_schema, reconstruction_params


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
        ("max_jobs", 0, "max_jobs"),
        ("max_jobs", 1001, "max_jobs"),
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
    assert {key: param.resolve() for key, param in params.items()} == {
        "run": None,
        "settings": {},
        "max_jobs": 64,
        "job_minutes": 10,
    }
