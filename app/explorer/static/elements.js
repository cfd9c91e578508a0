// Elements, and the figures in them. Whatever a server sent goes into the page as text, never as markup.

export const part = (id) => document.getElementById(id);

// 1234567 as "1,234,567". Digits beyond 2^53 can be given as text.
export function figure(number) {
  const exact = typeof number === "string" && /^-?\d+$/.test(number) ? BigInt(number) : Number(number);
  return exact.toLocaleString("en");
}
export const count = (number, what) => `${figure(number)} ${what}${Number(number) === 1 ? "" : what.endsWith("ch") ? "es" : "s"}`;
export const range = (first, last) => (first === last ? figure(first) : `${figure(first)}–${figure(last)}`);
export const sum = (numbers) => [...numbers].reduce((all, number) => all + number, 0);

function make(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
export const element = (tag, attributes = {}, ...children) => make(document.createElement(tag), attributes, children);
const SVG = "http://www.w3.org/2000/svg";
export const svg = (tag, attributes = {}, ...children) => make(document.createElementNS(SVG, tag), attributes, children);
export const strong = (text) => element("strong", {}, text);
export const code = (text) => element("code", {}, text);

// Sets variables that the stylesheet reads: the policy forbids style attributes, but not this.
export function place(placed, variables) {
  for (const [name, value] of Object.entries(variables)) placed.style.setProperty(`--${name}`, value);
  return placed;
}

export function fillTable(table, rows) {
  const cell = (content) => element("td", {}, ...[content].flat());
  table.tBodies[0].replaceChildren(...rows.map((row) => element("tr", {}, ...row.map(cell))));
}

// A long URL may continue on the next line after a slash.
export const breakable = (text) => text.split(/(?<=[^:/][/@])/).flatMap((piece, at) => (at ? [element("wbr"), piece] : [piece]));

export const legend = (kind, name, number) =>
  element("li", {}, element("span", { class: `swatch ${kind}` }), element("span", {}, `${name} `, strong(figure(number))));

// What the action returns, or null if it fails.
export function attempt(action) {
  try {
    return action();
  } catch {
    return null;
  }
}

// A disabled button stays in the tab order, so that the keyboard does not lose its place.
export const enable = (id, isEnabled) => part(id).setAttribute("aria-disabled", String(!isEnabled));
export const onClick = (id, action) =>
  part(id).addEventListener("click", () => part(id).getAttribute("aria-disabled") === "true" || action());

// JSON as coloured pieces: the names, the strings, and the rest of the values.
const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
export function colouredJson(text) {
  const pieces = [];
  let end = 0;
  for (const match of text.matchAll(TOKEN)) {
    const [whole, string, colon] = match;
    const kind = colon ? "name" : string ? "string" : "value";
    pieces.push(text.slice(end, match.index), element("span", { class: kind }, string ?? whole), colon ?? "");
    end = match.index + whole.length;
  }
  return [...pieces, text.slice(end)];
}

// Copies a text, and says so on the button. If the clipboard is closed to pages, the element that shows the text is selected.
export async function copy(button, text, shown) {
  if (shown) getSelection().selectAllChildren(shown);
  const copied = await navigator.clipboard?.writeText(text).then(() => true, () => false);
  button.dataset.label ??= button.textContent;
  button.textContent = copied ? "Copied" : shown ? "Selected" : "No access to the clipboard";
  setTimeout(() => (button.textContent = button.dataset.label), 1500);
}

// Each button with data-copy copies the text of the element with that id.
export function listenToCopies() {
  for (const button of document.querySelectorAll("[data-copy]")) {
    const shown = part(button.dataset.copy);
    button.addEventListener("click", () => copy(button, shown.value || shown.textContent, shown));
  }
}
