"""An application as anybody writes it: it knows the OpenAI client and nothing else."""

import openai

chat = openai.OpenAI().chat.completions  # the address and the key come from OPENAI_BASE_URL and OPENAI_API_KEY
MODEL = "smollm2-135m"
question = "Mail jane@example.com: what is the capital of France?"
poem = "Write one sentence about the night."
shown = 'Weather in Rome: <tool_call>\n{"name": "get_weather", "arguments": {"city": "Rome"}}\n</tool_call>'
city: dict[str, object] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}

answer = chat.create(model=MODEL, messages=[{"role": "user", "content": question}], max_tokens=40, temperature=0)
print("plain:    ", answer.choices[0].message.content)
print("streamed:  ", end="")
for chunk in chat.create(model=MODEL, messages=[{"role": "user", "content": poem}], temperature=0, stream=True):
    print(chunk.choices[0].delta.content or "", end="", flush=True)
try:
    chat.create(model="no-such-model", messages=[{"role": "user", "content": question}])
except openai.NotFoundError as error:
    print("\nerror:    ", error)

answer = chat.create(
    model=MODEL,  # too small to call a tool unless an earlier turn shows it how
    messages=[{"role": "assistant", "content": shown}, {"role": "user", "content": "Weather in Oslo?"}],
    tools=[{"type": "function", "function": {"name": "get_weather", "parameters": city}}],
    temperature=0,
)
print("tool call:", answer.choices[0].message.tool_calls or answer.choices[0].message.content)
