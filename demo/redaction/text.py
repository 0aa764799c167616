"""A text, and the personal data that is truly in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from nightschool.errors import NightschoolError


class TextFileError(NightschoolError):
    """A file is not what presidio-research writes."""


class Entity(NamedTuple):
    """One piece of personal data."""

    type: str
    value: str


@dataclass(frozen=True, slots=True)
class Text:
    """One message to redact."""

    id: str
    template: str
    """Texts of one template differ in their data only."""
    text: str
    entities: tuple[Entity, ...]
    """In the order of the text, each once however often it stands there."""


class _Span(msgspec.Struct):
    entity_type: str
    entity_value: str
    start_position: int


class _Row(msgspec.Struct):
    full_text: str
    spans: list[_Span]
    template_id: int


def read_presidio(path: Path) -> list[Text]:
    """The rows of a file of presidio-research (``synth_dataset_v2.json``); a text that comes again is left out."""
    try:
        rows = msgspec.json.decode(path.read_bytes(), type=list[_Row])
    except (OSError, msgspec.DecodeError) as error:
        raise TextFileError(
            f"{path} cannot be read: {error}", remedy="give the path of presidio-research's data/synth_dataset_v2.json"
        ) from error
    first = {row.full_text: number for number, row in reversed(list(enumerate(rows)))}
    return [_text(number, row) for number, row in enumerate(rows) if first[row.full_text] == number]


def types_of(texts: list[Text]) -> tuple[str, ...]:
    """Every type of data in the texts, sorted."""
    return tuple(sorted({entity.type for text in texts for entity in text.entities}))


def _text(number: int, row: _Row) -> Text:
    spans = sorted(row.spans, key=lambda span: span.start_position)
    entities = dict.fromkeys(Entity(span.entity_type, span.entity_value) for span in spans)
    return Text(f"presidio-{number}", f"presidio-{row.template_id}", row.full_text, tuple(entities))
