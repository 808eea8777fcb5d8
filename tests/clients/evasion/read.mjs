// What JSON.parse reads in bodies, as `read.py` says for Python.
import { createInterface } from "node:readline";

const planted = process.argv[2];

function* texts(value) {
  if (Array.isArray(value)) {
    // A model reads the text parts of a message one after the other.
    yield value.map((item) => item?.text ?? "").join("");
    for (const item of value) yield* texts(item);
  } else if (value && typeof value === "object") {
    for (const [key, member] of Object.entries(value)) {
      yield* texts(key);
      yield* texts(member);
    }
  } else if (typeof value === "string") {
    yield value;
    yield* decoded(value);
  } else {
    yield String(value);
  }
}

// What a program may make of a string in its turn.
function* decoded(text) {
  try {
    const inner = JSON.parse(text);
    if (inner && typeof inner === "object") yield* texts(inner);
  } catch {}
  for (const word of [text.split("base64,").at(-1), text.replace(/\s/g, ""), ...text.split(/\s/)]) {
    if (/^[A-Za-z0-9+/=_-]{8,}$/.test(word)) yield Buffer.from(word, "base64").toString();
  }
}

function holds(value) {
  for (const text of texts(value)) {
    const plain = text.normalize("NFKC").replace(/[\p{Cf}\p{Mn}]/gu, "").replace(/\p{Pd}/gu, "-");
    if (plain.includes(planted) || plain.includes(planted.replaceAll("-", ""))) return true;
  }
  return false;
}

for await (const line of createInterface({ input: process.stdin })) {
  const body = Buffer.from(JSON.parse(line).body, "base64");
  // As `fetch(…).json()` decodes: a byte order mark goes, what is no UTF-8 becomes U+FFFD.
  const text = new TextDecoder().decode(body);
  try {
    const value = JSON.parse(text);
    console.log(JSON.stringify({ value: JSON.stringify(value), holds: holds(value) }));
  } catch (error) {
    const pairs = [...new URLSearchParams(text)];
    console.log(JSON.stringify({ error: error.name, holds: holds([text, pairs]) }));
  }
}
