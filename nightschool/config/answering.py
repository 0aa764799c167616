"""The sections about students that answer clients: what that costs, and when the teacher is asked instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import ConfigDict

from nightschool.config.section import Broken, Section
from nightschool.config.values import Count, Dollars

_BY_THE_HOUR = ("gpu_hour_usd", "tokens_per_hour")
_BY_THE_TOKEN = ("input", "output")
_MILLION = 1_000_000

Failure = Literal["invalid_output", "timeout", "error"]


class StudentPrice(Section):
    """What a student's answers cost: what the GPU costs and does in an hour, or a price per million tokens."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": list(_BY_THE_HOUR)}, {"required": list(_BY_THE_TOKEN)}]}
    )

    gpu_hour_usd: Dollars | None = None
    """USD for an hour of all the GPUs that the replicas run on."""

    tokens_per_hour: Count | None = None
    """Tokens, read and written together, that these GPUs get through in an hour."""

    input: Dollars | None = None
    """USD per million tokens that are read."""

    output: Dollars | None = None
    """USD per million tokens that are written."""

    @property
    def per_million(self) -> tuple[float, float]:
        """USD for tokens read, and for tokens written."""
        if self.gpu_hour_usd is not None and self.tokens_per_hour is not None:
            each = self.gpu_hour_usd / self.tokens_per_hour * _MILLION
            return each, each
        assert self.input is not None
        assert self.output is not None
        return self.input, self.output

    @classmethod
    def broken_rules(cls, given: Mapping[str, Any]) -> Iterable[Broken]:
        by_hour = [name for name in _BY_THE_HOUR if given.get(name) is not None]
        by_token = [name for name in _BY_THE_TOKEN if given.get(name) is not None]
        if by_hour and by_token:
            yield Broken((by_token[0],), f"goes not together with {by_hour[0]}: give the price in one of the two ways")
        elif not by_hour and not by_token:
            yield Broken((), "says no price: give `gpu_hour_usd` and `tokens_per_hour`, or `input` and `output`")
        for form, found in ((_BY_THE_HOUR, by_hour), (_BY_THE_TOKEN, by_token)):
            if len(found) == 1 and not (by_hour and by_token):
                missing = next(name for name in form if name not in found)
                yield Broken((missing,), f"is missing: {found[0]} alone is no price")


class Escalate(Section):
    """When the teacher answers what the student was to answer."""

    on: tuple[Failure, ...] = ("invalid_output", "timeout", "error")
    """Failures of the student that its teacher makes good within the same request; of others the client is told."""

    streams: Literal["flow", "hold"] = "flow"
    """`flow`: a student's words pass from the first on. `hold`: none before the whole answer is known good."""
