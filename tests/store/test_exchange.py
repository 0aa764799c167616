"""The frames of one exchange -> its record."""

from __future__ import annotations

import gzip
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightschool.record import Price, Record, new_id
from nightschool.store import wal
from nightschool.store.exchange import to_record
from nightschool.wire.fingerprint import conversation, fingerprint
from nightschool.wire.reassemble import reassemble
from nightschool.wire.redact import Redactor
from nightschool.wire.request import read_request
from tests.wire.captures import NAMES, capture, endpoint

ID = new_id(1_763_815_141_000_000, bytes(10))
ASKED = b'{"model":"gpt-4o", "messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}]}'
STREAMING = ASKED[:-1] + b',"stream":true}'
ANSWERED = (
    b'{"id":"chatcmpl-1", "object":"chat.completion","created":1,"model":"gpt-4o-2024-08-06",'
    b'"system_fingerprint":"fp_1",'
    b'"choices":[{"index":0,"message":{"role":"assistant","content":"Z\\u00fcrich"},"logprobs":null,"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100,'
    b'"prompt_tokens_details":{"cached_tokens":400},"completion_tokens_details":{"reasoning_tokens":0}}}'
)
PRICES = {"gpt-4o": Price(input=2.5, output=10.0, cached_input=1.25)}


def request(**fields: Any) -> wal.Request:
    known = {"endpoint": "/chat/completions", "content_type": "application/json", "upstream": "openai"}
    return wal.Request(id=ID, time_us=1_763_815_141_000_000, **{**known, **fields})


def end(**fields: Any) -> wal.End:
    known = {"status": 200, "content_type": "application/json", "latency_us": 1500}
    return wal.End(id=ID, **{**known, **fields})


def sse(**fields: Any) -> wal.End:
    return end(content_type="text/event-stream; charset=utf-8", **fields)


def record(
    asked: bytes = ASKED,
    answered: bytes = ANSWERED,
    *,
    request: wal.Request = request(),  # noqa: B008  never changed
    end: wal.End | None = end(),  # noqa: B008  never changed
    prices: dict[str, Price] = PRICES,
    student_price: Price | None = None,
) -> Record:
    return to_record(request, asked, end, answered, prices, student_price)


def test_an_answer_in_one_piece_becomes_a_record() -> None:
    asked = read_request(ASKED)
    assert asked is not None

    assert record(
        request=request(
            workload="cities", target="teacher", reason="rule", propensity=0.95, tags={"env": "test"}, client="c1"
        ),
        end=end(first_token_us=900, overhead_us=250, upstream_request_id="req_1"),
    ) == Record(
        id="019aab93-2e88-7000-8000-000000000000",
        time_us=1_763_815_141_000_000,
        workload="cities",
        fingerprint=fingerprint(asked),
        conversation=conversation(asked),
        target="teacher",
        reason="rule",
        propensity=0.95,
        endpoint="/chat/completions",
        method="POST",
        stream=False,
        complete=True,
        model_requested="gpt-4o",
        model_served="gpt-4o-2024-08-06",
        upstream="openai",
        status=200,
        error_type=None,
        request=ASKED.decode(),
        response=ANSWERED.decode(),
        logprobs=None,
        prompt_tokens=1000,
        completion_tokens=100,
        cached_tokens=400,
        reasoning_tokens=0,
        cost_usd=(600 * 2.5 + 400 * 1.25 + 100 * 10.0) / 1e6,
        latency_ms=1.5,
        first_token_ms=0.9,
        overhead_ms=0.25,
        finish_reason="stop",
        system_fingerprint="fp_1",
        upstream_request_id="req_1",
        tags={"env": "test"},
        client="c1",
    )


def test_a_stream_becomes_the_record_of_its_message() -> None:
    found = record(STREAMING, capture("openai_text"), end=sse())
    message = reassemble("/chat/completions", capture("openai_text")).message

    assert (found.stream, found.complete, found.error_type) == (True, True, None)
    assert json.loads(found.response or "") == message
    assert (found.prompt_tokens, found.completion_tokens, found.cached_tokens, found.reasoning_tokens) == (31, 9, 0, 0)
    assert (found.model_served, found.finish_reason) == ("gpt-4o-2024-08-06", "stop")


