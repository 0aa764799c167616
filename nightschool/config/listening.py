"""Sections of what listens."""

from __future__ import annotations

from nightschool.config.section import Section
from nightschool.config.values import Listen, split_listen


class Listening(Section):
    """Has an address of its own."""

    listen: Listen
    """Address and port. Port 0 takes a free one."""

    @property
    def host(self) -> str:
        """Of ``listen``; an IPv6 address without its brackets."""
        return split_listen(self.listen)[0]

    @property
    def port(self) -> int:
        return split_listen(self.listen)[1]
