"""What is allowed, but probably not meant: the warnings of `nightschool check` and of the proxy's start."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from nightschool.config.clients import brings_credentials
from nightschool.config.hosts import is_private
from nightschool.config.models import Config, Upstream


def warnings(config: Config) -> list[str]:
    """One sentence each, beginning with the key that it is about."""
    return [
        *_unknown_scopes(config),
        *(f"upstreams.{name}.{said}" for name, upstream in config.upstreams.items() for said in _transport(upstream)),
        *_travelling_keys(config),
        *_shadowed(config),
        *_unasked_logprobs(config),
        *_judges(config),
        *_audits(config),
    ]


def _host(upstream: Upstream) -> str:
    return urlsplit(upstream.base_url).hostname or ""


def _unknown_scopes(config: Config) -> Iterator[str]:
    """A caller's header may name a workload that has no rule, but mostly the name is misspelt."""
    for name, client in (config.clients or {}).items():
        unknown = [each for each in client.workloads or () if each not in config.workloads]
        if unknown:
            yield (
                f"clients.{name}.workloads: no rule names {', '.join(unknown)}, so only requests that say so in the "
                "header x-nightschool-workload are let in"
            )


def _transport(upstream: Upstream) -> Iterator[str]:
    if upstream.base_url.startswith("http://") and not is_private(_host(upstream)):
        yield f"base_url: requests and keys go to {_host(upstream)} unencrypted; use https://"
    if upstream.verify_tls is False:
        yield "verify_tls: nobody checks who answers, so keys can be taken; name the authority's PEM file instead"


def _travelling_keys(config: Config) -> Iterator[str]:
    """Pass-through keys that reach a second company because of a fallback; those of `clients` never pass."""
    if config.clients:
        return
    for name, upstream in config.upstreams.items():
        if upstream.fallback is None or brings_credentials(upstream):
            continue
        other = config.upstreams[upstream.fallback]
        if not brings_credentials(other) and _host(other) != _host(upstream):
            yield (
                f"upstreams.{name}.fallback: callers' keys for {_host(upstream)} would be sent to {_host(other)}; "
                f"give {upstream.fallback} an api_key of its own"
            )


def _shadowed(config: Config) -> Iterator[str]:
    names = list(config.workloads)
    for index, name in enumerate(names):
        earlier = [before for before in names[:index] if config.workloads[before].when == config.workloads[name].when]
        if earlier:
            yield f"workloads.{name}: matches nothing, since {earlier[0]} comes first and has the same conditions"


def _unasked_logprobs(config: Config) -> Iterator[str]:
    record = config.record
    if record.logprobs and record.redact:
        yield (
            "record.logprobs: nothing is asked for, since record.redact has rules, and what they take out of a text "
            "could be put together from its tokens; leave out one of the two"
        )
    elif record.logprobs and record.bodies != "full":
        yield f"record.logprobs: nothing is asked for, since record.bodies is {record.bodies}; only full records them"


def _judges(config: Config) -> Iterator[str]:
    """A judge has no caller whose key could be passed on, and its limit in money needs a price."""
    for name, workload in config.workloads.items():
        judge = workload.evaluate.judge
        if judge is None:
            continue
        where, upstream = f"workloads.{name}.evaluate.judge", config.upstreams[judge.upstream]
        if not brings_credentials(upstream) and not is_private(_host(upstream)):
            yield f"{where}: {judge.upstream} has no api_key of its own, and a judge brings none; give it one"
        if judge.model not in config.prices:
            yield f"{where}: {judge.model} has no price, so only max_calls limits what it may cost; add one to prices"


def _audits(config: Config) -> Iterator[str]:
    """An audit asks the teacher from stored requests, and those have no key."""
    if not config.student.servers:
        return
    for name, workload in config.workloads.items():
        teacher = workload.teacher or config.default_upstream
        upstream = config.upstreams[teacher]
        if workload.promote.audit and not brings_credentials(upstream) and not is_private(_host(upstream)):
            yield (
                f"workloads.{name}.promote.audit: {teacher} has no api_key of its own, so nobody can be asked beside "
                "a student: its ramp stays at the first share, and harm is not noticed; give it one, or audit: 0"
            )
