"""Reading of the templates, and what is known of the stacks they make."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from lfcore.errors import SettingsError

FOLDER = Path(__file__).parent
ENVIRONMENTS = ("dev", "prod")


@dataclass(frozen=True)
class Stack:
    """A template by its name; what ``holds_data`` no command here removes."""

    name: str
    holds_data: bool = False

    @property
    def body(self) -> str:
        """The template's text, as CloudFormation takes it."""
        return (FOLDER / "templates" / f"{self.name}.yaml").read_text()

    @property
    def template(self) -> dict[str, Any]:
        """The template with the short forms of functions written out (``!Ref x`` is ``{"Ref": "x"}``)."""
        return cast("dict[str, Any]", yaml.load(self.body, _Loader))


STACKS = (
    Stack("storage", holds_data=True),
    Stack("network"),
    Stack("access"),
    Stack("ci"),
    Stack("batch"),
    Stack("watch"),
    Stack("jobs"),
)
"""In the order of deployment: each imports from earlier ones only."""


def parameters(environment: str) -> dict[str, str]:
    """The parameters of an environment, by name; each template takes those that it declares.

    Raises ``SettingsError`` when there is no such file or it holds anything else than texts.
    """
    path = FOLDER / "parameters" / f"{environment}.json"
    try:
        values = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise SettingsError(f"{path}: not there; the environments are {', '.join(ENVIRONMENTS)}") from error
    except ValueError as error:
        raise SettingsError(f"{path}: no JSON ({error}); correct it") from error
    wrong = [key for key, value in values.items() if not isinstance(value, str)]
    if wrong:
        raise SettingsError(f"{path}: {', '.join(wrong)}: CloudFormation takes texts; put the value in quotes")
    return cast("dict[str, str]", values)


class _Loader(yaml.CSafeLoader):
    """YAML with CloudFormation's tags."""


def _function(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> dict[str, Any]:
    name = tag if tag in ("Ref", "Condition") else f"Fn::{tag}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        return {name: value.split(".", 1) if tag == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(cast("yaml.MappingNode", node), deep=True)}


_Loader.add_multi_constructor("!", _function)
