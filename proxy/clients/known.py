"""The clients of the configuration, as a worker knows them: who asks, and may they?"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from nightschool.client_key import hash_of
from nightschool.config import Config
from proxy.clients import refusal
from proxy.clients.known_client import KnownClient
from proxy.clients.meters import Meters
from proxy.clients.refusal import Refusal
from proxy.headers import CREDENTIALS

if TYPE_CHECKING:
    from proxy.callers import Callers
    from proxy.request_head import RequestHead
    from proxy.route import Route

ANSWERING = frozenset(("/chat/completions", "/completions", "/responses", "/embeddings"))
"""What a client that is kept to workloads may ask for; other paths only where a rule of the workload names them."""

MAX_REMEMBERED = 10_000


class KnownClients:
    """In force with one configuration."""

    def __init__(self, config: Config, meters: Meters) -> None:
        self._meters = meters
        self._by_hash: dict[str, KnownClient] = {}
        for name, each in (config.clients or {}).items():
            client = KnownClient(name, each, meters.allowance(name, each))
            self._by_hash.update(dict.fromkeys(each.hashes, client))
        self._names: dict[bytes, str] = {}
        """By credential, as it stands in a header."""
        self._with_paths = frozenset(
            name for name, workload in config.workloads.items() if workload.when.path is not None
        )

    def refuses(self, head: RequestHead) -> Refusal | None:
        """Before anything else is read of a request; one that may come in is counted."""
        client = self._client_of(head)
        if client is None:
            return refusal.stranger(brings_key=head.credential is not None)
        if client.config.has_budget:
            if not head.control.record:
                return refusal.unrecorded(client.name)
            refused = self._over_budget(client)
            if refused is not None:
                return refused
        if client.allowance is not None:
            wait_s = client.allowance.take(time.monotonic())
            if wait_s:
                return refusal.too_often(client.name, client.config.requests_per_minute or 0, wait_s)
        return None

    def forbids(self, head: RequestHead, route: Route, *, method: bytes, endpoint: str) -> Refusal | None:
        """Once it is known what the request is about."""
        client = self._client_of(head)
        if client is None:  # the configuration changed while its body came
            return refusal.stranger(brings_key=head.credential is not None)
        if client.workloads is None:
            return None
        if route.workload not in client.workloads:
            return refusal.elsewhere(client.name, route.workload)
        if method == b"POST" and endpoint in ANSWERING:
            return None
        # A caller may name its workload, which must not open what is no question to a model: other people's files.
        ruled = route.reason == "rule" and route.workload in self._with_paths
        return None if ruled else refusal.beside_the_path(client.name)

    def is_stranger(self, headers: Mapping[bytes, bytes]) -> Refusal | None:
        """For what is not forwarded: any client may; ``headers`` have names in lower case."""
        if self._found(headers) is not None:
            return None
        return refusal.stranger(brings_key=any(name in headers for name in CREDENTIALS))

    def name_of(self, credential: bytes) -> str | None:
        """Of the client whose credential it is."""
        name = self._names.get(credential)
        if name is None and (client := self._by_hash.get(hash_of(_key_in(credential)))) is not None:
            if len(self._names) >= MAX_REMEMBERED:
                self._names.clear()  # one key can be written in many ways
            name = self._names[credential] = client.name
        return name

    def _client_of(self, head: RequestHead) -> KnownClient | None:
        """Found once for all requests that come with this head."""
        if head.known_by is not self:
            found = self._found(head.by_name)
            head.known_by, head.client = self, None if found is None else found[0]
            if found is not None:
                head.credential = found[1]
        return head.client

    def _found(self, headers: Mapping[bytes, bytes]) -> tuple[KnownClient, bytes] | None:
        """The client, and the header's value that says so. A hash tells nobody how much of a key was right."""
        for name in CREDENTIALS:
            value = headers.get(name)
            if value is not None and (client := self._by_hash.get(hash_of(_key_in(value)))) is not None:
                return client, value
        return None

    def _over_budget(self, client: KnownClient) -> Refusal | None:
        spent, config = self._meters.spent.get(client.name), client.config
        if spent is None:
            return None
        if config.usd_per_day is not None and spent.day >= config.usd_per_day:
            return self._spent(client, config.usd_per_day, "day")
        if config.usd_per_month is not None and spent.month >= config.usd_per_month:
            return self._spent(client, config.usd_per_month, "month")
        return None

    def _spent(self, client: KnownClient, usd: float, period: str) -> Refusal:
        self._meters.tell(client.name, period)
        now = datetime.now(UTC)
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        following = midnight + timedelta(days=1)
        if period == "month":
            following = (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)
        return refusal.too_much(client.name, usd, period, (following - now).total_seconds())


class NamedCallers:
    """Callers as the record knows them: clients by their names."""

    def __init__(self, clients: KnownClients, callers: Callers) -> None:
        self._clients = clients
        self._callers = callers

    def pseudonym(self, credential: bytes) -> str:
        return self._clients.name_of(credential) or self._callers.pseudonym(credential)


def _key_in(value: bytes) -> bytes:
    """Of a credential: what follows ``Bearer``, or all of it."""
    scheme, _, key = value.partition(b" ")
    return key.strip() if scheme.lower() == b"bearer" else value
