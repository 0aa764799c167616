"""Conversation -> prompt text, assistant message -> completion text, both by the template of a format.

The environment has the settings and the ``tojson`` of the one in transformers, which is what vLLM renders with. A
completion is written by the macro that writes the earlier turns of a prompt, so the two cannot differ.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NoReturn

from jinja2 import Template, TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from nightschool.formats.canonical import canonical_message, canonical_messages, canonical_tools
from nightschool.formats.format import Format


def render_prompt(
    messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]] | None, format: Format
) -> str:
    """The text that the student is given, up to and with the header of its answer.

    It is complete: tokenize it with special tokens parsed and without adding any. ``Unrenderable`` if something in it
    has no place in the format.
    """
    return _template(format).render(
        messages=canonical_messages(messages), tools=canonical_tools(tools), add_generation_prompt=True
    )


def render_completion(message: Mapping[str, Any], format: Format) -> str:
    """The text that the student is to write, without ``format.end_of_turn``; ``Unrenderable`` if it cannot."""
    return str(_macros(format).completion(canonical_message(message)))


@cache
def _macros(format: Format) -> Any:
    return _template(format).make_module({"messages": []})


@cache
def _template(format: Format) -> Template:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise
    return environment.from_string(format.template)


def _to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _raise(problem: str) -> NoReturn:
    raise TemplateError(problem)
