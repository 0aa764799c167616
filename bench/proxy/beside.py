"""Results -> one column for each peer, for whoever asks what else could be had."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from bench.figure import Figure, Sheet, Spread
from bench.proxy import losses, memory
from bench.proxy.figures import MIB, number, spread
from bench.proxy.figures import Figure as Line
from bench.proxy.peer import DIRECT, NIGHTSCHOOL
from bench.proxy.results import Results
from bench.proxy.rounds import PLAIN, STREAMS, Load, Window
from bench.proxy.starters import KEEPS, NAMES

TITLE = "Every peer on the same load, in the same interleaved run, pinned to the same core: median (lowest-highest)"
NOTES = (
    "Each proxy forwards everything with one worker.",
    "32 streams are 6,400 events a second; the first-token time of a peer that cannot carry them is that of its queue.",
    "TensorZero is the gateway that its Python package starts inside of a process: its own HTTP server, in Rust. No "
    "Python and no server of ours is on a request's way.",
    "Portkey is installed with `@hono/node-server` 1.14.1: with the newest, each of its streams is a 500.",
    "FastAPI + httpx is bench/proxy/afternoon.py, what a competent developer writes in an afternoon.",
    "A record is lost when an answer has reached its client whole and the store does not hold it whole afterwards; "
    f"{losses.CLIENTS} clients ask, half of the answers are streamed. kill -9 strikes all processes of a proxy at "
    "once, SIGTERM the one that was started, both while the clients ask.",
    f"The slow disk holds up every write and every sync of the store by {losses.HOLD_MS} ms (bench/proxy/slow_disk.c).",
)


def peers_sheet(results: Results) -> Sheet:
    """Peers that are missing have a column, too, which says so; why stands in the notes."""
    shown = _shown(results)
    rows = [[name, *(cell(peer) for peer in shown)] for name, cell in _rows(results)]
    return Sheet(TITLE, ["", *shown], rows)


def notes(results: Results) -> list[str]:
    """How the peers were run, and which could not be."""
    return [*NOTES, *(f"{name}: {why}" for name, why in results.missing.items())]


def loss_figures(results: Results) -> Iterator[Figure]:
    """What nightschool itself is held to: what a client has, its store has."""
    for loss in results.losses:
        if loss.peer == NIGHTSCHOOL and loss.trouble != losses.FAST:
            often = f", {loss.rounds} times" if loss.rounds > 1 else ""
            lost = f"{loss.lost:,} of {loss.acknowledged:,} acknowledged"
            yield Figure(f"records lost: {loss.trouble}{often}", lost, "0", loss.lost == 0)
            yield Figure(f"records doubled: {loss.trouble}{often}", f"{loss.doubled:,}", "0", loss.doubled == 0)


def _shown(results: Results) -> list[str]:
    """Ours first, the others in the order in which they are known."""
    there = {window.peer for window in results.windows} | {each.peer for each in results.standing}
    there |= {loss.peer for loss in results.losses} | results.missing.keys()
    return [name for name in NAMES.values() if name in there]


Row = tuple[str, Callable[[str], str]]


def _rows(results: Results) -> Iterator[Row]:
    yield "version", lambda peer: results.versions.get(peer, "-")
    yield "records meanwhile", lambda peer: KEEPS[peer]
    yield from _costs(results, "CPU ms per request, 32 connections", PLAIN, lambda w: w.cpu_per_exchange_s * 1e3)
    yield from _costs(results, "CPU µs per event, 32 streams", STREAMS, lambda w: w.cpu_per_event_s * 1e6)
    for quantile, index in (("median", 0), ("99th percentile", 1)):
        yield f"first token, ms later than direct, {quantile}", _later(results, index)
    yield (
        "requests/s, 32 connections, one core",
        lambda peer: spread(results.values(peer, PLAIN, lambda w: w.exchanges / w.wall_s)) or "-",
    )
    yield from _standing(results)
    for trouble in (losses.KILL, losses.TERM, losses.SLOW):
        yield f"records lost: {trouble}", _lost(results, trouble)
    for trouble in (losses.FAST, losses.SLOW):
        yield f"answers/s, {losses.CLIENTS} clients, {trouble}", _rate(results, trouble)
        yield f"plain answers, ms, median / 99th percentile, {trouble}", _taken(results, trouble)


def _costs(results: Results, name: str, load: Load, of: Callable[[Window], float]) -> Iterator[Row]:
    ours = results.values(NIGHTSCHOOL, load, of)

    def times_ours(peer: str) -> str:
        theirs = results.values(peer, load, of)
        return f"{spread(theirs.over(ours))} x" if theirs and ours and peer != NIGHTSCHOOL else "-"

    yield name, lambda peer: spread(results.values(peer, load, of)) or "-"
    yield "  of nightschool's, within a round", times_ours


def _later(results: Results, index: int) -> Callable[[str], str]:
    def first(window: Window) -> float:
        return window.first_ms[index]

    direct = results.values(DIRECT, STREAMS, first)

    def cell(peer: str) -> str:
        values = results.values(peer, STREAMS, first)
        return spread(values.minus(direct)) if values else "-"

    return cell


def _standing(results: Results) -> Iterator[Row]:
    found = {each.peer: each for each in results.standing}

    def of(shown: Callable[[memory.Standing], str]) -> Callable[[str], str]:
        return lambda peer: shown(found[peer]) if peer in found else "-"

    yield f"streams open at once, of {memory.OPEN_STREAMS:,}", of(lambda each: f"{each.streams:,}")
    yield "  memory of what forwards them, MiB", of(lambda each: number(each.workers_bytes / MIB))
    yield "  with its other processes, MiB", of(lambda each: number(each.all_bytes / MIB))


def _of_loss(results: Results, trouble: str, shown: Callable[[losses.Loss], str]) -> Callable[[str], str]:
    found = {loss.peer: loss for loss in results.losses if loss.trouble == trouble}
    return lambda peer: shown(found[peer]) if peer in found else "-"


def _lost(results: Results, trouble: str) -> Callable[[str], str]:
    def shown(loss: losses.Loss) -> str:
        late = "" if loss.ended else " (killed a minute after SIGTERM)"
        return f"{loss.lost:,} of {loss.acknowledged:,}{late}"

    return _of_loss(results, trouble, shown)


def _rate(results: Results, trouble: str) -> Callable[[str], str]:
    return _of_loss(results, trouble, lambda loss: number(loss.per_s))


def _taken(results: Results, trouble: str) -> Callable[[str], str]:
    return _of_loss(results, trouble, lambda loss: " / ".join(map(number, loss.plain_ms)))


def held(lines: Iterable[Line]) -> Iterator[Figure]:
    """Lines with a target, each under a name of its own: one that is indented belongs to the line above."""
    above = ""
    for line in lines:
        name = f"{above}: {line.name.strip()}" if line.name.startswith(" ") else line.name
        above = above if line.name.startswith(" ") else line.name
        if line.target:
            value = "; ".join(filter(None, (line.nightschool, line.ratio)))
            spread_of = Spread.of(line.rounds) if line.rounds else None
            yield Figure(name, value, line.target, line.met, spread=spread_of)
