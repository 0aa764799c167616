"""What is allowed, but probably not meant: the warnings of `nightschool check` and of the proxy's start."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from nightschool.config.clients import brings_credentials
from nightschool.config.hosts import is_private
from nightschool.config.listening import Listening
from nightschool.config.models import Config, Upstream
from nightschool.config.promotion import listed


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
        *_ramps(config),
        *_nights(config),
        *_same_port(config),
        *_shadows(config),
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
        if judge is None and workload.evaluate.scorer == "judge":
            yield f"workloads.{name}.evaluate.scorer: nobody is asked, only equality counts; name one in evaluate.judge"
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


def _ramps(config: Config) -> Iterator[str]:
    for name, workload in config.workloads.items():
        ramp = workload.promote.ramp
        where, end = f"workloads.{name}.promote.ramp", f"after {ramp[-1]:g} % a student has 100 %"
        if ramp[-1] <= 1:
            meant = listed(tuple(100 * share for share in ramp))
            yield f"{where}: {listed(ramp)} is in per cent, and {end}; if these are parts of 1, write {meant}"
        elif ramp[-1] < 100:
            yield f"{where}: it does not end there: {end}; add 100, and `nightschool hold` keeps a student where it is"


def _nights(config: Config) -> Iterator[str]:
    """What a night would fail of, or teach for nothing."""
    student = config.student
    for name, workload in config.workloads.items():
        distill = workload.distill
        if distill.schedule is not None and student.base_model is None:
            yield f"workloads.{name}.distill.schedule: every night fails, since there is no student.base_model; set it"
        if distill.rank is not None and student.engine is not None and distill.rank > student.engine.max_rank:
            yield (
                f"workloads.{name}.distill.rank: {distill.rank} is above student.engine.max_rank, "
                f"{student.engine.max_rank}, so the engine cannot load what is trained; make them equal"
            )


def _same_port(config: Config) -> Iterator[str]:
    console = config.console
    if console.port == config.port != 0 and _overlap(console, config):
        yield f"console.listen: the proxy listens on port {config.port} too, so only one of the two can; take another"


def _overlap(one: Listening, other: Listening) -> bool:
    everywhere = {"0.0.0.0", "::"}
    return one.host == other.host or not everywhere.isdisjoint((one.host, other.host))


def _shadows(config: Config) -> Iterator[str]:
    """A judge is asked by evaluations alone; where a function of the user's knows what is right, by nobody."""
    for name, workload in config.workloads.items():
        own = ":" in (workload.evaluate.scorer or "")
        if workload.promote.shadow and workload.evaluate.judge is not None and not own:
            yield (
                f"workloads.{name}.promote.shadow: no student answers in the shadow, since no judge is asked there; "
                "leave out one of shadow and evaluate.judge"
            )
