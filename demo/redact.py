"""An application as anybody writes it: it redacts texts by an LLM, and knows the OpenAI client and nothing else."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai

chat: Any = openai.OpenAI().chat.completions  # the address and the key come from OPENAI_BASE_URL and OPENAI_API_KEY
prompt, texts = Path(sys.argv[1]).read_text(), json.loads(Path(sys.argv[2]).read_text())
string = {"type": "string"}
entity = {"type": "object", "properties": {"type": string, "value": string}, "required": ["type", "value"]}
schema = {"type": "object", "properties": {"entities": {"type": "array", "items": entity}}, "required": ["entities"]}
tool = {"type": "function", "function": {"name": "redact", "description": "Black out data.", "parameters": schema}}


def redact(text: str) -> str:
    messages = [{"role": "system", "content": prompt}, {"role": "user", "content": text}]
    answer = chat.create(model="teacher", messages=messages, tools=[tool], temperature=0, max_tokens=200)
    for call in answer.choices[0].message.tool_calls or []:
        for found in json.loads(call.function.arguments)["entities"]:
            text = text.replace(found["value"], f"[{found['type']}]")
    return text


for redacted in ThreadPoolExecutor(8).map(redact, texts):
    print(redacted, flush=True)
