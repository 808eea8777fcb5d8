// What `Response.formData()` finds in forms, as `forms.py` says for Python.
import { createInterface } from "node:readline";

const planted = process.argv[2];

function* decoded(text) {
  yield text;
  try {
    yield decodeURIComponent(text);
  } catch {}
  for (const line of text.split("\n")) {
    try {
      yield JSON.stringify(JSON.parse(line));
    } catch {}
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { type, body } = JSON.parse(line);
  const parts = [];
  try {
    const bytes = Buffer.from(body, "base64");
    const form = await new Response(bytes, { headers: { "content-type": type } }).formData();
    for (const [name, value] of form) {
      parts.push(typeof value === "string" ? [name, null, value] : [name, value.name, await value.text()]);
    }
  } catch (error) {
    parts.push(["", null, error.name]);
  }
  const texts = parts.flat().filter((text) => text);
  const holds = texts.some((text) => [...decoded(text)].some((form) => form.includes(planted)));
  console.log(JSON.stringify({ holds, parts }));
}
