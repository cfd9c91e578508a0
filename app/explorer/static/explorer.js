// The explorer. What one sees is in the address: a form that is sent changes it, and a changed address fills the form and asks.
// Its only data is what the endpoint answers; all of it goes into the page as text.
"use strict";

const part = (id) => document.getElementById(id);
const desk = part("desk");
const BATCH_SIZE = Number(desk.dataset.batch);
const PAGE_SIZE = Number(desk.dataset.page);
const SESSION_FILTERS = desk.dataset.sessionFilters.split(" ");
const MOST_CELLS = 70; // a phone has no room to draw more of them apart
const EMPTY = '""'; // is typed to send the empty string: a field that is left empty is not sent

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

function readForm() {
  const filled = fields.filter((field) => field.value !== "");
  const query = Object.fromEntries(filled.map(({ name, value }) => [name, value === EMPTY ? "" : value]));
  return { key: part("account").value || part("key").value, query };
}

function bodyOf(query) {
  const isNumber = (name, value) => name === "offset" && /^-?(0|[1-9]\d*)(\.\d+)?$/.test(value); // stays as typed, digit by digit
  const written = ([name, value]) => `"${name}": ${isNumber(name, value) ? value : JSON.stringify(value)}`;
  const members = Object.entries(query).map(written);
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
let drawnAt = 0; // milliseconds

// Returns the request, if its answer was drawn.
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
    const answer = await response.clone().json().catch(() => null);
    const text = await response.text();
    const timing = timingOf(response.headers.get("Server-Timing") ?? "");
    const { status, statusText } = response;
    reply = { status, words: `${status} ${statusText}`, timing, text, answer };
  } catch (error) {
    if (signal.aborted) return null;
    reply = { words: "no answer", timing: {}, text: "", answer: { error: `There is no answer: ${error.message}.` } };
  }
  const milliseconds = performance.now() - started;
  desk.ariaBusy = null;
  take(request, reply);
  // A walk that goes on by itself is drawn now and then: to draw a page takes longer than to ask for it, and browsers take so many
  // addresses a second and no more.
  if (walking && walk.pages.at(-1).hasMore && performance.now() < drawnAt + 400) return null;
  tellStatus(reply, milliseconds);
  tellAnswer(reply);
  tellPagination(reply);
  drawPicture();
  tellFaults([401, 429].includes(reply.status) ? { key: reply.answer?.error } : (reply.answer?.fields ?? {}));
  const isFirst = drawnAt === 0; // the page opens at its top
  if (reply.status === 200 && !walking && !isFirst) part("pagination-title").scrollIntoView({ block: "nearest" });
  drawnAt = performance.now();
  return request;
}

function take({ key, query }, { answer, timing }) {
  const { offset = 0, ...filters } = query;
  const of = JSON.stringify([key, filters]);
  const last = walk.pages.at(-1);
  const goesOn = walk.of === of && last?.hasMore && last.to === Number(offset);
  if (!goesOn) walk = { of, pages: [], days: new Map(), types: new Map(), tops: new Map(), paths: new Map() };
  if (!answer?.pagination) return stop();
  const { records_processed: to, total_records: total, has_more: hasMore } = answer.pagination;
  const unit = countsSessions(query) ? "session" : "conversion";
  const counts = { records: answer.records.length, batches: Number(timing.batches), found: timing.found };
  walk.pages.push({ offset, from: Math.min(Number(offset), total), to, total, hasMore, unit, ...counts });
  return answer.records.forEach(remember);
}

