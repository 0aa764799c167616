"""The load: questions at a steady rate, whatever becomes of the answers, and what all clients were told."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import httpx
import openai

from bench.soak.clients import PATIENCE_S, Clients
from bench.soak.told import Told

FEEDBACK_SHARE = 0.05
MOST_OPEN = 300
"""More questions than this are not open at once: the machine, not the proxy, would be what fails."""


@dataclass
class Ledger:
    """What the proxy has promised."""

    told: list[Told] = field(default_factory=list)
    feedback: list[str] = field(default_factory=list)
    """Ids of exchanges about which it has taken feedback."""
    held_back: int = 0
    """Questions that were not asked, since too many were open."""


class Load:
    """Asks until it is told to stop; then waits for the last answers."""

    def __init__(self, url: str, ledger: Ledger, *, rate: float, seed: int) -> None:
        self._url = url
        self._ledger = ledger
        self._rate = rate
        self._roll = random.Random(seed)
        self._open: set[asyncio.Task[None]] = set()

    async def run(self, seconds: float) -> None:
        """Fails with whatever a client did not expect of its own code."""
        async with AsyncExitStack() as stack:
            clients = await _clients(stack, self._url)
            async with asyncio.TaskGroup() as group:
                await self._ask_all(group, clients, seconds)

    async def _ask_all(self, group: asyncio.TaskGroup, clients: Clients, seconds: float) -> None:
        begun, number = time.monotonic(), 0
        while (due := number / self._rate) < seconds:
            await asyncio.sleep(max(0.0, begun + due - time.monotonic()))
            number += 1
            if len(self._open) >= MOST_OPEN:
                self._ledger.held_back += 1
                continue
            task = group.create_task(self._ask(clients, number, random.Random(self._roll.random())))
            self._open.add(task)
            task.add_done_callback(self._open.discard)

    async def _ask(self, clients: Clients, number: int, roll: random.Random) -> None:
        told = await clients.ask(number, roll)
        self._ledger.told.append(told)
        asks_back = roll.random() < FEEDBACK_SHARE
        if asks_back and told.acknowledged and told.id and await clients.feedback(told.id):
            self._ledger.feedback.append(told.id)


async def _clients(stack: AsyncExitStack, url: str) -> Clients:
    http = await stack.enter_async_context(
        httpx.AsyncClient(base_url=url, timeout=PATIENCE_S, trust_env=False, limits=httpx.Limits(max_connections=None))
    )
    sdk = await stack.enter_async_context(
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="sk-soak", max_retries=0, timeout=PATIENCE_S)
    )
    return Clients(int(url.rpartition(":")[2]), http, sdk)