@pytest.mark.parametrize("name", ["openai_logprobs", "completions_n2_logprobs"])
def test_a_streams_log_probabilities_have_a_column_of_their_own(name: str) -> None:
    found = record(STREAMING, capture(name), request=request(endpoint=endpoint(name)), end=sse())

    assert json.loads(found.logprobs or "") == reassemble(endpoint(name), capture(name)).logprobs
    assert "logprobs" not in (found.response or "")


def test_log_probabilities_of_an_answer_in_one_piece_are_moved_out() -> None:
    answer = {"choices": [{"index": 0, "logprobs": {"content": [{"token": "a"}]}}, {"index": 1, "logprobs": None}]}
    found = record(answered=json.dumps(answer).encode())

    assert json.loads(found.logprobs or "") == [{"content": [{"token": "a"}]}, None]
    assert found.response == '{"choices": [{"index": 0, "logprobs": null}, {"index": 1, "logprobs": null}]}'


@pytest.mark.parametrize("name", NAMES)
def test_a_stream_that_a_redacting_worker_put_together_gives_the_same_record(name: str) -> None:
    asked = request(endpoint=endpoint(name))
    whole = reassemble(endpoint(name), capture(name))
    raw = record(STREAMING, capture(name), request=asked, end=sse())
    put_together = sse(form="assembled", complete=whole.finished, error_type=whole.error_type)

    assert record(STREAMING, Redactor([]).json(whole.body()), request=asked, end=put_together) == raw


def test_malformed_json_is_named_and_kept_as_text() -> None:
    refusal = b'{"error":{"message":"We could not parse the JSON body","type":"invalid_request_error","code":null}}'
    found = record(b'{"model": "m", ', refusal, end=end(status=400))

    assert (found.status, found.error_type, found.request) == (400, "invalid_json", '{"model": "m", ')
    assert found.response == refusal.decode()
    assert (found.model_requested, found.fingerprint, found.conversation) == (None, None, None)


@pytest.mark.parametrize("body", [b"[1]", b'"text"', b"1"])
def test_json_that_is_no_object_is_not_malformed(body: bytes) -> None:
    assert record(body).error_type is None


@pytest.mark.parametrize(
    ("status", "body", "error_type"),
    [
        (429, b'{"error":{"message":"m","type":"rate_limit_error","code":"x"}}', "rate_limit_error"),
        (429, b'{"error":{"message":"m","type":"tokens","code":"rate_limit_exceeded"}}', "rate_limit_exceeded"),
        (429, b'{"error":{"code":"429","message":"m"}}', "http_429"),
        (404, b'{"object":"error","message":"m","type":"NotFoundError","code":404}', "NotFoundError"),
        (502, b"<html>bad gateway</html>", "http_502"),
        (500, b"", "http_500"),
        (304, b"", "http_304"),
        (200, b'{"error":{"message":"m","code":"model_error"}}', "model_error"),
        (200, b'{"error":"it broke"}', "upstream_error"),
        (200, b'{"id":"cut off', "malformed_answer"),
        (200, b'{"error":null}', None),
        (204, b"", None),
    ],
)
def test_an_upstreams_error_is_named(status: int, body: bytes, error_type: str | None) -> None:
    found = record(answered=body, end=end(status=status))

    assert (found.status, found.error_type, found.complete) == (status, error_type, True)
    assert found.response == (body.decode() or None)
    assert (found.prompt_tokens, found.cost_usd) == (None, None)


@pytest.mark.parametrize(
    ("name", "error_type"),
    [
        ("error_midstream", "server_error"),
        ("openrouter_error_midstream", "stream_error"),
        ("never_finished", None),
        ("cut_inside_utf8", None),
        ("responses_cut", None),
    ],
)
def test_a_stream_that_ends_too_soon_is_not_complete(name: str, error_type: str | None) -> None:
    found = record(STREAMING, capture(name), request=request(endpoint=endpoint(name)), end=sse())

    assert (found.complete, found.error_type) == (False, error_type)
    assert found.response


