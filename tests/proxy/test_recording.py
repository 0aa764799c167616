"""What is in the record of an exchange, and what is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from demo.scripted_upstream import ScriptedUpstream
from demo.upstream.behaviour import TEXT, Behaviour
from tests.proxy.asking import MESSAGES, tagged
from tests.raw import ask, chat_request, request
from tests.running import RunningProxy, config_for, rows, running_proxy


def tags_header(tag: str, **more: str) -> list[tuple[str, str]]:
    return [("x-nightschool-tags", json.dumps({"test": tag, **more}))]


def test_tags_come_from_the_header_and_the_metadata_and_the_header_wins(proxy: RunningProxy, tag: str) -> None:
    metadata = {"customer": "7", "env": "body", "number": 5}
    ask(proxy.url, chat_request(headers=tags_header(tag, env="header"), metadata=metadata))

    (record,) = proxy.records(tag, 1)
    assert {key: record["tags"].get(key) for key in ("customer", "env")} == {"customer": "7", "env": "header"}


def test_the_price_table_gives_the_cost_with_cached_tokens_at_their_own_price(
    proxy: RunningProxy, upstream: ScriptedUpstream, tag: str
) -> None:
    upstream.then(Behaviour(cached_tokens=1, deltas=("a", "b")))
    ask(proxy.url, chat_request("priced", messages=MESSAGES, headers=tags_header(tag)))

    (record,) = proxy.records(tag, 1)
    assert (record["prompt_tokens"], record["cached_tokens"], record["completion_tokens"]) == (3, 1, 2)
    assert record["cost_usd"] == pytest.approx(2 * 1.0 + 1 * 0.1 + 2 * 10.0)


def test_a_caller_is_a_stable_pseudonym_of_its_credential(proxy: RunningProxy) -> None:
    def client(*headers: tuple[str, str]) -> Any:
        asked = request("GET", "/v1/models", list(headers))
        return proxy.record(ask(proxy.url, asked).header("x-nightschool-id"))["client"]

    first, again = (client(("authorization", "Bearer sk-first")) for _ in range(2))

    assert first == again
    assert len({first, client(("authorization", "Bearer sk-second")), client(("api-key", "sk-third")), client()}) == 4
    assert client() is None


def test_who_opts_out_is_answered_and_leaves_nothing(proxy: RunningProxy, upstream: ScriptedUpstream, tag: str) -> None:
    headers = tags_header(tag)
    answers = [
        ask(proxy.url, chat_request(stream=stream, headers=[*headers, ("x-nightschool-record", "off")]))
        for stream in (False, True)
    ]
    ask(proxy.url, chat_request(headers=headers))

    (record,) = proxy.records(tag, 1)
    assert [answer.status for answer in answers] == [200, 200]
    assert record["id"] not in [answer.header("x-nightschool-id") for answer in answers]


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
@pytest.mark.parametrize("stream", [False, True])
def test_an_error_of_the_upstream_is_recorded_as_the_client_saw_it(
    proxy: RunningProxy, upstream: ScriptedUpstream, tag: str, status: int, stream: bool
) -> None:
    answer = ask(proxy.url, chat_request(f"status-{status}", stream=stream, headers=tags_header(tag)))

    (record,) = proxy.records(tag, 1)
    assert (record["status"], record["complete"]) == (status, True)
    assert json.loads(record["response"]) == answer.json()
    assert record["completion_tokens"] is None


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compressed_answer_is_recorded_as_what_it_says(
    proxy: RunningProxy, upstream: ScriptedUpstream, tag: str, encoding: str
) -> None:
    headers = [*tags_header(tag), ("x-scripted", encoding), ("accept-encoding", "gzip, deflate")]
    answer = ask(proxy.url, chat_request(headers=headers))

    (record,) = proxy.records(tag, 1)
    assert answer.header("content-encoding") == encoding
    assert json.loads(record["response"])["choices"][0]["message"]["content"] == TEXT


def test_a_request_too_large_to_hold_streams_through_and_is_recorded_without_its_body(
    proxy: RunningProxy, upstream: ScriptedUpstream, tag: str
) -> None:
    large: Any = [{"role": "user", "content": "word " * 50_000}]
    answer = ask(proxy.url, chat_request("status-418", messages=large, headers=tags_header(tag)))

    (record,) = proxy.records(tag, 1)
    assert (answer.status, upstream.seen[0].body_complete) == (418, True)
    assert upstream.seen[0].body_bytes > 250_000
    assert (record["status"], record["error_type"], record["request"]) == (418, "request_too_large", None)


def test_times_are_those_of_the_request(proxy: RunningProxy, upstream: ScriptedUpstream, tag: str) -> None:
    before = datetime.now(UTC)
    ask(proxy.url, chat_request("slow", stream=True, headers=tags_header(tag)))
    after = datetime.now(UTC)

    (record,) = proxy.records(tag, 1)
    waited_ms = (len(Behaviour().deltas) + 2) * 50
    assert before <= record["time"] <= after
    assert waited_ms < record["latency_ms"] < (after - before).total_seconds() * 1000
    assert record["first_token_ms"] < record["latency_ms"] / 2
    assert record["overhead_ms"] < waited_ms / 2


def test_ids_sort_by_time_and_are_unique(proxy: RunningProxy, tag: str) -> None:
    ids = [ask(proxy.url, chat_request(headers=tags_header(tag))).header("x-nightschool-id") for _ in range(20)]

    assert [record["id"] for record in proxy.records(tag, 20)] == ids
    assert len(set(ids)) == 20


def test_an_exchange_can_be_seen_within_a_second_of_its_end(proxy: RunningProxy, tag: str) -> None:
    ask(proxy.url, chat_request(headers=tags_header(tag)))

    sql = "SELECT count(*) AS n FROM exchanges WHERE tags['test'] = ? AND complete"
    assert proxy.rows(sql, [tag]) == [{"n": 1}]


@pytest.fixture(scope="module", params=["metadata", "off"])
def sparing(
    request: pytest.FixtureRequest, shared_upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, RunningProxy]]:
    """A proxy that records no text, and one that records nothing."""
    config = config_for(shared_upstream.base_url, record={"bodies": request.param, "segment_s": 1.0})
    with running_proxy(config, tmp_path_factory.mktemp(request.param)) as proxy:
        yield request.param, proxy


def test_without_bodies_no_text_reaches_the_disk(
    sparing: tuple[str, RunningProxy], upstream: ScriptedUpstream, tag: str
) -> None:
    bodies, proxy = sparing
    messages: Any = [{"role": "system", "content": "marked-prompt"}, {"role": "user", "content": "marked-question"}]
    for stream in (False, True):
        upstream.then(Behaviour(deltas=("marked-", "answer")))
        ask(proxy.url, chat_request(messages=messages, stream=stream, headers=tags_header(tag)))

    if bodies == "off":
        assert proxy.rows("SELECT * FROM exchanges") == []
    else:
        records = proxy.records(tag, 2)
        assert [(record["request"], record["response"]) for record in records] == [(None, None)] * 2
        assert [(record["prompt_tokens"], record["completion_tokens"]) for record in records] == [(2, 2)] * 2
        assert [record["finish_reason"] for record in records] == ["stop", "stop"]
        assert all(record["fingerprint"] and record["conversation"] for record in records)
        assert "marked" not in str(proxy.rows("SELECT * FROM exchanges"))
    assert not [file for file in files(proxy.data) if b"marked-" in file.read_bytes()]


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_multipart_form_and_its_answer_are_told_by_their_metadata_only(proxy: RunningProxy, tag: str) -> None:
    form = b'--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nmarked-form\r\n--x--\r\n'
    headers = [("content-type", "multipart/form-data; boundary=x"), *tagged(tag).items()]
    ask(proxy.url, request("POST", "/v1/audio/transcriptions", headers, form))

    (record,) = proxy.records(tag, 1)
    assert (record["endpoint"], record["status"]) == ("/audio/transcriptions", 200)
    assert record["request"] is None


@pytest.mark.parametrize("fsync", ["always", "off"])
def test_every_exchange_is_recorded_however_often_the_disk_is_told_to_keep_it(
    upstream: ScriptedUpstream, tmp_path: Path, fsync: str
) -> None:
    with running_proxy(config_for(upstream.base_url, record={"fsync": fsync}), tmp_path) as proxy:
        answers = [ask(proxy.url, chat_request(stream=stream)) for stream in (False, True) * 5]

        assert all(answer.whole for answer in answers)
        assert proxy.stop() == 0
    stored = rows(proxy.data, "SELECT id FROM exchanges WHERE complete ORDER BY time")
    assert [row["id"] for row in stored] == [answer.header("x-nightschool-id") for answer in answers]
