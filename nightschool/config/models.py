"""What `nightschool.yaml` can say, section by section.

The text under a key is its description in the JSON schema, and so in editors. Every value is read-only. Only keys that
this version acts on exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, PlainSerializer, SecretStr, field_validator, model_validator

from nightschool.config.answering import Escalate
from nightschool.config.clients import ClientConfig, client_faults
from nightschool.config.conditions import WHEN_SCHEMA, condition_faults, nested
from nightschool.config.console import Console
from nightschool.config.evaluation import Evaluate
from nightschool.config.headers import header_faults
from nightschool.config.listening import Listening
from nightschool.config.promotion import Promote
from nightschool.config.references import reference_faults
from nightschool.config.section import Broken, NamedMap, Section, TextMap
from nightschool.config.student import Student
from nightschool.config.training import Distill
from nightschool.config.values import (
    WHOLE_SECRET,
    ApiVersion,
    BaseUrl,
    Bytes,
    Count,
    Dollars,
    Glob,
    Listen,
    Name,
    Regex,
    Seconds,
    VerifyTls,
)

MIB = 1024 * 1024


class Timeouts(Section):
    """How long the proxy waits for an upstream. Nothing limits a whole answer: long generations are normal."""

    connect_s: Seconds = 5.0
    """Seconds to wait for a connection, with TLS."""

    first_byte_s: Seconds = 600.0
    """Seconds from the end of the request to the first byte of the answer."""

    idle_s: Seconds = 120.0
    """Seconds between two reads of an answer that has begun."""


class Upstream(Section):
    """An HTTP endpoint that answers requests."""

    base_url: BaseUrl
    """What all paths of the API begin with, with `/v1` where there is one; for `kind: azure` the bare resource."""

    kind: Literal["openai", "azure"] = "openai"
    """`openai` for everything that speaks OpenAI's API; `azure` for deployment paths and the header `api-key`."""

    api_version: ApiVersion | None = None
    """Azure's `api-version`, added to requests that have none. Needed by `kind: azure`, refused elsewhere."""

    api_key: Annotated[SecretStr, Field(json_schema_extra={"pattern": WHOLE_SECRET})] | None = None
    """`${NAME}` of an environment variable. Left out, each caller's own key passes through and is never stored."""

    headers: Annotated[TextMap[str], PlainSerializer(lambda given: dict.fromkeys(given, "**********"))] = Field(
        default_factory=dict, validate_default=True, repr=False
    )
    """Extra request headers for this upstream; a secret in one is written `${NAME}`."""

    fallback: Name | None = None
    """Another upstream, asked when no connection to this one can be made."""

    timeouts: Timeouts | None = None
    """Waiting times of this upstream; a key left out is taken from the top-level `timeouts`."""

    keepalive_s: Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False)] = 4.0
    """Seconds that an idle connection is kept; stay below the upstream's own limit. 0 keeps none."""

    max_connections: Count | None = None
    """Most connections per worker; further requests wait. Left out, there is no limit."""

    verify_tls: VerifyTls = True
    """`true`, `false` (for tests only), or a PEM file of the authorities to trust, relative to this file."""

    @property
    def root(self) -> str:
        """``base_url`` without a trailing slash: a path can be appended."""
        return self.base_url.rstrip("/")

    @classmethod
    def broken_rules(cls, given: Mapping[str, Any]) -> Iterable[Broken]:
        azure = given.get("kind") == "azure"
        if azure and given.get("api_version") is None:
            yield Broken(("api_version",), 'is missing: kind azure needs it, such as "2024-10-21"')
        if not azure and given.get("api_version") is not None:
            yield Broken(("api_version",), "belongs to kind azure; set `kind: azure`, or leave it out")
        headers = given.get("headers")
        if isinstance(headers, Mapping):
            for name, problem in header_faults(headers, api_key_is_set=given.get("api_key") is not None):
                yield Broken(("headers", name), problem)


class PriceConfig(Section):
    """What a model costs, in USD per million tokens."""

    input: Dollars
    """For input tokens."""

    cached_input: Dollars | None = None
    """For input tokens that the upstream had cached. Left out, they cost what input costs."""

    output: Dollars
    """For output tokens."""


