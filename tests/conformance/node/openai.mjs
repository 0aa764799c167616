// The official Node client.

import { createHash } from "node:crypto";
import OpenAI, { toFile } from "openai";
import { zodFunction, zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import { Answer, MESSAGES, MODEL, QUESTION, WEATHER, Weather } from "./asked.mjs";
import { all, behavioursOf, headers, holds, raised } from "./behaviours.mjs";

const ERRORS = [400, 401, 403, 404, 409, 413, 422, 429, 500, 503];
const ODD_MODELS = ["crlf", "comments", "every-byte", "one-write", "obfuscated", "spaced", "ascii", "until-close", "trailers"];
const { does, run } = behavioursOf("openai (Node)", "openai");
const client = new OpenAI();
const once = new OpenAI({ maxRetries: 0 });

function ask(model = MODEL, more = {}, options = {}, using = client) {
  return using.chat.completions.create({ model, messages: MESSAGES, ...more }, options);
}

async function streamed(model = MODEL, more = {}, options = {}, using = client) {
  return all(await ask(model, { stream: true, ...more }, options, using));
}

/** Every event of a stream helper in its order, then its end. */
async function told(helper, names, final) {
  const events = [];
  for (const name of names) helper.on(name, (...values) => events.push([name, JSON.parse(JSON.stringify(values))]));
  const result = await final(helper);
  return [events, result];
}

// chat completions

does("chat", () => ask());
does("chat with every setting", () =>
  ask(
    MODEL,
    {
      n: 2,
      temperature: 0.25,
      seed: 7,
      stop: ["\n\n"],
      max_completion_tokens: 99,
      logprobs: true,
      top_logprobs: 2,
      metadata: { feature: "conformance" },
      not_known_to_anyone: [1.5, null, { deep: "é" }],
    },
    { headers: { "x-extra": "yes" }, query: { deep: "1 2" } },
  ),
);
does("large request", () => ask(MODEL, { messages: [{ role: "user", content: "long ".repeat(200_000) }] }));
does("json mode", () => ask(MODEL, { response_format: { type: "json_object" } }));
does("chats at once", async () => Promise.all(Array.from({ length: 16 }, () => ask())));
does("compressed answer", async () => [await ask("gzip"), await ask("deflate"), await ask("chunked")]);
does("stream", () => streamed());
does("stream with usage", () => streamed(MODEL, { stream_options: { include_usage: true } }));
does("streams written oddly", async () => {
  const streams = {};
  for (const model of ODD_MODELS) streams[model] = await streamed(model);
  return streams;
});
does("stream that is left early", async () => {
  const begun = [];
  for await (const chunk of await ask("slow", { stream: true })) {
    begun.push(chunk);
    if (begun.length === 3) break;
  }
  return [begun, await ask()];
});
does("stream as a web stream", async () => {
  const stream = await ask(MODEL, { stream: true });
  return new Response(stream.toReadableStream()).text();
});

// tools

does("tools", () => ask(MODEL, { tools: [WEATHER] }));
does("tools in parallel", () => ask("parallel", { tools: [WEATHER] }));
does("stream of tools", () => streamed("parallel", { tools: [WEATHER] }));
does("run tools", async () => {
  const asked = [];
  const get_weather = zodFunction({
    name: "get_weather",
    parameters: Weather,
    function: (weather) => {
      asked.push(weather);
      return `18 ${weather.unit}`;
    },
  });
  const runner = client.chat.completions.runTools({ model: MODEL, messages: MESSAGES, tools: [get_weather] });
  const final = await runner.finalContent();
  holds(asked.length === 1 && asked[0].city === "Zürich", "the tool was called once, with what the upstream said");
  return [final, runner.messages, await runner.totalUsage()];
});

// helpers

does("parse", async () => {
  const parsed = await client.chat.completions.parse({
    model: MODEL,
    messages: MESSAGES,
    response_format: zodResponseFormat(Answer, "answer"),
  });
  holds(parsed.choices[0].message.parsed.answer === 42, "the answer was parsed");
  return parsed;
});
does("parse tools", async () => {
  const tools = [zodFunction({ name: "get_weather", parameters: Weather })];
  const parsed = await client.chat.completions.parse({ model: MODEL, messages: MESSAGES, tools });
  holds(parsed.choices[0].message.tool_calls[0].function.parsed_arguments.city === "Zürich", "arguments were parsed");
  return parsed;
});
does("stream helper", () =>
  told(
    client.chat.completions.stream({ model: MODEL, messages: MESSAGES }),
    ["connect", "chunk", "content.delta", "content.done", "message", "finalChatCompletion", "end"],
    (helper) => helper.finalChatCompletion(),
  ),
);
does("stream helper parses", () =>
  told(
    client.chat.completions.stream({
      model: MODEL,
      messages: MESSAGES,
      response_format: zodResponseFormat(Answer, "answer"),
    }),
    ["content.delta", "content.done"],
    (helper) => helper.finalChatCompletion(),
  ),
);
does("stream helper parses tools", () =>
  told(
    client.chat.completions.stream({
      model: MODEL,
      messages: MESSAGES,
      tools: [zodFunction({ name: "get_weather", parameters: Weather })],
    }),
    ["tool_calls.function.arguments.delta", "tool_calls.function.arguments.done"],
    (helper) => helper.finalChatCompletion(),
  ),
);
does("stream helper is aborted", async () => {
  const helper = client.chat.completions.stream({ model: "slow", messages: MESSAGES });
  helper.on("chunk", () => helper.abort());
  return [await raised(() => helper.finalChatCompletion()), await ask()];
});
does("raw response", async () => {
  const answer = await ask().asResponse();
  return [answer.status, headers(answer.headers), await answer.text()];
});
does("raw response beside the parsed one", async () => {
  const { data, response, request_id } = await ask().withResponse();
  holds(request_id?.startsWith("req_"), "the upstream's request id is there");
  return [data, response.status, headers(response.headers)];
});
does("raw response of a stream", async () => {
  const answer = await ask(MODEL, { stream: true }).asResponse();
  return [answer.status, headers(answer.headers), await answer.text()];
});

// errors, retries, timeouts

does("errors", async () => {
  const errors = {};
  for (const status of ERRORS) errors[status] = await raised(() => ask(`status-${status}`, {}, {}, once));
  return errors;
});
does("error in a stream", () => raised(() => streamed("error-event")));
does("retry after is kept", async () => {
  const begun = performance.now();
  const answer = await ask("limited-2", {}, { maxRetries: 2 });
  holds(performance.now() - begun >= 600, "it waited 0.3 s twice");
  return answer;
});
does("retries come to an end", () => raised(() => ask("rate-limited", {}, { maxRetries: 2 })));
does("server error is retried", () => ask("failing-1"));
does("upstream forbids a retry", () => raised(() => ask("failing-for-good")));
does("stream after a retry", () => streamed("limited-1"));
does("timeout before the answer", () => raised(() => ask("hang-before-head", {}, { timeout: 600, maxRetries: 1 })));
does("aborted by its caller", async () => [
  await raised(() => ask("hang-before-head", {}, { signal: AbortSignal.timeout(400) })),
  await ask(),
]);
does("upstream closes before its answer", () => raised(() => ask("close-before-head", {}, { maxRetries: 1 })));
does("upstream breaks off a stream", () => raised(() => streamed("no-last-chunk")));

// other endpoints

does("embeddings", () => client.embeddings.create({ model: MODEL, input: ["one", "two words"] }));
does("embeddings as floats", () => client.embeddings.create({ model: MODEL, input: "one", encoding_format: "float" }));
does("responses", async () => {
  const answer = await client.responses.create({ model: MODEL, input: QUESTION });
  return [answer, answer.output_text];
});
does("responses with a tool", () =>
  client.responses.create({
    model: MODEL,
    input: QUESTION,
    tools: [{ ...WEATHER.function, type: "function", strict: true }],
  }),
);
does("responses streamed", async () => all(await client.responses.create({ model: MODEL, input: QUESTION, stream: true })));
does("responses stream helper", () =>
  told(
    client.responses.stream({ model: MODEL, input: QUESTION }),
    ["response.output_text.delta", "response.completed"],
    (helper) => helper.finalResponse(),
  ),
);
does("responses parse", async () => {
  const parsed = await client.responses.parse({
    model: MODEL,
    input: QUESTION,
    text: { format: zodTextFormat(Answer, "answer") },
  });
  holds(parsed.output_parsed.answer === 42, "the answer was parsed");
  return parsed;
});
does("completions", () => client.completions.create({ model: MODEL, prompt: QUESTION }));
does("completions streamed", async () =>
  all(await client.completions.create({ model: MODEL, prompt: QUESTION, stream: true })),
);
does("models", async () => (await all(client.models.list())).map((model) => model.id));
does("upload", async () => {
  const rows = await toFile(Buffer.from('{"a": 1}\n'.repeat(1000)), "rows.jsonl");
  const { object, purpose } = await client.files.create({ file: rows, purpose: "fine-tune" });
  return [object, purpose];
});
does("download", async () => {
  const answer = await client.audio.speech.create({ model: MODEL, voice: "alloy", input: QUESTION });
  const sound = Buffer.from(await answer.arrayBuffer());
  return [createHash("sha256").update(sound).digest("hex"), headers(answer.headers)];
});

await run();
process.exit(0); // what hangs upstream would keep its connection, and this process, open
