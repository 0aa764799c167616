"""The kinds of single values that the file knows, each with its check and its pattern for editors."""

from __future__ import annotations

import ipaddress
import re
import warnings
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema

from nightschool.crontab import read_crontab

SLUG = r"^[a-z0-9][a-z0-9._-]{0,63}$"
LISTEN = r"^(\[[0-9A-Fa-f:.]+(%[0-9A-Za-z._-]+)?\]|[A-Za-z0-9][A-Za-z0-9.-]*):[0-9]{1,5}$"
API_VERSION = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(-preview)?$"
WHOLE_SECRET = r"^\$\{[A-Za-z_][A-Za-z0-9_]*\}$"

Seconds = Annotated[float, Field(gt=0, strict=True, allow_inf_nan=False)]
Bytes = Annotated[int, Field(gt=0, strict=True)]
Count = Annotated[int, Field(gt=0, strict=True)]
Dollars = Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False)]

_OPENAI_PATHS = ("/completions", "/responses", "/embeddings", "/models")


def _slug(name: str) -> str:
    if not re.fullmatch(SLUG, name):
        raise ValueError(
            f"{name!r} is not a name: up to 64 of a-z, 0-9, '.', '_' and '-', beginning with a letter or a digit"
        )
    return name


def _glob(pattern: str) -> str:
    if not pattern:
        raise ValueError('is an empty pattern, which matches nothing; leave the key out, or write "*"')
    return pattern


def split_listen(listen: str) -> tuple[str, int]:
    """``127.0.0.1:8080`` -> host (an IPv6 address without its brackets) and port."""
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)


def _listen(listen: str) -> str:
    if not re.fullmatch(LISTEN, listen):
        raise ValueError(f"must be host:port such as 127.0.0.1:8080 or [::1]:8080, but is {listen!r}")
    host, port = split_listen(listen)
    if port > 65535:
        raise ValueError(f"has the port {port}, but ports end at 65535")
    if listen.startswith("["):
        try:
            ipaddress.IPv6Address(host)
        except ValueError as error:
            raise ValueError(f"has {host!r} in brackets, which is no IPv6 address") from error
    return listen


def _base_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        port_is_good = parts.port != 0
    except ValueError as error:
        raise ValueError(f"is not a URL: {error}") from error
    if "@" in parts.netloc:
        raise ValueError("holds a user name or password; use api_key or headers with ${ENV} instead")
    if re.search(r"[^\x21-\x7e]", url) or parts.scheme not in ("http", "https") or not _is_host(parts.hostname):
        raise ValueError(f"must be a URL such as https://api.openai.com/v1, but is {url!r}")
    if not port_is_good:
        raise ValueError("has the port 0, to which nobody can connect")
    if parts.query or parts.fragment or url.endswith(("?", "#")):
        raise ValueError("must end before '?' and '#': it is what all paths of this upstream begin with")
    if parts.path.rstrip("/").endswith(_OPENAI_PATHS):
        raise ValueError(f"must end before {parts.path!r} says which call it is: give what all calls begin with")
    return url


def _is_host(host: str | None) -> bool:
    """A name, or an address; urlsplit has taken the brackets off an IPv6 address, and checked it."""
    return host is not None and re.fullmatch(r"[a-z0-9_.-]+|[0-9a-f:.]+(%[0-9a-z._-]+)?", host) is not None


def _api_version(version: str) -> str:
    if not re.fullmatch(API_VERSION, version):
        raise ValueError(f'must look like "2024-10-21" or "2025-04-01-preview", but is {version!r}')
    return version


def _regex(given: Any) -> re.Pattern[str]:
    if isinstance(given, re.Pattern):
        return given
    if not isinstance(given, str) or not given:
        raise ValueError("must be a regular expression as non-empty text (put it in quotes)")
    try:
        with warnings.catch_warnings(action="ignore", category=FutureWarning):  # of sets that may mean more one day
            return re.compile(given)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"is not a regular expression: {error}, in {given!r}") from error


def _cron(text: str) -> str:
    try:
        read_crontab(text)
    except ValueError as error:
        raise ValueError(
            f'must be the five fields of a crontab, such as "0 2 * * *" for two at night, but is {text!r}: {error}'
        ) from error
    return text


def _verify_tls(given: Any) -> bool | Path:
    if isinstance(given, bool | Path):
        return given
    if isinstance(given, str) and given:
        return Path(given)
    raise ValueError("must be true, false, or the path of a file with certificates of authorities (PEM)")


Name = Annotated[str, AfterValidator(_slug), Field(json_schema_extra={"pattern": SLUG})]
Glob = Annotated[str, AfterValidator(_glob), Field(json_schema_extra={"minLength": 1})]
Listen = Annotated[str, AfterValidator(_listen), Field(json_schema_extra={"pattern": LISTEN})]
BaseUrl = Annotated[str, AfterValidator(_base_url), Field(json_schema_extra={"pattern": "^https?://[^?#@]+$"})]
ApiVersion = Annotated[str, AfterValidator(_api_version), Field(json_schema_extra={"pattern": API_VERSION})]
Cron = Annotated[str, AfterValidator(_cron), Field(json_schema_extra={"minLength": 9})]
Port = Annotated[int, Field(ge=1, le=65535, strict=True)]
Regex = Annotated[
    re.Pattern[str],
    PlainValidator(_regex),
    PlainSerializer(lambda regex: regex.pattern, return_type=str),
    WithJsonSchema({"type": "string", "format": "regex", "minLength": 1}),
]
VerifyTls = Annotated[
    bool | Path,
    PlainValidator(_verify_tls),
    PlainSerializer(lambda given: given if isinstance(given, bool) else str(given)),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, {"type": "string", "minLength": 1}]}),
]
