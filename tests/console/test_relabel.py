"""A person puts answers right, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Page, expect

from tests.console.house import CALLED, DISLIKED, RECENT, House, running_console
from tests.distill.dataset.traffic import identity
from tests.running import rows


@pytest.fixture
def site(house: House) -> Iterator[str]:
    with running_console(house.folder) as url:
        yield url


def labels(house: House) -> dict[str, tuple[dict[str, Any], str, str]]:
    """Message, author and source by exchange."""
    found = rows(house.data, "select * from labels")
    return {row["exchange_id"]: (msgspec.json.decode(row["message"]), row["author"], row["source"]) for row in found}


def test_the_queue_holds_what_scored_badly_what_teachers_dispute_and_what_users_dislike(page: Page, site: str) -> None:
    page.goto(f"{site}/relabel")

    told = page.locator("#queue tbody").inner_text()
    assert "a user gave 0: wrong box" in told
    assert "and its teacher agree by 0.25" in told
    assert "a student scored 0.00 on it, against the teacher" in told
    assert page.locator(f"#queue a[href='/relabel/{CALLED}']").count() == 0  # its user was content


def test_an_answer_is_put_right_saved_and_the_next_one_comes(page: Page, site: str, house: House) -> None:
    page.goto(f"{site}/relabel?workload=w")
    waiting = page.locator("#queue tbody tr").count()
    with page.expect_navigation():
        page.keyboard.press("Enter")
    first = page.url.split("/relabel/")[1].split("?")[0]
    page.get_by_label("Text").fill("refund")
    page.get_by_label("Your name").fill("ann")
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("status").first).to_contain_text(f"Saved: the label of {first[-12:]}")
    assert page.url.split("/relabel/")[1].split("?")[0] != first
    expect(page.get_by_label("Your name")).to_have_value("ann")
    assert labels(house) == {first: ({"role": "assistant", "content": "refund"}, "ann", "human")}
    page.keyboard.press("u")
    expect(page.locator("#queue tbody tr")).to_have_count(waiting - 1)
    page.goto(f"{site}/exchanges/{first}")
    expect(page.locator("main")).to_contain_text("what it should have been, by ann (human)")


def test_what_the_evaluation_heard_can_be_begun_with(page: Page, site: str) -> None:
    page.goto(f"{site}/relabel?workload=w")
    page.locator("#queue tr", has_text="scored 0.00").first.get_by_role("link").click()
    page.locator("section.answer", has_text="student in the evaluation").get_by_role("link").click()

    expect(page.get_by_label("Text")).to_have_value("other thing")


def test_a_tool_call_is_edited_with_its_schema_at_hand_and_checked_against_it(
    page: Page, site: str, house: House
) -> None:
    page.goto(f"{site}/relabel/{CALLED}")
    page.locator("summary", has_text="find").click()
    expect(page.locator("details", has_text="find").first).to_contain_text('"required": [')
    arguments = page.get_by_label("Arguments, as JSON")

    arguments.fill('{"city": ')
    expect(page.locator(".fault").first).to_contain_text("This is not JSON")
    arguments.fill('{"city": 7}')
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("find:")
    assert labels(house) == {}

    page.get_by_label("Arguments, as JSON").fill('{"city": "Thun"}')
    page.get_by_role("button", name="Add a tool call").click()
    page.locator("[name=call_name]").nth(1).select_option("book")
    page.get_by_label("Arguments, as JSON").nth(1).fill('{"city": "Thun", "nights": 2}')
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_contain_text("Saved")

    ((message, _, source),) = labels(house).values()
    called = [(call["function"]["name"], call["function"]["arguments"]) for call in message["tool_calls"]]
    assert [(name, msgspec.json.decode(arguments)) for name, arguments in called] == [
        ("find", {"city": "Thun"}),
        ("book", {"city": "Thun", "nights": 2}),
    ]
    assert source == "human"


def test_a_call_can_be_taken_out_and_words_put_in(page: Page, site: str, house: House) -> None:
    page.goto(f"{site}/relabel/{CALLED}")
    page.get_by_role("button", name="Remove this call").click()
    page.get_by_label("Text").fill("\nI do not know.")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_contain_text("Saved")

    assert labels(house)[CALLED][0] == {"role": "assistant", "content": "\nI do not know."}


def test_enter_in_a_field_saves_and_takes_no_call_out(page: Page, site: str, house: House) -> None:
    page.goto(f"{site}/relabel/{CALLED}")
    page.get_by_label("Your name").fill("ann")
    page.get_by_label("Your name").press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("Saved")

    message, author, _ = labels(house)[CALLED]
    assert (len(message["tool_calls"]), author) == (1, "ann")


def test_an_answer_that_says_nothing_is_no_label(page: Page, site: str, house: House) -> None:
    page.goto(f"{site}/relabel/{DISLIKED}")
    page.get_by_label("Text").fill("")
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("alert")).to_be_visible()
    assert labels(house) == {}


def test_a_dispute_with_a_teacher_goes_when_it_is_settled(page: Page, site: str, house: House) -> None:
    disputed = identity(RECENT + 9)
    page.goto(f"{site}/relabel/{disputed}?workload=w")
    expect(page.locator(".caution").first).to_contain_text("agree by 0.25")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_contain_text("Saved")

    page.goto(f"{site}/relabel")
    expect(page.locator(f"#queue a[href*='{disputed}']")).to_have_count(0)
    assert list(labels(house)) == [disputed]
