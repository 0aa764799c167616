"""Results -> the lines of the table, each with what it must reach."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from bench.proxy import memory, scaling
from bench.proxy.peer import DIRECT, LITELLM, NGINX, NIGHTSCHOOL
from bench.proxy.results import Results, Values
from bench.proxy.rounds import MANY_STREAMS, PLAIN, STREAMS, Load, Window

MIB = 1 << 20


@dataclass(frozen=True)
class Figure:
    """One line. A ``target`` of "" is told for completeness; ``met`` is None there, and where a peer is missing."""

    name: str
    nginx: str = ""
    nightschool: str = ""
    litellm: str = ""
    ratio: str = ""
    target: str = ""
    met: bool | None = None
    rounds: Values = field(default_factory=Values)
    """What is held to the target, round by round, where there are rounds."""


def figures(results: Results) -> Iterator[Figure]:
    """All lines in the order of the table."""
    if results.windows:
        yield from _beside_peers(results)
    yield from _by_process(results)
    yield from _memory(results)
    yield from _scaling(results)
    if results.answered:
        whole = results.recorded == results.answered
        count = f"{results.recorded:,} of {results.answered:,}"
        yield Figure("exchanges recorded of those answered", nightschool=count, target="all", met=whole)


def _beside_peers(results: Results) -> Iterator[Figure]:
    """What the interleaved rounds tell."""
    yield from _against(
        results, "CPU ms per request, 32 connections", PLAIN, lambda w: w.cpu_per_exchange_s * 1e3, 5, 100
    )
    yield from _against(results, "CPU µs per event, 32 streams", STREAMS, lambda w: w.cpu_per_event_s * 1e6, 2.5, 30)
    yield from _many_streams(results)
    yield from _first_token(results)
    yield _row(results, "requests/s, 32 connections", PLAIN, lambda w: w.exchanges / w.wall_s)
    yield _row(results, "events/s, 256 streams (51,200 wanted)", MANY_STREAMS, lambda w: w.events / w.wall_s)
    yield _row(results, "share of the proxy's core in use, plain", PLAIN, lambda w: w.cpu_s / w.wall_s)
    yield _row(results, "share of the proxy's core in use, 32 streams", STREAMS, lambda w: w.cpu_s / w.wall_s)


def spread(values: Values) -> str:
    """Median, and lowest to highest where there is more than one."""
    if not values:
        return ""
    middle = number(values.median)
    return middle if len(values) == 1 else f"{middle} ({number(min(values))}-{number(max(values))})"


def number(value: float) -> str:
    """Three significant digits."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:#.3g}" if value else "0"


def _row(results: Results, name: str, load: Load, of: Callable[[Window], float]) -> Figure:
    nginx, ours, litellm = (spread(results.values(peer, load, of)) for peer in (NGINX, NIGHTSCHOOL, LITELLM))
    return Figure(name, nginx, ours, litellm)


def _against(
    results: Results, name: str, load: Load, of: Callable[[Window], float], most_nginx: float, least_litellm: float
) -> Iterator[Figure]:
    """Two lines: so many times nginx at the most, so many times less than LiteLLM at the least."""
    row = _row(results, name, load, of)
    ours, nginx, litellm = (results.values(peer, load, of) for peer in (NIGHTSCHOOL, NGINX, LITELLM))
    target = f"≤ {most_nginx:g} x nginx"
    if ours and nginx:
        ratio = ours.over(nginx)
        met, shown = ratio.median <= most_nginx, f"{spread(ratio)} x"
        yield Figure(name, row.nginx, row.nightschool, row.litellm, shown, target, met, ratio)
    else:
        yield Figure(name, row.nginx, row.nightschool, row.litellm, "not measured", target)
    target = f"≤ 1/{least_litellm:g} of LiteLLM"
    if ours and litellm:
        ratio = litellm.over(ours)
        met, shown = ratio.median >= least_litellm, f"1/{spread(ratio)}"
        yield Figure("  beside LiteLLM", ratio=shown, target=target, met=met, rounds=ratio)
    else:
        yield Figure("  beside LiteLLM", ratio="not measured", target=target)


def _many_streams(results: Results) -> Iterator[Figure]:
    def per_event(window: Window) -> float:
        return window.cpu_per_event_s * 1e6

    row = _row(results, "CPU µs per event, 256 streams", MANY_STREAMS, per_event)
    many, few = (results.values(NIGHTSCHOOL, load, per_event) for load in (MANY_STREAMS, STREAMS))
    if many and few:
        ratio = many.over(few)
        met, shown = ratio.median <= 1, f"{spread(ratio)} x"
        yield Figure(row.name, row.nginx, row.nightschool, "", shown, "≤ 1 x at 32 streams", met, ratio)


def _first_token(results: Results) -> Iterator[Figure]:
    for quantile, index, most_ms in (("median", 0, 3.0), ("99th percentile", 1, 10.0)):

        def first(window: Window, index: int = index) -> float:
            return window.first_ms[index]

        direct = results.values(DIRECT, STREAMS, first)
        nginx, ours, litellm = (
            values.minus(direct) if (values := results.values(peer, STREAMS, first)) else values
            for peer in (NGINX, NIGHTSCHOOL, LITELLM)
        )
        met = ours.median <= most_ms if ours else None
        target, ratio = f"≤ {most_ms:g} ms", f"direct: {spread(direct)}"
        name = f"first token, ms later than direct, {quantile}"
        yield Figure(name, spread(nginx), spread(ours), spread(litellm), ratio, target, met, ours)


def _by_process(results: Results) -> Iterator[Figure]:
    if (grown := results.growth) is None:
        return
    for role, used_s in grown.cpu_s.items():
        name = f"{role}: CPU ms per exchange, 1 in {memory.STEP // memory.STREAMED} streamed"
        yield Figure(name, nightschool=number(used_s / grown.exchanges * 1e3))


def _memory(results: Results) -> Iterator[Figure]:
    if (grown := results.growth) is not None:
        first, last = grown.resident_bytes[0] / MIB, grown.resident_bytes[-1] / MIB
        name = f"worker's memory, {memory.STEP:,}th to {grown.exchanges:,}th exchange"
        change = f"{grown.deviation:+.1%} at most"
        yield Figure(
            name,
            nightschool=f"{first:.1f} → {last:.1f} MiB",
            ratio=change,
            target="± 5 %",
            met=abs(grown.deviation) <= 0.05,
        )
    if (opened := results.open_streams) is not None:
        name = f"worker's memory, {memory.OPEN_STREAMS:,} open streams"
        size = opened.worker_bytes
        yield Figure(name, nightschool=f"{size / MIB:.1f} MiB", target="≤ 150 MB", met=size <= 150e6)
        for role, beside in opened.beside_bytes.items():
            yield Figure(f"{role}'s memory then", nightschool=f"{beside / MIB:.1f} MiB")


def _scaling(results: Results) -> Iterator[Figure]:
    if (found := results.scaling) is None:
        return
    how = "throughput" if found.measured else "with a core for each"
    one, two = (Values(run.rate if found.measured else run.capacity for run in runs) for runs in (found.one, found.two))
    name = f"two workers, {scaling.CONNECTIONS} connections: {how}, requests/s"
    yield Figure(
        name,
        nightschool=f"{number(one.median)} → {number(two.median)}",
        ratio=f"{found.ratio:.2f} x",
        target="≥ 1.7 x",
        met=found.ratio >= 1.7,
    )
    shares = f"{found.busiest_share:.0%} of the CPU time"
    yield Figure("  until the busier worker is full", nightschool=shares, ratio=f"{found.busiest_ratio:.2f} x")
