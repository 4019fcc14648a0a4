"""The trigger form of the light field DAGs, and the schema that refuses bad input before a run exists."""

from typing import cast

from airflow.sdk import Param
from pydantic import JsonValue

from lfcore.settings import Settings

PATH_PATTERN = r"^(?!.*(^|/)\.\.(/|$))(/|s3://[^/]+/)[^/\x00-\x1f][^\x00-\x1f]*$"
"""An absolute path or an object-store prefix below a bucket, free of ``..`` and control characters."""

PATH_HINT = "an absolute path or s3://bucket/prefix, without '..'"


def overrides_schema() -> dict[str, JsonValue]:
    """JSON Schema of overrides of ``dataset.yaml``: the settings' own schema with no key required."""
    schema: dict[str, JsonValue] = Settings.model_json_schema()
    definitions = cast("dict[str, JsonValue]", schema.pop("$defs"))
    # Airflow cannot read back a parameter whose schema describes itself.
    schema.pop("description", None)
    return cast("dict[str, JsonValue]", _relaxed(schema, definitions))


def _relaxed(node: JsonValue, definitions: dict[str, JsonValue]) -> JsonValue:
    """``node`` with references resolved; no object has required keys, and no key a default."""
    if isinstance(node, list):
        return [_relaxed(entry, definitions) for entry in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _relaxed(definitions[str(node["$ref"]).rpartition("/")[2]], definitions)
    relaxed = {key: _relaxed(value, definitions) for key, value in node.items()}
    # The keys below "properties" are names of settings, not words of the schema language.
    if "properties" in node or "type" in node or "anyOf" in node:
        for word in ("required", "default", "title"):
            relaxed.pop(word, None)
    return relaxed


def reconstruction_params() -> dict[str, Param]:
    """Parameters of ``lightfield_reconstruction``, as ``docs/contracts.md`` names them."""
    return {
        "dataset": Param(
            type="string",
            title="Data set",
            description=f"Folder or prefix that holds dataset.yaml: {PATH_HINT}.",
            pattern=PATH_PATTERN,
            maxLength=1000,
        ),
        "run": Param(
            None,
            type=["null", "string"],
            title="Run",
            description=f"Where results go: {PATH_HINT}. Default: a folder of its own in 'runs' beside the data set.",
            pattern=PATH_PATTERN,
            maxLength=1000,
        ),
        "settings": Param(
            {},
            description='Overrides of dataset.yaml, as JSON: {"reconstruction": {"iterations": 20}}.',
            schema=overrides_schema() | {"title": "Settings"},
        ),
        "max_jobs": Param(
            64,
            type="integer",
            title="Most jobs a stage",
            description="No stage is cut into more jobs than this.",
            minimum=1,
            maximum=1000,
            section="Fan-out",
        ),
        "job_minutes": Param(
            10,
            type="number",
            title="Minutes a job",
            description="Stages are cut into jobs that are estimated to take about this long.",
            exclusiveMinimum=0,
            maximum=1440,
            section="Fan-out",
        ),
    }
