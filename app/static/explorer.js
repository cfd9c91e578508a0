// The explorer. What one sees is in the address: a form that is sent changes it, and a changed address fills the form and asks.
// Its only data is what the endpoint answers; all of it goes into the page as text.
"use strict";

const part = (id) => document.getElementById(id);
const desk = part("desk");
const BATCH_SIZE = Number(desk.dataset.batch);
const PAGE_SIZE = Number(desk.dataset.page);
const MOST_CELLS = 70; // of more, a phone has no room to draw each
const SESSION_FILTERS = desk.dataset.sessionFilters.split(" ");

const form = part("query");
const fields = [...form.querySelectorAll("input[name]")];
const bundled = [...part("account").options].map((option) => option.value).filter(Boolean);
const figure = (number) => Number(number).toLocaleString("en");
const count = (number, what) => `${figure(number)} ${what}${Number(number) === 1 ? "" : "s"}`;
const sum = (numbers) => [...numbers].reduce((all, number) => all + number, 0);

function make(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
const SVG = "http://www.w3.org/2000/svg";
const element = (tag, attributes, ...children) => make(document.createElement(tag), attributes, children);
const drawn = (tag, attributes, ...children) => make(document.createElementNS(SVG, tag), attributes, children);
const strong = (text) => element("strong", {}, text);

// Where a thing stands, as the stylesheet's variables.
function place(placed, variables) {
  for (const [name, value] of Object.entries(variables)) placed.style.setProperty(`--${name}`, value);
  return placed;
}

function fillTable(table, rows) {
  const cell = (content) => element("td", {}, ...[content].flat());
  table.tBodies[0].replaceChildren(...rows.map((row) => element("tr", {}, ...row.map(cell))));
}

// The address: #key=…&source=…, of which no server gets to know. A key of one's own stays out of it.

function addressOf({ key, query }) {
  return `#${new URLSearchParams({ key: bundled.includes(key) ? key : "", ...query })}`;
}

function go(request = readForm()) {
  const address = addressOf(request);
  if (address === location.hash) show();
  else location.hash = address;
}

function show() {
  if (!location.hash) return location.replace(document.querySelector(".views a").hash);
  for (const link of document.querySelectorAll(".views a")) link.ariaCurrent = link.hash === location.hash ? "true" : null;
  const state = new URLSearchParams(location.hash.slice(1));
  const key = state.get("key");
  part("account").value = bundled.includes(key) ? key : "";
  if (key && !bundled.includes(key)) part("key").value = key;
  for (const field of fields) field.value = state.has(field.name) ? state.get(field.name) || EMPTY : "";
  stop();
  tellRequest();
  if (readForm().key) return ask();
  return tellFaults({ key: "This view is of a key that is not in its address; enter yours." });
}

// The request

const EMPTY = '""'; // is typed to send the empty string: a field that is left empty is not sent

function readForm() {
  const filled = fields.filter((field) => field.value !== "");
  const query = Object.fromEntries(filled.map(({ name, value }) => [name, value === EMPTY ? "" : value]));
  return { key: part("account").value || part("key").value, query };
}

function bodyOf(query) {
  const isNumber = (name, value) => name === "offset" && /^-?(0|[1-9]\d*)(\.\d+)?$/.test(value); // stays as typed, digit by digit
  const members = Object.entries(query).map(
    ([name, value]) => `"${name}": ${isNumber(name, value) ? value : JSON.stringify(value)}`,
  );
  const line = `{${members.join(", ")}}`;
  return line.length <= 84 ? line : `{\n  ${members.join(",\n  ")}\n}`;
}

const forShell = (text) => `'${text.replaceAll("'", "'\\''")}'`;

const LANGUAGES = {
  curl: (url, key, body) => `curl ${forShell(url)} \\
  -H ${forShell(`Authentication: ${key}`)} \\
  -H 'Content-Type: application/json' \\
  -d ${forShell(body.replaceAll("\n", "\n  "))}`,
  fetch: (url, key, body) => `const response = await fetch(${JSON.stringify(url)}, {
  method: "POST",
  headers: {"Authentication": ${JSON.stringify(key)}, "Content-Type": "application/json"},
  body: JSON.stringify(${body.replaceAll("\n", "\n  ")}),
});
const page = await response.json();`,
  Python: (url, key, body) => `import requests

response = requests.post(
    ${JSON.stringify(url)},
    headers={"Authentication": ${JSON.stringify(key)}},
    json=${body.replaceAll("\n", "\n    ")},
)
page = response.json()`,
};

function tellRequest() {
  const { key, query } = readForm();
  const account = part("account");
  part("key").hidden = account.value !== "";
  part("shows").textContent = account.selectedOptions[0].title;
  part("counts").textContent = `offset counts ${countsSessions(query) ? "sessions" : "conversions"}`;
  for (const field of fields) field.setAttribute("list", `${account.value}-${field.name}`);
  const language = document.querySelector("[name=language]:checked").value;
  part("request").textContent = LANGUAGES[language](form.action, key, bodyOf(query));
}

const countsSessions = (query) => SESSION_FILTERS.some((name) => name in query);

async function copy() {
  const text = part("request");
  getSelection().selectAllChildren(text); // where the clipboard is closed to pages, it is selected at least
  const copied = await navigator.clipboard?.writeText(text.textContent).then(() => true, () => false);
  part("copy").textContent = copied ? "Copied" : "Selected";
  setTimeout(() => (part("copy").textContent = "Copy"), 1500);
}

// Asking. A walk is a row of pages of one query, each of which begins where the one before it ended.

let walk = { pages: [] };
let walking = null; // stands for the walk that goes on by itself, if one does
let asking = new AbortController();

async function ask() {
  asking.abort();
  const { signal } = (asking = new AbortController());
  const request = readForm();
  const headers = { Authentication: request.key, "Content-Type": "application/json" };
  const started = performance.now();
  desk.ariaBusy = "true";
  let reply;
  try {
    const response = await fetch(form.action, { method: "POST", headers, body: bodyOf(request.query), signal });
    const text = await response.text();
    const timing = timingOf(response.headers.get("Server-Timing") ?? "");
    reply = { status: response.status, words: `${response.status} ${response.statusText}`, timing, text, answer: parsed(text) };
  } catch (error) {
    if (signal.aborted) return;
    reply = { status: 0, words: "no answer", timing: {}, text: "", answer: { error: `There is no answer: ${error.message}.` } };
  }
  desk.ariaBusy = null;
  tellStatus(reply, performance.now() - started);
  take(request, reply);
}

function take({ key, query }, reply) {
  const { offset = 0, ...filters } = query;
  const of = JSON.stringify([key, filters]);
  const last = walk.pages.at(-1);
  if (walk.of !== of || !last?.hasMore || last.to !== Number(offset)) {
    walk = { of, pages: [], days: new Map(), types: new Map(), tops: new Map(), paths: new Map() };
  }
  const { answer, timing } = reply;
  if (answer?.pagination) {
    const { records_processed: to, total_records: total, has_more: hasMore } = answer.pagination;
    const from = Math.min(Number(offset), total);
    const batches = Number(timing.batches);
    const unit = countsSessions(query) ? "session" : "conversion";
    walk.pages.push({ from, to, total, hasMore, unit, records: answer.records.length, batches, found: timing.found });
    answer.records.forEach(remember);
  } else {
    stop();
  }
  tellAnswer(reply);
  tellPagination(reply);
  drawPicture();
  const { fields: faults, error } = answer ?? {};
  tellFaults([401, 429].includes(reply.status) ? { key: error } : faults ?? {});
  if (reply.status === 200 && !walking) part("pagination-title").scrollIntoView({ block: "nearest" });
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

// sql;dur=0.4, strategy;desc="session", batches;desc="3", rows;desc="650", found;desc="0*2,51"
function timingOf(header) {
  const entries = [...header.matchAll(/(\w+);\w+=(?:"([^"]*)"|([\d.]+))/g)].map(([, name, text, number]) => [name, text ?? number]);
  const timing = Object.fromEntries(entries);
  const runs = timing.found?.split(",") ?? [];
  timing.found = runs.flatMap((run) => {
    const [found, number = 1] = run.split("*").map(Number);
    return Array(number).fill(found);
  });
  return timing;
}

function remember({ timestamp, conversion_page: page, previous_page: previous, conversion_meta: { type } }) {
  const add = (counts, key) => counts.set(key, (counts.get(key) ?? 0) + 1);
  const day = timestamp.slice(0, 10);
  if (!walk.days.has(day)) walk.days.set(day, new Map());
  add(walk.days.get(day), type);
  add(walk.types, type);
  add(walk.tops, page);
  add(walk.paths, JSON.stringify([previous ?? "(none)", page]));
}

// The answer

function tellStatus({ words, timing }, milliseconds) {
  const inSQL = timing.strategy
    ? [`${timing.strategy} query${inBatches(timing.batches)}`, `${count(timing.rows, "row")} looked at`, `${timing.sql} ms in SQL`]
    : [];
  part("status").textContent = [words, ...inSQL, `${Math.round(milliseconds)} ms in all`].join(" · ");
}

const inBatches = (number) => (number > 0 ? ` in ${number > 1 ? `${figure(number)} batches` : "one batch"}` : "");

function tellAnswer({ answer, text }) {
  const cell = (first, second) => [...breakable(first), element("br", {}), element("span", {}, ...breakable(second ?? "null"))];
  const rows = (answer?.records ?? []).map((record) => [
    cell(record.timestamp, record.email),
    cell(record.conversion_page, record.previous_page),
    cell(record.conversion_meta.type, record.conversion_meta.id),
  ]);
  fillTable(part("records"), rows);
  part("no-records").hidden = rows.length > 0;
  part("json").textContent = answer ? JSON.stringify(answer, null, 2) : text;
  part("records").parentElement.scrollTop = part("json").scrollTop = 0;
}

// A long URL may go on in the next line after a slash.
const breakable = (text) => text.split(/(?<=[^:/][/@])/).flatMap((piece) => [piece, element("wbr", {})]);

function tellFaults(sentences) {
  for (const fault of form.querySelectorAll(".fault")) {
    fault.textContent = sentences[fault.id.replace("-fault", "")] ?? "";
    const isAtFault = fault.textContent ? "true" : null;
    for (const field of fault.parentElement.querySelectorAll("input, select")) field.ariaInvalid = isAtFault;
  }
  [...form.querySelectorAll("[aria-invalid]:not([hidden])")].at(-1)?.focus();
}

// The pagination

function tellPagination({ status, answer, timing }) {
  const page = answer?.pagination && walk.pages.at(-1);
  const enable = (id, isEnabled) => (part(id).ariaDisabled = String(!isEnabled));
  enable("first", "offset" in readForm().query);
  enable("next", page?.hasMore);
  enable("all", page?.hasMore);
  part("drawing").hidden = !page;
  if (!page) {
    const looked = timing.batches > 0 ? ` The pool was taken${inBatches(timing.batches)}, and held none.` : "";
    const sentence = status === 200 ? answer?.message : answer?.error;
    return part("why").replaceChildren(sentence ?? "There is no answer to draw.", looked);
  }
  part("why").replaceChildren("Here ", element("code", {}, "offset"), " counts ", strong(`${page.unit}s`), `. ${why(page)}`);
  tellProgress(page);
  drawStrip(page);
  return tellBatches(page);
}

function why({ from, to, total, unit, records, batches, hasMore }) {
  const skipped = from ? `${figure(from)} skipped. ` : "";
  if (to === from) return `${skipped}They are all there are: nothing was left to take.`;
  const taken = `${skipped}${figure(to - from)} taken${inBatches(batches)}, ${figure(total - to)} of ${figure(total)} left.`;
  if (unit === "conversion" && hasMore) return `${taken} It stopped at ${PAGE_SIZE}, the most that a page of a direct query holds.`;
  if (unit === "conversion") return `${taken} It stopped because there are no more.`;
  const inHand = `${count(records, "conversion")} ${records === 1 ? "was" : "were"} in hand`;
  if (records < PAGE_SIZE) return `${taken} It stopped because the pool was at its end; ${inHand}.`;
  return `${taken} It stopped because ${inHand}, and ${PAGE_SIZE} are enough${hasMore ? "" : "; the pool was at its end, too"}.`;
}

// What each batch of a page added to the conversions in hand. On a page that takes very many, the server passes over the later ones
// together and tells of the first ones alone: the later ones are one stretch, with what the page has beyond the first ones.
function stretchesOf({ from, to, records, batches, found }) {
  const stretches = found.map((own, place) => ({ first: place + 1, last: place + 1, own }));
  if (batches > found.length) stretches.push({ first: found.length + 1, last: batches, own: records - sum(found) });
  let inHand = 0;
  return stretches.map(({ first, last, own }) => {
    const start = from + (first - 1) * BATCH_SIZE;
    const end = Math.min(from + last * BATCH_SIZE, to);
    const then = last < batches ? "go on" : records >= PAGE_SIZE ? `stop: ${PAGE_SIZE} or more` : "stop: end of the pool";
    inHand += own;
    return { start, end, own, inHand, then, batches: range(first, last), sessions: range(start + 1, end), together: last > first };
  });
}

const range = (from, to) => (from === to ? figure(from) : `${figure(from)}–${figure(to)}`);

function tellBatches({ unit, from, ...page }) {
  const stretches = unit === "session" ? stretchesOf({ from, ...page }) : [];
  part("batches").hidden = !stretches.length;
  const rows = stretches.map(({ batches, sessions, own, inHand, then }) => [batches, sessions, figure(own), figure(inHand), then]);
  fillTable(part("batches").querySelector("table"), rows);
}

function tellProgress({ to, total, unit, hasMore }) {
  const { pages, types } = walk;
  const walked = !hasMore && pages[0].from === 0 ? "Walked whole" : "Walked so far";
  const conversions = count(sum(types.values()), "conversion");
  const told = `${walked}: ${count(pages.length, "page")}, ${figure(to)} of ${count(total, unit)}, ${conversions}.`;
  const hasMoved = pages.some((page) => page.total !== total);
  const moved = hasMoved ? " The total changed on the way: give both dates to hold the window still." : "";
  part("progress").textContent = pages.length > 1 ? told + moved : "";
}

function drawStrip({ from, to, total, unit, hasMore }) {
  const { pages } = walk;
  const share = (number) => `${(100 * number) / total}%`;
  const across = (made, start, end, more) => place(made, { from: share(start), to: share(end), ...more });

  const before = pages[0].from;
  const segments = [["skipped", 0, before], ...pages.map((page) => ["walked", page.from, page.to]), ["left", to, total]];
  segments.at(-2)[0] = "taken";
  const step = unit === "session" ? BATCH_SIZE : PAGE_SIZE;
  const cell = [1, step].find((size) => total / size <= MOST_CELLS) ?? total;
  part("cells").className = pages.length > MOST_CELLS ? "fine" : "";
  const drawSegment = ([kind, start, end]) =>
    across(element("div", { class: kind }), start, end, { cells: Math.max((end - start) / cell, 1) });
  part("cells").replaceChildren(...segments.filter(([, start, end]) => end > start).map(drawSegment));

  const most = Math.max(PAGE_SIZE, ...pages.map(({ records }) => records));
  const bars = unit === "session" ? pages.flatMap(stretchesOf) : [];
  part("in-hand").hidden = part("bars").hidden = !bars.length;
  part("together").hidden = !bars.some(({ together }) => together);
  place(part("bars"), { enough: PAGE_SIZE / most });
  part("bars").replaceChildren(
    ...bars.map(({ start, end, own, inHand, batches, sessions, together }) => {
      const title = `batch ${batches}, sessions ${sessions}: ${count(own, "conversion")}, ${figure(inHand)} in hand`;
      const earlier = place(element("div", { class: "before" }), { height: (inHand - own) / most });
      const added = place(element("div", { class: together ? "own together" : "own" }), { height: own / most });
      return across(element("div", { class: "bar", title }, earlier, added, element("span", {}, `+${figure(own)}`)), start, end);
    }),
  );

  const next = hasMore ? "the next offset" : "the end";
  place(part("begins"), { at: share(from) }).textContent = `offset ${figure(from)}`;
  place(part("ends"), { at: share(to) }).textContent = `records_processed ${figure(to)}, ${next}`;
  const parts = [["skipped", "skipped", before], ["walked", "pages before", from - before], ["left", "left", total - to]]
    .filter(([, , number]) => number)
    .map((each) => legend(...each));
  parts.splice(hasMore ? -1 : parts.length, 0, legend("taken", "this page", to - from));
  part("parts").replaceChildren(...parts, element("li", { class: "total" }, "total_records ", strong(figure(total))));
}

const legend = (kind, name, number) =>
  element("li", {}, element("span", { class: `swatch ${kind}` }), `${name} `, strong(figure(number)));

function goToPage(offset) {
  const { key, query: { offset: _, ...filters } } = readForm();
  go({ key, query: offset ? { ...filters, offset } : filters });
}

async function walkAll() {
  const mine = (walking = {});
  part("all").textContent = "Stop";
  while (walking === mine && walk.pages.at(-1).hasMore) {
    part("offset").value = walk.pages.at(-1).to;
    history.replaceState(null, "", addressOf(readForm()));
    tellRequest();
    await ask();
  }
  if (walking === mine) stop();
}

function stop() {
  walking = null;
  part("all").textContent = "Walk all";
}

// The picture: conversions per day and type, of all pages that were walked

const DAY = 864e5; // milliseconds
const HEIGHT = 176; // pixels
let columns = []; // one for each day that holds conversions
let pointed = -1; // the place of the column that is pointed at

function drawPicture() {
  const types = [...walk.types].sort((one, other) => other[1] - one[1]).map(([type]) => type);
  part("picture").hidden = !types.length;
  if (!types.length) return;
  const days = [...walk.days.keys()].sort();
  const since = (day) => (Date.parse(day) - Date.parse(days[0])) / DAY;
  const number = Math.max(since(days.at(-1)) + 1, 12); // fewer would make blocks of the columns
  const totals = days.map((day) => sum(walk.days.get(day).values()));
  const by = stepFor(Math.max(...totals));
  const ceiling = Math.ceil(Math.max(...totals) / by) * by;
  const x = (at) => `${(100 * at) / number}%`;
  const y = (value) => HEIGHT * (1 - value / ceiling);

  const axes = [];
  for (let value = 0; value <= ceiling; value += by) {
    axes.push(drawn("line", { class: "grid", x2: "100%", y1: y(value), y2: y(value) }));
    axes.push(drawn("text", { class: "value", x: -10, y: y(value) + 4 }, figure(value)));
  }
  const isOneYear = days[0].slice(0, 4) === days.at(-1).slice(0, 4);
  const every = Math.ceil(number / 6);
  for (let at = 0; at <= since(days.at(-1)) && at + 0.75 * every <= number; at += every) {
    const day = new Date(Date.parse(days[0]) + at * DAY).toISOString();
    axes.push(drawn("text", { x: x(at), y: HEIGHT + 20 }, isOneYear ? day.slice(5, 10) : day.slice(0, 7)));
  }

  columns = days.map((day, place) => {
    const shape = drawn("g", {}, drawn("rect", { class: "whole", x: x(since(day)), width: x(1), height: HEIGHT }));
    const across = { x: x(since(day) + 0.08), width: x(0.84) };
    const found = [];
    let under = 0;
    for (const type of types.filter((each) => walk.days.get(day).has(each))) {
      const over = under + walk.days.get(day).get(type);
      shape.append(drawn("rect", { class: typeClass(types, type), ...across, y: y(over), height: y(under) - y(over) }));
      found.push(`${type} ${figure(over - under)}`);
      under = over;
    }
    return { day, shape, at: x(since(day) + 0.5), total: totals[place], found };
  });
  part("days").replaceChildren(...axes, ...columns.map(({ shape }) => shape));
  part("days").ariaLabel = `${count(sum(totals), "conversion")} per day, by type; the arrow keys go through the days`;
  point(-1);
  const shown = types.slice(0, 5).map((type) => legend(typeClass(types, type), type, walk.types.get(type)));
  if (types.length > 5) shown.push(legend("type-5", "other types", types.length - 5));
  part("types").replaceChildren(...shown);
  fillTable(part("numbers").querySelector("table"), columns.map(({ day, total, found }) => [day, figure(total), found.join(", ")]));

  const { key, query: { offset, ...filters } } = readForm();
  const linkTo = (page) => addressOf({ key, query: { ...filters, conversion_page: page } });
  tellTop("pages", walk.tops, (page) => [element("a", { href: linkTo(page) }, ...breakable(page))]);
  tellTop("paths", walk.paths, (path) => {
    const [previous, page] = JSON.parse(path).map(breakable);
    return [...previous, element("br", {}), "→ ", ...page];
  });
}

const typeClass = (types, type) => `type-${Math.min(types.indexOf(type), 5)}`; // the sixth colour is of all others

// 1, 2 or 5, or so many tens, hundreds …: with it, an axis has at most five lines.
function stepFor(most) {
  const power = 10 ** Math.floor(Math.log10(most));
  return [power / 5, power / 2, power, power * 2, power * 5].find((by) => by >= 1 && most / by <= 4);
}

function tellTop(id, counts, name) {
  const top = [...counts].sort((one, other) => other[1] - one[1]).slice(0, 8);
  part(id).replaceChildren(
    ...top.map(([what, number]) => {
      const item = element("li", {}, element("span", {}, ...name(what)), element("span", {}, figure(number)));
      return place(item, { share: `${(100 * number) / top[0][1]}%` });
    }),
  );
}

function point(place) {
  columns[pointed]?.shape.classList.remove("pointed");
  pointed = place;
  const column = columns[place];
  part("tip").hidden = !column;
  if (!column) return;
  column.shape.classList.add("pointed");
  const lines = column.found.map((found) => element("div", {}, found));
  part("tip").replaceChildren(strong(`${column.day}: ${count(column.total, "conversion")}`), ...lines);
  part("tip").style.setProperty("--at", column.at);
}

// What one does

const does = (id, action) => part(id).addEventListener("click", () => part(id).ariaDisabled === "true" || action());
does("first", () => goToPage(0));
does("next", () => goToPage(walk.pages.at(-1).to));
does("all", () => (walking ? stop() : walkAll()));
does("copy", copy);
does("clear", () => {
  for (const field of fields) field.value = "";
  tellRequest();
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  go();
});
form.addEventListener("input", (event) => {
  if (event.target.id !== "offset") part("offset").value = ""; // another query has other pages
  tellRequest();
});
part("account").addEventListener("change", () => part("account").value || part("key").focus());
for (const choice of document.querySelectorAll("[name=language]")) choice.addEventListener("change", tellRequest);

part("days").addEventListener("pointerover", (event) => point(columns.findIndex(({ shape }) => shape.contains(event.target))));
for (const leaving of ["pointerleave", "blur"]) part("days").addEventListener(leaving, () => point(-1));
part("days").addEventListener("keydown", (event) => {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (by) point(Math.min(Math.max(pointed + by, 0), columns.length - 1));
  if (by) event.preventDefault();
  if (event.key === "Escape") point(-1);
});

addEventListener("hashchange", show);
show();
