"""Pages of exchanges follow one another without gap or repeat, whatever the times are, and whatever arrives."""

from __future__ import annotations

import base64
import json
import random
import tempfile
from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from console.asking import Asking
from console.browse import Found, Place, newer, older
from console.exchanges import listing, older_href
from console.filters import asked as asked_for
from console.pages import Pages
from console.questions import last_questions
from nightschool.record import Record
from nightschool.store.filter import Filter, moment
from nightschool.store.manifest import prepare_folder, publish
from nightschool.store.reader import Window
from nightschool.store.schema import table_of
from nightschool.store.segment import seal
from tests.distill.dataset.traffic import DAY_US, NOON_US, asked, file, identity, user

SPREADS = st.sampled_from([0, 1, 1_000_000, DAY_US // 30, DAY_US, 8 * DAY_US, 400 * DAY_US])
OFFSETS = st.lists(st.tuples(st.integers(0, 6), SPREADS).map(lambda each: each[0] * each[1]), min_size=1, max_size=12)
FILTERS = st.sampled_from([Filter(), Filter(text="find me"), Filter(window=Window(NOON_US, NOON_US + 9 * DAY_US))])


def recorded(folder: Path, offsets: list[int]) -> None:
    file(folder, [asked(n, user(f"find me {n}"), time_us=NOON_US + offset) for n, offset in enumerate(offsets)])


def in_order(offsets: list[int], filters: Filter) -> list[str]:
    """Newest first, those of one time by their id."""
    until = filters.window.until_us
    chosen = [(NOON_US + offset, identity(n)) for n, offset in enumerate(offsets)]
    return [name for time, name in sorted(chosen, reverse=True) if until is None or time < until]


def next_older(asking: Asking, filters: Filter, behind: Place) -> str:
    """However often a busy machine makes the page end before anything is found."""
    found = older(asking, filters, behind, limit=1)
    while not found.rows:
        assert found.after is not None
        found = older(asking, filters, found.after, limit=1)
    return str(found.rows[0]["id"])


@given(OFFSETS, FILTERS, st.integers(1, 5))
@settings(max_examples=20, deadline=None)
def test_all_pages_together_are_everything_once_in_order(offsets: list[int], filters: Filter, limit: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        recorded(Path(folder), offsets)
        asking, behind, seen = Asking(Path(folder)), None, []
        while True:
            found = older(asking, filters, behind, limit=limit)
            assert len(found.rows) <= limit
            seen += [row["id"] for row in found.rows]
            behind = found.after
            if behind is None:
                break

    assert seen == in_order(offsets, filters)


@given(OFFSETS, FILTERS)
@settings(max_examples=10, deadline=None)
def test_a_step_to_the_older_one_and_back_ends_where_it_began(offsets: list[int], filters: Filter) -> None:
    with tempfile.TemporaryDirectory() as folder:
        recorded(Path(folder), offsets)
        asking = Asking(Path(folder))
        rows = older(asking, filters, None, limit=20).rows  # all, or as far as patience goes
        for row, behind in pairwise(rows):
            assert next_older(asking, filters, Place.of(row)) == behind["id"]
            if filters.text is None:  # a text is looked for within a week
                back = newer(asking, filters, Place.of(behind))
                assert back is not None
                assert back["id"] == row["id"]


def test_what_arrives_meanwhile_moves_nothing(tmp_path: Path) -> None:
    recorded(tmp_path, [0, 10, 20, 30])
    asking = Asking(tmp_path)
    first = older(asking, Filter(), None, limit=2)
    file(tmp_path, [asked(9, user("late"), time_us=NOON_US + 40)])

    second = older(asking, Filter(), first.after, limit=2)

    assert [row["id"] for row in (*first.rows, *second.rows)] == [identity(n) for n in (3, 2, 1, 0)]


def test_a_place_that_is_none_is_none() -> None:
    assert [Place.read(text) for text in ("", "7", "~a", "x~a", "9" * 30 + "~a")] == [None] * 5
    assert Place.read(str(Place(7, "a~b"))) == Place(7, "a~b")


def test_where_patience_ends_the_way_to_the_older_one_leads_on() -> None:
    wanted = asked_for({"text": "find me"})
    row = {"id": "x"}

    assert older_href(Found([row], None, None), wanted) == "/exchanges/x?text=find+me"
    assert older_href(Found([], None, None), wanted) == ""
    assert older_href(Found([], Place(7, "0"), moment(7)), wanted) == "/exchanges?text=find+me&behind=7~0"


def test_a_page_that_ran_out_of_time_does_not_say_that_there_is_none() -> None:
    def page(found: Found) -> str:
        scope = {"type": "http", "path": "/exchanges", "query_string": b"", "headers": [], "server": ("here", 80)}
        request = Request({**scope, "state": {"token": "", "can_log_out": False}})
        told = listing(asked_for({"text": "find me"}), None, found, workloads=[], listen="here")
        return bytes(Pages().render(request, "exchanges", **told).body).decode()

    assert "No exchange is like this" in page(Found([], None, None))
    unfinished = page(Found([], Place(NOON_US, "0"), moment(NOON_US)))
    assert "No exchange is like this" not in unfinished
    assert "None so far" in unfinished
    assert "Search further back" in unfinished


def test_a_page_of_large_images_is_read_with_little_memory(tmp_path: Path) -> None:
    prepare_folder(tmp_path)
    records = [
        Record(id=identity(n), time_us=NOON_US + n, request=looked_at(base64.b64encode(noise(n)).decode()))
        for n in range(100)
    ]
    sealed = seal(tmp_path, "exchanges", table_of("exchanges", records))
    publish(tmp_path, lambda manifest: manifest.with_segments("exchanges", sealed))

    found = older(Asking(tmp_path), Filter(), None)

    assert [row["id"] for row in found.rows] == [identity(n) for n in range(99, 49, -1)]
    assert {row["last_question"] for row in found.rows} == {"[image_url] What is this?"}
    assert last_questions(Asking(tmp_path), [identity(n) for n in range(50)]).keys() == {identity(n) for n in range(50)}


def looked_at(image: str) -> str:
    parts = [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}},
        {"type": "text", "text": "What is this?"},
    ]
    return json.dumps({"messages": [{"role": "user", "content": parts}]})


def noise(number: int) -> bytes:
    """1.5 MB as base64, and nothing that could be compressed."""
    return random.Random(number).randbytes(1_125_000)
