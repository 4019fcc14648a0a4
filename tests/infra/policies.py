"""A small evaluator of IAM policies: what a principal's documents allow, by AWS's published logic.

Only what the templates use: Allow and Deny, Action, Resource, and the condition operators below; anything else is an
error and not a guess. A key that is absent from the request matches no condition.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

Statement = Mapping[str, Any]


def allowed(
    documents: Sequence[Mapping[str, Any]], action: str, resource: str, context: Mapping[str, str] | None = None
) -> bool:
    """Whether ``documents`` allow ``action`` on ``resource`` in a request with the condition keys of ``context``."""
    effects = {
        statement["Effect"]
        for document in documents
        for statement in as_list(document["Statement"])
        if _applies(statement, action, resource, context or {})
    }
    return effects == {"Allow"}


def as_list(value: Any) -> list[Any]:  # noqa: ANN401 - one or many of whatever
    return value if isinstance(value, list) else [value]


def matches(pattern: str, text: str, ignore_case: bool = False) -> bool:
    """IAM's wildcards: ``*`` is any text, ``?`` any character."""
    expression = "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern)
    return re.fullmatch(expression, text, re.DOTALL | (re.IGNORECASE if ignore_case else 0)) is not None


def _applies(statement: Statement, action: str, resource: str, context: Mapping[str, str]) -> bool:
    unknown = set(statement) - {"Sid", "Effect", "Action", "Resource", "Condition"}
    if unknown:
        raise ValueError(f"the evaluator does not know {unknown}")
    return (
        any(matches(pattern, action, ignore_case=True) for pattern in as_list(statement["Action"]))
        and any(matches(pattern, resource) for pattern in as_list(statement["Resource"]))
        and all(
            _holds(operator, context.get(key), as_list(values))
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _holds(operator: str, found: str | None, values: list[str]) -> bool:
    if found is None:
        return False
    if operator in ("StringLike", "ArnLike"):
        return any(matches(value, found) for value in values)
    if operator in ("StringEquals", "Bool"):
        return found in values
    raise ValueError(f"the evaluator does not know {operator}")
