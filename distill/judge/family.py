"""Names of models -> the family that they are of: judges prefer the answers of their relatives."""

from __future__ import annotations

import re
from collections.abc import Iterable

_FAMILIES = {
    "gpt": r"(chat)?gpt|o\d(-|$)|davinci|text-",
    "claude": r"claude",
    "gemini": r"gemini|gemma|palm|bison",
    "llama": r"(meta-)?llama|codellama",
    "qwen": r"qwen|qwq|qvq",
    "mistral": r"mi[sx]tral|ministral|codestral|magistral|devstral",
    "deepseek": r"deepseek",
    "command": r"command|aya|c4ai",
    "grok": r"grok",
    "phi": r"phi",
    "smollm": r"smollm",
}


def family_of(model: str) -> str:
    """``gpt`` for ``openai/gpt-4o-2024-08-06``; of a model that is not known the letters that its name begins with."""
    name = model.lower().rsplit("/", 1)[-1].removeprefix("ft:")
    for family, pattern in _FAMILIES.items():
        if re.match(pattern, name):
            return family
    return re.split(r"[^a-z]", name, maxsplit=1)[0] or name


def relatives(judge: str, models: Iterable[str]) -> list[str]:
    """Those of ``models`` that are of the judge's family."""
    return sorted(model for model in set(models) if family_of(model) == family_of(judge))
