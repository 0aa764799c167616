"""JSON against the schemas that requests carry. Nothing is fetched from anywhere, whatever a schema refers to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jsonschema.validators import Draft202012Validator, validator_for
from referencing import Registry

Check = Callable[[Any], str | None]
_LONGEST = 160


def check_against(schema: Any) -> Check:
    """What says of a value what is wrong with it, in words. A schema that is itself wrong finds no fault, even where
    that shows only at a value: what a ``$ref`` leads to may be no schema at all, and may break the library anyhow."""
    if not isinstance(schema, dict):
        return _no_fault
    try:
        kind = validator_for(schema, default=Draft202012Validator)
        kind.check_schema(schema)
    except Exception:  # noqa: BLE001  SchemaError most of the time; see above
        return _no_fault
    validator = kind(schema, registry=Registry())

    def check(value: Any) -> str | None:
        try:
            fault = next(validator.iter_errors(value), None)
        except Exception:  # noqa: BLE001  of the kinds: re.error, UnknownType, AttributeError, OverflowError, ...
            return None
        return None if fault is None else f"{fault.json_path}: {fault.message}"[:_LONGEST]

    return check


def _no_fault(value: Any) -> None:
    return None
