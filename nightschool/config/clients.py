"""Who may use the proxy: the section about clients, and the rules that keep strangers from the keys behind it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from nightschool.client_key import KEY_HASH, PREFIX
from nightschool.config.hosts import is_loopback, is_private
from nightschool.config.section import Broken, Section
from nightschool.config.values import LISTEN, Count, Name, split_listen

PSEUDONYM = re.compile(r"[0-9a-f]{16}")
"""What the record calls a caller that has no name."""

_CREDENTIALS = {"authorization", "api-key", "x-api-key"}
_LIMITS = ("workloads", "requests_per_minute", "usd_per_day", "usd_per_month")

Where = tuple[str | int, ...]


def _key_hash(given: str) -> str:
    if given.startswith(PREFIX):
        raise ValueError(
            "is a key, and its hash belongs here: the key is in a file now, so make another one "
            "with `nightschool keys new NAME`"
        )
    if not re.fullmatch(KEY_HASH, given):
        raise ValueError("is no hash of a key: `nightschool keys new NAME` makes a key and prints its hash")
    return given


KeyHash = Annotated[str, AfterValidator(_key_hash), Field(json_schema_extra={"pattern": KEY_HASH})]
Money = Annotated[float, Field(gt=0, strict=True, allow_inf_nan=False)]


class ClientConfig(Section):
    """Somebody who may use the proxy, and for what."""

    key_hash: KeyHash
    """What `nightschool keys new NAME` printed. The key itself stands nowhere."""

    previous_key_hash: KeyHash | None = None
    """Of the key before, which stays good while applications take over the new one."""

    workloads: tuple[Name, ...] | None = None
    """The only workloads that it may use; `[]` is none at all. Left out, it may use everything."""

    requests_per_minute: Count | None = None
    """Most requests per minute, over all workers; ten seconds' worth may come at once. Left out, there is no limit."""

    usd_per_day: Money | None = None
    """What its requests may cost in a day (UTC), as far as `prices` knows. Left out, there is no limit."""

    usd_per_month: Money | None = None
    """The same for a calendar month (UTC)."""

    @property
    def has_budget(self) -> bool:
        return self.usd_per_day is not None or self.usd_per_month is not None

    @property
    def hashes(self) -> Iterator[str]:
        """Of every key that is good."""
        yield self.key_hash
        if self.previous_key_hash is not None:
            yield self.previous_key_hash


def client_faults(given: Mapping[str, Any]) -> Iterator[Broken]:
    """``given`` is the whole file, unchecked or checked; values of the wrong kind are left to those who check kinds."""
    clients = given.get("clients")
    if "clients" in given and (clients is None or clients == {}):
        yield Broken(("clients",), "is empty, so nobody could use the proxy: name a client, or leave it out")
    elif isinstance(clients, Mapping):
        yield from _of_clients(clients, given)
    listen = given.get("listen")
    if isinstance(listen, str) and re.fullmatch(LISTEN, listen) and not clients:
        problem = open_door(given, split_listen(listen)[0])
        if problem is not None:
            yield Broken(("listen",), problem)


def open_door(config: Any, host: str) -> str | None:
    """What is wrong with listening on ``host``, which strangers can reach; None if nothing is.

    ``config`` is a whole file as read, or a configuration.
    """
    if is_loopback(host) or _value(config, "clients") or _value(config, "open_to_anyone") is True:
        return None
    upstreams = _value(config, "upstreams")
    holders = [name for name, each in _map(upstreams).items() if brings_credentials(each)]
    if not holders:
        return None
    return (
        f"anyone who can reach {host} could spend the keys of {', '.join(holders)}: name who may in `clients` "
        "(`nightschool keys new NAME` makes a key), or listen on 127.0.0.1, or, where something else keeps strangers "
        "out, say `open_to_anyone: true`"
    )


def brings_credentials(upstream: Any) -> bool:
    """The upstream has a key of its own, so that callers need none."""
    names = {str(name).lower() for name in _map(_value(upstream, "headers"))}
    return _value(upstream, "api_key") is not None or bool(names & _CREDENTIALS)


def _of_clients(clients: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[Broken]:
    if given.get("open_to_anyone") is True:
        yield Broken(("open_to_anyone",), "is true, but `clients` says who may use the proxy; leave out one of the two")
    yield from _names(clients)
    yield from _shared_keys(clients)
    yield from _keyless(_map(given.get("upstreams")))
    yield from _budgets(clients, given)
    yield from _emptied(clients)


def _names(clients: Iterable[str]) -> Iterator[Broken]:
    for name in clients:
        if PSEUDONYM.fullmatch(name):
            yield Broken(("clients", name), "looks like what the record calls callers without a name; take another")


def _shared_keys(clients: Mapping[str, Any]) -> Iterator[Broken]:
    owners: dict[str, str] = {}
    for name, client in clients.items():
        for key in ("key_hash", "previous_key_hash"):
            found = _value(client, key)
            if not isinstance(found, str):
                continue
            if found in owners:
                yield Broken(("clients", name, key), f"is that of {owners[found]}: every client has keys of its own")
            owners.setdefault(found, name)


def _keyless(upstreams: Mapping[str, Any]) -> Iterator[Broken]:
    """Within a private network an upstream may ask for no key; across the internet none does."""
    for name, upstream in upstreams.items():
        if not brings_credentials(upstream) and not is_private(_host(upstream)):
            yield Broken(
                ("upstreams", name, "api_key"),
                f"is missing: with `clients` callers bring nightschool's keys, which are never passed on, so {name} "
                "needs one of its own",
            )


def _budgets(clients: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[Broken]:
    off = _value(given.get("record"), "bodies") == "off"
    for name, client in clients.items():
        for key in ("usd_per_day", "usd_per_month"):
            if _value(client, key) is None:
                continue
            if off:
                yield Broken(("clients", name, key), "cannot be kept: costs are read from records, and none are made")
            elif not given.get("prices"):
                yield Broken(("clients", name, key), "cannot be kept without `prices`: nothing has a cost")


def _emptied(clients: Mapping[str, Any]) -> Iterator[Broken]:
    """A limit whose value is gone, as when it was commented out, must not become no limit by accident."""
    for name, client in clients.items():
        for key in _LIMITS:
            if isinstance(client, Mapping) and key in client and client[key] is None:
                nothing = ", or write [] for none at all" if key == "workloads" else ""
                yield Broken(("clients", name, key), f"is empty: leave it out for no limit{nothing}")


def _host(upstream: Any) -> str:
    try:
        return urlsplit(str(_value(upstream, "base_url"))).hostname or ""
    except ValueError:
        return ""


def _map(section: Any) -> Mapping[str, Any]:
    return section if isinstance(section, Mapping) else {}


def _value(section: Any, key: str) -> Any:
    """From a map as read, or from a section that was made in Python."""
    return section.get(key) if isinstance(section, Mapping) else getattr(section, key, None)
