"""``${NAME}`` in the file -> the variable's value, in the three places where a secret may stand.

No message ever repeats a value: what was written instead of a reference may be the secret itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from nightschool.config.faults import KeyPath
from nightschool.config.headers import SECRET_NAME

REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_UNFIT = re.compile(r"[^\x20-\x7e]")
_NOT_HERE = "must not stand in the file: put it into an environment variable and write ${NAME}"

Complaint = tuple[KeyPath, str]


def with_secrets(value: Any, env: Mapping[str, str], complaints: list[Complaint], key: KeyPath = ()) -> Any:
    """``value`` with every reference replaced; what cannot be replaced stays, and says why in ``complaints``."""
    if isinstance(value, dict):
        return {name: with_secrets(inner, env, complaints, (*key, name)) for name, inner in value.items()}
    if isinstance(value, list):
        return [with_secrets(inner, env, complaints, (*key, index)) for index, inner in enumerate(value)]
    if value is None:
        return None
    found = list(_faults(key, str(value), env))
    complaints.extend((key, message) for message in found)
    if found:
        return "${}"  # stands in for a value that no later message may show
    return REFERENCE.sub(lambda match: env[match[1]], value) if isinstance(value, str) else value


def _faults(key: KeyPath, text: str, env: Mapping[str, str]) -> Iterator[str]:
    names = REFERENCE.findall(text)
    in_upstream = len(key) >= 3 and key[0] == "upstreams"
    if (in_upstream and key[2:] == ("api_key",)) or key == ("notify", "webhook"):
        if not REFERENCE.fullmatch(text):
            yield _NOT_HERE
            return
    elif in_upstream and key[2] == "headers" and len(key) == 4:
        if SECRET_NAME.search(str(key[3])) and not names:
            yield f"is named like a secret, so it {_NOT_HERE}"
        elif "${" in REFERENCE.sub("", text):
            yield "has a ${ that is not of the form ${NAME}; nothing else is replaced"
    elif "${" in text:
        yield (
            r"holds ${, but only api_key and headers of an upstream may, and notify.webhook; "
            r"a regular expression can say \$\{"
        )
        return
    yield from filter(None, (_unusable(name, env.get(name)) for name in names))


def _unusable(name: str, value: str | None) -> str | None:
    if value is None:
        return f"the environment variable {name} is not set; export it before the start"
    if not value:
        return f"the environment variable {name} is empty; export it before the start"
    if _UNFIT.search(value) or value != value.strip():
        return f"the environment variable {name} holds a line break, a space at an end, or what no header can carry"
    return None
