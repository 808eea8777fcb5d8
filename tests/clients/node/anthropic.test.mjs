// The Anthropic SDK, unmodified.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import * as mesh from "./mesh.mjs";

beforeEach(mesh.forget);

const client = (agent, headers) =>
  new Anthropic({
    baseURL: mesh.SIDECAR,
    apiKey: "sk-test",
    maxRetries: 0,
    timeout: 20_000,
    defaultHeaders: mesh.agent(agent, headers),
  });
const ask = (content, more = {}) => ({
  model: "claude-opus-test",
  max_tokens: 64,
  messages: [{ role: "user", content }],
  ...more,
});
const tools = [{ name: "weather", input_schema: { type: "object", properties: { city: { type: "string" } } } }];

test("a message is redacted before it leaves", async () => {
  const answer = await client("sdk-redact").messages.create(ask(mesh.PRIVATE));
  assert.equal(answer.content[0].text, `You said: ${mesh.CLEAN}`);
  mesh.noPersonalData(await mesh.upstreamText());
});

for (const size of [1, 7, 4096]) {
  test(`a streamed answer is redacted, cut at every ${size} bytes`, async () => {
    const headers = { ...mesh.saying(`Her number: ${mesh.SSN}, é mail ${mesh.EMAIL}.`), "x-mock-chunk-bytes": `${size}` };
    const stream = client("sdk-redact", headers).messages.stream(ask("tell me"));
    assert.equal(await stream.finalText(), "Her number: [REDACTED], é mail [REDACTED].");
  });
}

test("tools are called and their arguments redacted, streaming too", async () => {
  const withSecret = client("sdk-redact", mesh.saying(`city of ${mesh.SSN}`));
  const request = ask("call weather for me", { tools });
  const whole = await withSecret.messages.create(request);
  const streamed = await withSecret.messages.stream(request).finalMessage();
  for (const answer of [whole, streamed]) {
    assert.equal(answer.stop_reason, "tool_use");
    assert.deepEqual(answer.content[0].input, { city: "city of [REDACTED]" });
  }
});

test("an injection is a permission error", async () => {
  for (const stream of [false, true]) {
    const refused = client("sdk-redact").messages.create(ask(mesh.ATTACK, { stream }));
    await assert.rejects(refused, Anthropic.PermissionDeniedError);
  }
  assert.equal(await mesh.upstreamText(), "");
});

test("the limit is a rate limit error that says when to come back", async () => {
  const limited = client("sdk-limited-anthropic-node");
  await limited.messages.create(ask("one"));
  await assert.rejects(limited.messages.create(ask("two")), (error) => {
    const wait = Number(error.headers.get("retry-after"));
    return error instanceof Anthropic.RateLimitError && wait >= 1 && wait <= 60;
  });
});

test("errors of the upstream stay what they are", async () => {
  const anthropic = client("sdk-redact");
  await assert.rejects(anthropic.messages.create({ ...ask("hi"), model: "does-not-exist" }), Anthropic.NotFoundError);
});
