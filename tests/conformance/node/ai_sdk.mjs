// The Vercel AI SDK with both of its providers for OpenAI's API: `@ai-sdk/openai` and `@ai-sdk/openai-compatible`.

import { createOpenAI, openai } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { Output, embedMany, generateObject, generateText, stepCountIs, streamObject, streamText, tool } from "ai";
import { Answer, MODEL, QUESTION, Weather } from "./asked.mjs";
import { all, behavioursOf, holds, raised } from "./behaviours.mjs";

const { does, run } = behavioursOf("Vercel AI SDK", "ai");
const compatible = createOpenAICompatible({
  name: "nightschool",
  baseURL: process.env.OPENAI_BASE_URL,
  apiKey: process.env.OPENAI_API_KEY,
  includeUsage: true,
  supportsStructuredOutputs: true,
});
const told = { prompt: QUESTION, system: "Be brief." };
const PROVIDERS = {
  "openai chat": (name) => openai.chat(name),
  "openai responses": (name) => openai.responses(name),
  compatible: (name) => compatible.chatModel(name),
};

function weather(asked) {
  return tool({
    description: "The weather in a city.",
    inputSchema: Weather,
    execute: async (input) => {
      asked.push(input);
      return `18 ${input.unit}`;
    },
  });
}

/** What a finished answer says, without what the SDK draws or reads from a clock. */
async function said(result) {
  const [text, finishReason, usage, toolCalls, toolResults, steps] = await Promise.all(
    [result.text, result.finishReason, result.usage, result.toolCalls, result.toolResults, result.steps],
  );
  return { text, finishReason, usage, toolCalls, toolResults, steps: steps.map((step) => [step.text, step.finishReason]) };
}

for (const [provider, model] of Object.entries(PROVIDERS)) {
  does(`generate text (${provider})`, async () => said(await generateText({ model: model(MODEL), ...told })));
  does(`stream text (${provider})`, async () => {
    const result = streamText({ model: model(MODEL), ...told });
    const pieces = await all(result.textStream);
    holds(pieces.length > 5, "the text came in pieces");
    return [pieces, await said(result)];
  });
  does(`generate object (${provider})`, async () => {
    const { object, finishReason, usage } = await generateObject({ model: model(MODEL), schema: Answer, ...told });
    holds(object.answer === 42, "the object was read");
    return { object, finishReason, usage };
  });
  does(`retries (${provider})`, async () => said(await generateText({ model: model("failing-1"), ...told })));
  does(`error (${provider})`, () => raised(() => generateText({ model: model("status-401"), maxRetries: 0, ...told })));
  does(`aborted by its caller (${provider})`, () =>
    raised(() => generateText({ model: model("hang-before-head"), abortSignal: AbortSignal.timeout(400), ...told })),
  );
}

for (const provider of ["openai chat", "compatible"]) {
  const model = PROVIDERS[provider];
  does(`tool loop (${provider})`, async () => {
    const asked = [];
    const tools = { get_weather: weather(asked) };
    const result = await generateText({ model: model(MODEL), tools, stopWhen: stepCountIs(3), ...told });
    holds(asked.length === 1 && asked[0].city === "Zürich", "the tool was called once, with what the upstream said");
    return said(result);
  });
  does(`tool loop streamed (${provider})`, async () => {
    const asked = [];
    const tools = { get_weather: weather(asked) };
    const result = streamText({ model: model("parallel"), tools, stopWhen: stepCountIs(3), ...told });
    const pieces = await all(result.textStream);
    return [asked, pieces, await said(result)];
  });
  does(`stream object (${provider})`, async () => {
    const result = streamObject({ model: model(MODEL), schema: Answer, ...told });
    return [await all(result.partialObjectStream), await result.object, await result.usage];
  });
  does(`output as an object (${provider})`, async () => {
    const result = await generateText({ model: model(MODEL), output: Output.object({ schema: Answer }), ...told });
    return result.output;
  });
}

does("embeddings", async () => {
  const { embeddings, usage } = await embedMany({ model: openai.embedding(MODEL), values: ["one", "two words"] });
  return [embeddings, usage];
});
does("error in a stream", async () => {
  const errors = [];
  const result = streamText({ model: openai.chat("error-event"), onError: ({ error }) => errors.push(error), ...told });
  return [await all(result.textStream), errors.map((error) => error.message ?? error)];
});
does("completion model", async () =>
  said(await generateText({ model: createOpenAI().completion(MODEL), prompt: QUESTION })),
);

await run();
process.exit(0); // what hangs upstream would keep its connection, and this process, open
