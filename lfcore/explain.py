"""One line for what is wrong in a mapping of settings: the key, the problem, and the nearest known key for a typo."""

import difflib
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

MOST_PROBLEMS = 3
Path = tuple[str | int, ...]


def explain(details: Sequence[ErrorDetails], content: Mapping[str, Any], model: type[BaseModel]) -> str:
    """The first of the problems that ``model`` has found in ``content``, in one line."""
    chosen = _of_chosen_branches(details)
    problems = dict.fromkeys(_problem(detail, _path(detail["loc"], content), model) for detail in chosen)
    return "; ".join(list(problems)[:MOST_PROBLEMS])


def _problem(detail: ErrorDetails, path: Path, model: type[BaseModel]) -> str:
    where = ".".join(map(str, path)) or "settings"
    kind = detail["type"]
    if kind == "extra_forbidden":
        return f"unknown key '{where}'{_nearest(path, model)}"
    if kind == "missing":
        return f"missing key '{where}'"
    if kind == "value_error":  # of our own validators, which name key and value
        return f"{where}: {detail['msg'].removeprefix('Value error, ')}"
    if kind == "model_type":
        keys = ", ".join(_section(path, model).model_fields)
        return f"{where}: must be a mapping with the keys {keys} (got {_shown(detail['input'])})"
    return f"{where}: {detail['msg'].replace('Input should', 'must')} (got {_shown(detail['input'])})"


def _of_chosen_branches(details: Sequence[ErrorDetails]) -> list[ErrorDetails]:
    """Without the complaints of those branches of a union that the input does not even have the type of."""
    meant = [detail for detail in details if not detail["type"].endswith("_type")]
    return [
        detail
        for detail in details
        if detail in meant or not any(detail["loc"][:-1] == other["loc"][: len(detail["loc"]) - 1] for other in meant)
    ]


def is_of_a_branch(location: Path, content: object) -> bool:
    """Whether the last of ``location`` is the name of a branch of a union, and no key or index in ``content``."""
    found = True
    for key in location:
        found = (isinstance(content, Mapping) and key in content) or (
            isinstance(content, list) and isinstance(key, int)
        )
        content = content[key] if found else content  # type: ignore[index]  # as above
    return not found


def _path(location: Path, content: object) -> Path:
    """The keys of an error's location that stand in ``content``; pydantic puts names of union branches between them."""
    path: list[str | int] = []
    below: Any = content
    for index, key in enumerate(location):
        if (isinstance(below, Mapping) and key in below) or (isinstance(below, list) and isinstance(key, int)):
            below = below[key]  # type: ignore[index]  # a mapping with that key or a list and an index
            path.append(key)
        elif isinstance(below, Mapping) and index == len(location) - 1:
            path.append(key)
    return tuple(path)


def _nearest(path: Path, model: type[BaseModel]) -> str:
    """A hint naming the known key nearest to the last of ``path``, in its section or any other."""
    *above, last = path
    section = _section(tuple(above), model)
    here = {name: ".".join([*map(str, above), name]) for name in section.model_fields}
    anywhere = {
        name: f"{above_name}.{name}"
        for above_name in model.model_fields
        for name in _section((above_name,), model).model_fields
        if _section((above_name,), model) is not model
    }
    if last in anywhere and last not in here:
        return f"; did you mean '{anywhere[str(last)]}'?"
    for known, cutoff in ((here, 0.5), (anywhere, 0.6)):
        match = difflib.get_close_matches(str(last), list(known), n=1, cutoff=cutoff)
        if match:
            return f"; did you mean '{known[match[0]]}'?"
    return f"; known here: {', '.join(here)}"


def _section(path: Path, model: type[BaseModel]) -> type[BaseModel]:
    """The model of the mapping at ``path``; that of the last one on the way for what is no mapping."""
    for key in path:
        field = model.model_fields.get(str(key))
        if field is not None:
            model = _model_in(field.annotation) or model
    return model


def _model_in(annotation: object) -> type[BaseModel] | None:
    """The model that an annotation is or holds, as in ``ZRange | list[float]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(argument) for argument in typing.get_args(annotation))
    return next((model for model in found if model is not None), None)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
