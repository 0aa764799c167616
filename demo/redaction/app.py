"""An application that redacts, written as anybody writes it: it knows the OpenAI client and nothing else.

OPENAI_BASE_URL=http://127.0.0.1:8080/v1 python -m demo.redaction.app --texts made --count 200
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import openai

from demo.redaction.request import found_in, request_for
from demo.redaction.text import Entity, Text, read_presidio, types_of


def redact_all(
    client: openai.OpenAI, texts: Iterable[Text], types: Sequence[str]
) -> Iterator[tuple[Text, tuple[Entity, ...] | None]]:
    """Ask for one text after the other; None where the answer is no call of the tool."""
    for text in texts:
        answer = client.chat.completions.create(**request_for(text.text, types))
        yield text, found_in(answer.choices[0].message.model_dump())


def chosen_texts(source: str, count: int | None) -> tuple[list[Text], tuple[str, ...]]:
    """``made``, or the path of a presidio file -> the texts, and the types that they may hold."""
    if source == "made":
        from demo.redaction.made import TYPES, made_texts  # faker is wanted for these only

        return made_texts(count or 1_000), TYPES
    texts = read_presidio(Path(source))
    return texts[:count], types_of(texts)


def main() -> None:
    """Redact the texts through whatever answers at OPENAI_BASE_URL, and print how often the tool was called."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", default="made", help="made (with faker), or a file of presidio-research")
    parser.add_argument("--count", type=int, help="so many of them")
    arguments = parser.parse_args()
    texts, types = chosen_texts(arguments.texts, arguments.count)
    answers = [found for _, found in redact_all(openai.OpenAI(), texts, types)]
    print(f"{len(answers):,} texts, {sum(found is not None for found in answers):,} answered with a call of the tool")


if __name__ == "__main__":
    main()
