"""What the bench sends and is answered."""

from __future__ import annotations

import json

from bench.proxy import traffic
from bench.proxy.probe import streamed_text


def test_the_answer_has_the_length_the_figures_are_for() -> None:
    assert len(traffic.answer()) == 769
    assert json.loads(traffic.answer())["choices"][0]["message"]["content"] == traffic.answer_text()


def test_a_stream_says_the_same_as_the_answer_in_42_events() -> None:
    events = traffic.stream_events(usage=False)

    assert len(events) == 42
    assert streamed_text(b"".join(events)) == traffic.answer_text()


def test_usage_comes_with_the_last_event_and_only_when_asked_for() -> None:
    asked, unasked = (traffic.stream_events(usage=usage) for usage in (True, False))

    assert len(asked) == len(unasked)
    assert [b'"usage":{' in event for event in asked] == [False] * 41 + [True]
    assert not any(b'"usage"' in event for event in unasked)


def test_no_two_requests_are_alike_and_each_is_about_a_kilobyte() -> None:
    requests = traffic.requests(8080, stream=False)

    assert len(set(requests)) == len({len(request) for request in requests}) == traffic.VARIANTS
    assert all(1000 < len(request) < 1800 for request in requests)
