// What the Node clients ask for, and the types that they want answers in; the Python twin is ../asked.py.

import { z } from "zod";

export const MODEL = "conformance";
export const QUESTION = "What is it like outside, naïvely asked?";
export const MESSAGES = [
  { role: "system", content: "Be brief. 日本語 too 🦊." },
  { role: "user", content: QUESTION },
];
export const Answer = z.object({ answer: z.number().int() });
export const Weather = z.object({ city: z.string(), unit: z.string() });
export const WEATHER = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather in a city.",
    parameters: {
      type: "object",
      properties: { city: { type: "string" }, unit: { type: "string" } },
      required: ["city", "unit"],
      additionalProperties: false,
    },
  },
};
