"""Everything that happened by itself is told once, whatever dies, and the webhook's address is told to nobody."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from distill.schedule.notify import Notifier
from nightschool.config import Notify
from nightschool.registry.change import change_students
from nightschool.registry.steps import force, hold, propose, roll_back
from tests.json_server import JsonHandler, serving

NOW = "2026-11-25T00:00:00+00:00"


class Hook:
    """A webhook."""

    def __init__(self) -> None:
        self.status, self.heard, self.url = 200, list[Any](), ""


@pytest.fixture
def hook() -> Iterator[Hook]:
    hook = Hook()

    class Handler(JsonHandler):
        def do_POST(self) -> None:
            body = self.body()
            if hook.status == 200:
                hook.heard.append(body)
            self.send(hook.status, {})

    with serving(Handler) as hook.url:
        yield hook


def notify(hook: Hook, *on: str) -> Notify:
    webhook = SecretStr(f"{hook.url}/secret")
    return Notify.model_validate({"webhook": webhook, **({"on": on} if on else {})})


def change(data: Path, step: Any, action: str) -> None:
    change_students(data, "w", step, author="job:audit", action=action, reason=f"because of {action}")


def promoted(data: Path, adapter: str = "w--a") -> None:
    change(data, lambda before: force(before, adapter, share=100, fingerprints=(), now=NOW), "promote")


def test_steps_up_and_withdrawals_are_told_once_with_all_that_matters(tmp_path: Path, hook: Hook) -> None:
    notifier = Notifier(tmp_path)
    notifier.tell(notify(hook))
    change(tmp_path, lambda before: propose(before, "w--a"), "propose")
    promoted(tmp_path)
    change(tmp_path, lambda before: roll_back(before, now=NOW), "rollback")
    for _ in range(2):
        notifier.tell(notify(hook))

    assert [(each["event"], each["adapter"]) for each in hook.heard] == [("promote", "w--a"), ("rollback", "w--a")]
    assert hook.heard[1]["text"] == "nightschool: w: rollback by job:audit: the teacher answers. because of rollback"
    assert {"workload", "reason", "author", "time"} <= hook.heard[1].keys()


def test_nothing_old_is_told_at_the_very_first_start_and_nothing_is_lost_over_a_restart(
    tmp_path: Path, hook: Hook
) -> None:
    promoted(tmp_path)
    Notifier(tmp_path).tell(notify(hook))
    assert hook.heard == []

    promoted(tmp_path, "w--b")
    Notifier(tmp_path).tell(notify(hook))
    Notifier(tmp_path).tell(notify(hook))

    assert [each["adapter"] for each in hook.heard] == ["w--b"]


def test_a_webhook_that_fails_is_asked_again_and_its_address_is_in_no_log(
    tmp_path: Path, hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    notifier = Notifier(tmp_path)
    notifier.tell(notify(hook))
    promoted(tmp_path)
    hook.status = 500
    notifier.tell(notify(hook))
    hook.status = 200
    notifier.tell(notify(hook))
    assert hook.heard == []  # it waits first

    Notifier(tmp_path).tell(notify(hook))

    assert [each["event"] for each in hook.heard] == ["promote"]
    assert "webhook_failed 500" in caplog.text
    assert not [each for each in caplog.records if each.name != "httpx" and "secret" in each.getMessage()]


def test_what_failed_is_told_and_what_nobody_wants_to_hear_is_not(tmp_path: Path, hook: Hook) -> None:
    notifier = Notifier(tmp_path)
    notifier.tell(notify(hook))
    promoted(tmp_path)
    change(tmp_path, hold, "hold")
    notifier.failed("the night of w", "w", "no replica was ready")
    notifier.tell(notify(hook, "failure"))

    assert [(each["event"], each["text"]) for each in hook.heard] == [
        ("failure", "nightschool: the night of w failed: no replica was ready")
    ]


def test_a_withdrawal_names_the_adapter_that_is_withdrawn_and_not_the_one_on_the_ramp(
    tmp_path: Path, hook: Hook
) -> None:
    promoted(tmp_path, "w--live")
    change(tmp_path, lambda before: force(before, "w--new", share=5, fingerprints=(), now=NOW), "promote")
    notifier = Notifier(tmp_path)
    notifier.tell(notify(hook))
    change(tmp_path, lambda before: roll_back(before, adapter="w--live", now=NOW), "rollback")
    notifier.tell(notify(hook))

    assert [each["adapter"] for each in hook.heard] == ["w--live"]


def test_a_folder_that_was_put_back_to_an_older_state_is_told_of_from_there_on(tmp_path: Path, hook: Hook) -> None:
    for adapter in ("w--a", "w--b"):
        promoted(tmp_path, adapter)
        Notifier(tmp_path).tell(notify(hook))
    registry = tmp_path / "registry"
    (registry / "notified.json").write_text('{"revision": 9}')
    notifier = Notifier(tmp_path)
    notifier.tell(notify(hook))
    heard = len(hook.heard)
    promoted(tmp_path, "w--c")
    notifier.tell(notify(hook))

    assert [each["adapter"] for each in hook.heard[heard:]] == ["w--c"]


def test_without_a_webhook_it_is_only_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    notifier = Notifier(tmp_path)
    notifier.tell(Notify())
    promoted(tmp_path)
    notifier.tell(Notify())

    assert "notification event=promote nightschool: w: promote by job:audit: w--a 100 % answers" in caplog.text