class RedactRule(Section):
    """Text that never reaches the disk."""

    pattern: Regex
    """Python regular expression, searched in every string of a request and its response."""

    replacement: str = Field(alias="with")
    """Text that stands in the record instead, taken literally."""

    @field_validator("pattern")
    @classmethod
    def matches_something(cls, pattern: Regex) -> Regex:
        if pattern.match(""):
            raise ValueError(f"matches the empty text, so it would match everywhere: {pattern.pattern!r}")
        return pattern


class RecordConfig(Section):
    """What is recorded, and how safely."""

    bodies: Literal["full", "metadata", "off"] = "full"
    """`full` records requests and responses, `metadata` everything but their text, `off` records nothing."""

    redact: tuple[RedactRule, ...] = ()
    """Applied in this order before anything reaches a disk; clients and upstreams see the unredacted text."""

    logprobs: Annotated[int, Field(ge=0, le=20, strict=True)] = 0
    """Alternatives to each token of a chat completion to ask upstreams for, hidden from clients; 0 asks for nothing."""

    fsync: Literal["batch", "always", "off"] = "batch"
    """When the disk is made to keep it: `batch` within 50 ms, `always` before an answer ends, `off` when it likes."""

    retention_days: Count | None = None
    """Days after which exchanges are deleted. Left out, they are kept."""

    segment_s: Seconds = 10.0
    """Seconds after which a worker closes its log and hands it to the recorder."""

    segment_bytes: Bytes = 16 * MIB
    """Bytes after which a worker closes its log and hands it to the recorder."""

    queue_bytes: Bytes = 32 * MIB
    """Most bytes per worker that wait for a slow disk; beyond it records are dropped and counted, never requests."""


class When(Section):
    """Which requests belong to a workload: every condition given must hold, and at least one must be given."""

    model_config = ConfigDict(json_schema_extra=WHEN_SCHEMA)

    model: Glob | None = None
    """Glob over the requested model, such as `gpt-4*`."""

    tool: Glob | None = None
    """Glob over the names of the tools on offer; one that matches is enough."""

    path: Glob | None = None
    """Glob over the path below the API base, such as `/chat/completions`."""

    schema_name: Glob | None = Field(default=None, alias="schema")
    """Glob over the name of the JSON schema that the answer must follow."""

    system_prompt: Regex | None = None
    """Python regular expression, searched in the system (or developer) prompt."""

    tag: TextMap[Glob] = Field(default_factory=dict, validate_default=True)
    """`tag.<key>`: glob over the value of that tag."""

    header: TextMap[Glob] = Field(default_factory=dict, validate_default=True)
    """`header.<name>`: glob over the value of that request header; case does not matter in its name."""

    @model_validator(mode="before")
    @classmethod
    def dotted_keys_are_maps(cls, given: Any) -> Any:
        return nested(given) if isinstance(given, Mapping) else given

    @classmethod
    def broken_rules(cls, given: Mapping[str, Any]) -> Iterable[Broken]:
        return (Broken(where, problem) for where, problem in condition_faults(given))


class Workload(Section):
    """A kind of task: one prompt template with its tools and schema."""

    when: When
    """Which requests belong to it."""

    recorded_as: tuple[str, ...] = ()
    """Groups of `nightschool workloads`: what was recorded in them before there was the rule is learned from, too."""

    teacher: Name | None = None
    """The upstream that answers. Left out, the default upstream."""

    distill: Distill = Distill()
    """What a student is taught with."""

    evaluate: Evaluate = Evaluate()
    """How a student is compared with its teacher."""

    promote: Promote = Promote()
    """What a student must show before it may answer."""

    escalate: Escalate = Escalate()
    """When the teacher answers what the student was to answer."""

    decoding: Literal["greedy", "as_asked"] = "greedy"
    """How a student's tokens are chosen: as it was evaluated, or with the temperature that the client asks for."""


class Notify(Section):
    """Whom to tell what happened by itself. It always stands in the log and in the history."""

    webhook: Annotated[SecretStr, Field(json_schema_extra={"pattern": WHOLE_SECRET})] | None = None
    """`${NAME}` of an environment variable with a URL, which JSON is posted to; its `text` suits Slack and the like."""

    on: tuple[Literal["promote", "rollback", "failure"], ...] = ("promote", "rollback", "failure")
    """What is told: steps of the ramp, withdrawals, and nights or audits that failed."""


