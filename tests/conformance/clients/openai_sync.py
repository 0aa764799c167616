"""The official Python client, synchronous."""

from __future__ import annotations

import functools
import hashlib
import itertools
import time
from typing import Any

import httpx
import openai
from openai import OpenAI

from tests.conformance.asked import MESSAGES, MODEL, QUESTION, WEATHER, Answer, Weather
from tests.conformance.behaviours import Behaviours, headers, raised

ERRORS = (400, 401, 403, 404, 409, 413, 422, 429, 500, 503)
ODD_MODELS = ("crlf", "comments", "every-byte", "one-write", "obfuscated", "spaced", "ascii", "until-close", "trailers")

behaviour = Behaviours("openai (Python, sync)", "openai")
client = OpenAI()
impatient = client.with_options(timeout=0.6, max_retries=0)
patient = client.with_options(max_retries=2)


def ask(using: OpenAI, model: str = MODEL, **more: Any) -> Any:
    return using.chat.completions.create(model=model, messages=MESSAGES, **more)


# chat completions


@behaviour
def chat() -> Any:
    return ask(client)


@behaviour
def chat_with_every_setting() -> Any:
    return ask(
        client,
        n=2,
        temperature=0.25,
        top_p=1.0,
        seed=7,
        stop=["\n\n"],
        max_completion_tokens=99,
        logprobs=True,
        top_logprobs=2,
        metadata={"feature": "conformance"},
        user="someone",
        extra_body={"not_known_to_anyone": [1.50, None, {"deep": "é"}]},
        extra_headers={"x-extra": "yes"},
        extra_query={"deep": "1 2"},
    )


@behaviour
def large_request() -> Any:
    return client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "long " * 200_000}])


@behaviour
def json_mode() -> Any:
    return ask(client, response_format={"type": "json_object"})


@behaviour
def many_requests_on_one_client() -> Any:
    return [ask(client, seed=number).id for number in range(10)]


@behaviour
def compressed_answer() -> Any:
    return [ask(client, model) for model in ("gzip", "deflate", "chunked")]


@behaviour
def stream() -> Any:
    return list(ask(client, stream=True))


@behaviour
def stream_with_usage() -> Any:
    return list(ask(client, stream=True, stream_options={"include_usage": True}))


@behaviour
def stream_of_two_choices() -> Any:
    return list(ask(client, stream=True, n=2))


@behaviour
def streams_written_oddly() -> Any:
    return {model: list(ask(client, model, stream=True)) for model in ODD_MODELS}


@behaviour
def stream_that_is_left_early() -> Any:
    with ask(client, "slow", stream=True) as chunks:
        begun = list(itertools.islice(chunks, 3))
    return [begun, ask(client)]


# tools


@behaviour
def tools() -> Any:
    return ask(client, tools=[WEATHER])


@behaviour
def tools_in_parallel() -> Any:
    return ask(client, "parallel", tools=[WEATHER])


@behaviour
def tools_to_and_fro() -> Any:
    called = ask(client, tools=[WEATHER]).choices[0].message
    result = {"role": "tool", "tool_call_id": called.tool_calls[0].id, "content": "18 °C"}
    messages = [*MESSAGES, called.model_dump(exclude_none=True), result]
    return client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER])


@behaviour
def stream_of_tools() -> Any:
    return list(ask(client, "parallel", tools=[WEATHER], stream=True))


# helpers


@behaviour
def parse() -> Any:
    parsed = client.chat.completions.parse(model=MODEL, messages=MESSAGES, response_format=Answer)
    assert parsed.choices[0].message.parsed == Answer(answer=42)
    return parsed


@behaviour
def parse_tools() -> Any:
    tool = openai.pydantic_function_tool(Weather)
    parsed = client.chat.completions.parse(model=MODEL, messages=MESSAGES, tools=[tool])
    calls = parsed.choices[0].message.tool_calls
    assert calls
    assert calls[0].function.parsed_arguments == Weather(city="Zürich", unit="°C")
    return parsed


@behaviour
def parse_under_beta() -> Any:
    return client.beta.chat.completions.parse(model=MODEL, messages=MESSAGES, response_format=Answer)


@behaviour
def stream_helper() -> Any:
    with client.chat.completions.stream(model=MODEL, messages=MESSAGES) as events:
        told = [[event.type, event] for event in events]
        return [told, events.get_final_completion()]


@behaviour
def stream_helper_parses() -> Any:
    with client.beta.chat.completions.stream(model=MODEL, messages=MESSAGES, response_format=Answer) as events:
        told = [[event.type, event] for event in events]
        final = events.get_final_completion()
    assert final.choices[0].message.parsed == Answer(answer=42)
    return [told, final]


