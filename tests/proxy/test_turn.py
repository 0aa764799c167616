"""At the end of a turn of the event loop the log is written, then what waits for the sockets, in order."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from proxy.turn import MOST_BYTES, Turn


class Told:
    """What happened, in order, on any number of transports."""

    def __init__(self) -> None:
        self.happened: list[Any] = []
        self.turn = Turn(lambda: self.happened.append("log"))

    def transport(self, name: str) -> Noting:
        return Noting(name, self.happened)


class Noting(asyncio.Transport):
    def __init__(self, name: str, happened: list[Any]) -> None:
        super().__init__()
        self.closing = False
        self._name = name
        self._happened = happened

    def write(self, data: Any) -> None:
        self._happened.append((self._name, bytes(data)))

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True
        self._happened.append((self._name, "closed"))


async def test_all_that_is_written_in_a_turn_goes_out_at_its_end_behind_the_log_and_in_order() -> None:
    told = Told()
    one, two = told.transport("one"), told.transport("two")

    told.turn.write(one, b"a")
    told.turn.write(two, b"b")
    told.turn.write(one, b"c")
    told.turn.close(one)

    assert told.happened == []
    await asyncio.sleep(0)
    assert told.happened == ["log", ("one", b"a"), ("two", b"b"), ("one", b"c"), ("one", "closed")]


async def test_the_next_turn_has_an_end_of_its_own() -> None:
    told = Told()
    one = told.transport("one")

    for data in (b"a", b"b"):
        told.turn.write(one, data)
        await asyncio.sleep(0)

    assert told.happened == ["log", ("one", b"a"), "log", ("one", b"b")]


async def test_nothing_is_written_to_a_connection_that_is_being_closed() -> None:
    told = Told()
    one = told.transport("one")
    told.turn.write(one, b"a")
    one.closing = True

    await asyncio.sleep(0)

    assert told.happened == ["log"]


async def test_what_needs_no_log_before_it_goes_out_now_unless_something_waits() -> None:
    told = Told()
    one, two = told.transport("one"), told.transport("two")

    told.turn.write_now(one, b"a")
    assert told.happened == [("one", b"a")]
    told.turn.write(two, b"b")
    told.turn.write_now(two, b"c")
    await asyncio.sleep(0)
    two.closing = True
    told.turn.write_now(two, b"d")

    assert told.happened == [("one", b"a"), "log", ("two", b"b"), ("two", b"c")]


async def test_much_is_written_at_once_so_that_a_slow_reader_is_noticed() -> None:
    told = Told()
    one = told.transport("one")

    told.turn.write(one, b"x" * MOST_BYTES)
    assert told.happened == []
    told.turn.write(one, b"y")

    assert told.happened == ["log", ("one", b"x" * MOST_BYTES), ("one", b"y")]
    await asyncio.sleep(0)
    assert told.happened[3:] == ["log"]


async def test_clients_get_their_answers_also_where_the_log_is_at_fault() -> None:
    happened: list[Any] = []

    def faulty() -> None:
        raise ZeroDivisionError

    turn = Turn(faulty)
    turn.write(Noting("one", happened), b"a")

    with pytest.raises(ZeroDivisionError):
        turn.end()

    assert happened == [("one", b"a")]
    await asyncio.sleep(0)
