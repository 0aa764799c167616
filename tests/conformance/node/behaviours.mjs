// What a client does, piece by piece, printed as JSON lines; the Python twin is ../behaviours.py.

import { readFileSync } from "node:fs";

/** The behaviours of one client: `does(name, function)` adds one, `run()` does them all and prints their outcomes. */
export function behavioursOf(client, distribution) {
  const manifest = new URL(`node_modules/${distribution}/package.json`, import.meta.url);
  const functions = [];
  return {
    does: (name, shown) => functions.push([name, shown]),
    async run() {
      say({ client, version: JSON.parse(readFileSync(manifest, "utf8")).version });
      for (const [behaviour, shown] of functions) {
        try {
          say({ behaviour, outcome: (await shown()) ?? null });
        } catch (error) {
          say({ behaviour, fault: `${error?.stack}\n${error?.name}: ${error?.message?.split("\n")[0]}` });
        }
      }
    },
  };
}

/** What `call` rejects with; it is a fault when it does not. */
export async function raised(call) {
  let result;
  try {
    result = await call();
  } catch (error) {
    return described(error);
  }
  throw new Error(`nothing was raised, but returned: ${JSON.stringify(result)}`);
}

/** An error as a program can tell it from others. */
export function described(error) {
  const { message, status, statusCode, code, type, param, isRetryable, responseBody, reason } = error;
  return {
    raised: error.constructor.name,
    name: error.name,
    ...{ message, status, statusCode, code, type, param, isRetryable, responseBody, reason },
  };
}

/** Fails the behaviour where a claim does not hold. */
export function holds(claim, what) {
  if (!claim) throw new Error(`not so: ${what}`);
}

/** Response headers but nightschool's own, which are documented to be added. */
export function headers(values) {
  return Object.fromEntries([...values].filter(([name]) => !name.startsWith("x-nightschool-")).sort());
}

export async function all(iterable) {
  const items = [];
  for await (const item of iterable) items.push(structuredClone(JSON.parse(JSON.stringify(item ?? null))));
  return items;
}

function say(line) {
  console.log(JSON.stringify(line));
}
