"""Whom to tell what happened by itself: every change that comes into force, once, and what failed.

    history.jsonl -> changes since the last that was told -> webhook -> notified.json

A webhook that does not answer holds nothing up, and loses nothing but its own time: it is tried again, later each time.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec

from nightschool.config import Notify
from nightschool.registry.change import Change, read_history
from nightschool.registry.routing import read_routing, registry_of
from nightschool.store.durable import make_folder, new_file

FILE = "notified.json"
_EVENTS = {"promote": "promote", "ramp": "promote", "rollback": "rollback", "alarm": "rollback"}
"""Of the actions of the history; the others are nobody's news."""
_TIMEOUT_S = 10.0
_LONGEST_PAUSE_S = 300.0
_MOST_WAITING = 100

log = logging.getLogger("nightschool.scheduler")


class _Told(msgspec.Struct):
    revision: int


class Notifier:
    """Of one data folder. ``tell`` may take seconds."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._failures: deque[dict[str, Any]] = deque(maxlen=_MOST_WAITING)
        self._pause_s, self._not_before = 0.0, 0.0
        self._revision = _told_revision(data)
        """Of the last change that was told; None before the first look, at which nothing old is told."""

    def failed(self, what: str, workload: str | None, reason: str) -> None:
        """A job that could not go on."""
        text = f"nightschool: {what} failed: {reason}"
        now = datetime.now(UTC).isoformat(timespec="seconds")
        told = {"text": text, "event": "failure", "workload": workload, "adapter": None, "reason": reason, "time": now}
        self._failures.append({**told, "author": "scheduler"})

    def tell(self, notify: Notify) -> None:
        """Tell what is new; where that fails, the rest waits."""
        if time.monotonic() < self._not_before:
            return
        for revision, message in self._news():
            if message is not None:
                log.info("notification event=%s %s", message["event"], message["text"])
                if message["event"] in notify.on and not self._post(notify, message):
                    return
            if revision is not None:
                self._keep(revision)
            else:
                self._failures.popleft()

    def _news(self) -> Iterator[tuple[int | None, dict[str, Any] | None]]:
        in_force = read_routing(self._data).revision
        if self._revision is None or self._revision > in_force:  # the first look, or a folder that was put back
            self._keep(in_force)
        elif in_force > self._revision:
            last = self._revision
            for change in read_history(self._data):
                if change.revision > last:
                    yield change.revision, _message(change)
        while self._failures:
            yield None, self._failures[0]

    def _post(self, notify: Notify, message: dict[str, Any]) -> bool:
        """True where it is told, or where nobody is to be."""
        if notify.webhook is None:
            return True
        try:
            httpx.post(notify.webhook.get_secret_value(), json=message, timeout=_TIMEOUT_S).raise_for_status()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self._pause_s = min(max(1.0, 2 * self._pause_s), _LONGEST_PAUSE_S)
            self._not_before = time.monotonic() + self._pause_s
            # The error's own words hold the address, which is a secret.
            status = error.response.status_code if isinstance(error, httpx.HTTPStatusError) else type(error).__name__
            log.warning("webhook_failed %s; tried again in %.0f s", status, self._pause_s)
            return False
        self._pause_s = 0.0
        return True

    def _keep(self, revision: int) -> None:
        self._revision = revision  # first: what a full disk does not keep is not told every second
        make_folder(registry_of(self._data))
        with new_file(registry_of(self._data) / FILE) as file:
            file.write(msgspec.json.encode(_Told(revision)))


def _told_revision(data: Path) -> int | None:
    try:
        return msgspec.json.decode((registry_of(data) / FILE).read_bytes(), type=_Told).revision
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _message(change: Change) -> dict[str, Any] | None:
    event = _EVENTS.get(change.action)
    if event is None:
        return None
    answering = ", ".join(f"{each.adapter} {each.share:g} %" for each in change.after.answering()) or "the teacher"
    told = f"{change.action} by {change.author}: {answering} answers. {change.reason}"
    return {
        "text": f"nightschool: {change.workload}: {told}",
        "event": event,
        "workload": change.workload,
        "adapter": _subject(change, event),
        "reason": change.reason,
        "author": change.author,
        "time": change.time,
    }


def _subject(change: Change, event: str) -> str | None:
    """The adapter that it is about: one that has just been withdrawn, else the newest that answers."""
    gone = [adapter for adapter in change.after.withdrawn if adapter not in change.before.withdrawn]
    if gone:
        return gone[0]
    answering = (change.before if event == "rollback" else change.after).answering()
    return answering[0].adapter if answering else None
