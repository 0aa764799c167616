"""A text without what its writer may choose: as the Berkeley function-calling leaderboard compares texts.

Case and the characters `` ,./-_*^`` do not count, unless they may belong to a number: $12.50 is not $1250, -5 is not 5,
and 1/11 is not 11/1. No two numbers in the same place of a text have the same plain form.
"""

from __future__ import annotations

import re

_IGNORED = re.compile(r"[ ,./\-_*^]+")
_YEAR_FIRST = re.compile(r"(?<!\d)(\d{4})([-./])(\d\d?)\2(\d\d?)(?!\d)")
_BLANKS = re.compile(" +")


def same_when_plain(value: str, reference: str) -> bool:
    """Whether two texts say something, and the same; dates that begin with the year, with ``-``, ``.`` or ``/``."""
    if _bare(value) != _bare(reference):  # nearly all are told apart by this, and it is fast
        return False
    form = _plain(value)
    return bool(form) and form == _plain(reference)


def _bare(text: str) -> str:
    return _IGNORED.sub("", text).lower().replace("'", '"')


def _plain(text: str) -> str:
    return _IGNORED.sub(_kept, _YEAR_FIRST.sub(r"\1/\3/\4", text)).lower().replace("'", '"')


def _kept(run: re.Match[str]) -> str:
    """What counts of some characters that else do not."""
    found, text = run[0], run.string
    start, end = run.span()
    before, after = text[max(start - 1, 0) : start], text[end : end + 1]
    if before.isdecimal() and after.isdecimal():
        return _BLANKS.sub(" ", found)
    signs = "-" * found.count("-")
    if after.isdecimal():
        return signs + _point(found, before)
    if found == "-" and before.isalnum() and after.isalpha():  # New-York, 5-star
        return ""
    is_sign = found[-1] == "-" or not before or (found[0] == "-" and before.isdecimal())  # -$5, - EUR 5, 5.00- EUR
    return signs if is_sign else ""


def _point(found: str, before: str) -> str:
    """Of .5 and $.50; that of No.5 is none."""
    return found[-1] if found[-1] in ".," and (len(found) > 1 or not before.isalpha()) else ""
