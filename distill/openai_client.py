"""OpenAI's client for an upstream of the configuration, with what it needs of keys, certificates and Azure."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import httpx
import openai

from nightschool.config import Upstream

_NO_KEY = "none"
"""For an upstream that asks for none; the client must have something."""


def client_of(upstream: Upstream, *, timeout_s: float, max_retries: int) -> openai.AsyncOpenAI:
    """To be used in one event loop, and closed."""
    trust = upstream.verify_tls
    verify = ssl.create_default_context(cafile=trust) if isinstance(trust, Path) else trust
    told: dict[str, Any] = {
        "api_key": upstream.api_key.get_secret_value() if upstream.api_key else _NO_KEY,
        "default_headers": dict(upstream.headers),
        "max_retries": max_retries,
        "timeout": timeout_s,
        "http_client": httpx.AsyncClient(verify=verify, timeout=timeout_s),
    }
    if upstream.kind == "azure":
        return openai.AsyncAzureOpenAI(azure_endpoint=upstream.root, api_version=upstream.api_version, **told)
    return openai.AsyncOpenAI(base_url=upstream.root, **told)
