"""Every other endpoint by the official client: forwarded unchanged, recorded with the usage of its own shape."""

from __future__ import annotations

import hashlib
import json

import openai
import pytest

from demo.scripted_upstream import ScriptedUpstream
from demo.upstream.behaviour import TEXT, Behaviour
from tests.proxy.asking import MESSAGES, tagged
from tests.raw import RawConnection, ask, chat_request, request
from tests.running import RunningProxy

DELTAS = len(Behaviour().deltas)


def test_embeddings_are_recorded_with_their_tokens(client: openai.OpenAI, proxy: RunningProxy, tag: str) -> None:
    answer = client.embeddings.create(model="embed", input=["a b", "c"], extra_headers=tagged(tag))

    (record,) = proxy.records(tag, 1)
    assert [item.embedding for item in answer.data] == [[0.25, -0.5, 1.0]] * 2
    assert (record["endpoint"], record["prompt_tokens"]) == ("/embeddings", 3)


@pytest.mark.parametrize("stream", [False, True])
def test_legacy_completions_are_recorded_with_text_and_tokens(
    client: openai.OpenAI, proxy: RunningProxy, tag: str, stream: bool
) -> None:
    answer = client.completions.create(model="old", prompt="a b", stream=stream, extra_headers=tagged(tag))
    text = "".join(chunk.choices[0].text for chunk in answer) if stream else answer.choices[0].text  # type: ignore[union-attr]

    (record,) = proxy.records(tag, 1)
    assert text == TEXT
    assert json.loads(record["response"])["choices"][0]["text"] == TEXT
    assert (record["endpoint"], record["prompt_tokens"], record["completion_tokens"]) == ("/completions", 2, DELTAS)


@pytest.mark.parametrize("stream", [False, True])
def test_responses_are_recorded_with_output_and_tokens(
    client: openai.OpenAI, proxy: RunningProxy, tag: str, stream: bool
) -> None:
    if stream:
        with client.responses.stream(model="resp", input="a b", extra_headers=tagged(tag)) as events:
            text = events.get_final_response().output_text
    else:
        text = client.responses.create(model="resp", input="a b", extra_headers=tagged(tag)).output_text

    (record,) = proxy.records(tag, 1)
    recorded = json.loads(record["response"])
    assert text == TEXT
    assert recorded["object"] == "response"
    assert recorded["output"][0]["content"][0]["text"] == TEXT
    assert (record["stream"], record["complete"]) == (stream, True)
    assert (record["endpoint"], record["prompt_tokens"], record["completion_tokens"]) == ("/responses", 2, DELTAS)
    assert (record["model_requested"], record["model_served"]) == ("resp", "resp-2026-05-01")


def test_the_models_of_the_upstream_are_listed(client: openai.OpenAI) -> None:
    assert {model.id for model in client.models.list()} >= {"a", "b"}


def test_an_uploaded_file_reaches_the_upstream_whole_and_is_recorded_as_metadata(
    client: openai.OpenAI, proxy: RunningProxy, upstream: ScriptedUpstream, tag: str
) -> None:
    content = bytes(range(256)) * 4096
    file = client.files.create(file=("train.jsonl", content), purpose="fine-tune", extra_headers=tagged(tag))

    (record,) = proxy.records(tag, 1)
    (seen,) = upstream.seen
    assert content in seen.body or seen.body_bytes > len(seen.body)
    assert file.bytes == seen.body_bytes
    assert file.id == "file-" + seen.body_sha256[:24]
    assert (record["endpoint"], record["status"], record["request"]) == ("/files", 200, None)


