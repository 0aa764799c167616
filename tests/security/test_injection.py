"""Text of a caller stays text: it ends no line and begins none, in headers, logs, metrics, terminals and addresses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from demo.scripted_upstream import ScriptedUpstream
from demo.upstream.behaviour import Behaviour
from tests.cli.command import Command
from tests.raw import RawConnection, ask, chat_request, request
from tests.running import RunningProxy, config_for, running_proxy
from tests.security.conftest import KEY

STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")
EVIL = {
    "a line": "a\r\nx-injected: yes",
    "a bare line feed": "a\nx-injected: yes",
    "a log line": "a\n2026-01-01T00:00:00Z INFO nightschool.front all_is_well",
    "an empty line": "a\r\n\r\n<html>",
    "NUL": "a\0b",
    "a colour": "\x1b[31mred\x1b[0m",
    "a title": "\x1b]0;owned\x07",
    "a C1 sequence": "\x9b31mred",
    "backspaces": "good\b\b\b\bevil",
    "a right-to-left override": "a\u202eb",
    "a line separator": "a\u2028b",
    "a metric": 'a"} 1\nnightschool_injected{a="',
    "a format": "%s%s%s%n {0.__class__} ${OPENAI_API_KEY}",
    "a script": "<script>alert(1)</script>",
    "half a pair": "\ud83d",
    "very long": "x" * 50_000,
}


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("MARKED_KEY", KEY)
    return Command(capsys)


@pytest.fixture(scope="module")
def azure(shared_upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProxy]:
    """Its upstream has the model's name in the path."""
    upstreams = {"main": {"base_url": shared_upstream.url, "kind": "azure", "api_version": "2026-05-01"}}
    config = config_for(shared_upstream.url, upstreams=upstreams, record={"segment_s": 1.0, "logprobs": 2})
    with running_proxy(config, tmp_path_factory.mktemp("azure"), quiet=False) as proxy:
        yield proxy


def assert_one_line_each(log: str) -> None:
    """Every line of a log is one of ours, and steers no terminal."""
    for line in log.splitlines():
        assert STEERING.search(line) is None
        assert re.match(r"\d{4}-\d\d-\d\dT[\d:]{8}Z [A-Z]+ [\w.]+ \w|nightschool ", line), line
    assert "all_is_well" not in re.findall(r"^\S+ INFO nightschool.front (\w+)", log, re.MULTILINE)


@pytest.mark.parametrize("name", EVIL)
@pytest.mark.parametrize("which", ["proxy", "azure"])
def test_a_models_name_reaches_no_header_log_or_metric_as_it_is(
    which: str, name: str, upstream: ScriptedUpstream, request: pytest.FixtureRequest
) -> None:
    proxy: RunningProxy = request.getfixturevalue(which)
    logged = len(proxy.log)
    refused = Behaviour(refuses=("logprobs", "stream_options"))
    upstream.then(*[refused] * 3)
    answer = ask(proxy.url, chat_request(EVIL[name], stream=True))

    assert answer.status in (200, 400), answer
    assert answer.header("x-injected") is None
    assert all("\r" not in seen.target and "\n" not in seen.target for seen in upstream.seen)
    assert upstream.seen
    assert not [seen for seen in upstream.seen if seen.header("x-injected")]
    assert_one_line_each(proxy.log[logged:])
    metrics = ask(proxy.url, b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").body
    assert b"injected" not in metrics


@pytest.mark.parametrize("byte", [b"\r", b"\n", b"\0", b"\r\nx-injected: yes\r\n "])
@pytest.mark.parametrize("header", ["workload", "tags", "conversation", "record", "target"])
def test_a_raw_line_break_or_nul_in_a_header_of_ours_is_400(
    proxy: RunningProxy, upstream: ScriptedUpstream, header: str, byte: bytes
) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-nightschool-%b: a%bb\r\n" % (header.encode(), byte)
    answer = ask(proxy.url, head + b"content-length: 2\r\n\r\n{}")

    assert (answer.status, upstream.seen, answer.header("x-injected")) == (400, [], None)


@pytest.mark.parametrize("name", [name for name in EVIL if name != "half a pair"])
@pytest.mark.parametrize("header", ["workload", "conversation"])
def test_what_a_header_cannot_be_is_told_in_one_line_of_json(
    proxy: RunningProxy, upstream: ScriptedUpstream, header: str, name: str
) -> None:
    value = re.sub(r"[\r\n\0]", " ", EVIL[name]).encode("utf-8").decode("latin-1")
    answer = ask(proxy.url, chat_request(headers=[(f"x-nightschool-{header}", value)]))

    assert answer.status in (400, 431) if answer.status != 200 else header == "conversation"
    if answer.status == 400:
        assert STEERING.search(answer.body.decode()) is None
    assert_one_line_each(proxy.log)


@pytest.mark.parametrize("name", [name for name in EVIL if name != "very long"])  # a head has no room for that
def test_tags_are_recorded_as_they_are_and_shown_as_harmless_text(
    proxy: RunningProxy, upstream: ScriptedUpstream, command: Command, name: str
) -> None:
    tags = json.dumps({"test": EVIL[name], EVIL[name]: "x"})
    answer = ask(proxy.url, chat_request(EVIL[name], headers=[("x-nightschool-tags", tags)]))
    if name == "half a pair":
        assert answer.status == 400
        return
    record = proxy.record(answer.header("x-nightschool-id"))
    config = str(proxy.folder / "nightschool.yaml")
    shown = command("logs", "show", record["id"], "--config", config)
    listed = command("logs", "list", "--config", config, "--limit", "3")

    assert record["tags"] == {"test": EVIL[name], EVIL[name]: "x"}
    for printed in (shown, listed):
        assert printed.code == 0, printed.err
        assert STEERING.search(printed.out.replace("\n", "").replace("\t", "")) is None
    assert_one_line_each(proxy.log)


@pytest.mark.parametrize("target", ["%0d%0ax-injected:%20yes", "%1b%5b31m", "%00", "%e2%80%ae", "%ff", "%"])
def test_escapes_in_a_path_stay_escapes(proxy: RunningProxy, upstream: ScriptedUpstream, target: str) -> None:
    for place in (f"/v1/{target}", f"/openai/v1/{target}", f"/v1/models?x={target}"):
        answer = ask(proxy.url, request("GET", place))

        assert answer.header("x-injected") is None
        assert target in upstream.seen[-1].target
    assert_one_line_each(proxy.log)


@pytest.mark.parametrize("byte", [*range(0x21), 0x7F, *range(0x80, 0xA0)])
def test_a_raw_control_character_in_a_path_is_refused_or_passes_and_is_in_no_log(
    proxy: RunningProxy, upstream: ScriptedUpstream, byte: int
) -> None:
    with RawConnection(proxy.url) as connection:
        connection.send(b"GET /v1/models/a%bb HTTP/1.1\r\nhost: x\r\n\r\n" % bytes([byte]))
        connection.answer()

    assert len(upstream.seen) <= 1
    assert_one_line_each(proxy.log)


@pytest.mark.parametrize("status", [400, 500])
def test_an_upstreams_error_is_in_no_log_with_its_text(
    proxy: RunningProxy, upstream: ScriptedUpstream, status: int
) -> None:
    body = json.dumps({"error": {"message": EVIL["a log line"], "type": EVIL["a colour"], "code": EVIL["a metric"]}})
    upstream.then(Behaviour(status=status, body=body.encode()))
    answer = ask(proxy.url, chat_request())

    assert answer.status == status
    assert proxy.record(answer.header("x-nightschool-id"))["status"] == status
    assert_one_line_each(proxy.log)
