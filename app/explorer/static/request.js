// A request to the endpoint: as the text of its body, as an address of the page, and sent, with its response.

import { attempt } from "./elements.js";

// What the server says about itself in the page: configure() puts it here.
export const settings = {};
export function configure() {
  Object.assign(settings, JSON.parse(document.getElementById("main").dataset.settings));
  settings.url = location.origin + settings.path;
}

export const EMPTY = '""'; // is typed to send the empty string: a field that is left empty is not sent

export const isDemo = (key) => Object.hasOwn(settings.demo, key);
export const isSessionQuery = (query) => settings.session_filters.some((name) => name in query);
export const unitOf = (query) => (isSessionQuery(query) ? "session" : "conversion");
export const stepOf = (unit) => (unit === "session" ? settings.batch_size : settings.page_size);

// The body. A request has the members of its body as "query", and its exact text as "raw" if the members don't determine it.

// An offset goes out digit by digit as it was typed: a JavaScript number would round it beyond 2^53.
const isNumber = (name, value) => name === "offset" && /^-?(0|[1-9]\d*)(\.\d+)?$/.test(value);

export function bodyOf({ query, raw }, width = 100) {
  if (raw !== undefined) return raw;
  const members = Object.entries(query).map(
    ([name, value]) => `${JSON.stringify(name)}: ${isNumber(name, String(value)) ? value : JSON.stringify(value)}`,
  );
  const line = `{${members.join(", ")}}`;
  return line.length <= width || !members.length ? line : `{\n  ${members.join(",\n  ")}\n}`;
}

// Returns the members of a body, or null if it is not a JSON object. A comma after the last member is allowed.
export function readBody(text) {
  const exact = text.replace(/,\s*}\s*$/, "}").replace(/("offset"\s*:\s*)(-?\d+(?:\.\d+)?)(?=\s*[,}])/, '$1"$2"');
  const query = attempt(() => JSON.parse(exact.trim() || "{}"));
  return query !== null && typeof query === "object" && !Array.isArray(query) ? query : null;
}

// Could the form write this body? It knows no other field, and no value but text and the number of an offset.
export const isPlain = (query, text) =>
  Object.entries(query).every(([name, value]) => settings.fields.includes(name) && typeof value === "string") &&
  !/"offset"\s*:\s*"/.test(text);

// The request that has this body, to the letter.
export function requestWith(key, text) {
  const query = readBody(text) ?? {};
  const isWritten = isPlain(query, text) && [bodyOf({ query }, 0), bodyOf({ query })].includes(text);
  return isWritten ? { key, query } : { key, query, raw: text };
}

export function isSameRequest(one, other) {
  const text = ({ key, query, raw }) => JSON.stringify([key, raw ?? Object.entries(query).sort()]);
  return text(one) === text(other);
}

export const headersOf = ({ key }) => ({ Authentication: key, "Content-Type": "application/json" });

// Why a key cannot be sent at all, if it cannot.
export function problemWithKey(key) {
  const character = [...key].find((each) => each < " " || each > "ÿ");
  const told = `A header cannot carry the character “${character}” of this key.`;
  return character && `${told} Keys consist of letters, digits and signs of ASCII.`;
}

// The address: #key=…&source=…&pages=3, or #key=…&body=… for a body as text. "offset" is where the walk starts, "pages" is how many
// pages it shows. No server gets to see it, and a key of one's own stays out of it.

export function addressOf({ key, query, raw, pages = 1 }) {
  const members = raw === undefined ? query : { body: raw };
  return `#${new URLSearchParams({ key: isDemo(key) ? key : "", ...members, ...(pages > 1 ? { pages } : {}) })}`;
}

// The request, the number of pages, and the members that mean nothing here; null for an address that asks for nothing.
export function readAddress(fragment) {
  const { key, pages, body, ...others } = Object.fromEntries(new URLSearchParams(fragment.replace(/^#/, "")));
  const known = Object.entries(others).filter(([name]) => settings.fields.includes(name));
  const unknown = Object.keys(others).filter((name) => !settings.fields.includes(name));
  if (key === undefined && body === undefined && !known.length) return unknown.length ? { unknown } : null;
  const request = body === undefined ? { key: key ?? "", query: Object.fromEntries(known) } : requestWith(key ?? "", body);
  return { ...request, unknown, pages: /^[1-9]\d{0,5}$/.test(pages) ? Number(pages) : 1 };
}

// Returns {ok, status, statusText, text, json, headers, timing, milliseconds}; without a response {problem}. json is null for text
// that is not JSON. Throws only if the signal aborted. The mock's list of requests leaves the marked ones out.
export async function send(request, signal) {
  const started = performance.now();
  try {
    const headers = { ...headersOf(request), "X-Conversions-Explorer": "1" };
    const response = await fetch(settings.url, { method: "POST", headers, body: bodyOf(request), signal });
    const text = await response.text();
    const timing = timingOf(response.headers.get("Server-Timing") ?? "");
    const { ok, status, statusText, headers: received } = response;
    const milliseconds = performance.now() - started;
    return { ok, status, statusText, text, json: attempt(() => JSON.parse(text)), headers: [...received], timing, milliseconds };
  } catch (error) {
    if (signal?.aborted) throw error;
    return { problem: "The server cannot be reached, or closed the connection. Check that it is running." };
  }
}

// sql;dur=0.4, strategy;desc="session", batches;desc="3", found;desc="0*2,51"
function timingOf(header) {
  const entries = header.matchAll(/(\w+);\w+=("[^"]*"|[\d.]+)/g);
  const timing = Object.fromEntries([...entries].map(([, name, value]) => [name, value.replaceAll('"', "")]));
  const runs = timing.found?.split(",").map((run) => run.split("*").map(Number)) ?? [];
  return { ...timing, batches: Number(timing.batches ?? 0), found: runs.flatMap(([found, times = 1]) => Array(times).fill(found)) };
}

// What is wrong with a response, in one sentence, and the number of the decision behind it.
export const sentenceOf = ({ problem, status, json }) =>
  problem ?? json?.error ?? json?.message ?? `The response is not JSON from the endpoint: ${status}. It is shown below.`;

export function decisionBehind(status, sentences) {
  return settings.errors.find((each) => each.status === status && sentences.includes(each.says))?.decision;
}
