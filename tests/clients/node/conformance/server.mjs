// An MCP server with the tools, resources and prompts that the official conformance suite asks for, over streamable
// HTTP, written from the specification alone: what differs between two runs of the suite is then not this server's doing.
//
//   node server.mjs        prints its port
import { createServer } from "node:http";
import { randomUUID } from "node:crypto";

const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
const WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=";
const STATELESS = "2026-07-28";

const text = (said) => ({ type: "text", text: said });
const object = (properties = {}, required = []) => ({ type: "object", properties, required });
const word = { type: "string" };
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

const embedded = (uri) => ({
  type: "resource",
  resource: { uri, mimeType: "text/plain", text: "This is an embedded resource content." },
});
const image = { type: "image", data: PNG, mimeType: "image/png" };

// Each tool: description, schema, and what it does with its arguments and the connection to the client.
const tools = {
  test_simple_text: ["Says one text", object(), () => [text("This is a simple text response for testing.")]],
  test_image_content: ["Shows an image", object(), () => [image]],
  test_audio_content: ["Plays a sound", object(), () => [{ type: "audio", data: WAV, mimeType: "audio/wav" }]],
  test_embedded_resource: ["Embeds a resource", object(), () => [embedded("test://embedded-resource")]],
  test_multiple_content_types: ["Several kinds of content", object(), () => [
    text("Multiple content types test:"),
    image,
    { type: "resource", resource: { uri: "test://mixed-content-resource", mimeType: "application/json", text: '{"test":"data","value":123}' } },
  ]],
  test_tool_with_logging: ["Logs while it runs", object(), async (_, client) => {
    for (const data of ["Tool execution started", "Tool processing data", "Tool execution completed"]) {
      client.notify("notifications/message", { level: "info", data });
      await wait(50);
    }
    return [text("Tool with logging executed successfully")];
  }],
  test_tool_with_progress: ["Tells how far it is", object(), async (_, client) => {
    for (const progress of [0, 50, 100]) {
      client.notify("notifications/progress", { progressToken: client.token, progress, total: 100 });
      await wait(50);
    }
    return [text(String(client.token))];
  }],
  test_error_handling: ["Always fails", object(), () => {
    throw new Error("This tool intentionally returns an error for testing");
  }],
  test_sampling: ["Asks the client's model", object({ prompt: word }, ["prompt"]), async ({ prompt }, client) => {
    const params = { messages: [{ role: "user", content: text(prompt) }], maxTokens: 100 };
    const answer = await client.ask("sampling/createMessage", params);
    return [text(`LLM response: ${answer.content?.text}`)];
  }],
  test_elicitation: ["Asks the user", object({ message: word }, ["message"]), async ({ message }, client) => {
    const requestedSchema = object({ username: { ...word, description: "User's response" }, email: { ...word, description: "User's email address" } }, ["username", "email"]);
    const answer = await client.ask("elicitation/create", { message, requestedSchema });
    return [text(`User response: action=${answer.action}, content=${JSON.stringify(answer.content ?? {})}`)];
  }],
  test_elicitation_sep1034_defaults: ["Asks with defaults", object(), async (_, client) => {
    const requestedSchema = object({
      name: { ...word, default: "John Doe" },
      age: { type: "integer", default: 30 },
      score: { type: "number", default: 95.5 },
      status: { ...word, enum: ["active", "inactive", "pending"], default: "active" },
      verified: { type: "boolean", default: true },
    });
    const answer = await client.ask("elicitation/create", { message: "Review the defaults", requestedSchema });
    return [text(`Elicitation completed: action=${answer.action}, content=${JSON.stringify(answer.content ?? {})}`)];
  }],
  test_elicitation_sep1330_enums: ["Asks with choices", object(), async (_, client) => {
    const titled = ["1", "2", "3"].map((n) => ({ const: `value${n}`, title: `Title ${n}` }));
    const plain = ["option1", "option2", "option3"];
    const requestedSchema = object({
      untitledSingle: { ...word, enum: plain },
      titledSingle: { ...word, oneOf: titled },
      legacyEnum: { ...word, enum: ["opt1", "opt2", "opt3"], enumNames: ["Option One", "Option Two", "Option Three"] },
      untitledMulti: { type: "array", items: { ...word, enum: plain } },
      titledMulti: { type: "array", items: { anyOf: titled } },
    });
    const answer = await client.ask("elicitation/create", { message: "Choose", requestedSchema });
    return [text(`Elicitation completed: action=${answer.action}, content=${JSON.stringify(answer.content ?? {})}`)];
  }],
  json_schema_2020_12_tool: ["Has a schema of 2020-12", {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    $defs: { address: { type: "object", properties: { street: word, city: word } } },
    properties: { name: word, address: { $ref: "#/$defs/address" } },
    additionalProperties: false,
  }, () => [text("done")]],
};

const resources = {
  "test://static-text": { mimeType: "text/plain", text: "This is the content of the static text resource." },
  "test://static-binary": { mimeType: "image/png", blob: PNG },
  "test://watched-resource": { mimeType: "text/plain", text: "Watched resource content" },
};