def test_audio_comes_back_byte_for_byte_and_is_recorded_as_metadata(
    client: openai.OpenAI, proxy: RunningProxy, upstream: ScriptedUpstream, tag: str
) -> None:
    upstream.then(Behaviour(download_bytes=3_000_001))
    audio = client.audio.speech.create(model="tts", voice="alloy", input="hi", extra_headers=tagged(tag)).content

    (record,) = proxy.records(tag, 1)
    expected = (bytes(range(256)) * (3_000_001 // 256 + 1))[:3_000_001]
    assert hashlib.sha256(audio).digest() == hashlib.sha256(expected).digest()
    assert (record["endpoint"], record["status"], record["complete"]) == ("/audio/speech", 200, True)
    assert (record["model_requested"], record["response"]) == ("tts", None)


def test_an_azure_client_is_understood_and_its_path_kept(
    proxy: RunningProxy, upstream: ScriptedUpstream, tag: str
) -> None:
    with openai.AzureOpenAI(
        azure_endpoint=proxy.url, api_key="caller-key", api_version="2025-01-01", max_retries=0
    ) as azure:
        answer = azure.chat.completions.create(
            model="my gpt", messages=MESSAGES, extra_headers={**tagged(tag), "x-nightschool-workload": "to-azure"}
        )

    (record,) = proxy.records(tag, 1)
    (seen,) = upstream.seen
    assert answer.choices[0].message.content == TEXT
    assert seen.target == "/openai/deployments/my%20gpt/chat/completions?api-version=2025-01-01"
    assert (seen.all("api-key"), seen.header("authorization")) == (["azure-configured"], None)
    assert (record["endpoint"], record["model_requested"], record["upstream"]) == (
        "/chat/completions",
        "my gpt",
        "azure",
    )


def test_an_ordinary_client_reaches_azure_by_its_model(client: openai.OpenAI, upstream: ScriptedUpstream) -> None:
    answer = client.chat.completions.create(model="my gpt", messages=MESSAGES)

    (seen,) = upstream.seen
    assert answer.choices[0].message.content == TEXT
    assert seen.target == "/openai/deployments/my%20gpt/chat/completions?api-version=2026-05-01"
    assert (seen.all("api-key"), seen.header("authorization")) == (["azure-configured"], None)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize(
    "target", ["/v1/unknown", "/v1/a%2Fb/%E2%82%AC?q=a%20b&q=", "/v1//double", "/v1/files/x/content?limit=3"]
)
def test_every_method_and_path_is_forwarded_as_it_is(
    proxy: RunningProxy, upstream: ScriptedUpstream, method: str, target: str
) -> None:
    body = None if method in ("GET", "OPTIONS") else b"some body"
    through = ask(proxy.url, request(method, target, [("content-type", "text/x-odd")], body))

    (seen,) = upstream.seen
    assert through.status == 200
    assert (seen.method, seen.target, seen.body) == (method, target, body or b"")


@pytest.mark.parametrize("host", ["localhost", "elsewhere.example:8080"])
def test_a_target_that_names_a_host_is_forwarded_by_its_path(
    proxy: RunningProxy, upstream: ScriptedUpstream, host: str
) -> None:
    with RawConnection(proxy.url) as connection:
        for _ in range(2):
            connection.send(chat_request(target=f"http://{host}/v1/chat/completions?a=b"))
            assert connection.answer().status == 200
        connection.send(request("GET", f"http://{host}/healthz"))
        assert connection.answer().status == 200

    assert [seen.target for seen in upstream.seen] == ["/v1/chat/completions?a=b"] * 2
    assert [seen.header("host") for seen in upstream.seen] == [upstream.url.removeprefix("http://")] * 2


@pytest.mark.parametrize("target", ["*", "http://localhost", "http://localhost?a=b", "gopher://localhost/v1/models"])
def test_a_target_without_a_path_of_the_api_is_404(
    proxy: RunningProxy, upstream: ScriptedUpstream, target: str
) -> None:
    answer = ask(proxy.url, request("OPTIONS", target))

    assert (answer.status, set(answer.json()["error"])) == (404, {"message", "type", "param", "code"})
    assert upstream.seen == []


def test_head_and_204_pass_without_a_body(proxy: RunningProxy, upstream: ScriptedUpstream) -> None:
    direct = ask(upstream.url, request("HEAD", "/v1/models"), head_only=True)
    head = ask(proxy.url, request("HEAD", "/v1/models"), head_only=True)
    upstream.then(Behaviour(status=204))
    deleted = ask(proxy.url, request("DELETE", "/v1/files/1"))

    assert (head.status, head.header("content-length")) == (200, direct.header("content-length"))
    assert (deleted.status, deleted.body, deleted.header("content-length")) == (204, b"", None)


@pytest.mark.parametrize(
    "target",
    ["/v1/../admin", "/v1/a/../../admin", "/v1/./models", "/v1/%2e%2e/admin", "/v1/%2E%2e/admin", "/v1/.%2e", "/v1/.."],
)
def test_a_path_that_could_leave_the_base_is_refused(
    proxy: RunningProxy, upstream: ScriptedUpstream, target: str
) -> None:
    answer = ask(proxy.url, request("GET", target))

    assert (answer.status, set(answer.json()["error"])) == (400, {"message", "type", "param", "code"})
    assert upstream.seen == []


def test_a_dot_inside_a_name_is_no_dot_segment(proxy: RunningProxy, upstream: ScriptedUpstream) -> None:
    assert ask(proxy.url, request("GET", "/v1/models/gpt-4.1..x")).status == 200
    assert upstream.seen[0].target == "/v1/models/gpt-4.1..x"


def test_a_path_outside_of_the_api_is_404_in_openais_shape(proxy: RunningProxy, upstream: ScriptedUpstream) -> None:
    answer = ask(proxy.url, request("GET", "/elsewhere"))

    assert (answer.status, set(answer.json()["error"])) == (404, {"message", "type", "param", "code"})
    assert upstream.seen == []
