"""Every kind of file, recognised and read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.store.imports.files import ANSWER, CHAT, COMPLETION, PAIR, QUESTION, bring, write
from tests.store.logs import rows

TOOLS = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]
CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": '{"q": 1.0}'}}],
}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "42"}
QUESTION_LINE = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": PAIR["request"]}
ANSWER_LINE = {
    "id": "batch_req_1",
    "custom_id": "a",
    "response": {"status_code": 200, "request_id": "r", "body": COMPLETION},
    "error": None,
}
EPISODE = [{"role": "system", "content": "help"}, QUESTION, CALL, RESULT, ANSWER, QUESTION]


def stored(folder: Path, columns: str = "request, response") -> list[tuple[Any, ...]]:
    return rows(folder, f"select {columns} from exchanges order by time, id")


class TestChats:
    def test_a_line_is_one_exchange_whose_answer_is_the_last_assistant_message(self, tmp_path: Path) -> None:
        chat = {"messages": [QUESTION, ANSWER, QUESTION, CALL], "tools": TOOLS}

        result = bring(tmp_path / "data", write(tmp_path / "chats.jsonl", chat, CHAT))

        assert (result.exchanges, dict(result.kinds)) == (2, {"chat examples": 2})
        (request, response), _ = stored(tmp_path / "data")
        assert json.loads(request) == {"messages": [QUESTION, ANSWER, QUESTION], "tools": TOOLS}
        assert json.loads(response)["choices"][0]["message"] == CALL

    def test_an_imported_exchange_says_that_it_is_one(self, tmp_path: Path) -> None:
        bring(tmp_path / "data", write(tmp_path / "chats.jsonl", CHAT), workload="support")

        columns = "target, reason, upstream, workload, status, complete, latency_ms, overhead_ms, prompt_tokens"
        assert stored(tmp_path / "data", columns) == [
            ("teacher", "import", "import", "support", 200, True, None, None, None)
        ]

    def test_a_single_line_and_a_single_pretty_printed_object_are_files_too(self, tmp_path: Path) -> None:
        one = write(tmp_path / "one.jsonl", CHAT)
        other = write(tmp_path / "other.json", json.dumps({**CHAT, "model": "m"}, indent=2))

        assert bring(tmp_path / "data", one, other).exchanges == 2

    def test_blank_lines_windows_line_ends_and_a_byte_order_mark_do_not_matter(self, tmp_path: Path) -> None:
        path = tmp_path / "chats.jsonl"
        path.write_bytes(b"\xef\xbb\xbf\r\n" + json.dumps(CHAT).encode() + b"\r\n\r\n" + json.dumps(CHAT).encode())

        assert bring(tmp_path / "data", path).exchanges == 2


class TestPairs:
    def test_a_line_is_one_exchange_with_its_usage_price_and_time(self, tmp_path: Path) -> None:
        bring(tmp_path / "data", write(tmp_path / "pairs.jsonl", {**PAIR, "latency_ms": 12.5, "tags": {"a": 1}}, PAIR))

        columns = "time, model_served, prompt_tokens, cost_usd, latency_ms, finish_reason, endpoint, tags"
        first, second = sorted(stored(tmp_path / "data", columns), key=lambda row: row[4] is None)
        time = datetime(2026, 3, 10, 12, tzinfo=UTC)
        assert first == (time, "gpt-x", 10, pytest.approx(20e-6), 12.5, "stop", "/chat/completions", {"a": "1"})
        assert second[4] is None

    @pytest.mark.parametrize(
        ("told", "expected"),
        [
            ({"time": "2026-03-01T10:00:00+02:00"}, datetime(2026, 3, 1, 8, tzinfo=UTC)),
            ({"timestamp": "2026-03-01T10:00:00"}, datetime(2026, 3, 1, 10, tzinfo=UTC)),
            ({"created_at": 1_773_144_000.5}, datetime(2026, 3, 10, 12, 0, 0, 500_000, tzinfo=UTC)),
            ({"timestamp": 1_773_144_000_000}, datetime(2026, 3, 10, 12, tzinfo=UTC)),
        ],
    )
    def test_a_time_is_understood_in_any_usual_form(self, tmp_path: Path, told: Any, expected: datetime) -> None:
        bring(tmp_path / "data", write(tmp_path / "pairs.jsonl", {**PAIR, **told}))

        assert stored(tmp_path / "data", "time") == [(expected,)]

    def test_short_forms_of_request_and_response_are_understood(self, tmp_path: Path) -> None:
        items = [{"request": [QUESTION], "response": "because"}, {"request": PAIR["request"], "response": ANSWER}]

        bring(tmp_path / "data", write(tmp_path / "pairs.jsonl", *items))

        answers = [json.loads(response)["choices"][0]["message"] for _, response in stored(tmp_path / "data")]
        assert answers == [ANSWER, ANSWER]

    def test_a_failed_call_keeps_its_status(self, tmp_path: Path) -> None:
        failed = {**PAIR, "response": {"error": {"type": "rate_limit", "message": "slow down"}}, "status": 429}

        bring(tmp_path / "data", write(tmp_path / "pairs.jsonl", failed))

        assert stored(tmp_path / "data", "status") == [(429,)]

    def test_other_endpoints_are_recognised_by_their_request(self, tmp_path: Path) -> None:
        items = [
            {"request": {"prompt": "a"}, "response": {"choices": [{"text": "b"}]}},
            {"request": {"input": "a"}, "response": {"object": "response", "output": []}},
            {"request": {"input": "a"}, "response": {}, "url": "https://host/v1/embeddings"},
        ]

        bring(tmp_path / "data", write(tmp_path / "pairs.jsonl", *items))

        assert stored(tmp_path / "data", "endpoint") == [("/completions",), ("/responses",), ("/embeddings",)]


class TestBatches:
    def test_input_and_output_are_joined_in_either_order(self, tmp_path: Path) -> None:
        asked, answered = (
            write(tmp_path / "in.jsonl", QUESTION_LINE),
            write(tmp_path / "out.jsonl", ANSWER_LINE),
        )

        assert bring(tmp_path / "one", asked, answered).exchanges == 1
        assert bring(tmp_path / "other", answered, asked).exchanges == 1
        assert stored(tmp_path / "one", "endpoint, tags, status") == [("/chat/completions", {"custom_id": "a"}, 200)]

    def test_a_half_without_the_other_is_named(self, tmp_path: Path) -> None:
        result = bring(tmp_path / "data", write(tmp_path / "out.jsonl", ANSWER_LINE))

        assert (result.exchanges, result.faults) == (
            0,
            ["1 answers of a batch without their questions: import the input file, too"],
        )


class TestTrajectories:
    def test_every_assistant_message_is_an_exchange_with_what_came_before_as_its_request(self, tmp_path: Path) -> None:
        file = tmp_path / "episodes.json"
        file.write_text(json.dumps([{"traj": EPISODE, "reward": 1.0, "task_id": 7, "model": "gpt-x", "tools": TOOLS}]))

        result = bring(tmp_path / "data", file)

        assert (result.exchanges, result.feedback, len(result.conversations)) == (2, 1, 1)
        (first, called), (second, answered) = stored(tmp_path / "data")
        assert json.loads(first) == {"model": "gpt-x", "tools": TOOLS, "messages": EPISODE[:2]}
        assert json.loads(second)["messages"] == EPISODE[:4]
        assert json.loads(called)["choices"][0]["message"] == CALL
        assert json.loads(answered)["choices"][0]["message"] == ANSWER
        assert stored(tmp_path / "data", "distinct tags") == [({"task_id": "7"},)]

    def test_the_reward_is_feedback_on_the_last_exchange(self, tmp_path: Path) -> None:
        bring(tmp_path / "data", write(tmp_path / "episodes.json", json.dumps([{"traj": EPISODE, "reward": 0.5}])))

        last = rows(tmp_path / "data", "select id from exchanges order by time desc limit 1")
        assert rows(tmp_path / "data", "select exchange_id from feedback") == last
        assert rows(tmp_path / "data", "select score from feedback") == [(0.5,)]

    @pytest.mark.parametrize(
        "content",
        [
            json.dumps([EPISODE]),
            json.dumps(EPISODE),
            json.dumps([{"messages": EPISODE}]),
            json.dumps([{"id": "e1", "dialogue_of_the_agent": EPISODE}]),
            json.dumps({"trajectory": EPISODE}),
            json.dumps({"messages": EPISODE, "reward": 0}),
            json.dumps([{"traj": EPISODE}], indent=2),
        ],
    )
    def test_the_messages_are_found_wherever_they_are(self, tmp_path: Path, content: str) -> None:
        assert bring(tmp_path / "data", write(tmp_path / "episodes.json", content)).exchanges == 2

    def test_episodes_of_one_call_each_on_lines_are_found_too(self, tmp_path: Path) -> None:
        file = write(tmp_path / "episodes.jsonl", EPISODE, {"messages": EPISODE, "reward": 1})

        assert bring(tmp_path / "data", file).exchanges == 4

    def test_the_airline_episodes_are_imported_with_one_call(self, tmp_path: Path) -> None:
        file = Path(__file__).parents[4] / "shared" / "data" / "tau-airline" / "gpt-4o-airline.json"
        if not file.exists():
            pytest.skip("the airline episodes are not on this machine")

        result = bring(tmp_path, file)

        assert (len(result.conversations), result.exchanges, result.feedback) == (200, 2454, 200)
        assert rows(tmp_path, "select count(distinct id), count(distinct conversation) from exchanges") == [(2454, 200)]
        assert (bring(tmp_path, file).exchanges, bring(tmp_path, file).already_there) == (0, 2454)
        assert rows(tmp_path, "select count(*), count(distinct exchange_id) from feedback") == [(200, 200)]
