// The form: what it says, what it is filled with, and where the server finds fault with it.

import { EMPTY, isDemo } from "./address.js";
import { readCurl } from "./curl.js";
import { part } from "./elements.js";
import { unitOf } from "./request.js";

export const form = part("query");
const fields = [...form.querySelectorAll("input[name]")];
const account = part("account");
const now = new Date(document.getElementById("main").dataset.now);
const DAY = 864e5; // milliseconds
export const DEFAULT_WINDOW = { from: new Date(now - 30 * DAY), to: now };

export function readForm() {
  const filled = fields.filter((field) => field.value !== "");
  const query = Object.fromEntries(filled.map(({ name, value }) => [name, value === EMPTY ? "" : value]));
  return { key: account.value || part("key").value, query, prefer: readPrefer() };
}

// What mock mode is asked to do; outside of it the fields are not there.
function readPrefer() {
  const wanted = ["code", "delay"].map((name) => [name, part(`prefer-${name}`)?.value.trim()]).filter(([, value]) => value);
  return wanted.map(([name, value]) => `${name}=${value}`).join(", ");
}

export function fillForm({ key, query }) {
  account.value = isDemo(key) ? key : "";
  if (!isDemo(key)) part("key").value = key || part("key").value;
  for (const field of fields) field.value = field.name in query ? query[field.name] || EMPTY : "";
  part("preset").value = "";
  describeForm();
}

export function fillOffset(offset) {
  part("offset").value = offset === "0" ? "" : offset;
  describeForm();
}

// Says what the form means: what offset counts, the dates of the default window, the account, the values worth trying.
export function describeForm() {
  const { query } = readForm();
  part("key").hidden = account.value !== "";
  part("shows").textContent = account.selectedOptions[0].title && `Key ${account.value}: ${account.selectedOptions[0].title}.`;
  part("counts").textContent = `offset counts ${unitOf(query)}s.`;
  const isDefault = !("start_date" in query) && !("end_date" in query);
  part("window").textContent = isDefault ? `Default window: ${minute(DEFAULT_WINDOW.from)} to ${minute(DEFAULT_WINDOW.to)}.` : "";
  for (const field of fields) field.setAttribute("list", `${account.value}-${field.name}`);
  part("summary-text").textContent = summarize(query);
  const folded = Object.entries(query).filter(([name]) => part("more").contains(form.querySelector(`[name="${name}"]`)));
  part("folded-text").textContent = [...folded.map(tell), readPrefer()].filter(Boolean).join(" · ");
}

function summarize({ start_date: start, end_date: end, ...filters }) {
  const window = start || end ? `${start ?? "30 days"} – ${end ?? "now"}` : "last 30 days";
  return [account.value || "your key", window, ...Object.entries(filters).map(tell)].join(" · ");
}

const tell = ([name, value]) => `${name} ${value || EMPTY}`;

const minute = (date) => date.toISOString().slice(0, 16).replace("T", " ");
const day = (date) => date.toISOString().slice(0, 10);

function applyPreset(preset) {
  const [year, month] = [now.getUTCFullYear(), now.getUTCMonth()];
  const windows = {
    month: [new Date(Date.UTC(year, month, 1)), now],
    "last-month": [new Date(Date.UTC(year, month - 1, 1)), new Date(Date.UTC(year, month, 0))],
  };
  const dates = preset === "all" ? ["0001-01-01", "9999-12-31"] : (windows[preset] ?? [new Date(now - preset * DAY), now]).map(day);
  [part("start_date").value, part("end_date").value] = dates;
}

// Shows each sentence at its field; a sentence about a field that the form lacks stays in the error box.
export function showFaults(sentences) {
  for (const fault of form.querySelectorAll(".fault")) {
    fault.textContent = [sentences[fault.id.replace("-fault", "")] ?? ""].flat().join(" ");
    const isAtFault = fault.textContent ? "true" : null;
    for (const field of fault.parentElement.querySelectorAll("input:not(.day), select")) field.ariaInvalid = isAtFault;
  }
  const [first, second] = form.querySelectorAll("[aria-invalid]:not([hidden])");
  const wrong = second?.id === "key" ? second : first;
  if (wrong && part("more").contains(wrong)) part("more").open = true;
  if (wrong) editForm(true);
  wrong?.focus();
}

// On a phone the form is a line that says what it holds, until one edits it.
export function editForm(isOpen) {
  form.classList.toggle("open", isOpen);
  part("edit").ariaExpanded = String(isOpen);
  part("edit").textContent = isOpen ? "Close" : "Edit";
}

// Calls edited after each change that a person makes, and submitted when the form is sent.
export function listen({ edited, submitted }) {
  const change = () => {
    describeForm();
    edited();
  };
  form.addEventListener("input", ({ target }) => {
    if (target.classList.contains("day") || target.id === "preset") return;
    if (target.id.startsWith("prefer-")) return change();
    if (target.id !== "offset") part("offset").value = ""; // another query has other pages
    if (target.name?.endsWith("_date")) part("preset").value = "";
    change();
  });
  part("preset").addEventListener("change", ({ target }) => {
    if (!target.value) return;
    applyPreset(target.value);
    part("offset").value = "";
    change();
  });
  account.addEventListener("change", () => account.value || part("key").focus());
  part("clear").addEventListener("click", () => {
    for (const field of fields) field.value = "";
    part("preset").value = "";
    change();
  });
  for (const picker of form.querySelectorAll(".day")) listenToPicker(picker, change);
  form.addEventListener("paste", (event) => pasteCurl(event, change));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submitted();
  });
  part("edit").addEventListener("click", () => editForm(!form.classList.contains("open")));
  part("summary").hidden = false;
}

function listenToPicker(picker, change) {
  const field = picker.previousElementSibling;
  picker.nextElementSibling.addEventListener("click", () => {
    picker.value = /^\d{4}-\d\d-\d\d/.exec(field.value)?.[0] ?? "";
    picker.showPicker();
  });
  picker.addEventListener("change", () => {
    field.value = picker.value;
    part("offset").value = part("preset").value = "";
    change();
  });
}

function pasteCurl(event, change) {
  const text = event.clipboardData.getData("text");
  if (!/^\s*(\$\s+)?curl\s/.test(text)) return;
  event.preventDefault();
  try {
    const { key, query } = readCurl(text);
    const unknown = Object.keys(query).filter((name) => !fields.some((field) => field.name === name));
    part("key").value = isDemo(key) ? "" : key;
    fillForm({ key, query });
    showFaults({});
    part("shows").textContent = unknown.length ? `The form has no field for ${unknown.join(", ")}.` : "Filled from the curl command.";
    const told = part("shows").textContent;
    change();
    part("shows").textContent = told;
  } catch (error) {
    part("shows").textContent = error.message;
  }
}
