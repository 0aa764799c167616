"""Whether an answer declines to do what it was asked.

A teacher may say so in a field of its own (``refusal``), and its student learns the words as text: so the text of both
is looked at, too. It is told by its beginning, in English: "I can't help with that", "Sorry, but I am unable to assist
…", "As an AI, I cannot …". An answer that is sorry, and helps, is none; nor is one that could not do some particular
thing ("I cannot find order 7").
"""

from __future__ import annotations

import re

from distill.score.message import calls_of, text_of
from distill.score.scorer import Message

_LOOKED_AT = 300
_REGRET = (
    r"(?:(?:i'm |i am )?(?:very |so |really )?sorry|(?:my )?apologies|i apologi[sz]e|unfortunately"
    r"|as an (?:ai|artificial)\b[^,.]*)\W+(?:but\W+)?"
)
_UNABLE = (
    r"(?:i|we)(?: can't| cannot| can not| won't| will not| (?:am|are) (?:not able|unable) to"
    r"|'(?:m|re) (?:not able|unable) to| (?:must|have to|need to) (?:decline|refuse)(?: to)?)\b"
)
_DEED = (
    r"(?:help|assist|comply|fulfil|engage|discuss|participate|continue with|provide (?:any )?(?:help|assistance)"
    r"|(?:answer|respond to|provide|do|support|generate|create) (?:that|this|so|your)\b|(?:that|this|your) request)"
)
_DECLINES = re.compile(rf"(?:{_REGRET})*{_UNABLE}(?:\W*$|\W+(?:be able to )?{_DEED})", re.IGNORECASE)
_CURLY = str.maketrans({0x2018: "'", 0x2019: "'"})


def is_refusal(message: Message | None) -> bool:
    """A call of a tool is none, whatever is said beside it."""
    if not message:
        return False
    return bool(message.get("refusal")) or (not calls_of(message) and declines(text_of(message)))


def declines(text: str) -> bool:
    """Whether these words do, by their beginning."""
    return _DECLINES.match(text[:_LOOKED_AT].translate(_CURLY).lstrip("\"'*> \n")) is not None
