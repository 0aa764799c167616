"""Small on the wire, large once read: each encoding and each side, and what it costs is bounded.

`tests/faults/test_bombs.py` has nesting, indexes and one large answer; here is what takes memory or time by its form.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import psutil
import pytest
import zstandard

from demo.scripted_upstream import ScriptedUpstream, upstream_in_thread
from demo.upstream.behaviour import Behaviour
from nightschool.wire.encoding import UndecodableBody, decode_body
from tests.raw import ask, chat_request, request
from tests.running import RunningProxy, config_for, running_proxy

brotli = pytest.importorskip("brotli")
pytestmark = pytest.mark.alone  # how long others wait meanwhile
MIB = 1 << 20
LISTS = b'{"model": "plain", "messages": [' + b"[]," * (24 * MIB // 3) + b"[]]}"
"""As objects forty times as large as on a disk."""
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda body: brotli.compress(body, quality=4),
    "zstd": zstandard.compress,
    "gzip, gzip": lambda body: gzip.compress(gzip.compress(body)),
    "zstd, br": lambda body: brotli.compress(zstandard.compress(body)),
}


@pytest.mark.parametrize("encoding", PACKED)
def test_a_body_that_grows_beyond_text_stays_packed_and_one_of_a_usual_size_does_not(encoding: str) -> None:
    with pytest.raises(UndecodableBody, match="decoded_body_too_large"):
        decode_body(PACKED[encoding](LISTS), encoding)
    small = b"x" * 15 * MIB

    assert decode_body(PACKED[encoding](small), encoding) == small


def test_what_is_large_before_it_is_unpacked_may_grow_to_what_an_answer_may_be() -> None:
    text = bytes(range(256)) * (40 * MIB // 256)
    stored = gzip.compress(text, compresslevel=0)

    assert decode_body(stored, "gzip") == text


class Bombed(NamedTuple):
    """A proxy, and what it stands in front of."""

    proxy: RunningProxy
    upstream: ScriptedUpstream


@pytest.fixture(scope="module", params=["plain", "redacting", "metadata"])
def bombed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bombed]:
    """A worker that writes bytes as they come, and two that have to read them."""
    forms: dict[str, Any] = {
        "plain": {},
        "redacting": {"redact": [{"pattern": "s3cret", "with": "x"}]},
        "metadata": {"bodies": "metadata"},
    }
    with upstream_in_thread() as upstream:
        config = config_for(upstream.base_url, record={"segment_s": 1.0, **forms[request.param]})
        with running_proxy(config, tmp_path_factory.mktemp(request.param)) as proxy:
            ask(proxy.url, chat_request())
            yield Bombed(proxy, upstream)


class Watch:
    """What it costs while it goes on: memory of the largest process, and how long others wait."""

    def __init__(self, proxy: RunningProxy) -> None:
        self.peak_bytes, self.longest_wait_s = 0, 0.0
        self._proxy, self._over = proxy, threading.Event()
        self._threads = [threading.Thread(target=work) for work in (self._weigh, self._wait)]

    def __enter__(self) -> Watch:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _weigh(self) -> None:
        while not self._over.wait(0.02):
            with contextlib.suppress(psutil.Error):
                weights = [process.memory_info().rss for process in self._proxy.processes()]
                self.peak_bytes = max(self.peak_bytes, *weights)

    def _wait(self) -> None:
        while not self._over.wait(0.02):
            began = time.monotonic()
            ask(self._proxy.url, b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
            self.longest_wait_s = max(self.longest_wait_s, time.monotonic() - began)


def assert_bounded(watch: Watch) -> None:
    assert watch.peak_bytes < 500 * MIB
    assert watch.longest_wait_s < 3


@pytest.mark.parametrize("encoding", PACKED)
def test_a_packed_request_costs_little(bombed: Bombed, encoding: str) -> None:
    proxy, _ = bombed
    headers = [("content-type", "application/json"), ("content-encoding", encoding)]
    with Watch(proxy) as watch:
        answer = ask(proxy.url, request("POST", "/v1/chat/completions", headers, PACKED[encoding](LISTS)))
        record = proxy.record(answer.header("x-nightschool-id"))

    assert record["error_type"] == "decoded_body_too_large"
    assert record["request"] is None
    assert_bounded(watch)


@pytest.mark.parametrize("encoding", PACKED)
def test_a_packed_answer_passes_as_it_is_and_costs_little(bombed: Bombed, encoding: str) -> None:
    proxy, upstream = bombed
    packed = PACKED[encoding](LISTS)
    upstream.then(Behaviour(body=packed, headers=(("content-encoding", encoding),)))
    with Watch(proxy) as watch:
        answer = ask(proxy.url, chat_request(headers=[("accept-encoding", encoding)]))
        record = proxy.record(answer.header("x-nightschool-id"))

    assert answer.body == packed
    assert record["error_type"] == "decoded_body_too_large"
    assert_bounded(watch)


JSON_BOMBS = {
    "a number beyond reason": b'{"model": "plain", "n": 1e999999, "messages": []}',
    "an integer of 100,000 digits": b'{"model": "plain", "n": ' + b"9" * 100_000 + b', "messages": []}',
    "a fraction of 100,000 digits": b'{"model": "plain", "n": 0.' + b"9" * 100_000 + b', "messages": []}',
    "NaN": b'{"model": "plain", "temperature": NaN, "messages": [-Infinity]}',
    "100,000 keys": b'{"model": "plain", "messages": [], ' + b", ".join(b'"k%d": 1' % n for n in range(100_000)) + b"}",
    "one key 100,000 times": b'{"model": "plain", "messages": [], ' + b", ".join([b'"k": 1'] * 100_000) + b"}",
    "two models": b'{"model": "plain", "model": "other", "messages": [], "messages": [{"role": "user"}]}',
    "half a pair": b'{"model": "plain", "messages": [{"role": "user", "content": "\\ud83d"}]}',
    "half a pair as the model": b'{"model": "\\udfff", "messages": []}',
    "NUL": b'{"model": "pl\\u0000ain", "messages": [{"role": "user", "content": "\\u0000"}]}',
    "a raw NUL": b'{"model": "plain", "messages": ["\0"]}',
    "no UTF-8": b'{"model": "plain", "messages": [{"role": "user", "content": "\xff\xfe"}]}',
    "a byte order mark": b'\xef\xbb\xbf{"model": "plain", "messages": []}',
    "UTF-16": '{"model": "plain", "messages": []}'.encode("utf-16"),
    "a million escapes": b'{"model": "plain", "messages": ["' + b"\\u0041" * 1_000_000 + b'"]}',
    "JSON in JSON in JSON": json.dumps(
        {"model": "plain", "messages": [json.dumps([json.dumps([json.dumps([json.dumps(["[" * 1000])])])])]}
    ).encode(),
    "a list of a million": b'{"model": "plain", "messages": [' + b"1," * 1_000_000 + b"1]}",
    "100,000 messages": b'{"model": "plain", "messages": [' + b'{"role":"user"},' * 100_000 + b"{}]}",
    "100,000 tools": b'{"model": "plain", "messages": [], "tools": ['
    + b'{"type":"function","function":{"name":"f"}},' * 100_000
    + b"{}]}",
    "nothing but blanks": b" " * 5_000_000,
}


@pytest.mark.parametrize("name", JSON_BOMBS)
def test_odd_json_passes_as_it_came_and_is_recorded_as_json(bombed: Bombed, name: str) -> None:
    proxy, upstream = bombed
    upstream.forget()
    with Watch(proxy) as watch:
        answer = ask(
            proxy.url,
            request("POST", "/v1/chat/completions", [("content-type", "application/json")], JSON_BOMBS[name]),
        )
        record = proxy.record(answer.header("x-nightschool-id"))

    assert upstream.seen[0].body == JSON_BOMBS[name][: 1 << 20]
    assert record["status"] == answer.status
    str(record).encode()  # no half of a pair is left in it
    assert_bounded(watch)
