"""What a client does, piece by piece: functions whose outcomes are printed as JSON.

It runs in environments without nightschool, so it needs nothing but the standard library.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import inspect
import json
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

Behaviour = Callable[[], Any]


class Behaviours:
    """Those of one client, in the order of their definition; a behaviour's name is its function's in words."""

    def __init__(self, client: str, distribution: str) -> None:
        self._client = client
        self._distribution = distribution
        self._functions: dict[str, Behaviour] = {}

    def __call__(self, function: Behaviour) -> Behaviour:
        """Decorate a function, plain or async, that returns what the client has seen; what it raises is a failure."""
        self._functions[function.__name__.replace("_", " ")] = function
        return function

    def run(self) -> None:
        """Do all of them, and print their outcomes."""
        _say({"client": self._client, "version": importlib.metadata.version(self._distribution)})
        for name, function in self._functions.items():
            try:
                outcome = function()
                _say({"behaviour": name, "outcome": asyncio.run(outcome) if inspect.iscoroutine(outcome) else outcome})
            except Exception:  # noqa: BLE001  the others are still to be seen
                _say({"behaviour": name, "fault": traceback.format_exc()})


def raised(call: Callable[[], Any]) -> dict[str, Any]:
    """What ``call`` raises; it is a fault when it raises nothing."""
    try:
        result = call()
    except Exception as error:  # noqa: BLE001  any kind is an outcome
        return described(error)
    raise AssertionError(f"nothing was raised, but returned: {result!r}")


async def raised_async(call: Awaitable[Any]) -> dict[str, Any]:
    """The same for something to await."""
    try:
        result = await call
    except Exception as error:  # noqa: BLE001  any kind is an outcome
        return described(error)
    raise AssertionError(f"nothing was raised, but returned: {result!r}")


def described(error: Exception) -> dict[str, Any]:
    """An error as a program can tell it from others."""
    seen = {name: getattr(error, name, None) for name in ("status_code", "code", "type", "param", "body")}
    return {"raised": type(error).__name__, "message": str(error), **seen}


def headers(values: Any) -> dict[str, str]:
    """Response headers but nightschool's own, which are documented to be added."""
    return {name.lower(): value for name, value in sorted(values.items()) if not name.startswith("x-nightschool-")}


def _say(line: dict[str, Any]) -> None:
    print(json.dumps(line, default=_plain, ensure_ascii=False), flush=True)


def _plain(value: Any) -> Any:
    """What JSON does not know: a model by its members, anything else by its text."""
    return value.model_dump(mode="json", warnings=False) if hasattr(value, "model_dump") else str(value)
