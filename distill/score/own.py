"""``package.module:function``: a user's own Python.

The function gets the question, the answer (or None) and the reference as plain dictionaries and returns a number from 0
to 1. Whatever else it does is counted as a problem, never taken for a score.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from importlib import import_module
from math import nan
from pathlib import Path
from typing import Any

import msgspec

from distill.score.scorer import NOT_A_NUMBER, SCORER_FAILED, Message, Question, Scored, problem
from nightschool.digest import digest_of
from nightschool.errors import NightschoolError


class UnknownScorer(NightschoolError):
    """No scorer has this name, or a user's function cannot be found."""


class OwnScorer:
    """A function by its import path."""

    def __init__(self, path: str) -> None:
        self.name = path
        self._function = _find(path)

    def __call__(self, question: Question, answer: Message | None, reference: Message) -> Scored:
        try:
            value = self._function(msgspec.to_builtins(question), answer, reference)
        except Exception as error:  # noqa: BLE001  it is not our code: it may raise anything, and one row must not end a run
            return Scored(0.0, problem(SCORER_FAILED, f"{type(error).__name__}: {error}"))
        number = _number(value)
        if not 0 <= number <= 1:
            return Scored(0.0, problem(NOT_A_NUMBER, f"it returned {value!r}, not a number from 0 to 1"))
        return Scored(number)

    @property
    def source_hash(self) -> str | None:
        """Of the file that the function is written in; None where it is in none, as what is compiled."""
        file = _file_of(self._function, self.name.partition(":")[0])
        return digest_of(file) if file is not None and file.is_file() else None


def identity_of(scorer: str) -> str | list[str | None]:
    """Its name; of a user's function what it does, too, which may change under one name. Raises UnknownScorer."""
    return [scorer, OwnScorer(scorer).source_hash] if ":" in scorer else scorer


def _number(value: Any) -> float:
    """NaN for what is no number; numpy's numbers and booleans are."""
    try:
        return nan if isinstance(value, str | bytes) else float(value)
    except (TypeError, ValueError, OverflowError):
        return nan


def _file_of(function: Callable[..., Any], module: str) -> Path | None:
    """An object that can be called has no file of its own: that of the module by which it is named stands in."""
    try:
        name = inspect.getsourcefile(inspect.unwrap(function))
    except TypeError:
        name = getattr(sys.modules[module], "__file__", None)
    return None if name is None else Path(name)


def _find(path: str) -> Callable[..., Any]:
    module, _, name = path.partition(":")
    try:
        function: Any = import_module(module)
        for part in name.split("."):
            function = getattr(function, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise UnknownScorer(
            f"the scorer {path!r} cannot be imported: {error}",
            remedy="write it as package.module:function, installed where nightschool is, or in a folder of PYTHONPATH",
        ) from error
    if not callable(function):
        raise UnknownScorer(
            f"the scorer {path!r} is no function but {type(function).__name__}", remedy="name a function"
        )
    return function  # type: ignore[no-any-return]  # checked by hand
