// The form: what it says, what it is filled with, the same request as text beside it, and where the server finds fault with it.

import { codeFor, readCurl } from "./code.js";
import { attempt, part } from "./elements.js";
import { EMPTY, bodyOf, isDemo, isPlain, isSessionQuery, readBody, requestWith, settings, unitOf } from "./request.js";

const DAY = 864e5; // milliseconds

export const form = part("query");
const fields = [...form.querySelectorAll("input[name]")];
const account = part("account");
const chosen = (name) => document.querySelector(`[name=${name}]:checked`).value;

const now = () => new Date(settings.now);
export const defaultWindow = () => ({ from: new Date(now() - 30 * DAY), to: now() });

// The request as it is being edited: as text if that is what one sees, else in the fields.
const isText = () => chosen("language") === "body";
const keyInForm = () => account.value || part("key").value;

export function readForm() {
  return isText() ? requestWith(keyInForm(), part("body").value) : { key: keyInForm(), query: queryInFields() };
}

function queryInFields() {
  const filled = fields.filter((field) => field.value !== "");
  return Object.fromEntries(filled.map(({ name, value }) => [name, value === EMPTY ? "" : value]));
}

// A body that the fields can't show is shown as text.
export function fillForm({ key, query, raw }) {
  showKey(key);
  fillFields(raw === undefined ? query : {});
  part("body").value = bodyOf({ query, raw }, 0);
  if (raw !== undefined) document.querySelector("[name=language][value=body]").checked = true;
  part("preset").value = "";
  describeForm();
}

function fillFields(query) {
  for (const field of fields) field.value = field.name in query ? query[field.name] || EMPTY : "";
}

// A key of one's own is not in the address. It stays in this tab, and goes with the domain that was chosen in the list.
const placeOfKey = () => `key of ${account.selectedOptions[0].dataset.imported ?? "one's own"}`;
const inTab = (action) => attempt(() => action(sessionStorage)); // storage can be switched off

function showKey(key) {
  if (isDemo(key)) return void (account.value = key);
  if (account.value) account.selectedIndex = ownOption();
  part("key").value = key || part("key").value || keyInTab();
}

const keyInTab = () => inTab((storage) => storage.getItem(placeOfKey())) ?? "";

// The option that was chosen last in this tab, or the one for any key.
function ownOption() {
  const domain = inTab((storage) => storage.getItem("domain"));
  const at = [...account.options].findIndex((option) => option.dataset.imported && option.dataset.imported === domain);
  return at < 0 ? account.options.length - 1 : at;
}

export function rememberKey() {
  if (account.value) return;
  inTab((storage) => {
    storage.setItem(placeOfKey(), part("key").value);
    storage.setItem("domain", account.selectedOptions[0].dataset.imported ?? "");
  });
}

// Says what the form means: what offset counts, the dates of the default window, the account, the values worth trying.
export function describeForm() {
  const request = readForm();
  const { query } = request;
  const { title, dataset } = account.selectedOptions[0];
  part("key").hidden = account.value !== "";
  part("key").placeholder = dataset.imported ? `the key for ${dataset.imported}` : "your key";
  part("shows").textContent = title && `Key ${account.value}: ${title}.`;
  part("counts").textContent = `offset counts ${unitOf(query)}s.`;
  part("window").textContent = describeWindow(query);
  for (const field of fields) field.setAttribute("list", `${account.value}-${field.name}`);
  part("summary-text").textContent = summarize(query);
  const folded = Object.entries(query).filter(([name]) => part("more").contains(form.querySelector(`[name="${CSS.escape(name)}"]`)));
  part("folded-text").textContent = folded.map(tell).join(" · ");
  showCode(request);
}

function describeWindow(query) {
  if (isEmptyWindow(query)) return "start_date is after end_date, so the window is empty.";
  const { from, to } = defaultWindow();
  return "start_date" in query || "end_date" in query ? "" : `Default window: ${minute(from)} to ${minute(to)}.`;
}

