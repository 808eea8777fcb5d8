// The OpenAI SDK, unmodified.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import OpenAI from "openai";
import * as mesh from "./mesh.mjs";

beforeEach(mesh.forget);

const client = (agent, headers) =>
  new OpenAI({
    baseURL: `${mesh.SIDECAR}/v1`,
    apiKey: "sk-test",
    maxRetries: 0,
    timeout: 20_000,
    defaultHeaders: mesh.agent(agent, headers),
  });
const ask = (content, more = {}) => ({ model: "gpt-4o", messages: [{ role: "user", content }], ...more });
const tools = [
  {
    type: "function",
    function: { name: "weather", parameters: { type: "object", properties: { city: { type: "string" } } } },
  },
];

test("chat is redacted before it leaves", async () => {
  const answer = await client("sdk-redact").chat.completions.create(ask(mesh.PRIVATE));
  assert.equal(answer.choices[0].message.content, `You said: ${mesh.CLEAN}`);
  mesh.noPersonalData(await mesh.upstreamText());
});

for (const size of [1, 7, 4096]) {
  test(`a streamed answer is redacted, cut at every ${size} bytes`, async () => {
    const headers = { ...mesh.saying(`Her number: ${mesh.SSN}, é mail ${mesh.EMAIL}.`), "x-mock-chunk-bytes": `${size}` };
    const stream = await client("sdk-redact", headers).chat.completions.create(ask("tell me", { stream: true }));
    let text = "";
    for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? "";
    assert.equal(text, "Her number: [REDACTED], é mail [REDACTED].");
  });
}

test("tools are called and their arguments redacted, streaming too", async () => {
  const withSecret = client("sdk-redact", mesh.saying(`city of ${mesh.SSN}`));
  const request = ask("call weather for me", { tools });
  const whole = await withSecret.chat.completions.create(request);
  const streamed = await withSecret.chat.completions.stream(request).finalChatCompletion();
  for (const answer of [whole, streamed]) {
    const call = answer.choices[0].message.tool_calls[0];
    assert.equal(call.function.name, "weather");
    assert.deepEqual(JSON.parse(call.function.arguments), { city: "city of [REDACTED]" });
  }
});

test("responses, whole and streaming", async () => {
  const answer = await client("sdk-redact").responses.create({ model: "gpt-4o", input: mesh.PRIVATE });
  assert.equal(answer.output_text, `You said: ${mesh.CLEAN}`);
  const stream = await client("sdk-redact", mesh.saying(`Her number: ${mesh.SSN}.`)).responses.create({
    model: "gpt-4o",
    input: "tell me",
    stream: true,
  });
  let text = "";
  for await (const event of stream) if (event.type === "response.output_text.delta") text += event.delta;
  assert.equal(text, "Her number: [REDACTED].");
});

test("embeddings", async () => {
  const answer = await client("sdk-redact").embeddings.create({ model: "text-embedding-3-small", input: mesh.PRIVATE });
  assert.equal(answer.data[0].embedding.length, 8);
  mesh.noPersonalData(await mesh.upstreamText());
});

test("an injection is a permission error", async () => {
  for (const stream of [false, true]) {
    const refused = client("sdk-redact").chat.completions.create(ask(mesh.ATTACK, { stream }));
    await assert.rejects(refused, (error) => error instanceof OpenAI.PermissionDeniedError && error.status === 403);
  }
  assert.equal(await mesh.upstreamText(), "");
});

test("the limit is a rate limit error that says when to come back", async () => {
  const limited = client("sdk-limited-openai-node");
  await limited.chat.completions.create(ask("one"));
  await assert.rejects(limited.chat.completions.create(ask("two")), (error) => {
    const wait = Number(error.headers.get("retry-after"));
    return error instanceof OpenAI.RateLimitError && wait >= 1 && wait <= 60;
  });
});

test("errors of the upstream stay what they are", async () => {
  const openai = client("sdk-redact");
  await assert.rejects(openai.chat.completions.create({ model: "gpt-4o", messages: [] }), OpenAI.BadRequestError);
  await assert.rejects(openai.chat.completions.create({ ...ask("hi"), model: "does-not-exist" }), OpenAI.NotFoundError);
});
