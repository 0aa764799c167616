"""Hypothesis strategies: texts full of markup, arguments, assistant messages, conversations."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For a machine that has other things to do."""
MARKUP = [
    *("<|im_start|>", "<|im_end|>", "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
    *("<|endoftext|>", "<|python_tag|>", "<|reserved_special_token_7|>", "<filename>", "<repo_name>", "<jupyter_code>"),
    *("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>"),
    *(
        "<",
        "<t",
        "<tool_cal",
        "</",
        "<|",
        "|",
        "|>",
        ">",
        "tool_call>",
        "im_end|>",
        "\u2060",
        "<\u2060",
        "<\u2060\u2060|",
    ),
    *(
        "\n",
        "\n\n",
        " ",
        '"',
        "\\",
        "\\u003c",
        "{",
        "}",
        '"}',
        '"arguments": ',
        "é",
        "日本",
        "🙂",
        "\u0338",
        "user",
        "assistant",
    ),
]
texts = st.one_of(st.lists(st.sampled_from(MARKUP), max_size=6).map("".join), st.text(max_size=20))
words = st.text(alphabet="abcdefghijklmnopqrstuvwxyz_-ABC012é", min_size=1, max_size=12)
values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)
arguments = st.dictionaries(texts, values, max_size=4)


@st.composite
def answers(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """(a message as an API gives it, the message that must come back)."""
    calls = draw(st.lists(st.tuples(words, arguments), max_size=3))
    content = draw(texts if not calls else st.one_of(st.none(), texts))
    if not calls:
        return {"role": "assistant", "content": content}, {"role": "assistant", "content": content}
    sent, back = [], []
    for number, (name, value) in enumerate(calls):
        wire = draw(st.sampled_from([value, json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)]))
        sent.append({"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": wire}})
        back.append({"type": "function", "function": {"name": name, "arguments": value}})
    return (
        {"role": "assistant", "content": content, "tool_calls": sent},
        {"role": "assistant", "content": content or None, "tool_calls": back},
    )


@st.composite
def tools(draw: st.DrawFn) -> list[dict[str, Any]]:
    names = draw(st.lists(words, max_size=2))
    return [
        {"type": "function", "function": {"name": name, "description": draw(texts), "parameters": draw(arguments)}}
        for name in names
    ]


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Turns in any order that an API takes: every call is answered, in any order, before anybody else speaks."""
    messages: list[dict[str, Any]] = []
    for role in draw(st.lists(st.sampled_from(["system", "developer", "user", "assistant"]), min_size=1, max_size=5)):
        if role != "assistant":
            messages.append({"role": role, "content": draw(texts)} | draw(st.sampled_from([{}, {"name": draw(texts)}])))
            continue
        answer = draw(answers())[0]
        ids = [call["id"] for call in answer.get("tool_calls", [])]
        messages.append(answer)
        messages += [{"role": "tool", "tool_call_id": id, "content": draw(texts)} for id in draw(st.permutations(ids))]
    return messages