const prompts = {
  test_simple_prompt: [[], () => [{ role: "user", content: text("This is a simple prompt for testing.") }]],
  test_prompt_with_arguments: [["arg1", "arg2"], ({ arg1, arg2 }) => [
    { role: "user", content: text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`) },
  ]],
  test_prompt_with_embedded_resource: [["resourceUri"], ({ resourceUri }) => [
    { role: "user", content: embedded(resourceUri) },
    { role: "user", content: text("Please process the embedded resource above.") },
  ]],
  test_prompt_with_image: [[], () => [
    { role: "user", content: image },
    { role: "user", content: text("Please analyze the image above.") },
  ]],
};

class Failure extends Error {
  constructor(code, message, data) {
    super(message);
    Object.assign(this, { code, data });
  }
}

function read(uri) {
  const template = uri.match(/^test:\/\/template\/([^/]+)\/data$/);
  if (template) {
    const content = { id: template[1], templateTest: true, data: `Data for ID: ${template[1]}` };
    return { contents: [{ uri, mimeType: "application/json", text: JSON.stringify(content) }] };
  }
  if (!resources[uri]) throw new Failure(-32602, `Resource not found: ${uri}`, { uri });
  return { contents: [{ uri, ...resources[uri] }] };
}

async function answer(method, params, client) {
  const capabilities = { tools: {}, resources: { subscribe: true }, prompts: {}, logging: {}, completions: {} };
  const serverInfo = { name: "conformance-server", version: "1.0.0" };
  switch (method) {
    case "initialize":
      return { protocolVersion: params.protocolVersion, capabilities, serverInfo };
    case "server/discover":
      return { supportedVersions: [STATELESS], capabilities, serverInfo };
    case "ping":
    case "logging/setLevel":
    case "resources/subscribe":
    case "resources/unsubscribe":
      return {};
    case "completion/complete":
      return { completion: { values: ["paris", "park"], total: 2, hasMore: false } };
    case "tools/list":
      return { tools: Object.entries(tools).map(([name, [description, inputSchema]]) => ({ name, description, inputSchema })) };
    case "tools/call": {
      const tool = tools[params.name];
      if (!tool) throw new Failure(-32602, `Unknown tool: ${params.name}`);
      try {
        return { content: await tool[2](params.arguments ?? {}, client) };
      } catch (error) {
        return { content: [text(error.message)], isError: true };
      }
    }
    case "resources/list":
      return { resources: Object.entries(resources).map(([uri, { mimeType }]) => ({ uri, name: uri.slice(7), mimeType })) };
    case "resources/templates/list":
      return { resourceTemplates: [{ uriTemplate: "test://template/{id}/data", name: "template", mimeType: "application/json" }] };
    case "resources/read":
      return read(params.uri);
    case "prompts/list":
      return { prompts: Object.entries(prompts).map(([name, [names]]) => ({ name, description: name, arguments: names.map((name) => ({ name, required: true })) })) };
    case "prompts/get": {
      const prompt = prompts[params.name];
      if (!prompt) throw new Failure(-32602, `Unknown prompt: ${params.name}`);
      return { messages: prompt[1](params.arguments ?? {}) };
    }
    default:
      throw new Failure(-32601, `Method not found: ${method}`);
  }
}

const sessions = new Set();
// Requests of ours that a client has not answered yet.
const pending = new Map();
let asked = 0;

async function post(request, response, message) {
  const reply = (status, body, headers = {}) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(body));
  };
  if (message.method === undefined) {
    pending.get(message.id)?.(message.result ?? {});
    pending.delete(message.id);
    return response.writeHead(202).end();
  }
  if (message.id === undefined) return response.writeHead(202).end();
  const session = request.headers["mcp-session-id"];
  if (session && !sessions.has(session)) {
    return reply(404, { jsonrpc: "2.0", id: message.id, error: { code: -32001, message: "Session not found" } });
  }
  const event = (value) => response.write(`event: message\ndata: ${JSON.stringify(value)}\n\n`);
  const streams = message.method === "tools/call" && (request.headers.accept ?? "").includes("text/event-stream");
  if (streams) response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  const client = {
    token: message.params?._meta?.progressToken,
    notify: (method, params) => streams && event({ jsonrpc: "2.0", method, params }),
    ask: (method, params) => new Promise((done) => {
      const id = `server-${++asked}`;
      pending.set(id, done);
      event({ jsonrpc: "2.0", id, method, params });
    }),
  };
  let said;
  try {
    const result = await answer(message.method, message.params ?? {}, client);
    if (request.headers["mcp-protocol-version"] === STATELESS) {
      Object.assign(result, { resultType: "complete", ttlMs: 0, cacheScope: "private" });
    }
    said = { jsonrpc: "2.0", id: message.id, result };
  } catch ({ code, message: why, data }) {
    said = { jsonrpc: "2.0", id: message.id, error: { code, message: why, data } };
  }
  if (streams) {
    event(said);
    return response.end();
  }
  const headers = {};
  if (message.method === "initialize") {
    headers["mcp-session-id"] = randomUUID();
    sessions.add(headers["mcp-session-id"]);
  }
  reply(200, said, headers);
}

const local = /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/;

const server = createServer(async (request, response) => {
  const origin = request.headers.origin?.replace(/^https?:\/\//, "");
  if (!local.test(request.headers.host ?? "") || (origin !== undefined && !local.test(origin))) {
    return response.writeHead(403).end("only for this machine");
  }
  if (request.method === "GET") {
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
    return response.write(": open\n\n");
  }
  if (request.method === "DELETE") {
    sessions.delete(request.headers["mcp-session-id"]);
    return response.writeHead(200).end();
  }
  let body = "";
  for await (const chunk of request) body += chunk;
  try {
    await post(request, response, JSON.parse(body));
  } catch (error) {
    if (!response.headersSent) response.writeHead(400, { "content-type": "application/json" });
    response.end(JSON.stringify({ jsonrpc: "2.0", id: null, error: { code: -32700, message: error.message } }));
  }
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