@behaviour
def stream_helper_parses_tools() -> Any:
    tool = openai.pydantic_function_tool(Weather)
    with client.chat.completions.stream(model=MODEL, messages=MESSAGES, tools=[tool]) as events:
        told = [[event.type, event] for event in events]
        return [told, events.get_final_completion()]


@behaviour
def raw_response() -> Any:
    answer = client.chat.completions.with_raw_response.create(model=MODEL, messages=MESSAGES)
    return [answer.status_code, headers(answer.headers), answer.text, answer.parse(), answer.http_version]


@behaviour
def streaming_response() -> Any:
    create = client.chat.completions.with_streaming_response.create
    with create(model=MODEL, messages=MESSAGES, stream=True) as answer:
        return [answer.status_code, headers(answer.headers), list(answer.iter_lines())]


# errors, retries, timeouts


@behaviour
def errors() -> Any:
    once = client.with_options(max_retries=0)
    return {status: raised(functools.partial(ask, once, f"status-{status}")) for status in ERRORS}


@behaviour
def error_in_a_stream() -> Any:
    return raised(lambda: list(ask(client, "error-event", stream=True)))


@behaviour
def retry_after_is_kept() -> Any:
    begun = time.monotonic()
    answer = patient.chat.completions.with_raw_response.create(model="limited-2", messages=MESSAGES)
    waited_s = time.monotonic() - begun
    assert answer.retries_taken == 2
    assert waited_s >= 2 * 0.3, waited_s
    return [answer.retries_taken, answer.parse()]


@behaviour
def retries_come_to_an_end() -> Any:
    return raised(lambda: ask(patient, "rate-limited"))


@behaviour
def server_error_is_retried() -> Any:
    answer = patient.chat.completions.with_raw_response.create(model="failing-1", messages=MESSAGES)
    assert answer.retries_taken == 1
    return answer.parse()


@behaviour
def upstream_forbids_a_retry() -> Any:
    return raised(lambda: ask(patient, "failing-for-good"))


@behaviour
def stream_after_a_retry() -> Any:
    return list(ask(patient, "limited-1", stream=True))


@behaviour
def timeout_before_the_answer() -> Any:
    return raised(lambda: ask(impatient.with_options(max_retries=1), "hang-before-head"))


@behaviour
def timeout_in_a_stream() -> Any:
    return raised(lambda: list(ask(impatient, "hang", stream=True)))


@behaviour
def timeout_of_one_request() -> Any:
    return raised(lambda: ask(impatient, "hang-before-head", timeout=httpx.Timeout(5, read=0.4)))


@behaviour
def upstream_closes_before_its_answer() -> Any:
    return raised(lambda: ask(client.with_options(max_retries=1), "close-before-head"))


@behaviour
def upstream_breaks_off_a_stream() -> Any:
    return raised(lambda: list(ask(client, "no-last-chunk", stream=True)))


# other endpoints


@behaviour
def embeddings() -> Any:
    return client.embeddings.create(model=MODEL, input=["one", "two words"])


@behaviour
def embeddings_as_floats() -> Any:
    return client.embeddings.create(model=MODEL, input="one", encoding_format="float", dimensions=3)


@behaviour
def responses() -> Any:
    answer = client.responses.create(model=MODEL, input=QUESTION)
    return [answer, answer.output_text]


@behaviour
def responses_with_a_tool() -> Any:
    function: Any = {**WEATHER["function"], "type": "function", "strict": True}
    return client.responses.create(model=MODEL, input=QUESTION, tools=[function])


@behaviour
def responses_streamed() -> Any:
    return list(client.responses.create(model=MODEL, input=QUESTION, stream=True))


@behaviour
def responses_stream_helper() -> Any:
    with client.responses.stream(model=MODEL, input=QUESTION) as events:
        told = [[event.type, event] for event in events]
        return [told, events.get_final_response()]


@behaviour
def responses_parse() -> Any:
    parsed = client.responses.parse(model=MODEL, input=QUESTION, text_format=Answer)
    assert parsed.output_parsed == Answer(answer=42)
    return parsed


@behaviour
def completions() -> Any:
    return client.completions.create(model=MODEL, prompt=QUESTION)


@behaviour
def completions_streamed() -> Any:
    return list(client.completions.create(model=MODEL, prompt=QUESTION, stream=True))


@behaviour
def models() -> Any:
    return [model.id for model in client.models.list()]


@behaviour
def upload() -> Any:
    file = client.files.create(file=("rows.jsonl", b'{"a": 1}\n' * 1000), purpose="fine-tune")
    return [file.object, file.purpose, file.bytes]


@behaviour
def download() -> Any:
    speech = client.audio.speech.create(model=MODEL, voice="alloy", input=QUESTION)
    return [hashlib.sha256(speech.content).hexdigest(), headers(speech.response.headers)]


if __name__ == "__main__":
    behaviour.run()
