"""Student formats: one rendering of a conversation, for training and for serving.

    messages, tools ── canonical ──> template file ──> prompt text       (vLLM renders the same file)
    assistant message ─ canonical ─> the same file ──> completion text ──> parse ──> assistant message

No torch and no tokenizer: a format is text, and what its template writes is all that a model ever sees.
"""

from nightschool.formats.canonical import canonical_message, canonical_messages, canonical_tools, served_messages
from nightschool.formats.family import format_for
from nightschool.formats.format import CHATML, FORMATS, LLAMA3, Format
from nightschool.formats.parser import parse, unguarded
from nightschool.formats.render import render_completion, render_prompt

__all__ = [
    "CHATML",
    "FORMATS",
    "LLAMA3",
    "Format",
    "canonical_message",
    "canonical_messages",
    "canonical_tools",
    "format_for",
    "parse",
    "render_completion",
    "render_prompt",
    "served_messages",
    "unguarded",
]
