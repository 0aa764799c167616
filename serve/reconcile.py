"""One replica, made to hold what the registry wants. Each pass is idempotent, and says what it has found.

    what it holds -> right base model? our prompts? -> load and warm what is missing -> unload what is long unwanted

An adapter is never loaded under a name or from a path that another one had: both are made of its content.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from nightschool.engine.base import served_base
from nightschool.engine.rendering import end_of_turn_ids
from nightschool.engine.replica import (
    Model,
    PromptRefused,
    Replica,
    ReplicaError,
    ReplicaSilent,
    ReplicaUnreachable,
    ReplicaUnwell,
)
from nightschool.errors import NightschoolError
from nightschool.formats import Format
from nightschool.registry.replicas import ReplicaState
from serve.contract import keeps_contract
from serve.wanted import Wanted

_OURS = re.compile(r"--[0-9a-f]{12}$")
"""How the name of an adapter ends; others that a replica holds are none of our business."""
_PASSES = ReplicaSilent | ReplicaUnreachable | ReplicaUnwell
_LOAD_AGAIN_AFTER_S = 30.0
_SILENT_FOR_S = 30.0
"""A server that is at work may be slow to say what it holds."""
_WARM_UP = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1, "temperature": 0}


class _Fault(NamedTuple):
    """Why an adapter could not be loaded."""

    told: str
    passes: bool
    """It may be gone when it is tried again."""


class Reconciler:
    """Of one replica. Between its passes it remembers what it has checked, and since when nobody wants what."""

    def __init__(
        self,
        replica: Replica,
        wanted: Wanted,
        *,
        base_model: str,
        format: Format,
        unload_after_s: float,
        answers_within_s: float = 10.0,
    ) -> None:
        self.replica = replica
        self._answers_within_s = answers_within_s
        self._wanted, self._base_model, self._format = wanted, base_model, format
        self._unload_after_s = unload_after_s
        self._met: ReplicaState | None = None
        """As it was found when its contract was checked; None before, and after it was away."""
        self._told = ReplicaState(url=replica.url, ready=False)
        self._heard_at = 0.0
        self._warm: set[str] = set()
        self._faults: dict[str, _Fault] = {}
        self._tried_at: dict[str, float] = {}
        self._unwanted_since: dict[str, float] = {}

    async def look(self, names: Sequence[str]) -> ReplicaState:
        """One pass, for the adapters ``names``, in this order; never raises what is told in the state."""
        try:
            held = await self.replica.models(timeout_s=self._answers_within_s)
            loaded = {model.id for model in held if model.parent is not None}
            if self._met is None or not self._warm <= loaded:  # it was started anew, perhaps as another one
                self._met = await self._meet(held)
                self._warm.clear()
            await self._unload(loaded, names)
            for name in names:
                await self._hold(name, loaded, self._met.base or "")
        except ReplicaSilent as error:
            if self._met is not None and time.monotonic() - self._heard_at < _SILENT_FOR_S:
                return self._told  # at work, perhaps; proxies have breakers of their own
            return self._lost(error)
        except NightschoolError as error:
            return self._lost(error)
        self._heard_at = time.monotonic()
        adapters = tuple(name for name in names if name in self._warm)
        faults = {name: self._faults[name].told for name in names if name in self._faults}
        passing = tuple(name for name in faults if self._faults[name].passes)
        self._told = replace(self._met, adapters=adapters, faults=faults, passing=passing)
        return self._told

    def _lost(self, error: NightschoolError) -> ReplicaState:
        self._met = None
        return ReplicaState(url=self.replica.url, ready=False, why=str(error))

    def forget(self) -> None:
        """It goes away for a while: what is known of it does not hold when it comes back."""
        self._met = None

    async def _meet(self, held: Sequence[Model]) -> ReplicaState:
        base = served_base(held, self.replica.url, self._base_model)
        if not await keeps_contract(self.replica, base.id, self._format):
            raise ReplicaError(
                f"{self.replica.url} has no /tokenize: nobody can tell whether it writes prompts as they are taught",
                remedy="start vLLM with the arguments of docs/serving.md",
            )
        return ReplicaState(
            url=self.replica.url,
            ready=True,
            base=base.id,
            max_model_len=base.max_model_len,
            stop_token_ids=await end_of_turn_ids(self.replica, base.id, self._format),
        )

    async def _hold(self, name: str, loaded: set[str], base: str) -> None:
        """Load it and warm it up, unless it is; what stands against it is kept in ``_faults``."""
        if name in self._warm:
            return
        now = time.monotonic()
        if name in self._faults and now - self._tried_at[name] < _LOAD_AGAIN_AFTER_S:
            return
        self._tried_at[name] = now
        try:
            folder = await asyncio.to_thread(self._wanted.folder_of, name)  # it reads all of it
            if name not in loaded:
                await self.replica.load_adapter(name, str(folder))
            await self.replica.chat({"model": name, **_WARM_UP})
        except (NightschoolError, PromptRefused) as error:
            self._faults[name] = _Fault(str(error), isinstance(error, _PASSES))
        else:
            self._faults.pop(name, None)
            self._warm.add(name)

    async def _unload(self, loaded: set[str], names: Sequence[str]) -> None:
        """What nobody has wanted for so long that no request for it can still be under way."""
        now = time.monotonic()
        unwanted = {name for name in loaded if _OURS.search(name)} - set(names)
        self._unwanted_since = {name: self._unwanted_since.get(name, now) for name in unwanted}
        for name, since in self._unwanted_since.items():
            if now - since >= self._unload_after_s:
                await self.replica.unload_adapter(name)
                self._warm.discard(name)
