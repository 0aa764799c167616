"""What is wrong with a configuration file: every fault with its line and key, in one error."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from nightschool.errors import ConfigError

_MOST_LINES = 40
_LONGEST_KEY = 120

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """``line`` and ``column`` count from 1; ``column`` is known for syntax errors only."""

    line: int | None
    key: str
    message: str
    column: int | None = None

    def text(self, file: str) -> str:
        """``nightschool.yaml:7: workloads.pii.whn: unknown key; did you mean 'when'?``"""
        place = ":".join(str(part) for part in (file, self.line, self.column) if part is not None)
        return ": ".join(part for part in (place, self.key, self.message) if part)


class InvalidConfig(ConfigError):
    """The file was read, but it cannot be used; ``faults`` come in the order of their lines."""

    def __init__(self, file: Path, faults: Iterable[Fault]) -> None:
        self.file = file
        self.faults = tuple(sorted(faults, key=lambda fault: (fault.line or 0, fault.column or 0, fault.key)))
        count = "1 problem" if len(self.faults) == 1 else f"{len(self.faults)} problems"
        lines = [f"  {fault.text(str(file))}" for fault in self.faults[:_MOST_LINES]]
        if len(self.faults) > _MOST_LINES:
            lines.append(f"  … and {len(self.faults) - _MOST_LINES} more")
        super().__init__("\n".join([f"the configuration has {count}:", *lines]))


def dotted(key: KeyPath) -> str:
    """``("record", "redact", 0, "with")`` -> ``record.redact[0].with``"""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in key]
    return brief("".join(parts).removeprefix("."), _LONGEST_KEY)


def brief(text: str, longest: int = 300) -> str:
    """Cut where it is longer than anybody would read."""
    return text if len(text) <= longest else f"{text[:longest]}…"
