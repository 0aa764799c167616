"""The table of training speeds, and that both trainers get the same rows."""

from __future__ import annotations

from bench.distill.speed import Cost, Pair, compared, row_of

TOOL = {"type": "function", "function": {"name": "redact", "parameters": {"type": "object"}}}


def test_ratios_are_taken_within_a_round_and_their_median_is_shown() -> None:
    rounds = [
        Pair(ours=Cost(300, 4 << 30), trl=Cost(100, 8 << 30)),
        Pair(ours=Cost(150, 4 << 30), trl=Cost(50, 8 << 30)),
        Pair(ours=Cost(100, 4 << 30), trl=Cost(100, 8 << 30)),
    ]

    speed, memory = compared("all alike", rounds)

    assert (speed.name, speed.value) == ("training beside TRL, all alike: tokens/s", "150, TRL 100; 3.00 x")
    assert (speed.target, speed.met) == (">= 1.3 x", True)
    assert (memory.name, memory.value) == (
        "training beside TRL, all alike: peak memory, MiB",
        "4,096, TRL 8,192; 0.50 x",
    )
    assert (memory.target, memory.met) == ("<= 1 x", True)


def test_a_training_that_is_slower_than_asked_for_or_takes_more_memory_misses_its_target() -> None:
    speed, memory = compared("all alike", [Pair(ours=Cost(120, 5 << 30), trl=Cost(100, 4 << 30))])

    assert (speed.met, memory.met) == (False, False)


def test_a_row_is_the_prompt_and_the_answer_as_the_student_reads_and_writes_them() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "redact", "arguments": "{}"}}
    answer = {"role": "assistant", "content": None, "tool_calls": [call]}

    row = row_of([{"role": "user", "content": "I am Ann"}, answer], [TOOL])

    assert row["prompt"].endswith("<|im_start|>user\nI am Ann<|im_end|>\n<|im_start|>assistant\n")
    assert '"name": "redact"' in row["prompt"]
    assert row["completion"] == '<tool_call>\n{"name": "redact", "arguments": {}}\n</tool_call><|im_end|>'