class Limits(Section):
    """Bounds on what one request may cost."""

    request_body_bytes: Bytes = 16 * MIB
    """Largest request that is held in memory, matched and recorded with its body; a larger one streams through."""


def _only_upstream(before: dict[str, Any]) -> str:
    return next(iter(before["upstreams"]), "")


class Config(Listening):
    """The whole file."""

    listen: Listen = "127.0.0.1:8080"
    """Address and port of the proxy. Port 0 takes a free one."""

    clients: Annotated[NamedMap[ClientConfig], Field(json_schema_extra={"additionalProperties": False})] | None = None
    """Who may use the proxy, by name. Left out, everybody who can reach it."""

    open_to_anyone: Annotated[bool, Field(strict=True)] = False
    """`true` where something else keeps strangers from `listen`, and no `clients` are named."""

    workers: Annotated[int, Field(ge=1, le=256, strict=True)] = 1
    """Processes that answer requests; one per core is plenty."""

    timeouts: Timeouts = Timeouts()
    """How long the proxy waits for an upstream."""

    drain_s: Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False)] = 30.0
    """Seconds that running requests get to end when the proxy is told to stop."""

    data: Path = Path("nightschool-data")
    """Folder of everything recorded, relative to this file."""

    upstreams: NamedMap[Upstream] = Field(json_schema_extra={"minProperties": 1, "additionalProperties": False})
    """The endpoints that answer, by name."""

    default_upstream: Name = Field(default_factory=_only_upstream)
    """The upstream for what matches no workload. May be left out when there is only one."""

    prices: TextMap[PriceConfig] = Field(default_factory=dict, validate_default=True)
    """Prices by model name. A model without a price has no cost, rather than a guessed one."""

    record: RecordConfig = RecordConfig()
    """What is recorded, and how safely."""

    student: Student = Student()
    """The small model, and the servers that answer for it."""

    workloads: NamedMap[Workload] = Field(
        default_factory=dict, validate_default=True, json_schema_extra={"additionalProperties": False}
    )
    """Kinds of tasks, by name; the first that matches wins. What matches none goes to the default upstream."""

    console: Console = Console()
    """The web page."""

    notify: Notify = Notify()
    """Whom to tell when a student is promoted or withdrawn, and when a night fails."""

    limits: Limits = Limits()
    """Bounds on what one request may cost."""

    def timeouts_of(self, upstream: str) -> Timeouts:
        """The upstream's own waiting times, completed from the top-level ones."""
        own = self.upstreams[upstream].timeouts
        return self.timeouts.model_copy(update=own.model_dump(exclude_unset=True)) if own else self.timeouts

    def secrets(self) -> frozenset[str]:
        """Everything that stood in an environment variable, by itself or as a word of a header."""
        keys = [upstream.api_key for upstream in self.upstreams.values()]
        held = [secret.get_secret_value() for secret in (*keys, self.notify.webhook) if secret is not None]
        headers = (text for upstream in self.upstreams.values() for text in upstream.headers.values())
        return frozenset((*held, *(word for text in headers for word in text.split())))

    def distill_of(self, workload: str) -> Distill:
        """The workload's own settings; the defaults for one that no rule names."""
        named = self._named(workload)
        return named.distill if named else Distill()

    def promote_of(self, workload: str) -> Promote:
        """The same of what a student must show."""
        named = self._named(workload)
        return named.promote if named else Promote()

    def evaluate_of(self, workload: str) -> Evaluate:
        """The same of how a student is compared."""
        named = self._named(workload)
        return named.evaluate if named else Evaluate()

    def escalate_of(self, workload: str | None) -> Escalate:
        """The same of when a student's teacher is asked."""
        named = self._named(workload)
        return named.escalate if named else Escalate()

    def decodes_greedily(self, workload: str | None) -> bool:
        """The same of how its tokens are chosen."""
        named = self._named(workload)
        return named is None or named.decoding == "greedy"

    def _named(self, workload: str | None) -> Workload | None:
        return None if workload is None else self.workloads.get(workload)

    @classmethod
    def broken_rules(cls, given: Mapping[str, Any]) -> Iterable[Broken]:
        yield from (Broken(where, problem) for where, problem in reference_faults(given))
        yield from client_faults(given)
