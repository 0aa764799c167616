"""Results and causes -> the document: missed targets first, then every benchmark with its figures.

Pure text: what it says of a machine is its processor, cores, memory and kernel, never its name or its folders.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bench.figure import Figure, Sheet, Spread
from bench.proxy.figures import number
from bench.proxy.machine import Machine
from bench.suite.catalog import Benchmark
from bench.suite.causes import Causes, Missed
from bench.suite.result import Result

_NOT_EXPLAINED = "not explained yet"
_MET = {True: "met", False: "**missed**", None: ""}
_QUICK = "> A quick run: it shows that everything works. Its figures claim nothing.\n"
_HOW = """\
## How to repeat

```bash
make bench                              # hours; what has a result of the same code is not run again
make bench-distill                      # days; `make bench` only reads its results
make bench ARGS="--only store --only gate"   # some of it
make bench ARGS="--again"               # although there are results
make bench ARGS="--from-json"           # this document again, from bench/results/*.json and bench/causes.yaml
```

Figures of two machines cannot be compared; the ratios of one interleaved run can, with care. Nothing else should run
on the machine meanwhile: the load average before each benchmark is told beside its date.
"""


class Entry(NamedTuple):
    """A benchmark with its newest result, if there is one, and why there is none, or none that is newer."""

    benchmark: Benchmark
    result: Result | None
    failure: str = ""

    @property
    def figures(self) -> Sequence[Figure]:
        """None without a result."""
        return self.result.measured.figures if self.result and self.result.measured else []


def missed(entries: Sequence[Entry]) -> list[tuple[Entry, Figure]]:
    """In the order of the document."""
    return [(entry, figure) for entry in entries for figure in entry.figures if figure.met is False]


def page(entries: Sequence[Entry], causes: Causes) -> str:
    """The whole document."""
    machines = _machines(entries)
    parts = [
        "# What was measured\n",
        "Written by `make bench` from [results/](results) and [causes.yaml](causes.yaml); edit those.\n",
        *([_QUICK] if any(entry.result and entry.result.quick for entry in entries) else []),
        _missed(entries, causes),
        *_not_measured(entries),
        _machine_list(machines),
        *(_section(entry, machines) for entry in entries if entry.result is not None),
        _HOW,
    ]
    return "\n".join(parts)


def _missed(entries: Sequence[Entry], causes: Causes) -> str:
    held = [figure for entry in entries for figure in entry.figures if figure.met is not None]
    found = missed(entries)
    lines = ["## Missed targets\n", f"{len(found)} of {len(held)} targets are missed.", *([""] if found else [])]
    for place, (entry, figure) in enumerate(found, start=1):
        cause = causes.of(Missed(entry.benchmark.name, figure.name))
        lines += [
            f"{place}. **{figure.name.strip()}** ([{entry.benchmark.title}](#{_anchor(entry.benchmark.title)})): "
            f"{_value(figure)}, target {_target(figure)}",
            f"   - cause: {_one_line(cause.cause) if cause else _NOT_EXPLAINED}",
            f"   - what would mend it: {_one_line(cause.mend) if cause else _NOT_EXPLAINED}",
        ]
    return "\n".join(lines) + "\n"


def _not_measured(entries: Sequence[Entry]) -> Iterator[str]:
    lines = []
    for entry in entries:
        if entry.result is None or entry.failure:
            since = f"; below is the run of {entry.result.begun:%Y-%m-%d}" if entry.result else ""
            lines.append(f"- {entry.benchmark.title}: {entry.failure or 'not run yet'}{since}")
        open_targets = [figure for figure in entry.figures if figure.met is None and figure.target != ""]
        lines += [f"- {figure.name.strip()}: {_value(figure)}, target {_target(figure)}" for figure in open_targets]
    if lines:
        yield "\n".join(["## Not measured\n", *lines]) + "\n"


def _machines(entries: Sequence[Entry]) -> list[str]:
    told = [_machine(entry.result.machine) for entry in entries if entry.result is not None]
    return list(dict.fromkeys(told))


def _machine(machine: Machine) -> str:
    memory = f"{machine.memory_bytes / 2**30:.0f} GiB"
    return f"{machine.processor}, {machine.cores} cores, {memory}, Linux {machine.kernel}"


def _machine_list(machines: Sequence[str]) -> str:
    if len(machines) == 1:
        return f"## Machine\n\n{machines[0]}\n"
    return "\n".join(["## Machines\n", *(f"- {_letter(place)}: {told}" for place, told in enumerate(machines))]) + "\n"


def _letter(place: int) -> str:
    return chr(ord("A") + place)


def _section(entry: Entry, machines: Sequence[str]) -> str:
    result = entry.result
    assert result is not None
    assert result.measured is not None
    where = f" on machine {_letter(machines.index(_machine(result.machine)))}" if len(machines) > 1 else ""
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    parts = [
        f"## {entry.benchmark.title}\n",
        f"{result.begun:%Y-%m-%d %H:%M} UTC{where}, commit `{result.code or 'unknown'}`, "
        f"{_duration(result.seconds)}, load average before {result.machine.load_average:.2f}  \n"
        f"`{result.command}`; by itself `make {entry.benchmark.make}`  \n{versions}\n",
        _figures(entry.figures),
        *(_sheet(sheet) for sheet in result.measured.sheets),
        *([f"![{entry.benchmark.title}]({entry.benchmark.picture})\n"] if entry.benchmark.picture else []),
    ]
    if result.measured.notes:
        parts.append("\n".join(f"- {_one_line(note)}" for note in result.measured.notes) + "\n")
    return "\n".join(parts)


def _figures(figures: Sequence[Figure]) -> str:
    if not figures:
        return ""
    heads = ["figure", "measured", "lowest / median / highest (runs)", "target", ""]
    rows = [
        [figure.name, _value(figure), _spread(figure.spread), _target(figure), _MET[figure.met]] for figure in figures
    ]
    return _table(heads, rows)


def _sheet(sheet: Sheet) -> str:
    return f"{sheet.title}\n\n{_table(sheet.heads, sheet.rows)}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [_line(heads), "|" + "---|" * len(heads), *(_line(row) for row in rows)]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(text: str) -> str:
    """A name that is indented in a terminal belongs to the line above."""
    shown = _one_line(text).replace("|", "\\|")
    return f"&nbsp;&nbsp;{shown}" if text.startswith("  ") else shown


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _value(figure: Figure) -> str:
    return _with_unit(figure.value, figure.unit)


def _target(figure: Figure) -> str:
    return _with_unit(figure.target, figure.unit) if figure.target != "" else ""


def _with_unit(value: str | float, unit: str) -> str:
    shown = value if isinstance(value, str) else number(value)
    return f"{shown} {unit}".strip()


def _spread(spread: Spread | None) -> str:
    if spread is None or spread.runs < 2:
        return ""
    return f"{number(spread.lowest)} / {number(spread.median)} / {number(spread.highest)} ({spread.runs})"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _anchor(title: str) -> str:
    """As GitHub makes them of headings."""
    return "".join(letter for letter in title.lower() if letter.isalnum() or letter in " -").replace(" ", "-")
