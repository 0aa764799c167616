"""Token counts from the ``usage`` of any answer, in the shapes of OpenAI's APIs and of those compatible with them.

None means that the upstream did not say; zero means that it said zero.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from nightschool.record import Price

_MAX_TOKENS = 2**31 - 1


class Usage(NamedTuple):
    """Tokens of one exchange; ``prompt`` includes ``cached``, ``completion`` should include ``reasoning``."""

    prompt: int | None = None
    completion: int | None = None
    cached: int | None = None
    reasoning: int | None = None
    total: int | None = None

    @property
    def billed_completion(self) -> int | None:
        """``completion``, plus the reasoning where the total shows that it was counted apart (xAI does)."""
        if None not in (self.prompt, self.completion, self.reasoning, self.total):
            apart = (self.completion or 0) + (self.reasoning or 0)
            if self.total == (self.prompt or 0) + apart:
                return apart
        return self.completion


def usage_of(answer: Any) -> Usage:
    """The usage of a parsed answer; all None if it has none."""
    usage = answer.get("usage") if isinstance(answer, dict) else None
    if not isinstance(usage, dict):
        return Usage()
    prompt = _first(usage, "prompt_tokens", "input_tokens")
    completion = _first(usage, "completion_tokens", "output_tokens")
    total = _first(usage, "total_tokens")
    if completion is None and prompt is not None and total is not None and total >= prompt:
        completion = total - prompt  # embeddings
    cached = _first(_details(usage, "prompt_tokens_details", "input_tokens_details"), "cached_tokens")
    if cached is None:
        cached = _first(usage, "prompt_cache_hit_tokens", "cached_tokens")  # DeepSeek, Moonshot
    read = _first(usage, "cache_read_input_tokens")
    if read is not None and prompt is not None and cached is None:  # Anthropic counts what it read from a cache apart
        cached, prompt = read, prompt + read + (_first(usage, "cache_creation_input_tokens") or 0)
    reasoning = _first(_details(usage, "completion_tokens_details", "output_tokens_details"), "reasoning_tokens")
    return Usage(prompt, completion, cached, reasoning, total)


def cost_usd(usage: Usage, price: Price | None) -> float | None:
    """What the tokens cost; None unless price and both counts are known."""
    completion = usage.billed_completion
    if price is None or usage.prompt is None or completion is None:
        return None
    cached = min(usage.cached or 0, usage.prompt)
    cached_price = price.input if price.cached_input is None else price.cached_input
    return ((usage.prompt - cached) * price.input + cached * cached_price + completion * price.output) / 1e6


def _first(counts: dict[str, Any], *keys: str) -> int | None:
    for key in keys:
        value = counts.get(key)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_TOKENS:
            return value
    return None


def _details(usage: dict[str, Any], *keys: str) -> dict[str, Any]:
    for key in keys:
        details = usage.get(key)
        if isinstance(details, dict):
            return details
    return {}
