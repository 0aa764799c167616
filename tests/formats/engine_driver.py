"""Runs inside the engine's environment: vLLM's own rendering and parsing, one JSON line in, one out.

    {"template": text, "messages": […], "tools": […] | null}  ->  {"text": prompt, "ids": […]}
    {"completion": text, "pieces": [text, …]}                 ->  {"whole": message, "streamed": message}

A message is {"content": text | null, "calls": [[name, arguments as text], …]}. The project's own packages are not in
that environment, so nothing of them is imported; the project's environment has no vLLM, so nothing here has its types.
"""

# mypy: disable-error-code="import-not-found, unused-ignore"

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from vllm.config import ModelConfig
from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
from vllm.renderers.chat_utils import parse_chat_messages
from vllm.renderers.hf import resolve_chat_template_content_format, safe_apply_chat_template
from vllm.tokenizers import get_tokenizer
from vllm.tool_parsers import ToolParserManager

TOOLS = [{"type": "function", "function": {"name": "any"}}]


def rendered(asked: Any, config: Any, tokenizer: Any) -> Any:
    """What an engine started with ``--chat-template`` gives to the model."""
    body = {"model": "m", "messages": asked["messages"]} | ({"tools": asked["tools"]} if asked["tools"] else {})
    request = ChatCompletionRequest.model_validate_json(json.dumps(body))
    tools = [tool.model_dump() for tool in request.tools] if request.tools else None
    template = asked["template"]
    content_format = resolve_chat_template_content_format(template, tools, "auto", tokenizer, model_config=config)
    conversation, _, _ = parse_chat_messages(request.messages, config, content_format=content_format)
    texts = {"chat_template": template, "tools": tools, "add_generation_prompt": True, "tokenize": False}
    text = safe_apply_chat_template(config, tokenizer, conversation, **texts)
    return {"text": text, "ids": tokenizer.encode(text, add_special_tokens=request.add_special_tokens)}


def parsed(asked: Any, parser_class: Any, tokenizer: Any) -> Any:
    """One completion, read whole and read piece by piece."""
    request = ChatCompletionRequest(model="m", messages=[{"role": "user", "content": "?"}], tools=TOOLS)
    whole = parser_class(tokenizer).extract_tool_calls(asked["completion"], request)
    calls = [[call.function.name, call.function.arguments] for call in whole.tool_calls]
    return {
        "whole": {"content": whole.content, "calls": calls},
        "streamed": streamed(asked["pieces"], parser_class(tokenizer), request),
    }


def streamed(pieces: list[str], parser: Any, request: Any) -> Any:
    """All deltas of a stream, put together."""
    content, before = "", ""
    calls: list[list[str]] = []
    for piece in pieces:
        delta = parser.extract_tool_calls_streaming(before, before + piece, piece, [], [], [], request)
        before += piece
        content += (delta and delta.content) or ""
        for call in (delta and delta.tool_calls) or []:
            calls += [["", ""]] * (call.index + 1 - len(calls))
            name, arguments = calls[call.index]
            calls[call.index] = [name + (call.function.name or ""), arguments + (call.function.arguments or "")]
    return {"content": content or None, "calls": calls}


def main() -> None:
    logging.disable()
    model, parser = sys.argv[1:]
    config, tokenizer = ModelConfig(model), get_tokenizer(model)
    parser_class = ToolParserManager.get_tool_parser(parser)
    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        answer = parsed(asked, parser_class, tokenizer) if "completion" in asked else rendered(asked, config, tokenizer)
        print(json.dumps(answer), flush=True)


main()
