"""JSON against the schemas that requests carry. Nothing is fetched from anywhere, whatever a schema refers to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jsonschema.exceptions import SchemaError
from jsonschema.validators import Draft202012Validator, validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

Check = Callable[[Any], str | None]
_LONGEST = 160


def check_against(schema: Any) -> Check:
    """What says of a value what is wrong with it, in words. A schema that is itself wrong finds no fault."""
    if not isinstance(schema, dict):
        return _no_fault
    try:
        kind = validator_for(schema, default=Draft202012Validator)
        kind.check_schema(schema)
    except (SchemaError, Unresolvable, RecursionError, TypeError):
        return _no_fault
    validator = kind(schema, registry=Registry())

    def check(value: Any) -> str | None:
        try:
            fault = next(validator.iter_errors(value), None)
        except (Unresolvable, RecursionError):
            return None
        return None if fault is None else f"{fault.json_path}: {fault.message}"[:_LONGEST]

    return check


def _no_fault(value: Any) -> None:
    return None
