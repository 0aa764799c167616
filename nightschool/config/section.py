"""The base of every section: frozen, unknown keys refused, and all of its faults reported at once.

pydantic checks rules between fields only when every field is good. Here both run, so that a person who mends a file
sees every fault in one go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Annotated, Any, NamedTuple, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, WrapSerializer, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from nightschool.config.sentence import nearest, sentence
from nightschool.config.values import Name

T = TypeVar("T")

NamedMap = Annotated[
    Mapping[Name, T],
    AfterValidator(MappingProxyType),
    WrapSerializer(lambda given, handler: handler(dict(given))),
]
"""A read-only map from slugs to ``T``, in the order of the file."""

TextMap = Annotated[
    Mapping[str, T],
    AfterValidator(MappingProxyType),
    WrapSerializer(lambda given, handler: handler(dict(given))),
]
"""The same with any text as keys."""


class Broken(NamedTuple):
    """A rule that a section breaks: where (relative to the section), and what to do."""

    where: tuple[str | int, ...]
    message: str


class Section(BaseModel):
    """One part of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True)

    @classmethod
    def keys(cls) -> list[str]:
        """As they are written in the file."""
        return [field.alias or name for name, field in cls.model_fields.items()]

    @classmethod
    def broken_rules(cls, given: Mapping[str, Any]) -> Iterable[Broken]:
        """Rules between keys, as far as ``given`` (unchecked) breaks them."""
        return ()

    @model_validator(mode="wrap")
    @classmethod
    def all_faults_at_once(cls, given: Any, handler: Callable[[Any], Self]) -> Self:
        broken = [_detail(*rule) for rule in cls.broken_rules(given)] if isinstance(given, Mapping) else []
        try:
            section = handler(given)
        except ValidationError as error:
            broken = [*_said(error, cls.keys()), *broken]
        if broken:
            raise ValidationError.from_exception_data(cls.__name__, broken, hide_input=True)
        return section


def _said(error: ValidationError, keys: list[str]) -> list[InitErrorDetails]:
    """Without `x is missing` where a misspelt x is there: one mistake, one fault."""
    faults = error.errors(include_url=False)
    meant = {nearest(str(fault["loc"][-1]), keys) for fault in faults if fault["type"] == "extra_forbidden"}
    misspelt = [fault for fault in faults if fault["type"] == "missing" and fault["loc"][-1] in meant]
    said = [(fault["loc"], sentence(fault, keys)) for fault in faults if fault not in misspelt]
    return [_detail(where, message) for where, message in said if message]


def _detail(where: tuple[str | int, ...], message: str) -> InitErrorDetails:
    """``message`` may hold braces; without a context pydantic leaves them alone."""
    return InitErrorDetails(type=PydanticCustomError("fault", message), loc=where, input=None)
