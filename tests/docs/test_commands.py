"""Every command in the documents can be typed: it exists, and so do its options."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from cli.main import build_app
from tests.docs.documents import DOCUMENTS, ROOT, blocks

TARGET = re.compile(r"^([a-z-]+):.*##", re.MULTILINE)


def command_lines(document: Path, program: str) -> Iterator[list[str]]:
    """The words of every line of a bash block that calls ``program``, comments and pipes cut off."""
    for block in blocks(document, "bash"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == [program]:
                yield words[1 : next((i for i, word in enumerate(words) if word in ("|", ">", "&&")), None)]


def fault_of(words: list[str]) -> str | None:
    """What is wrong with ``nightschool words…``."""
    command: Any = typer.main.get_command(build_app())  # a class of click's, which typer brings with it or not
    while hasattr(command, "commands"):
        name = words.pop(0) if words else ""
        found = command.commands.get(name)
        if found is None:
            return f"no command {name!r} in {command.name}"
        command = found
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    return next((f"{command.name} has no {word}" for word in words if word[:2] == "--" and word not in known), None)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_nightschool_command_in_the_documents_exists(document: Path) -> None:
    assert [fault for words in command_lines(document, "nightschool") if (fault := fault_of(words))] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_target_in_the_documents_exists(document: Path) -> None:
    targets = set(TARGET.findall((ROOT / "Makefile").read_text()))

    assert {word for words in command_lines(document, "make") for word in words} - targets == set()


def test_the_check_of_commands_finds_faults() -> None:
    assert fault_of(["logs", "list"]) is None
    assert fault_of(["logs", "lsit"]) == "no command 'lsit' in logs"
    assert fault_of(["proxy", "--port"]) == "proxy has no --port"
