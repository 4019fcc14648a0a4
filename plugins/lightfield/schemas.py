"""JSON Schema's 2020-12 draft under a name of its own, that spares Airflow a check of the schema itself.

Airflow checks the schema of every parameter against the draft's own whenever it resolves the parameter's value, several
times a task; for the schema of all settings that takes as long as the rest of the task. A test checks them once.
A process that has not imported this module takes the latest draft instead: the same, only slower.
"""

from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.validators import create

CHECKED = "urn:lightfield:checked-schema"

create(
    meta_schema={"$id": CHECKED},
    validators=Draft202012Validator.VALIDATORS,
    version="lightfield",
    type_checker=Draft202012Validator.TYPE_CHECKER,
    format_checker=Draft202012Validator.FORMAT_CHECKER,
)


def checked(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema that says it need not be checked; one that names its own draft is left alone."""
    return {"$schema": CHECKED} | schema
