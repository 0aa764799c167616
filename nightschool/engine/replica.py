"""A vLLM server: what it holds, loading an adapter into it and out of it, asking it.

Its errors are told as what to do about them. Internal servers are reached without the environment's HTTP proxy.
"""

from __future__ import annotations

import re
import time
from typing import Any, TypeVar

import httpx
import msgspec

from nightschool.errors import NightschoolError
from nightschool.wire import json_text

_CONNECT_S = 5.0
_JSON = {"content-type": "application/json"}
_Kind = TypeVar("_Kind")


class ReplicaError(NightschoolError):
    """A replica cannot be used: it is not there, or not set up for what is asked of it."""


class ReplicaSilent(ReplicaError):
    """It gave no answer in time: it may be gone, or at work."""


class ReplicaUnreachable(ReplicaError):
    """There is no connection to it, or that broke: it may come back."""


class ReplicaUnwell(ReplicaError):
    """It answered that something in it went wrong (5xx): it may get well."""


class PromptRefused(Exception):
    """The engine does not take one prompt; the text is its own."""


class Model(msgspec.Struct):
    """One that a replica holds; an adapter has a parent."""

    id: str
    root: str | None = None
    parent: str | None = None
    max_model_len: int | None = None


class _Models(msgspec.Struct):
    data: list[Model]


class Reply(msgspec.Struct):
    """An answer of the engine."""

    message: dict[str, Any]
    finish_reason: str | None
    latency_ms: float
    prompt_tokens: int | None
    completion_tokens: int | None


