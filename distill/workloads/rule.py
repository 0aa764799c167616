"""A group -> the conditions that hold for its requests and for no other group's, as YAML.

The conditions that a person would write come first (a tool, a schema, how the system prompt begins); words that tell it
from its neighbours are added where that is not enough. The proxy searches the pattern in every request, so it is made
of literal text and look-aheads from the start, which take linear time whatever the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec
import yaml

from distill.workloads.sample import OPENING_CHARS, Sample

_BLANK = r"^\s*$"


class Rule(msgspec.Struct, frozen=True):
    """Conditions of a workload, as ``when`` takes them."""

    when: dict[str, str]
    also_matches: tuple[str, ...] = ()
    """Groups of which some requests match, too: no condition tells them apart. Their rules have to stand above."""

    def yaml(self, name: str) -> str:
        """The block that goes below ``workloads:``."""
        block = {name: {"when": self.when, "recorded_as": [name]}}
        text: str = yaml.safe_dump(block, sort_keys=False, allow_unicode=True, width=10_000)
        lines = [f"  {line}" for line in text.splitlines()]
        if self.also_matches:
            lines.insert(0, f"  # also matches requests of {', '.join(self.also_matches)}: put this below their rules")
        return "\n".join(lines) + "\n"


class _Pattern(msgspec.Struct, frozen=True):
    """Conditions on the system prompt."""

    opening: str = ""
    wanted: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()
    blank: bool = False

    @property
    def text(self) -> str:
        if self.blank:
            return _BLANK
        if not (self.opening or self.wanted or self.unwanted):
            return ""
        if self.opening and not self.wanted and not self.unwanted:
            return f"^{_literal(self.opening)}"
        if len(self.wanted) == 1 and not self.opening and not self.unwanted:
            return _literal(self.wanted[0])
        wanted = "".join(f"(?=.*{_literal(piece)})" for piece in self.wanted)
        unwanted = "".join(f"(?!.*{_literal(piece)})" for piece in self.unwanted)
        return f"(?s)^{wanted}{unwanted}{_literal(self.opening)}"


def rule_for(own: Sample, others: Mapping[str, Sample]) -> Rule | None:
    """The rule of a group, told from its neighbours; None if the text of its prompts is not recorded."""
    if own.contract.fingerprint is not None:
        return None
    others = {name: other for name, other in others.items() if other.contract.fingerprint is None}
    when = _plain_conditions(own, others)
    pattern = _first_pattern(own)
    left = _left(when, pattern, others)
    if any(other.contract.endpoint != own.contract.endpoint for other in left.values()) or not (when or pattern.text):
        when["path"] = _glob(own.contract.endpoint)
        left = _left(when, pattern, left)
    for name in sorted(left):
        if name in left:
            pattern = _told_apart(pattern, own, left[name])
            left = _left(when, pattern, left)
    if pattern.text:
        when["system_prompt"] = pattern.text
    return Rule(when, tuple(sorted(left)))


def _plain_conditions(own: Sample, others: Mapping[str, Sample]) -> dict[str, str]:
    when: dict[str, str] = {}
    if own.contract.tools:
        offered = [tool for other in others.values() for tool in other.contract.tools]
        when["tool"] = _glob(min(own.contract.tools, key=lambda tool: (offered.count(tool), tool)))
    if own.contract.schema is not None:
        when["schema"] = _glob(own.contract.schema)
    return when


def _first_pattern(own: Sample) -> _Pattern:
    if not any(system.strip() for system in own.systems):
        return _Pattern(blank=True)
    if own.opening:
        return _Pattern(opening=own.opening)
    if not own.stretches:
        return _Pattern()
    piece = own.stretches[0]
    return _Pattern(wanted=(piece if len(piece) <= OPENING_CHARS else piece[:OPENING_CHARS].rsplit(maxsplit=1)[0],))


def _told_apart(pattern: _Pattern, own: Sample, other: Sample) -> _Pattern:
    if (mark := own.mark_against(other)) is not None:
        return msgspec.structs.replace(pattern, wanted=(*pattern.wanted, mark))
    if not pattern.blank and (mark := other.mark_against(own)) is not None:
        return msgspec.structs.replace(pattern, unwanted=(*pattern.unwanted, mark))
    return pattern


def _left(when: Mapping[str, str], pattern: _Pattern, others: Mapping[str, Sample]) -> dict[str, Sample]:
    """Those of which some requests match."""
    searched = re.compile(pattern.text)
    return {
        name: other
        for name, other in others.items()
        if when.get("tool") in (None, *map(_glob, other.contract.tools))
        and when.get("schema") in (None, other.contract.schema and _glob(other.contract.schema))
        and when.get("path") in (None, _glob(other.contract.endpoint))
        and any(map(searched.search, other.systems))
    }


def _glob(text: str) -> str:
    """A glob that matches nothing but this text."""
    return re.sub(r"[*?\[]", r"[\g<0>]", text)


def _literal(piece: str) -> str:
    """A regular expression for this text, whatever white space is in it, as readable as it can be."""
    escaped = re.sub(r"[\\.^$*+?{}\[\]()|]", r"\\\g<0>", piece)
    return re.sub(r"\s+", lambda blank: " " if blank[0] == " " else r"\s+", escaped)