@pytest.mark.parametrize("name", ["openai_text", "never_finished"])
def test_without_an_end_the_proxy_was_killed_and_what_came_is_kept(name: str) -> None:
    found = record(STREAMING, capture(name), end=None)

    assert (found.complete, found.error_type, found.status) == (False, "proxy_killed", None)
    assert (found.latency_ms, found.first_token_ms, found.overhead_ms) == (None, None, None)
    assert json.loads(found.response or "")["model"] == "gpt-4o-2024-08-06"


def test_without_an_end_a_compressed_answer_is_known_by_its_first_bytes() -> None:
    found = record(STREAMING, gzip.compress(capture("openai_text"))[:-100], end=None)

    assert json.loads(found.response or "")["model"] == "gpt-4o-2024-08-06"


def test_without_an_end_and_an_answer_there_is_the_request() -> None:
    found = record(answered=b"", end=None)

    assert (found.error_type, found.response, found.request) == ("proxy_killed", None, ASKED.decode())


def test_what_the_proxy_says_comes_first() -> None:
    found = record(answered=capture("never_finished"), end=sse(status=None, complete=False, error_type="client_left"))

    assert (found.complete, found.error_type, found.status) == (False, "client_left", None)


@pytest.mark.parametrize("compress", [True, False])
def test_bodies_are_recorded_as_they_were_meant(compress: bool) -> None:
    encoding = "gzip" if compress else ""
    pack = gzip.compress if compress else bytes
    found = record(
        pack(ASKED), pack(ANSWERED), request=request(content_encoding=encoding), end=end(content_encoding=encoding)
    )

    assert (found.request, found.response, found.error_type) == (ASKED.decode(), ANSWERED.decode(), None)


def test_a_stream_is_decompressed_before_it_is_put_together() -> None:
    found = record(STREAMING, gzip.compress(capture("openai_text")), end=sse(content_encoding="gzip"))

    assert (found.finish_reason, found.complete) == ("stop", True)


@pytest.mark.parametrize(("status", "error_type"), [(200, "undecodable_encoding_compress"), (503, "http_503")])
def test_a_body_that_cannot_be_decoded_is_null_and_named(status: int, error_type: str) -> None:
    found = record(answered=b"\x1f\x9d", end=end(status=status, content_encoding="compress"))

    assert (found.response, found.error_type) == (None, error_type)


@pytest.mark.parametrize(
    ("asked", "answered", "request_text"),
    [
        (b'{"user":"caf\xe9"}', ANSWERED, '{"user":"caf\ufffd"}'),
        (b"{}", b'{"id":"caf\xe9"}', "{}"),
        (b"{}", b'{"choices":[],"x":"\xff"}', "{}"),
    ],
)
def test_invalid_utf8_is_replaced_and_told_if_nothing_else_is_wrong(
    asked: bytes, answered: bytes, request_text: str
) -> None:
    found = record(asked, answered)

    assert (found.request, found.error_type) == (request_text, "invalid_utf8")
    assert record(asked, answered, end=end(status=500)).error_type == "http_500"


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data; boundary=x", "audio/mpeg", "image/png", "application/octet-stream"]
)
def test_multipart_and_binary_bodies_are_not_recorded(content_type: str) -> None:
    found = record(b"--x\r\n", b"RIFF", request=request(content_type=content_type), end=end(content_type=content_type))

    assert (found.request, found.response, found.error_type) == (None, None, None)


def test_text_that_is_not_json_is_recorded_as_text() -> None:
    found = record(
        b"a=1",
        b"WEBVTT",
        request=request(content_type="application/x-www-form-urlencoded"),
        end=end(content_type="text/vtt"),
    )

    assert (found.request, found.response, found.error_type) == ("a=1", "WEBVTT", None)


