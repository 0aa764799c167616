"""Real conversations of a frontier model with its tools, written and read back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nightschool.formats import FORMATS, Format, canonical_message, parse, render_completion, render_prompt
from tests.docs.documents import ROOT

AIRLINE = ROOT.parent / "shared" / "data" / "tau-airline" / "gpt-4o-airline.json"
pytestmark = pytest.mark.skipif(not AIRLINE.exists(), reason="the airline conversations are not beside the project")
EVERY_FORMAT = pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)


@pytest.fixture(scope="module")
def episodes() -> list[list[dict[str, Any]]]:
    return [episode["traj"] for episode in json.loads(AIRLINE.read_text())]


@EVERY_FORMAT
def test_every_logged_answer_comes_back(format: Format, episodes: list[list[dict[str, Any]]]) -> None:
    answers = [message for episode in episodes for message in episode if message["role"] == "assistant"]

    assert len(answers) == 2454
    for answer in answers:
        expected = canonical_message(answer)
        for call in expected.get("tool_calls", []):
            del call["id"]  # a completion has none
        assert parse(render_completion(answer, format)) == expected


@EVERY_FORMAT
def test_a_whole_conversation_holds_every_prompt_and_completion_of_its_turns(
    format: Format, episodes: list[list[dict[str, Any]]]
) -> None:
    for episode in episodes[:10]:
        whole = render_prompt(episode, None, format)
        for turn, message in enumerate(episode):
            if message["role"] == "assistant":
                asked = render_prompt(episode[:turn], None, format)
                assert whole.startswith(asked + render_completion(message, format) + format.end_of_turn)
