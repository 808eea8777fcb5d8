// The MCP SDK, unmodified.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { McpError } from "@modelcontextprotocol/sdk/types.js";
import * as mesh from "./mesh.mjs";

beforeEach(mesh.forget);

async function withSession(agent, work) {
  const client = new Client({ name: "test", version: "1.0.0" });
  const requestInit = { headers: mesh.agent(agent) };
  await client.connect(new StreamableHTTPClientTransport(new URL(`${mesh.SIDECAR}/mcp`), { requestInit }));
  try {
    await work(client);
  } finally {
    await client.close();
  }
}
const call = (client, name, args) => client.callTool({ name, arguments: args });

test("tools are listed and called, arguments and results redacted", () =>
  withSession("sdk-redact", async (client) => {
    const { tools } = await client.listTools();
    assert.deepEqual(tools.map((tool) => tool.name), ["echo", "search", "lookup_customer"]);
    const said = await call(client, "echo", { text: mesh.PRIVATE });
    assert.equal(said.content[0].text, mesh.CLEAN);
    const customer = await call(client, "lookup_customer", { customer_id: "c1" });
    assert.ok(customer.structuredContent.name);
    mesh.noPersonalData(JSON.stringify(customer));
    mesh.noPersonalData(await mesh.upstreamText());
  }));

test("resources and prompts", () =>
  withSession("sdk-redact", async (client) => {
    assert.equal((await client.listResources()).resources.length, 2);
    const read = await client.readResource({ uri: "mock://customer" });
    mesh.noPersonalData(JSON.stringify(read));
    const prompt = await client.getPrompt({ name: "summarise", arguments: { text: mesh.PRIVATE } });
    assert.equal(prompt.messages[0].content.text, `Summarise this: ${mesh.CLEAN}`);
  }));

test("what the policy refuses is an McpError, and the session goes on", () =>
  withSession("sdk-tools", async (client) => {
    await assert.rejects(call(client, "lookup_customer", { customer_id: "c1" }), McpError);
    assert.ok(!(await mesh.upstreamText()).includes("lookup_customer"));
    const found = await call(client, "search", { query: "x" });
    assert.match(found.content[0].text, /^1 result/);
  }));

test("errors of the server stay what they are", () =>
  withSession("sdk-redact", async (client) => {
    const unknown = client.getPrompt({ name: "nobody", arguments: {} });
    await assert.rejects(unknown, (error) => error instanceof McpError && error.code === -32602);
  }));