def test_a_body_too_large_to_record_is_named() -> None:
    found = record(b"", request=request(error_type="request_too_large"))

    assert (found.request, found.error_type) == (None, "request_too_large")


def test_tags_of_the_header_win_over_those_of_the_body() -> None:
    asked = b'{"metadata":{"env":"body","customer":"7","count":3,"deep":{}}}'

    assert record(asked, request=request(tags={"env": "header"})).tags == {"env": "header", "customer": "7"}


def test_the_conversation_of_the_header_wins() -> None:
    assert record(request=request(conversation="c-1")).conversation == "c-1"


def test_who_answered_in_the_end_is_recorded() -> None:
    found = record(end=end(upstream="azure", reason="fallback"))

    assert (found.upstream, found.reason) == ("azure", "fallback")


def test_a_students_answer_is_recorded_as_the_adapters_and_costs_what_students_cost() -> None:
    found = record(
        request=request(target="student", adapter="w--0123456789ab", reason="live", propensity=0.97),
        student_price=Price(1.0, 2.0),
    )

    assert (found.target, found.adapter, found.model_served) == ("student", "w--0123456789ab", "w--0123456789ab")
    assert found.propensity == pytest.approx(0.97)
    assert found.cost_usd == pytest.approx(0.0012)
    assert found.failed_adapter is None


def test_an_answer_of_the_teacher_for_a_student_that_failed_is_the_teachers_in_every_column() -> None:
    found = record(
        request=request(target="student", adapter="w--0123456789ab", reason="live", propensity=0.97),
        end=end(target="teacher", reason="fallback_timeout", propensity=0.03, upstream="openai"),
        student_price=Price(1.0, 2.0),
    )

    assert (found.target, found.adapter, found.reason) == ("teacher", None, "fallback_timeout")
    assert (found.propensity, found.upstream, found.model_served) == (0.03, "openai", "gpt-4o-2024-08-06")
    assert found.failed_adapter == "w--0123456789ab"
    assert found.cost_usd == pytest.approx(0.003)


def test_a_student_that_gave_no_answer_served_no_model() -> None:
    error = b'{"error":{"message":"no","type":"invalid_output","param":null,"code":null}}'
    found = record(answered=error, request=request(target="student", adapter="w--0123456789ab"), end=end(status=502))

    assert (found.model_served, found.cost_usd) == (None, None)


def test_an_end_of_a_log_that_is_older_than_students_is_read() -> None:
    fields = msgspec.msgpack.decode(msgspec.msgpack.encode(end(reason="fallback", upstream="azure")))
    old = wal.decode_end(msgspec.msgpack.encode(fields[:-3]))

    found = record(request=request(target="teacher", propensity=0.95), end=old)

    assert (found.target, found.reason, found.upstream) == ("teacher", "fallback", "azure")
    assert found.propensity == pytest.approx(0.95)


@pytest.mark.parametrize(
    ("prices", "target", "cost"),
    [
        ({"gpt-4o-2024-08-06": Price(1.0, 1.0), **PRICES}, "teacher", 0.0011),
        (PRICES, "teacher", 0.003),
        (PRICES, "student", None),
        ({}, "teacher", None),
    ],
)
def test_the_served_models_price_counts_then_the_requested_ones_but_never_for_a_student(
    prices: dict[str, Price], target: str, cost: float | None
) -> None:
    found = record(request=request(target=target), prices=prices).cost_usd

    assert found == (None if cost is None else pytest.approx(cost))


