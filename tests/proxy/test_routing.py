"""The rules of the YAML decide workload and upstream; what matches none is recorded with its fingerprint."""

from __future__ import annotations

from typing import Any

import pytest

from demo.scripted_upstream import ScriptedUpstream
from tests.proxy.asking import tagged, tools
from tests.raw import ask, chat_request, request
from tests.running import Row, RunningProxy

OTHER = "/other/v1/chat/completions"
SYSTEM: Any = [{"role": "system", "content": "You redact personal data."}, {"role": "user", "content": "x"}]
DEVELOPER: Any = [{"role": "developer", "content": [{"type": "text", "text": "YOU REDACT your data"}]}]
SCHEMA: Any = {"type": "json_schema", "json_schema": {"name": "invoice", "schema": {"type": "object"}}}


@pytest.mark.parametrize(
    ("asked", "workload", "path"),
    [
        ({"model": "routed-1"}, "by-model", OTHER),
        ({"tools": tools("find_flight")}, "by-tool", OTHER),
        ({"tools": tools("book", "find_hotel")}, "by-tool", OTHER),
        ({"functions": [{"name": "find_old"}]}, "by-tool", OTHER),
        ({"metadata": {"team": "payments"}}, "by-tag", OTHER),
        ({"headers": [("x-nightschool-tags", '{"team": "payroll"}')]}, "by-tag", OTHER),
        ({"headers": [("X-Team", "payments")]}, "by-header", OTHER),
        ({"messages": SYSTEM}, "by-system-prompt", OTHER),
        ({"messages": DEVELOPER}, "by-system-prompt", OTHER),
        ({"response_format": SCHEMA}, "by-schema", OTHER),
        ({"target": "/v1/moderations"}, "by-path", "/other/v1/moderations"),
        ({"model": "routed-1", "tools": tools("redact_pii")}, "by-two-conditions", "/keyed/v1/chat/completions"),
        ({"model": "routed-1", "tools": tools("find_x")}, "by-model", OTHER),
        ({"model": "unrouted-1", "tools": tools("redact_pii")}, None, "/v1/chat/completions"),
        ({"metadata": {"team": "sales", "other": "payments"}}, None, "/v1/chat/completions"),
        ({"messages": [{"role": "user", "content": "You redact personal data"}]}, None, "/v1/chat/completions"),
        (
            {"model": None, "tools": 3, "messages": "x", "metadata": [], "response_format": "y"},
            None,
            "/v1/chat/completions",
        ),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_the_first_rule_whose_conditions_all_hold_decides(
    proxy: RunningProxy,
    upstream: ScriptedUpstream,
    asked: dict[str, Any],
    workload: str | None,
    path: str,
    stream: bool,
) -> None:
    answer = ask(proxy.url, chat_request(**{"stream": stream, **asked}))

    record = proxy.record(answer.header("x-nightschool-id"))
    reason = "default" if workload is None else "rule"
    assert upstream.seen[0].path == path
    assert (record["workload"], record["reason"]) == (workload, reason)
    assert answer.header("x-nightschool-reason") == reason


@pytest.mark.parametrize(
    ("name", "path"),
    [("by-model", OTHER), ("to-keyed", "/keyed/v1/chat/completions"), ("unheard-of", "/v1/chat/completions")],
)
def test_a_workload_named_by_the_caller_goes_before_every_rule(
    proxy: RunningProxy, upstream: ScriptedUpstream, name: str, path: str
) -> None:
    answer = ask(proxy.url, chat_request("routed-1", headers=[("x-nightschool-workload", name)]))

    record = proxy.record(answer.header("x-nightschool-id"))
    assert upstream.seen[0].path == path
    assert (record["workload"], record["reason"]) == (name, "header")


def test_malformed_json_goes_to_the_default_upstream_and_is_recorded_as_such(
    proxy: RunningProxy, upstream: ScriptedUpstream, tag: str
) -> None:
    headers = [("content-type", "application/json"), *tagged(tag).items()]
    ask(proxy.url, request("POST", "/v1/chat/completions", headers, b'{"model": "routed-1", '))

    (record,) = proxy.records(tag, 1)
    assert upstream.seen[0].path == "/v1/chat/completions"
    assert (record["workload"], record["status"]) == (None, 400)
    assert record["error_type"] is not None
    assert record["request"] == '{"model": "routed-1", '


def conversation_of(proxy: RunningProxy, *messages: tuple[str, str], **fields: Any) -> Row:
    body = [{"role": role, "content": content} for role, content in messages]
    return proxy.record(ask(proxy.url, chat_request(messages=body, **fields)).header("x-nightschool-id"))


def test_the_fingerprint_names_the_template_and_the_conversation_its_beginning(proxy: RunningProxy) -> None:
    first = conversation_of(proxy, ("system", "Translate."), ("user", "one"))
    second = conversation_of(proxy, ("system", "Translate."), ("user", "two"))
    longer = conversation_of(proxy, ("system", "Translate."), ("user", "one"), ("assistant", "eins"), ("user", "more"))
    another = conversation_of(proxy, ("system", "Summarize."), ("user", "one"))
    with_tools = conversation_of(proxy, ("system", "Translate."), ("user", "one"), tools=tools("lookup"))

    assert first["fingerprint"] == second["fingerprint"] == longer["fingerprint"]
    assert len({first["fingerprint"], another["fingerprint"], with_tools["fingerprint"]}) == 3
    assert first["conversation"] == longer["conversation"]
    assert first["conversation"] not in (second["conversation"], another["conversation"])
