// The mock bar: what the mock does to the next requests of every client, and how to change it. Outside of mock mode there is no bar.

import { count, figure, part } from "./elements.js";

const EVERY = 2000; // milliseconds between two looks at a mock that is not normal

let faults = []; // that are left
let timer = 0;

// Does the mock change responses, as far as the page knows?
export const isForcing = () => faults.length > 0;

// Sends a request to /_mock, and throws an Error with the mock's own sentence if it refuses.
export async function askMock(method, path, body) {
  const headers = body ? { "Content-Type": "application/json" } : {};
  const response = await fetch(`/_mock/${path}`, { method, headers, body: body && JSON.stringify(body) }).catch(() => {
    throw new Error("The server cannot be reached.");
  });
  if (response.status === 204) return null;
  const json = await response.json().catch(() => null);
  if (!response.ok) throw new Error(json?.error ?? `The mock refused: ${response.status} ${response.statusText}.`);
  return json;
}

// Asks what is left of the faults, and shows it.
export async function refreshMock() {
  if (!part("mock-bar")) return;
  clearTimeout(timer);
  try {
    faults = (await askMock("GET", "faults")).faults;
    show();
  } catch (error) {
    part("mock-state").textContent = error.message;
  }
  if (faults.length) timer = setTimeout(refreshMock, EVERY);
}

function show() {
  const isNormal = !faults.length;
  part("mock-bar").classList.toggle("loud", !isNormal);
  part("mock-normal").hidden = isNormal;
  const told = isNormal ? "Responses are normal." : `Not normal: ${faults.map(tell).join("; ")}.`;
  if (part("mock-state").textContent !== told) part("mock-state").textContent = told;
}

// {"code": 503, "times": 2, "after": 1} as "after 1 request, the next 2 responses are 503"
function tell({ code, times, after, delay, truncate, drop, domain }) {
  const next = times === 1 ? "the next response is" : `the next ${figure(times)} responses are`;
  const which = times === null ? "all responses are" : next;
  const how = [code && String(code), truncate && "cut off", drop && "dropped", delay && `${figure(delay)} ms late`].filter(Boolean);
  return `${after ? `after ${count(after, "request")}, ` : ""}${which} ${how.join(", ") || "503"}${domain ? ` for ${domain}` : ""}`;
}

async function act(action) {
  try {
    await action();
    await refreshMock();
  } catch (error) {
    part("mock-state").textContent = error.message;
  }
}

async function setFault() {
  const [code, delay, times] = ["fault-code", "fault-delay", "fault-times"].map((id) => part(id).value);
  await askMock("DELETE", "faults");
  if (!code && !delay) return;
  const wanted = { times: times ? Number(times) : null };
  if (code) wanted.code = Number(code);
  if (delay) wanted.delay = Number(delay);
  await askMock("POST", "faults", wanted);
}

async function reset(wasReset) {
  if (!confirm("Reset the mock? That restores the demo data and deletes the accounts that tests have created.")) return;
  await askMock("POST", "reset");
  wasReset();
}

// Calls wasReset after a reset. Returns when the bar shows what the mock does.
export async function listenToMock(wasReset) {
  if (!part("mock-bar")) return;
  part("mock-form").addEventListener("submit", (event) => {
    event.preventDefault();
    act(setFault);
  });
  part("mock-normal").addEventListener("click", () => act(() => askMock("DELETE", "faults")));
  part("mock-reset").addEventListener("click", () => act(() => reset(wasReset)));
  part("mock-change").addEventListener("click", ({ target }) => (target.ariaExpanded = part("mock-bar").classList.toggle("open")));
  document.addEventListener("visibilitychange", () => document.hidden || refreshMock());
  await refreshMock();
}