@pytest.mark.parametrize(
    ("endpoint", "answer", "expected"),
    [
        (
            "/responses",
            {
                "object": "response",
                "status": "completed",
                "model": "m",
                "usage": {"input_tokens": 3, "output_tokens": 4},
            },
            (3, 4, "completed"),
        ),
        (
            "/responses",
            {"object": "response", "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            (None, None, "max_output_tokens"),
        ),
        (
            "/completions",
            {"choices": [{"text": "x", "finish_reason": "length"}], "usage": None},
            (None, None, "length"),
        ),
        (
            "/embeddings",
            {
                "object": "list",
                "data": [{"embedding": [0.1, -2.5e-7]}],
                "usage": {"prompt_tokens": 8, "total_tokens": 8},
            },
            (8, 0, None),
        ),
        ("/models", {"object": "list", "data": [{"id": "m"}]}, (None, None, None)),
    ],
)
def test_other_endpoints_are_recorded_whole_with_their_own_usage(
    endpoint: str, answer: dict[str, Any], expected: tuple[int | None, int | None, str | None]
) -> None:
    found = record(answered=json.dumps(answer).encode(), request=request(endpoint=endpoint))

    assert found.response == json.dumps(answer)
    assert (found.prompt_tokens, found.completion_tokens, found.finish_reason) == expected


def test_usage_of_a_responses_stream_is_read_from_its_last_event() -> None:
    found = record(b"{}", capture("responses_completed"), request=request(endpoint="/responses"), end=sse())

    assert (found.prompt_tokens, found.completion_tokens, found.reasoning_tokens) == (36, 87, 64)
    assert (found.finish_reason, found.complete, found.stream) == ("completed", True, True)


def test_a_stream_of_another_api_is_kept_as_text() -> None:
    found = record(STREAMING, capture("anthropic_messages"), request=request(endpoint="/messages"), end=sse())

    assert (found.response or "").encode() == capture("anthropic_messages")
    assert (found.complete, found.error_type) == (True, None)


def test_an_error_in_place_of_a_stream_is_an_answer_in_one_piece() -> None:
    refusal = b'{"error":{"message":"m","type":"invalid_request_error"}}'
    found = record(STREAMING, refusal, end=end(status=400))

    assert (found.stream, found.complete, found.response) == (True, True, refusal.decode())


def test_without_bodies_the_columns_are_there_and_the_text_is_not() -> None:
    found = record(request=request(bodies=False, fingerprint="f"), answered=capture("openai_logprobs"), end=sse())

    assert (found.request, found.response, found.logprobs) == (None, None, None)
    assert (found.fingerprint, found.model_requested, found.prompt_tokens) == ("f", "gpt-4o", 31)


def test_every_text_of_a_record_can_be_written() -> None:
    asked = (
        b'{"model":"\\ud83d","metadata":{"\\udc00":"\\ud83d\\ude00"},"messages":[{"role":"user","content":"\\ud83d"}]}'
    )
    found = record(asked, b'{"model":"\\ud83d","choices":[{"finish_reason":"\\ud83d","logprobs":{"x":"\\ud83d"}}]}')

    assert msgspec.json.encode(found)
    assert (found.model_requested, found.tags) == ("\ufffd", {"\ufffd": "😀"})


TYPE = st.sampled_from(["", "application/json", "text/event-stream", "text/plain", "audio/mpeg", "application/x"])
ENCODING = st.sampled_from(["", "gzip", "deflate", "br", "zstd", "gzip, deflate", "x"])
BODY = st.binary(max_size=100) | st.sampled_from(
    [ASKED, STREAMING, ANSWERED, gzip.compress(ANSWERED), b"null", b"[]", b'{"choices":[1,{"logprobs":1}],"usage":[]}']
    + [capture(name) for name in ("openai_text", "responses_cut", "garbage_between")]
)


@settings(deadline=None)
@given(BODY, BODY, TYPE, TYPE, ENCODING, ENCODING, st.booleans(), st.sampled_from(["raw", "assembled"]))
def test_no_bodies_make_it_raise(
    asked: bytes,
    answered: bytes,
    type_in: str,
    type_out: str,
    encoding_in: str,
    encoding_out: str,
    died: bool,
    form: Any,
) -> None:
    ending = end(content_type=type_out, content_encoding=encoding_out, form=form)
    found = record(
        asked,
        answered,
        request=request(content_type=type_in, content_encoding=encoding_in),
        end=None if died else ending,
    )

    assert msgspec.json.encode(found)