class Replica:
    """One server. Close it."""

    def __init__(self, url: str, *, timeout_s: float, connections: int) -> None:
        self.url = url.rstrip("/").removesuffix("/v1")
        self._client = httpx.AsyncClient(
            base_url=self.url,
            trust_env=False,
            timeout=httpx.Timeout(timeout_s, connect=_CONNECT_S, pool=None),
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def models(self, *, timeout_s: float | None = None) -> list[Model]:
        """What it holds."""
        response = await self._send("GET", "/v1/models", None, timeout_s=timeout_s)
        try:
            response.raise_for_status()
            return msgspec.json.decode(response.content, type=_Models).data
        except (httpx.HTTPStatusError, msgspec.DecodeError) as error:
            raise ReplicaError(
                f"{self.url}/v1/models does not answer as vLLM does: {error}",
                remedy="check `student.replicas`: each is the address of a vLLM server",
            ) from error

    async def load_adapter(self, name: str, path: str) -> None:
        """Load it; nothing happens if it is loaded."""
        response = await self._send("POST", "/v1/load_lora_adapter", {"lora_name": name, "lora_path": path})
        if response.status_code == 200 or "already been loaded" in response.text:
            return
        raise _not_loaded(self.url, name, path, response)

    async def unload_adapter(self, name: str) -> None:
        """Give it up; nothing happens if it is not loaded."""
        response = await self._send("POST", "/v1/unload_lora_adapter", {"lora_name": name})
        if response.status_code not in (200, 404):
            raise ReplicaError(
                f"{self.url} did not unload the adapter {name}: {_message(response)}",
                remedy="look at the log of vLLM",
            )

    async def running(self) -> int | None:
        """Requests that it is at work on, or has waiting; None where it does not tell."""
        response = await self._send("GET", "/metrics", None)
        found = re.findall(r"^vllm:num_requests_(?:running|waiting)(?:\{.*\})? (\S+)$", response.text, re.MULTILINE)
        return int(sum(float(number) for number in found)) if response.status_code == 200 and found else None

    async def sleep(self) -> bool:
        """Have it give its processor and memory back, but keep its weights; false where it cannot."""
        return (await self._send("POST", "/sleep?level=1", None)).status_code == 200

    async def wake_up(self) -> bool:
        """The end of that."""
        return (await self._send("POST", "/wake_up", None)).status_code == 200

    async def version(self) -> str | None:
        """Of the engine, where it tells."""
        response = await self._send("GET", "/version", None)
        return _field(response, "version", str)

    async def token_ids(self, model: str, text: str) -> list[int] | None:
        """Of a text, in which special tokens are such; None where the server does not tell."""
        body = {"model": model, "prompt": text, "add_special_tokens": False}
        return _field(await self._send("POST", "/tokenize", body), "tokens", list)

    async def prompt_ids(self, model: str, messages: list[Any], tools: list[Any] | None) -> list[int] | None:
        """What the model would read of a conversation; None where the server does not tell."""
        body = {"model": model, "messages": messages, "add_generation_prompt": True}
        if tools:
            body["tools"] = tools
        return _field(await self._send("POST", "/tokenize", body), "tokens", list)

    async def chat(self, body: dict[str, Any]) -> Reply:
        """Raises PromptRefused for a prompt that it does not take, ReplicaError when it is not well."""
        begin = time.perf_counter()
        response = await self._send("POST", "/v1/chat/completions", body)
        latency_ms = (time.perf_counter() - begin) * 1000
        if response.status_code in (400, 413, 422):
            raise PromptRefused(_message(response))
        if response.status_code != 200:
            kind = ReplicaUnwell if response.status_code >= 500 else ReplicaError
            raise kind(
                f"{self.url} answered with status {response.status_code}: {_message(response)}",
                remedy="look at the log of vLLM; then run the command again, which goes on where it was",
            )
        answer = response.json()
        usage = answer.get("usage") or {}
        choice = answer["choices"][0]
        return Reply(
            choice["message"],
            choice.get("finish_reason"),
            latency_ms,
            usage.get("prompt_tokens"),
            usage.get("completion_tokens"),
        )

    async def _send(
        self, method: str, path: str, body: dict[str, Any] | None, *, timeout_s: float | None = None
    ) -> httpx.Response:
        try:
            content = None if body is None else json_text.encode(body)
            timeout = httpx.USE_CLIENT_DEFAULT if timeout_s is None else timeout_s
            return await self._client.request(method, path, content=content, headers=_JSON, timeout=timeout)
        except httpx.TimeoutException as error:
            raise ReplicaSilent(
                f"{self.url} gave no answer in time",
                remedy="raise `evaluate.timeout_s`, or lower `evaluate.concurrency`; what was answered is kept",
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ReplicaUnreachable(
                f"{self.url} cannot be reached: {error or type(error).__name__}",
                remedy="start vLLM there, or correct `student.replicas`; then run the command again, which goes on "
                "where it was",
            ) from error


def _field(response: httpx.Response, name: str, kind: type[_Kind]) -> _Kind | None:
    if response.status_code != 200:
        return None
    try:
        value = response.json().get(name)
    except (ValueError, AttributeError):
        return None
    return value if isinstance(value, kind) else None


def _not_loaded(url: str, name: str, path: str, response: httpx.Response) -> ReplicaError:
    text = _message(response)
    cause = f"{url} did not load the adapter {name}: {text}"
    if response.status_code in (404, 405) and "lora" not in text.lower() and path not in text:
        remedy = "start vLLM with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True"
    elif "No adapter found" in text or response.status_code == 404:
        remedy = f"the server must see the folder as {path}: mount the data folder there under the same path"
    elif "rank" in text.lower():
        remedy = "start vLLM with a --max-lora-rank that is as great as the rank of the adapter"
    else:
        remedy = "is it made for the base model that is served there, and started with --enable-lora?"
    return ReplicaError(cause, remedy=remedy)


def _message(response: httpx.Response) -> str:
    """The words of an error, whichever shape it has."""
    try:
        body = response.json()
    except ValueError:
        return response.text[:300]
    error = body.get("error", body) if isinstance(body, dict) else body
    told = error.get("message", error.get("detail")) if isinstance(error, dict) else error
    return str(told if told is not None else body)[:300]
