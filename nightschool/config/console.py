"""The section about the web page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from nightschool.config.hosts import is_loopback
from nightschool.config.listening import Listening
from nightschool.config.section import Broken
from nightschool.config.values import LISTEN, BaseUrl, Listen, split_listen

PASSWORD_HASH = r"^scrypt:[0-9]+:[0-9]+:[0-9]+:[0-9a-f]{32}:[0-9a-f]{64}$"


def _password_hash(given: str) -> str:
    if not re.fullmatch(PASSWORD_HASH, given):
        raise ValueError("is no hash of a password: `nightschool console --hash-password` makes one")
    return given


class Console(Listening):
    """The web page."""

    listen: Listen = "127.0.0.1:8090"
    """Address and port of `nightschool console`. Port 0 takes a free one."""

    password_hash: (
        Annotated[str, AfterValidator(_password_hash), Field(json_schema_extra={"pattern": PASSWORD_HASH})] | None
    ) = Field(default=None, repr=False)
    """What `nightschool console --hash-password` printed. Without it the page listens on this machine only."""

    url: BaseUrl | None = None
    """Its address for browsers, where that is not `listen`, as behind a reverse proxy; https makes cookies safe."""

    @classmethod
    def broken_rules(cls, given: Mapping[str, Any]) -> Iterable[Broken]:
        listen = given.get("listen")
        is_open = isinstance(listen, str) and re.fullmatch(LISTEN, listen) and not is_loopback(split_listen(listen)[0])
        if is_open and given.get("password_hash") is None:
            yield Broken(
                ("password_hash",),
                f"is missing: others can reach {listen}, and the page shows all that is recorded; "
                "`nightschool console --hash-password` makes one",
            )