export function isEmptyWindow({ start_date: start, end_date: end }) {
  const time = (text, rest) => Date.parse(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T${rest}Z` : text);
  return time(start, "00:00:00") > (end === undefined ? now().getTime() : time(end, "23:59:59"));
}

function summarize({ start_date: start, end_date: end, ...filters }) {
  const window = start || end ? `${start ?? "30 days"} – ${end ?? "now"}` : "last 30 days";
  return [account.value || "your key", window, ...Object.entries(filters).map(tell)].join(" · ");
}

const tell = ([name, value]) => `${name} ${value === "" ? EMPTY : value}`;
const minute = (date) => date.toISOString().slice(0, 16).replace("T", " ");
const day = (date) => date.toISOString().slice(0, 10);

// The request as text: code in a language, or the body to edit.
function showCode(request) {
  const language = chosen("language");
  const isEditing = language === "body";
  part("code").hidden = isEditing;
  part("body").hidden = part("body-says").hidden = !isEditing;
  part("all-pages").parentElement.hidden = isEditing;
  document.querySelector("#sent-as [data-copy]").hidden = isEditing;
  form.classList.toggle("as-text", isEditing);
  for (const control of form.querySelectorAll("input[name], #preset, .pick, #clear")) control.disabled = isEditing;
  if (isEditing) return;
  part("body").value = bodyOf(request, 0);
  part("code").textContent = codeFor(language, request, part("all-pages").checked);
}

// From the body back to the fields. Returns whether they can show it.
function leaveText() {
  const text = part("body").value;
  const query = readBody(text);
  const canShow = query !== null && isPlain(query, text);
  if (canShow) fillFields(query);
  return canShow;
}

function applyPreset(preset) {
  const [year, month] = [now().getUTCFullYear(), now().getUTCMonth()];
  const windows = {
    month: [new Date(Date.UTC(year, month, 1)), now()],
    "last-month": [new Date(Date.UTC(year, month - 1, 1)), new Date(Date.UTC(year, month, 0))],
  };
  // Today is one of the last 7 days.
  const window = windows[preset] ?? [new Date(now() - (preset - 1) * DAY), now()];
  [part("start_date").value, part("end_date").value] = preset === "all" ? ["0001-01-01", "9999-12-31"] : window.map(day);
}

// Adds a session filter that is worth trying, or removes all of them.
export function toggleSessionFilter() {
  const filters = fields.filter(({ name }) => settings.session_filters.includes(name));
  if (isText()) document.querySelector("[name=language]").click();
  if (!isSessionQuery(queryInFields())) part("source").value = part("source").list?.options[0]?.value ?? "google.com";
  else for (const field of filters) field.value = "";
  part("offset").value = "";
  describeForm();
}

// Shows each sentence at its field; a sentence about a field that the form lacks stays in the error box.
export function showFaults(sentences) {
  let wrong = null;
  for (const place of form.querySelectorAll(".fault")) {
    const name = place.id.replace("-fault", "");
    const field = name === "key" && account.value ? account : part(name);
    place.textContent = [sentences[name] ?? []].flat().join(" ");
    for (const each of name === "key" ? [account, part("key")] : [field]) each.ariaInvalid = null;
    if (!place.textContent) continue;
    field.ariaInvalid = "true";
    wrong ??= field;
  }
  if (wrong && part("more").contains(wrong)) part("more").open = true;
  if (wrong && !isText()) editForm(true);
  wrong?.focus();
}

// On a phone the form is a line that says what it holds, until one edits it.
export function editForm(isOpen) {
  part("request").classList.toggle("open", isOpen);
  part("edit").ariaExpanded = String(isOpen);
  part("edit").textContent = isOpen ? "Close" : "Edit";
}

// Calls edited after each change that a person makes, and submitted when the form is sent.
export function listenToForm({ edited, submitted }) {
  const change = () => {
    describeForm();
    edited();
  };
  form.addEventListener("input", ({ target }) => {
    if (target.classList.contains("day") || target.id === "preset") return;
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
  account.addEventListener("change", () => {
    if (account.value) return;
    part("key").value = keyInTab();
    change();
    part("key").focus();
  });
  part("clear").addEventListener("click", () => {
    fillFields({});
    part("body").value = "{}";
    part("preset").value = "";
    change();
  });
  for (const picker of form.querySelectorAll(".day")) listenToPicker(picker, change);
  for (const choice of document.querySelectorAll("[name=language], #all-pages")) {
    choice.addEventListener("change", () => {
      const isLost = form.classList.contains("as-text") && !isText() && !leaveText();
      change();
      if (isLost) part("shows").textContent = "The form has no fields for that body. They are as they were before it.";
    });
  }
  part("body").addEventListener("input", change);
  part("body").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submitted();
  });
  part("request").addEventListener("paste", (event) => pasteCurl(event, change));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submitted();
  });
  part("edit").addEventListener("click", () => editForm(!part("request").classList.contains("open")));
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault(); // the fragment of the address is a request
    editForm(true);
    account.focus();
  });
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
    const { key, query, body } = readCurl(text);
    part("key").value = isDemo(key) ? "" : key;
    fillForm(isPlain(query, body) ? { key, query } : { key, query, raw: body });
    showFaults({});
    change();
    part("shows").textContent = "Filled from the curl command.";
  } catch (error) {
    part("shows").textContent = error.message;
  }
}
