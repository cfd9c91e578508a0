// A request to the endpoint, and its response as the page needs it.

import { remember } from "./sent.js";

const main = document.getElementById("main");
export const URL_OF_ENDPOINT = document.getElementById("query").action;
export const BATCH_SIZE = Number(main.dataset.batch);
export const PAGE_SIZE = Number(main.dataset.page);
const SESSION_FILTERS = main.dataset.sessionFilters.split(" ");

export const isSessionQuery = (query) => SESSION_FILTERS.some((name) => name in query);
export const unitOf = (query) => (isSessionQuery(query) ? "session" : "conversion");

// An offset goes out digit by digit as it was typed: a JavaScript number would round it beyond 2^53.
const isNumber = (name, value) => name === "offset" && /^-?(0|[1-9]\d*)(\.\d+)?$/.test(value);

export function bodyOf(query, width = 100) {
  const members = Object.entries(query).map(
    ([name, value]) => `"${name}": ${isNumber(name, String(value)) ? value : JSON.stringify(value)}`,
  );
  const line = `{${members.join(", ")}}`;
  return line.length <= width ? line : `{\n  ${members.join(",\n  ")}\n}`;
}

export function headersOf({ key, prefer }) {
  return { Authentication: key, "Content-Type": "application/json", ...(prefer ? { Prefer: prefer } : {}) };
}

export function isSameRequest(one, other) {
  const text = ({ key, query, prefer }) => JSON.stringify([key, prefer || "", Object.entries(query).sort()]);
  return text(one) === text(other);
}

// Why a key cannot be sent at all, if it cannot.
export function problemWithKey(key) {
  const character = [...key].find((each) => each < " " || each > "ÿ");
  return character && `A header cannot carry the character “${character}” of this key. Keys consist of letters, digits and signs of ASCII.`;
}

// Returns {status, statusText, text, json, headers, timing, milliseconds}; without a response {problem}. json is null for text
// that is not JSON. Throws only if the signal aborted.
export async function send(request, signal) {
  const started = performance.now();
  remember(request);
  try {
    const response = await fetch(URL_OF_ENDPOINT, { method: "POST", headers: headersOf(request), body: bodyOf(request.query), signal });
    const text = await response.text();
    const { status, statusText, headers } = response;
    const timing = timingOf(headers.get("Server-Timing") ?? "");
    return { status, statusText, text, json: parsed(text), headers: [...headers], timing, milliseconds: performance.now() - started };
  } catch (error) {
    if (signal?.aborted) throw error;
    return { problem: "The server cannot be reached. Check that it is running." };
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

// sql;dur=0.4, strategy;desc="session", batches;desc="3", found;desc="0*2,51"
function timingOf(header) {
  const entries = header.matchAll(/(\w+);\w+=("[^"]*"|[\d.]+)/g);
  const timing = Object.fromEntries([...entries].map(([, name, value]) => [name, value.replaceAll('"', "")]));
  const runs = timing.found?.split(",").map((run) => run.split("*").map(Number)) ?? [];
  return { ...timing, batches: Number(timing.batches ?? 0), found: runs.flatMap(([found, times = 1]) => Array(times).fill(found)) };
}
