"""How many records are lost of exchanges whose answers have reached their clients: after kill -9, after SIGTERM, and
while the disk is slow.

start -> clients that ask -> kill, end, or wait -> what was acknowledged, beside what the store holds whole
"""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles

import msgspec

from bench.proxy.acknowledged import clients_of
from bench.proxy.child import Child
from bench.proxy.failure import BenchFailure
from bench.proxy.peer import Peer, Records
from bench.proxy.slow_disk import slow_disk
from bench.proxy.starters import RECORDING, STARTS, Place

KILL, TERM, SLOW, FAST = "kill -9", "SIGTERM", "slow disk", "usual disk"
CLIENTS = 32
HOLD_MS = 50
"""Of every write and sync while the disk is slow: a network disk on a bad day."""
_ENDS_WITHIN_S = 60.0
_ASKED_S = 8.0


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """Of one peer in one kind of trouble."""

    peer: str
    trouble: str
    rounds: int
    acknowledged: int
    """Answers that reached their clients whole."""
    found: int
    """Those of them that the store holds whole."""
    doubled: int
    """Records that are there more than once."""
    per_s: float
    """Answers a second."""
    plain_ms: tuple[float, float]
    """Time of plain answers: median and 99th percentile."""

    ended: bool = True
    """Within a minute of SIGTERM; else it was killed then."""

    @property
    def lost(self) -> int:
        return self.acknowledged - self.found


def recording(names: Sequence[str]) -> list[str]:
    """Those that keep what they answered, without a database server."""
    return [name for name in names if name in RECORDING]


def measure(place: Place, name: str, *, folder: Path, rounds: int, say: Callable[[str], None]) -> Iterator[Loss]:
    """One peer that records, in every trouble."""
    for trouble in (KILL, TERM, FAST, SLOW):
        times = rounds if trouble in (KILL, TERM) else 1
        say(f"records of {name}: {trouble}, {times} times" if times > 1 else f"records of {name}: {trouble}")
        yield _loss(place, name, trouble, folder=folder / trouble.replace(" ", "-"), rounds=times)


def _loss(place: Place, name: str, trouble: str, *, folder: Path, rounds: int) -> Loss:
    acknowledged = found = doubled = 0
    taken: list[float] = []
    asking_s, ended = 0.0, True
    chance = random.Random(trouble)
    for number in range(rounds):
        where = folder / str(number)
        where.parent.mkdir(parents=True, exist_ok=True)
        env = slow_disk(where / "data", hold_ms=HOLD_MS, folder=folder) if trouble == SLOW else {}
        with ExitStack() as stack:
            peer = STARTS[name](stack, place, where, env)
            records = _records(peer)
            begun = time.monotonic()
            with clients_of(peer, records.header, count=CLIENTS) as clients:
                time.sleep(chance.uniform(1, 3) if trouble in (KILL, TERM) else _ASKED_S)
                asking_s += time.monotonic() - begun
                if trouble == KILL:
                    _child(peer).kill()
                elif trouble == TERM:
                    ended &= _ends(peer)
            if trouble in (FAST, SLOW):
                ended &= _ends(peer)
        stored = records.stored()
        ids = set(clients.acknowledged)
        acknowledged, found = acknowledged + len(ids), found + len(ids & stored.keys())
        doubled += sum(count > 1 for count in stored.values())
        taken += clients.taken_s
    return Loss(
        peer=peer.name,
        trouble=trouble,
        rounds=rounds,
        acknowledged=acknowledged,
        found=found,
        doubled=doubled,
        per_s=acknowledged / asking_s,
        plain_ms=_quantiles_ms(taken),
        ended=ended,
    )


def _records(peer: Peer) -> Records:
    if peer.records is None:
        raise BenchFailure(f"{peer.name} keeps nothing that could be lost")
    return peer.records


def _child(peer: Peer) -> Child:
    assert peer.child is not None  # of those that record, each was started here
    return peer.child


def _ends(peer: Peer) -> bool:
    """SIGTERM, and time to put away what it holds; False when that was not enough, and it was killed."""
    child = _child(peer)
    child.popen.terminate()
    try:
        child.popen.wait(_ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        child.kill()
        return False
    return True


def _quantiles_ms(taken: list[float]) -> tuple[float, float]:
    if len(taken) < 2:
        return (0.0, 0.0)
    return median(taken) * 1e3, quantiles(taken, n=100)[98] * 1e3
