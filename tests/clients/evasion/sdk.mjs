// What Node SDKs hand to their users, as `sdk.py` says for Python.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [base, modules] = process.argv.slice(2);
const find = createRequire(`${modules}/x.js`);
const load = async (name) => (await import(pathToFileURL(find.resolve(name)))).default;
const OpenAI = await load("openai");
const Anthropic = await load("@anthropic-ai/sdk");

for await (const line of createInterface({ input: process.stdin })) {
  const { kind, case: number } = JSON.parse(line);
  const common = { apiKey: "k", maxRetries: 0, timeout: 20_000, defaultHeaders: { "x-case": String(number) } };
  const asked = { model: "m", messages: [{ role: "user", content: "hello" }] };
  try {
    let seen;
    if (kind === "messages") {
      seen = await new Anthropic({ baseURL: base, ...common }).messages.create({ max_tokens: 9, ...asked });
    } else {
      const client = new OpenAI({ baseURL: `${base}/v1`, ...common });
      if (kind === "stream") {
        const choices = {};
        for await (const chunk of await client.chat.completions.create({ stream: true, ...asked })) {
          for (const { index, delta } of chunk.choices) choices[index] = (choices[index] ?? "") + (delta.content ?? "");
        }
        seen = Object.values(choices);
      } else {
        seen = await client.chat.completions.create(asked);
      }
    }
    console.log(JSON.stringify({ seen }));
  } catch (error) {
    // Whatever it is: the user has not seen the value.
    console.log(JSON.stringify({ error: error.constructor.name, said: String(error) }));
  }
}
