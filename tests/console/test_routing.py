"""Who answers is changed by buttons that say what would happen; proxies do as they are told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from playwright.sync_api import Page, expect

from demo.scripted_upstream import upstream_in_thread
from nightschool.registry.change import change_students, read_history
from nightschool.registry.replicas import ReplicaState, ReplicaStates, write_replicas
from nightschool.registry.routing import Placed, Students, read_routing
from nightschool.registry.steps import hold
from tests.console.house import House, running_console, students_of
from tests.faults.replicas import fingerprints
from tests.proxy.student_replica import said
from tests.running import config_for, running_proxy
from tests.waiting import until

WORKLOAD, ADAPTER = "cities", "cities--0123456789ab"
ASKED: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Bern?"}]}


@pytest.fixture
def site(house: House) -> Iterator[str]:
    with running_console(house.folder) as url:
        yield url


def press(page: Page, label: str, *, reason: str = "", name: str = "ann") -> None:
    page.get_by_role("button", name=f"{label}…").click()
    dialog = page.locator("dialog[open]")
    dialog.get_by_label("Why").fill(reason)
    dialog.get_by_label("Your name").fill(name)
    dialog.locator("form button").first.click()


def test_a_dialog_says_what_will_happen_and_cancelling_it_changes_nothing(page: Page, site: str, house: House) -> None:
    before = students_of(house)
    page.goto(f"{site}/routing/w")
    page.get_by_role("button", name="Promote to 50 %…").click()

    dialog = page.locator("dialog[open]")
    expect(dialog).to_contain_text(f"{house.adapter} answers 50 % of the conversations; until now 5 %.")
    expect(dialog).to_contain_text("The teacher answers 50 %; until now 95 %.")
    dialog.get_by_role("button", name="Leave it as it is").click()
    expect(page.locator("dialog[open]")).to_have_count(0)
    assert students_of(house) == before


def test_every_button_makes_the_change_of_its_command_with_author_and_reason(
    page: Page, site: str, house: House
) -> None:
    page.goto(f"{site}/routing/w")
    press(page, "Promote to 50 %", reason="it does well")
    expect(page.get_by_role("status").first).to_contain_text("Done by ann: promote.")
    press(page, "Hold", reason="release week")
    press(page, "Release")
    press(page, "Promote: make it live")
    press(page, "Roll back", reason="customers complain")
    expect(page.locator("#state")).to_contain_text("The teacher answers all of it.")

    made = [(change.author, change.action, change.reason) for change in read_history(house.data, "w")][-5:]
    assert made == [
        ("ann", "promote", "it does well"),
        ("ann", "hold", "release week"),
        ("ann", "release", "by hand, in the console"),
        ("ann", "promote", "by hand, in the console"),
        ("ann", "rollback", "customers complain"),
    ]
    assert students_of(house).withdrawn == (house.adapter,)
    expect(page.locator("#hands")).to_contain_text("Promote: there is no qualified candidate.")


def test_what_has_changed_since_the_dialog_was_shown_is_not_changed_by_it(page: Page, site: str, house: House) -> None:
    page.goto(f"{site}/routing/w")
    page.get_by_role("button", name="Roll back…").click()
    change_students(house.data, "w", hold, author="bob", action="hold", reason="now")
    page.locator("dialog[open] form button").first.click()

    expect(page.locator("main")).to_contain_text("who answers has changed since this page was shown")
    assert students_of(house).held
    assert students_of(house).canary is not None


def test_a_change_by_others_appears_without_reloading(page: Page, site: str, house: House) -> None:
    page.goto(f"{site}/routing/w")
    change_students(house.data, "w", hold, author="bob", action="hold", reason="night shift")

    expect(page.locator("#history")).to_contain_text("night shift", timeout=15_000)
    expect(page.get_by_role("button", name="Release…")).to_be_visible()


def test_the_list_shows_shares_replicas_and_the_configuration_in_force(page: Page, site: str, house: House) -> None:
    page.goto(f"{site}/routing")

    expect(page.locator("#states")).to_contain_text(f"{house.adapter} 5 %")
    bar = page.locator("#states svg.shares").first
    expect(bar).to_have_attribute("aria-label", f"{house.adapter} 5 %, the teacher 95 %")
    expect(page.locator("#replicas")).to_contain_text("another base model")
    expect(page.locator("pre")).to_contain_text("min_rows: 300")


def test_a_bad_configuration_is_told_and_the_one_before_stays_in_force(page: Page, site: str, house: House) -> None:
    (house.folder / "nightschool.yaml").write_text("upstreams: {}\nlisen: 7\n")
    page.goto(f"{site}/routing")

    expect(page.get_by_role("alert")).to_contain_text("lisen: unknown key")
    expect(page.get_by_role("alert")).to_contain_text("What was read before stays in force.")
    expect(page.locator("#states")).to_contain_text("calls")


def test_a_registry_that_cannot_be_read_is_told_on_every_page(page: Page, site: str, house: House) -> None:
    (house.data / "registry" / "routing.json").write_text("{")
    for path in ("/", "/routing", "/routing/w"):
        page.goto(f"{site}{path}")
        expect(page.locator("main")).to_contain_text("is no routing state")


def test_a_rollback_by_button_is_followed_by_the_proxy(page: Page, tmp_path: Path) -> None:
    told = {WORKLOAD: {"when": {"model": "gpt-4o"}, "promote": {"teacher_share": 0}}}
    with (
        upstream_in_thread() as teacher,
        upstream_in_thread(answer=lambda request: said("by the student")) as replica,
        running_proxy(config_for(teacher.base_url, workloads=told), tmp_path) as proxy,
        openai.OpenAI(base_url=proxy.base_url, api_key="k", max_retries=0, timeout=30) as client,
        running_console(tmp_path) as site,
    ):

        def who() -> str:
            return str(client.chat.completions.with_raw_response.create(**ASKED).headers["x-nightschool-target"])

        ready = ReplicaState(
            url=replica.base_url.removesuffix("/v1"), ready=True, max_model_len=4096, adapters=(ADAPTER,)
        )
        write_replicas(proxy.data, ReplicaStates(replicas=(ready,)))
        prompts = fingerprints([ASKED])
        live = Placed(adapter=ADAPTER, share=100, fingerprints=prompts, since="2026-11-25T00:00:00+00:00")
        change_students(
            proxy.data, WORKLOAD, lambda before: Students(live=live), author="t", action="promote", reason="t"
        )
        until(lambda: who() == "student", what="a student that answers")

        page.goto(f"{site}/routing/{WORKLOAD}")
        press(page, "Roll back")
        expect(page.get_by_role("status").first).to_contain_text("Now the teacher answers")
        until(lambda: who() == "teacher", what="the teacher again")

        assert read_routing(proxy.data).students_of(WORKLOAD).withdrawn == (ADAPTER,)
