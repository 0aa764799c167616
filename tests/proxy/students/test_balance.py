"""A conversation keeps its replica, and no replica gets much more than its part."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from proxy.route import ReplicaChoice
from proxy.students.balance import in_order

URLS = [f"http://gpu-{number}:8000" for number in range(8)]
FLEETS = st.lists(st.sampled_from(URLS), min_size=1, max_size=8, unique=True)


def fleet(urls: list[str]) -> list[ReplicaChoice]:
    return [ReplicaChoice(url, f"replica {url}") for url in urls]


def order(urls: list[str], conversation: str, busy: dict[str, int] | None = None) -> list[str]:
    known = busy or dict.fromkeys(urls, 0)
    return [each.url for each in in_order(fleet(urls), conversation, known.__getitem__)]


@given(FLEETS, st.text())
def test_all_replicas_come_in_an_order_that_only_the_conversation_decides(urls: list[str], conversation: str) -> None:
    again = sorted(urls)

    assert sorted(order(urls, conversation)) == again
    assert order(urls, conversation) == order(again, conversation)


@given(FLEETS, st.text(), st.data())
def test_a_replica_that_goes_moves_only_its_own_conversations(
    urls: list[str], conversation: str, data: st.DataObject
) -> None:
    gone = data.draw(st.sampled_from(urls))
    before = order(urls, conversation)

    assert order([url for url in urls if url != gone], conversation) == [url for url in before if url != gone]


def test_conversations_are_spread_evenly() -> None:
    first = Counter(order(URLS[:4], str(number))[0] for number in range(4000))

    assert all(850 < count < 1150 for count in first.values())


@given(st.lists(st.text(max_size=3), min_size=1, max_size=200), st.integers(2, 8))
def test_no_replica_has_a_quarter_more_under_way_than_its_part(conversations: list[str], count: int) -> None:
    busy = dict.fromkeys(URLS[:count], 0)

    for number, conversation in enumerate(conversations, 1):
        busy[order(URLS[:count], conversation, busy)[0]] += 1
        assert max(busy.values()) <= 1.25 * number / count + 1


def test_where_none_has_room_the_least_busy_comes_first() -> None:
    busy = {URLS[0]: 9, URLS[1]: 1, URLS[2]: 5}

    assert order(URLS[:3], "c", busy)[0] == URLS[1]
    assert order(URLS[:3], "c", busy)[-1] == URLS[0]
