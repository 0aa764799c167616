"""Every exchange has an id of its own, and ids sort by time."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from proxy.ids import Ids

NOW_US = 1_790_000_000_000_000
TIMES_US = st.integers(min_value=0, max_value=(1 << 48) * 1000 - 1)


@given(TIMES_US)
def test_an_id_is_a_uuid_of_version_7_that_tells_its_millisecond(time_us: int) -> None:
    made = Ids().next(time_us)

    assert len(made) == 16
    assert (uuid.UUID(bytes=made).version, uuid.UUID(bytes=made).variant) == (7, uuid.RFC_4122)
    assert int.from_bytes(made[:6], "big") == time_us // 1000


@given(TIMES_US, TIMES_US)
def test_ids_sort_by_their_millisecond(one_us: int, other_us: int) -> None:
    ids = Ids()
    one, other = ids.next(one_us), ids.next(other_us)

    if one_us // 1000 != other_us // 1000:
        assert (one < other) == (one_us < other_us)


def test_no_two_of_the_same_millisecond_are_alike() -> None:
    ids = Ids()

    assert len({ids.next(NOW_US) for _ in range(5_000)}) == 5_000


def test_two_sources_give_different_ids() -> None:
    one, other = Ids(), Ids()

    assert not {one.next(NOW_US) for _ in range(1_000)} & {other.next(NOW_US) for _ in range(1_000)}


def test_the_randomness_of_one_id_says_nothing_of_the_next() -> None:
    ids = Ids()
    made = [ids.next(NOW_US) for _ in range(1_000)]

    assert len({one[8:12] for one in made}) > 990
    assert len({one[12:] for one in made}) > 990