// sql;dur=0.4, strategy;desc="session", batches;desc="3", rows;desc="650", found;desc="0*2,51"
function timingOf(header) {
  const entries = header.matchAll(/(\w+);\w+=("[^"]*"|[\d.]+)/g);
  const timing = Object.fromEntries([...entries].map(([, name, value]) => [name, value.replaceAll('"', "")]));
  const runs = timing.found?.split(",").map((run) => run.split("*").map(Number)) ?? [];
  return { ...timing, found: runs.flatMap(([found, times = 1]) => Array(times).fill(found)) };
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
  const told = [words, `${Math.round(milliseconds)} ms in all`];
  const { strategy, batches, rows, sql } = timing;
  if (strategy) told.splice(1, 0, `${strategy} query${inBatches(batches)}`, `at most ${count(rows, "row")} looked at`, `${sql} ms in SQL`);
  part("status").textContent = told.join(" · ");
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
  const [first, second] = form.querySelectorAll("[aria-invalid]:not([hidden])");
  (second?.id === "key" ? second : first)?.focus();
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
  drawInHand();
  const batches = stretchesOf(page);
  part("batches").hidden = !batches.length;
  return fillTable(
    part("batches").querySelector("table"),
    batches.map(({ numbers, sessions, own, inHand, then }) => [numbers, sessions, figure(own), figure(inHand), then]),
  );
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

// What each batch of a page added to the conversions in hand; of a direct query, none. On a page that takes very many, the server
// tells of the first ones and passes over the others together: these are one, with what the page has beyond the first ones.
function stretchesOf({ from, to, records, batches, found }) {
  const stretches = found.map((own, place) => ({ first: place + 1, last: place + 1, own }));
  if (batches > found.length) stretches.push({ first: found.length + 1, last: batches, own: records - sum(found) });
  let inHand = 0;
  return stretches.map(({ first, last, own }) => {
    const start = from + (first - 1) * BATCH_SIZE;
    const end = Math.min(from + last * BATCH_SIZE, to);
    const then = last < batches ? "go on" : `stop: ${records < PAGE_SIZE ? "end of the pool" : `${PAGE_SIZE} or more`}`;
    inHand += own;
    return { start, end, own, inHand, then, numbers: range(first, last), sessions: range(start + 1, end), isMany: last > first };
  });
}

const range = (from, to) => (from === to ? figure(from) : `${figure(from)}–${figure(to)}`);

function tellProgress({ to, total, unit, hasMore }) {
  const { pages, types } = walk;
  const walked = !hasMore && pages[0].from === 0 ? "Walked whole" : "Walked so far";
  const conversions = count(sum(types.values()), "conversion");
  const told = `${walked}: ${count(pages.length, "page")}, ${figure(to)} of ${count(total, unit)}, ${conversions}.`;
  const hasMoved = pages.some((page) => page.total !== total);
  const moved = hasMoved ? " The total changed on the way: give both dates to hold the window still." : "";
  part("progress").textContent = pages.length > 1 ? told + moved : "";
}

function drawStrip({ offset, from, to, total, unit, hasMore }) {
  const { pages } = walk;
  const before = pages[0].from;
  const step = unit === "session" ? BATCH_SIZE : PAGE_SIZE;
  const cell = [1, step].find((size) => total / size <= MOST_CELLS) ?? total;
  place(part("strip"), { total, cell });

  const segments = [["skipped", 0, before], ...pages.map((page) => ["walked", page.from, page.to]), ["left", to, total]];
  segments.at(-2)[0] = "taken";
  const drawSegment = ([kind, start, end]) => place(element("div", { class: kind }), { from: start, to: end });
  part("cells").replaceChildren(...segments.filter(([, start, end]) => end > start).map(drawSegment));
  part("cells").className = pages.length > MOST_CELLS ? "fine" : "";
  place(part("begins"), { at: from }).textContent = `offset ${figure(offset)}`;
  place(part("ends"), { at: to }).textContent = `records_processed ${figure(to)}, ${hasMore ? "the next offset" : "the end"}`;

  const counts = [["skipped", before], ["walked", from - before, "pages before"], ["taken", to - from, "this page"]];
  const parts = [...counts, ["left", total - to]].filter(([, number]) => number).map((each) => legend(...each));
  part("parts").replaceChildren(...parts, element("li", { class: "total" }, "total_records ", strong(figure(total))));
}

function drawInHand() {
  const bars = walk.pages.flatMap(stretchesOf);
  part("in-hand").hidden = part("bars").hidden = !bars.length;
  part("together").hidden = !bars.some(({ isMany }) => isMany);
  const drawBar = ({ start, end, own, inHand, numbers, sessions, isMany }) => {
    const title = `batch ${numbers}, sessions ${sessions}: ${count(own, "conversion")}, ${figure(inHand)} in hand`;
    const earlier = place(element("div", { class: "before" }), { records: inHand - own });
    const added = place(element("div", { class: isMany ? "own together" : "own" }), { records: own });
    const bar = element("div", { class: "bar", title }, earlier, added, element("span", {}, `+${figure(own)}`));
    return place(bar, { from: start, to: end });
  };
  const most = Math.max(PAGE_SIZE, ...walk.pages.map(({ records }) => records));
  place(part("bars"), { most, enough: PAGE_SIZE }).replaceChildren(...bars.map(drawBar));
}

const legend = (kind, number, name = kind) =>
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
    const drawn = await ask();
    if (drawn) history.replaceState(null, "", addressOf(drawn));
    if (drawn) tellRequest();
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
  const totals = days.map((day) => sum(walk.days.get(day).values()));
  const since = (day) => (Date.parse(day) - Date.parse(days[0])) / DAY;
  const places = Math.max(since(days.at(-1)) + 1, 12); // fewer would make blocks of the columns
  const step = stepFor(Math.max(...totals));
  const ceiling = Math.ceil(Math.max(...totals) / step) * step;
  const x = (place) => `${(100 * place) / places}%`;
  const y = (value) => HEIGHT * (1 - value / ceiling);
  const colours = new Map(types.map((type, at) => [type, `type-${Math.min(at, 5)}`])); // the sixth is of all others

  columns = days.map((day, at) => {
    const shape = drawn("g", {}, drawn("rect", { class: "whole", x: x(since(day)), width: x(1), height: HEIGHT }));
    const across = { x: x(since(day) + 0.08), width: x(0.84) };
    const byType = types.map((type) => [type, walk.days.get(day).get(type)]).filter(([, number]) => number);
    let under = 0;
    for (const [type, number] of byType) {
      const height = y(under) - y(under + number);
      under += number;
      shape.append(drawn("rect", { class: colours.get(type), ...across, y: y(under), height }));
    }
    const told = byType.map(([type, number]) => `${type} ${figure(number)}`);
    return { day, shape, middle: x(since(day) + 0.5), total: totals[at], told };
  });
  const axes = [...drawValues(ceiling, step, y), ...drawDays(days[0], since(days.at(-1)), places, x)];
  part("days").replaceChildren(...axes, ...columns.map(({ shape }) => shape));
  part("days").ariaLabel = `${count(sum(totals), "conversion")} per day, by type; the arrow keys go through the days`;
  point(-1);

  const shown = types.slice(0, 5).map((type) => legend(colours.get(type), walk.types.get(type), type));
  if (types.length > 5) shown.push(legend("type-5", types.length - 5, "other types"));
  part("types").replaceChildren(...shown);
  fillTable(part("numbers").querySelector("table"), columns.map(({ day, total, told }) => [day, figure(total), told.join(", ")]));
  tellTops();
}

function drawValues(ceiling, step, y) {
  const lines = Array.from({ length: ceiling / step + 1 }, (_, number) => number * step);
  return lines.flatMap((value) => [
    drawn("line", { class: "grid", x2: "100%", y1: y(value), y2: y(value) }),
    drawn("text", { class: "value", x: -10, y: y(value) + 4 }, figure(value)),
  ]);
}

function drawDays(first, last, places, x) {
  const every = Math.ceil(places / 6);
  const named = Array.from({ length: 6 }, (_, number) => number * every).filter((place) => place <= last);
  return named.map((place) => {
    const day = new Date(Date.parse(first) + place * DAY).toISOString();
    return drawn("text", { class: "day", x: x(place + 0.5), y: HEIGHT + 20 }, places > 300 ? day.slice(0, 7) : day.slice(5, 10));
  });
}

// 1, 2 or 5, or so many tens, hundreds …: with it, an axis has at most five lines.
function stepFor(most) {
  const power = 10 ** Math.floor(Math.log10(most));
  return [power / 5, power / 2, power, power * 2, power * 5].find((step) => step >= 1 && most / step <= 4);
}

function tellTops() {
  const { key, query: { offset, ...filters } } = readForm();
  const linkTo = (page) => addressOf({ key, query: { ...filters, conversion_page: page } });
  tellTop("pages", walk.tops, (page) => [element("a", { href: linkTo(page) }, ...breakable(page))]);
  tellTop("paths", walk.paths, (path) => {
    const [previous, page] = JSON.parse(path).map(breakable);
    return [...previous, element("br", {}), "→ ", ...page];
  });
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

function point(at) {
  columns[pointed]?.shape.classList.remove("pointed");
  pointed = at;
  const column = columns[at];
  part("tip").hidden = !column;
  if (!column) return;
  column.shape.classList.add("pointed");
  const heading = strong(`${column.day}: ${count(column.total, "conversion")}`);
  place(part("tip"), { at: column.middle }).replaceChildren(heading, ...column.told.map((told) => element("div", {}, told)));
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
  stop();
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
