"""What may still be asked: a limit on money where the price is known, and one on calls."""

from __future__ import annotations

from dataclasses import dataclass

from nightschool.record import Price

_BYTES_PER_TOKEN = 3
_MILLION = 1_000_000


@dataclass
class Budget:
    """Counts what is spent; a question is paid for in advance by an estimate, and then by what it was."""

    max_usd: float
    max_calls: int
    price: Price | None
    answer_tokens: int
    """Room for one verdict."""
    calls: int = 0
    spent_usd: float = 0.0
    _promised_usd: float = 0.0

    def take(self, prompt_bytes: int) -> float | None:
        """Allow one call: what it may cost, or None when the budget does not allow it."""
        estimate = self.cost(prompt_bytes // _BYTES_PER_TOKEN, self.answer_tokens) or 0.0
        if self.calls >= self.max_calls or self.spent_usd + self._promised_usd + estimate > self.max_usd:
            return None
        self.calls += 1
        self._promised_usd += estimate
        return estimate

    def settle(self, estimate: float, cost: float | None) -> None:
        """The call that was allowed has ended; an unknown cost counts as estimated."""
        self._promised_usd -= estimate
        self.spent_usd += estimate if cost is None else cost

    def cost(self, prompt_tokens: int | None, completion_tokens: int | None) -> float | None:
        """USD; None where the price or the tokens are not known."""
        if self.price is None or prompt_tokens is None or completion_tokens is None:
            return None
        return (prompt_tokens * self.price.input + completion_tokens * self.price.output) / _MILLION
