"""What the configuration redacts is in no file of the data folder at any time, while client and upstream see it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo.scripted_upstream import ScriptedUpstream, upstream_in_thread
from demo.upstream.behaviour import Behaviour, Fault
from tests.raw import RawConnection, ask, chat_request
from tests.running import Row, RunningProxy, config_for, rows, running_proxy
from tests.waiting import until

SECRET = "sk-Abc123Def456"
REDACT = [
    {"pattern": "sk-[A-Za-z0-9]+", "with": "[key]"},
    {"pattern": r"\b\d{3}-\d{2}-\d{4}\b", "with": "[ssn]"},
    {"pattern": "naïve-日本-secret", "with": "[word]"},
    {"pattern": 'quoted"and\\\\slashed', "with": "[quoted]"},
]


@pytest.fixture(scope="module")
def own_upstream() -> Iterator[ScriptedUpstream]:
    with upstream_in_thread() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def redacting(own_upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProxy]:
    """Its logs stay open, so that they can be searched."""
    config = config_for(own_upstream.base_url, record={"redact": REDACT, "segment_s": 3600.0})
    with running_proxy(config, tmp_path_factory.mktemp("redacting")) as proxy:
        yield proxy


def said(proxy: RunningProxy, upstream: ScriptedUpstream, behaviour: Behaviour, **asked: Any) -> tuple[bytes, Row]:
    """What the client read, and the record."""
    upstream.forget()
    upstream.then(behaviour)
    answer = ask(proxy.url, chat_request(**asked))
    return answer.body, proxy.record(answer.header("x-nightschool-id"))


def message(record: Row) -> Any:
    return json.loads(record["response"])["choices"][0]["message"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("ascii", [False, True])
@pytest.mark.parametrize(
    ("deltas", "expected"),
    [
        (("the key is sk-A", "bc12", "3Def456."), "the key is [key]."),
        (tuple("123-45-6789 is mine"), "[ssn] is mine"),
        (("na", "ïve-日", "本-secret"), "[word]"),
        (('quoted"', "and\\slash", "ed"), "[quoted]"),
        (("nothing", " here"), "nothing here"),
    ],
)
def test_an_answer_is_redacted_however_it_is_cut_and_escaped(
    redacting: RunningProxy,
    own_upstream: ScriptedUpstream,
    stream: bool,
    ascii: bool,
    deltas: tuple[str, ...],
    expected: str,
) -> None:
    behaviour = Behaviour(deltas=deltas, ascii=ascii)
    body, record = said(redacting, own_upstream, behaviour, stream=stream)

    assert message(record)["content"] == expected
    assert record["completion_tokens"] == len(deltas)
    if not stream:
        assert json.loads(body)["choices"][0]["message"]["content"] == "".join(deltas)


@pytest.mark.parametrize("stream", [False, True])
def test_tool_arguments_are_redacted_inside_of_their_json(
    redacting: RunningProxy, own_upstream: ScriptedUpstream, stream: bool
) -> None:
    arguments = ('{"key": "sk-Ab', 'c123Def456", "ssn": "123-45-', '6789", "n": 1}')
    tools = [{"type": "function", "function": {"name": "use", "description": f"use {SECRET}"}}]
    _, record = said(redacting, own_upstream, Behaviour(arguments=arguments), stream=stream, tools=tools)

    (call,) = message(record)["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"key": "[key]", "ssn": "[ssn]", "n": 1}
    assert json.loads(record["request"])["tools"][0]["function"]["description"] == "use [key]"


def test_a_request_is_redacted_in_every_string_and_forwarded_as_it_is(
    redacting: RunningProxy, own_upstream: ScriptedUpstream
) -> None:
    messages = [
        {"role": "system", "content": [{"type": "text", "text": f"a {SECRET} b"}]},
        {"role": "user", "content": "123-45-6789", "name": SECRET},
    ]
    asked = {"messages": messages, "metadata": {"who": SECRET}, "odd": {SECRET: [{"deep": SECRET}]}, "user": SECRET}
    headers = [("x-nightschool-tags", json.dumps({"key": SECRET}))]
    _, record = said(redacting, own_upstream, Behaviour(), headers=headers, **asked)

    assert own_upstream.seen[0].json()["messages"] == messages
    assert json.loads(record["request"])["messages"][0]["content"] == [{"type": "text", "text": "a [key] b"}]
    assert json.loads(record["request"])["odd"] == {"[key]": [{"deep": "[key]"}]}
    assert record["tags"]["key"] == "[key]"
    assert SECRET not in str(record)


def test_an_escaped_secret_in_a_request_is_found(redacting: RunningProxy, own_upstream: ScriptedUpstream) -> None:
    asked = chat_request(messages=[{"role": "user", "content": "KEY"}])
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in SECRET).encode()
    body = asked.partition(b"\r\n\r\n")[2].replace(b"KEY", escaped)
    own_upstream.forget()
    head = asked.partition(b"\r\n\r\n")[0].replace(b"content-length: ", b"x-was: ")
    answer = ask(redacting.url, head + b"\r\ncontent-length: %d\r\n\r\n" % len(body) + body)

    record = redacting.record(answer.header("x-nightschool-id"))
    assert own_upstream.seen[0].body == body
    assert json.loads(record["request"])["messages"][0]["content"] == "[key]"


def test_malformed_json_is_redacted_as_text(redacting: RunningProxy, own_upstream: ScriptedUpstream) -> None:
    own_upstream.forget()
    body = b'{"messages": "%b", ' % SECRET.encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    answer = ask(redacting.url, head + b"content-length: %d\r\n\r\n" % len(body) + body)

    record = redacting.record(answer.header("x-nightschool-id"))
    assert SECRET not in str(record)
    assert own_upstream.seen[0].body == body


def test_a_stream_that_is_cut_is_redacted_too(redacting: RunningProxy, own_upstream: ScriptedUpstream) -> None:
    own_upstream.forget()
    own_upstream.then(Behaviour(deltas=("a sk-Abc1", "23Def456 b", "c", "d"), fault=Fault.HANG, after=4))
    with RawConnection(redacting.url) as connection:
        connection.send(chat_request(stream=True))
        headers = dict(connection.head()[1])
        received = b""
        while b"23Def456" not in received:
            received += connection.chunk()
    until(lambda: own_upstream.open_answers == 0)

    record = redacting.record(headers["x-nightschool-id"])
    assert record["complete"] is False
    assert message(record)["content"].startswith("a [key] b")


def test_feedback_is_redacted(redacting: RunningProxy) -> None:
    exchange_id = "018f0000-0000-7000-8000-000000000000"
    given = {"id": exchange_id, "comment": f"it said {SECRET}", "user": "123-45-6789"}

    assert httpx.post(f"{redacting.url}/nightschool/v1/feedback", json=given, timeout=20).status_code == 202
    sql = "SELECT comment, user FROM feedback WHERE exchange_id = ?"
    until(lambda: redacting.rows(sql, [exchange_id]) == [{"comment": "it said [key]", "user": "[ssn]"}])


def test_no_secret_is_in_any_file_before_or_after_sealing(
    redacting: RunningProxy, own_upstream: ScriptedUpstream
) -> None:
    for stream in (False, True):
        behaviour = Behaviour(deltas=(f"{SECRET} ", "sk-Abc", "123Def456 and 123-45-", "6789"))
        asked: Any = {"messages": [{"role": "user", "content": f"{SECRET} 123-45-6789"}]}
        said(redacting, own_upstream, behaviour, stream=stream, **asked)
    open_logs = [path.read_bytes() for path in files(redacting.data) if path.suffix == ".wal"]
    redacting.stop()
    until(lambda: not list(redacting.data.glob("wal/*.wal")))

    texts = [b"".join(open_logs), str(rows(redacting.data, "SELECT * FROM exchanges")).encode()]
    texts += [path.read_bytes() for path in files(redacting.data)]
    fragments = (b"sk-Abc", b"Abc123", b"23Def456", b"123-45-6789", b"45-6789")
    assert open_logs
    assert [fragment for fragment in fragments if any(fragment in text for text in texts)] == []
    assert SECRET not in redacting.log


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
