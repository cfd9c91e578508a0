// The explorer. What one sees is in the address: a form that is sent changes the address, a changed address fills the form and asks.
// Its only data is what the endpoint answers; all of it goes into the page as text.
"use strict";

const desk = document.getElementById("desk");
const BATCH_SIZE = Number(desk.dataset.batch);
const PAGE_SIZE = Number(desk.dataset.page);
const SESSION_FILTERS = ["source", "medium", "campaign", "content", "term", "landing_page"];

const part = (id) => document.getElementById(id);
const form = part("query");
const fields = [...form.querySelectorAll("input[name]")];
const bundled = [...part("account").options].map((option) => option.value).filter(Boolean);
const figures = new Intl.NumberFormat("en");
const figure = (number) => figures.format(number);
const count = (number, what) => `${figure(number)} ${what}${number === 1 ? "" : "s"}`;

function make(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
const element = (tag, attributes, ...children) => make(document.createElement(tag), attributes, children);
const drawn = (tag, attributes, ...children) => make(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
const strong = (text) => element("strong", {}, text);

// The address: #key=…&source=…, of which no server gets to know. A key of one's own stays out of it.

function address(changes = {}) {
  const { key, values } = readForm();
  const state = new URLSearchParams({ key: bundled.includes(key) ? key : "" });
  for (const [name, value] of Object.entries({ ...values, ...changes })) if (value !== "") state.set(name, value);
  return `#${state}`;
}

function go(changes = {}) {
  const next = address(changes);
  if (next === location.hash) show();
  else location.hash = next;
}

function show() {
  if (!location.hash) return location.replace(document.querySelector(".views a").hash);
  const state = new URLSearchParams(location.hash.slice(1));
  const key = state.get("key");
  part("account").value = bundled.includes(key) ? key : "";
  if (key && !bundled.includes(key)) part("key").value = key;
  for (const field of fields) field.value = state.get(field.name) ?? "";
  for (const link of document.querySelectorAll(".views a")) {
    if (link.hash === location.hash) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  stop();
  tellRequest();
  if (readForm().key) return ask();
  mark("key", "This view is of a key that is not in its address; enter yours.");
  return part("key").focus();
}

// The request

function readForm() {
  const filled = fields.filter((field) => field.value !== "");
  return { key: part("account").value || part("key").value, values: Object.fromEntries(filled.map((field) => [field.name, field.value])) };
}

function bodyOf(values) {
  const isNumber = (name, value) => name === "offset" && /^-?(0|[1-9]\d*)(\.\d+)?$/.test(value); // as it was typed: no digit is lost
  const members = Object.entries(values).map(
    ([name, value]) => `${JSON.stringify(name)}: ${isNumber(name, value) ? value : JSON.stringify(value)}`,
  );
  const line = `{${members.join(", ")}}`;
  return line.length <= 84 ? line : `{\n  ${members.join(",\n  ")}\n}`;
}

const quotedForShell = (text) => `'${text.replaceAll("'", "'\\''")}'`;

const LANGUAGES = {
  curl: (url, key, body) => `curl ${quotedForShell(url)} \\
  -H ${quotedForShell(`Authentication: ${key}`)} \\
  -H 'Content-Type: application/json' \\
  -d ${quotedForShell(body.replaceAll("\n", "\n  "))}`,
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
  const { key, values } = readForm();
  const account = part("account");
  part("key").hidden = account.value !== "";
  part("shows").textContent = account.selectedOptions[0].title;
  part("counts").textContent = `offset counts ${SESSION_FILTERS.some((name) => name in values) ? "sessions" : "conversions"}`;
  for (const field of fields) field.setAttribute("list", `${account.value}-${field.name}`);
  const language = document.querySelector("[name=language]:checked").value;
  part("request").textContent = LANGUAGES[language](form.action, key, bodyOf(values));
}

async function copy() {
  const text = part("request");
  getSelection().selectAllChildren(text); // where the clipboard is closed to pages, it is selected at least
  const copied = await navigator.clipboard?.writeText(text.textContent).then(() => true, () => false);
  part("copy").textContent = copied ? "Copied" : "Selected";
  setTimeout(() => (part("copy").textContent = "Copy"), 1500);
}

// Asking. A walk is a row of pages of one query, each of which begins where the one before it ended.

let walk = { query: null, pages: [] };
let asking = new AbortController();
let walking = null; // what stands for the walk that goes on by itself, if one does
let isFirst = true;

async function ask() {
  asking.abort();
  const mine = (asking = new AbortController());
  const { key, values } = readForm();
  const headers = { Authentication: key, "Content-Type": "application/json" };
  desk.setAttribute("aria-busy", "true");
  const started = performance.now();
  let response = null;
  let text = "";
  try {
    response = await fetch(form.action, { method: "POST", headers, body: bodyOf(values), signal: mine.signal });
    text = await response.text();
  } catch (error) {
    if (mine.signal.aborted) return;
    text = JSON.stringify({ error: `There is no answer: ${error.message}.` });
  }
  desk.removeAttribute("aria-busy");
  take(key, values, response, text, performance.now() - started);
}

function take(key, values, response, text, milliseconds) {
  const timing = timingOf(response);
  const answer = parsed(text);
  if (!answer?.pagination) stop();
  tellFaults(response, answer);
  tellStatus(response, timing, milliseconds);
  tellAnswer(answer, text);

  const { offset, ...filters } = values;
  const query = JSON.stringify([key, filters]);
  const last = walk.pages.at(-1);
  const goesOn = walk.query === query && last?.hasMore && Number(offset ?? 0) === last.to;
  if (!goesOn) walk = { query, pages: [], conversions: 0, days: new Map(), types: new Map(), tops: new Map(), paths: new Map() };
  if (answer?.pagination) {
    const { records_processed: to, total_records: total, has_more: hasMore } = answer.pagination;
    const from = Math.min(Number(offset ?? 0), total);
    const isSession = SESSION_FILTERS.some((name) => name in filters);
    walk.pages.push({ from, to, total, hasMore, isSession, records: answer.records.length, batches: Number(timing.batches), found: timing.found ?? [] });
    answer.records.forEach(remember);
  }
  tellPagination(response, answer, timing);
  drawPicture();
  if (response?.ok) reveal();
}

// On a narrow screen the results are below the form.
function reveal() {
  const title = part("pagination-title");
  const { top } = title.getBoundingClientRect();
  if (!isFirst && !walking && (top < 0 || top > innerHeight - 80)) title.scrollIntoView();
  isFirst = false;
}

const parsed = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
};

// Server-Timing: sql;dur=0.4, strategy;desc="session", batches;desc="3", rows;desc="650", found;desc="0*2,51"
function timingOf(response) {
  const timing = {};
  for (const [, name, value] of (response?.headers.get("Server-Timing") ?? "").matchAll(/(\w+);(?:dur|desc)="?([^",]*(?:,[\d*]+)*)/g)) {
    timing[name] = value;
  }
  timing.found = timing.found?.split(",").flatMap((run) => {
    const [found, number = 1] = run.split("*").map(Number);
    return Array(number).fill(found);
  });
  return timing;
}

function remember({ timestamp, conversion_page: page, previous_page: previous, conversion_meta: { type } }) {
  const add = (map, key) => map.set(key, (map.get(key) ?? 0) + 1);
  const day = timestamp.slice(0, 10);
  if (!walk.days.has(day)) walk.days.set(day, new Map());
  add(walk.days.get(day), type);
  add(walk.types, type);
  add(walk.tops, page);
  add(walk.paths, `${previous ?? "(none)"}\n${page}`);
  walk.conversions += 1;
}

// The answer

function tellStatus(response, timing, milliseconds) {
  const words = [response ? `${response.status} ${response.statusText}`.trim() : "no answer"];
  if (timing.strategy) words.push(`${timing.strategy} query${inBatches(Number(timing.batches))}`);
  if (timing.rows) words.push(`${count(Number(timing.rows), "row")} looked at`);
  if (timing.sql) words.push(`${timing.sql} ms in SQL`);
  words.push(`${Math.round(milliseconds)} ms in all`);
  part("status").textContent = words.join(" · ");
}

function tellAnswer(answer, text) {
  part("json").textContent = answer ? JSON.stringify(answer, null, 2) : text;
  const rows = (answer?.records ?? []).map((record) =>
    element(
      "tr",
      {},
      cell(record.timestamp, record.email),
      cell(record.conversion_page, record.previous_page),
      cell(record.conversion_meta.type, record.conversion_meta.id),
    ),
  );
  const nothing = answer?.records ? "No records on this page." : answer?.message ?? "No records.";
  if (!rows.length) rows.push(element("tr", {}, element("td", { class: "none", colspan: 3 }, nothing)));
  part("records").tBodies[0].replaceChildren(...rows);
  part("records").parentElement.scrollTop = part("json").scrollTop = 0;
}

const cell = (first, second) =>
  element("td", {}, ...breakable(first), element("br", {}), element("span", {}, ...breakable(second ?? "null")));

// A long URL may go on in the next line after a slash.
const breakable = (text) => text.split(/(?<=[^:/][/@])/).flatMap((piece) => [piece, element("wbr", {})]);

function tellFaults(response, answer) {
  for (const fault of form.querySelectorAll(".fault")) mark(fault.id.replace("-fault", ""), "");
  if (response?.ok) return;
  const faults = Object.entries(answer?.fields ?? {}).filter(([name]) => part(`${name}-fault`));
  for (const [name, sentences] of faults) mark(name, sentences.join(" "));
  if ([401, 429].includes(response?.status)) mark("key", answer?.error ?? "The key is refused.");
  form.querySelector("[aria-invalid]")?.focus();
}

function mark(name, sentence) {
  const field = name === "key" && part("key").hidden ? part("account") : part(name);
  part(`${name}-fault`).textContent = sentence;
  if (sentence) field.setAttribute("aria-invalid", "true");
  else for (const each of [field, part(name)]) each.removeAttribute("aria-invalid");
}

// The pagination

function tellPagination(response, answer, timing) {
  const page = walk.pages.at(-1);
  const hasNext = Boolean(answer?.pagination?.has_more);
  for (const id of ["next", "all"]) part(id).setAttribute("aria-disabled", String(!hasNext && !(id === "all" && walking)));
  part("first").setAttribute("aria-disabled", String(!("offset" in readForm().values)));
  part("drawing").hidden = !answer?.pagination;
  part("why").replaceChildren(...(answer?.pagination ? why(page) : whyNot(response, answer, timing)));
  if (!answer?.pagination) return;

  const unit = page.isSession ? "session" : "conversion";
  const walked = page.from - walk.pages[0].from;
  const parts = [
    ["skipped", "skipped", walk.pages[0].from],
    ["walked", "pages before", walked],
    ["taken", "this page", page.to - page.from],
    ["left", "left", page.total - page.to],
  ].filter(([kind, , number]) => number || kind === "taken");
  part("parts").replaceChildren(...parts.map((each) => legend(...each)));
  const changed = walk.pages.some((each) => each.total !== page.total);
  const whole = !page.hasMore && walk.pages[0].from === 0 ? "Walked whole" : "Walked so far";
  part("progress").textContent =
    walk.pages.length < 2 && !walking
      ? ""
      : `${whole}: ${count(walk.pages.length, "page")}, ${figure(page.to)} of ${count(page.total, unit)}, ${count(walk.conversions, "conversion")}.` +
        (changed ? " The total changed on the way: give both dates to hold the window still." : "");
  part("in-hand").hidden = !page.isSession;
  drawStrip();
  tellBatches(page);
}

function why({ from, to, total, isSession, records, batches, hasMore }) {
  const unit = isSession ? "session" : "conversion";
  const counts = ["Here ", element("code", {}, "offset"), " counts ", strong(`${unit}s`), "."];
  const skipped = from ? ` ${figure(from)} skipped.` : "";
  if (to === from) return [...counts, `${skipped} They are all there are: nothing was left to take.`];
  const taken = ` ${figure(to - from)} taken${isSession ? inBatches(batches) : ""}, ${figure(total - to)} of ${figure(total)} left.`;
  const inHand = `${count(records, "conversion")} ${records === 1 ? "was" : "were"} in hand`;
  let end = `because the pool was at its end; ${inHand}.`;
  if (!isSession) end = hasMore ? `at ${PAGE_SIZE}, the most that a page of a direct query holds.` : "because there are no more.";
  else if (records >= PAGE_SIZE) end = `because ${inHand}, and ${PAGE_SIZE} are enough${hasMore ? "" : "; the pool was at its end, too"}.`;
  return [...counts, `${skipped}${taken} It stopped ${end}`];
}

const inBatches = (number) => (number ? ` in ${number === 1 ? "one batch" : `${figure(number)} batches`}` : "");

function whyNot(response, answer, timing) {
  if (!response?.ok) return [answer?.error ?? "There is no answer to draw."];
  const looked = timing.found ? ` The whole pool was taken,${inBatches(Number(timing.batches))}, and held none.` : "";
  return [answer?.message ?? "The answer has no pagination.", looked];
}

function legend(kind, name, number) {
  const swatch = drawn("svg", { viewBox: "0 0 12 12", "aria-hidden": "true" }, ...box(kind, 0, 0, 12, 12));
  return element("li", {}, swatch, `${name} `, strong(figure(number)));
}

function box(kind, x, y, width, height) {
  const inset = kind === "skipped" || kind === "left" ? 0.5 : 0;
  const shape = { class: kind, x: x + inset, y: y + inset, width: Math.max(width - 2 * inset, 0.5), height: height - 2 * inset };
  if (kind !== "skipped") return [drawn("rect", shape)];
  let lines = "";
  for (let at = x + 4; at < x + width; at += 6) {
    const run = Math.min(height, at - x);
    lines += `M${at} ${y}l${-run} ${run}`;
  }
  return [drawn("rect", shape), drawn("path", { class: "hatch", d: lines })];
}

function drawStrip() {
  const page = walk.pages.at(-1);
  if (!page || part("drawing").hidden) return;
  const svg = part("strip");
  const width = svg.parentElement.clientWidth;
  const x = (number) => (number / page.total) * width;
  const top = page.isSession ? 84 : 2;
  const height = 38;
  const below = top + height;
  const shapes = [];

  const segments = walk.pages.map((each) => ["walked", each.from, each.to]);
  segments.at(-1)[0] = "taken";
  segments.unshift(["skipped", 0, segments[0][1]]);
  segments.push(["left", page.to, page.total]);
  for (const [kind, from, to] of segments) if (to > from) shapes.push(...box(kind, x(from), top, x(to) - x(from), height));

  // Gaps: between pages broad, between batches fine, and between single sessions or conversions where there is room for them.
  const step = page.isSession ? BATCH_SIZE : PAGE_SIZE;
  const room = (by) => x(by) >= 5;
  const fine = segments.flatMap(([kind, from, to]) => {
    const by = room(1) ? 1 : step;
    const inset = kind === "left" ? 1 : 0;
    const lines = [];
    for (let at = from + by; at < to && room(by); at += by) lines.push(`M${x(at)} ${top + inset}v${height - 2 * inset}`);
    return lines;
  });
  shapes.push(drawn("path", { class: "gap", d: fine.join("") || "M0 0" }));
  const edges = walk.pages.flatMap(({ from, to }) => [from, to]).filter((at) => at > 0 && at < page.total);
  shapes.push(drawn("path", { class: "gap", "stroke-width": room(step) ? 3 : 1, d: edges.map((at) => `M${x(at)} ${top}v${height}`).join("") || "M0 0" }));

  if (page.isSession) shapes.push(...drawInHand(x, top - 3, width));

  // Scale and marks
  const labels = [[0, 17, "0"], [page.total, 17, `total_records ${figure(page.total)}`]];
  if (page.from > 0 && page.from < page.total) labels.push([page.from, 36, `offset ${figure(page.from)}`]);
  if (page.hasMore) labels.push([page.to, 36 + 19 * (labels.length - 2), `records_processed ${figure(page.to)}, the next offset`, "strong"]);
  for (const [at, line] of labels.slice(2)) shapes.push(drawn("path", { class: "mark", d: `M${x(at)} ${below + 2}v${line - 13}` }));
  const texts = labels.map(([at, line, text, kind = ""]) => drawn("text", { x: x(at), y: below + line, class: kind }, text));

  svg.setAttribute("height", below + labels.at(-1)[1] + 6);
  svg.setAttribute("aria-label", part("why").textContent);
  svg.replaceChildren(...shapes, ...texts);
  for (const text of texts) text.setAttribute("x", Math.max(0, Math.min(text.getAttribute("x"), width - text.getComputedTextLength())));
}

// Above each batch, the conversions in hand after it: those of the page's earlier batches, and on top of them its own.
function drawInHand(x, ground, width) {
  const most = Math.max(PAGE_SIZE, ...walk.pages.map(({ records }) => records));
  const y = (inHand) => ground - (inHand / most) * 60;
  const shapes = [];
  for (const { from, to, found } of walk.pages) {
    let inHand = 0;
    found.forEach((own, place) => {
      const start = from + place * BATCH_SIZE;
      const end = Math.min(start + BATCH_SIZE, to);
      const across = { x: x(start), width: Math.max(x(end) - x(start) - 1, 0.5) };
      const title = `sessions ${range(start + 1, end)}: ${count(own, "conversion")}, ${figure(inHand + own)} in hand`;
      shapes.push(drawn("rect", { class: "before", ...across, y: y(inHand), height: ground - y(inHand) }));
      shapes.push(drawn("rect", { class: "own", ...across, y: y(inHand + own), height: y(inHand) - y(inHand + own) }, drawn("title", {}, title)));
      inHand += own;
      if (across.width < figure(own).length * 8 + 10) return;
      shapes.push(drawn("text", { x: across.x + across.width / 2, y: y(inHand) - 5, "text-anchor": "middle" }, `+${figure(own)}`));
    });
  }
  const labels = shapes.filter((shape) => shape.tagName === "text");
  return [...shapes, drawn("path", { class: "enough", d: `M0 ${y(PAGE_SIZE)}H${width}` }), ...labels];
}

function tellBatches({ isSession, from, to, records, batches, found }) {
  part("batches").hidden = !isSession || !found.length;
  const rows = [];
  let inHand = 0;
  found.forEach((number, place) => {
    inHand += number;
    const start = from + place * BATCH_SIZE;
    const end = Math.min(start + BATCH_SIZE, to);
    const then = inHand >= PAGE_SIZE ? `stop: ${PAGE_SIZE} or more` : place === batches - 1 ? "stop: end of the pool" : "go on";
    if (rows.length && !number && rows.at(-1).number === 0 && then === "go on") Object.assign(rows.at(-1), { end, last: place + 1 });
    else rows.push({ first: place + 1, last: place + 1, start, end, number, inHand, then });
  });
  // A page that takes very many batches is told of the first ones alone; the others were passed over together.
  if (batches > found.length) {
    const then = records >= PAGE_SIZE ? `stop: ${PAGE_SIZE} or more` : "stop: end of the pool";
    rows.push({ first: found.length + 1, last: batches, start: from + found.length * BATCH_SIZE, end: to, number: records - inHand, inHand: records, then });
  }
  fillTable(
    part("batches"),
    ["batch", "sessions", "conversions", "in hand", "then"],
    rows.map((row) => [range(row.first, row.last), range(row.start + 1, row.end), figure(row.number), figure(row.inHand), row.then]),
  );
}

const range = (from, to) => (from === to ? figure(from) : `${figure(from)}–${figure(to)}`);

function fillTable(details, head, rows) {
  const body = rows.map((row) => element("tr", {}, ...row.map((text) => element("td", {}, text))));
  const heads = head.map((text) => element("th", { scope: "col" }, text));
  details.querySelector("table").replaceChildren(element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...body));
}

function next() {
  go({ offset: walk.pages.at(-1).to });
}

async function walkAll() {
  const mine = (walking = {});
  part("all").textContent = "Stop";
  while (walking === mine && walk.pages.at(-1).hasMore) {
    part("offset").value = walk.pages.at(-1).to;
    history.replaceState(null, "", address());
    tellRequest();
    await ask();
  }
  if (walking !== mine) return;
  stop();
  part("all").setAttribute("aria-disabled", "true");
}

function stop() {
  walking = null;
  part("all").textContent = "Walk all";
}

// The picture: conversions per day and type, of all pages that were walked

const DAY = 864e5; // milliseconds
const dayOf = (place) => new Date(place * DAY).toISOString().slice(0, 10);
let picture = null;

function drawPicture() {
  part("picture").hidden = walk.conversions === 0;
  if (part("picture").hidden) return;
  const svg = part("days");
  const [width, height, left, top, below] = [svg.parentElement.clientWidth, 210, 34, 8, 24];
  const places = [...walk.days.keys()].map((day) => Date.parse(day) / DAY).sort((one, other) => one - other);
  const first = places[0];
  const number = places.at(-1) - first + 1;
  const types = [...walk.types].sort((one, other) => other[1] - one[1]).map(([type]) => type);
  const rank = (type) => Math.min(types.indexOf(type), 5); // the sixth colour is of all others
  const columns = new Map(places.map((place) => [place - first, walk.days.get(dayOf(place))]));
  const most = Math.max(...[...columns.values()].map(sum));

  const tens = 10 ** Math.floor(Math.log10(most));
  const by = Math.max(1, [0.2, 0.5, 1, 2].map((part) => part * tens).find((each) => most / each <= 4));
  const ceiling = Math.ceil(most / by) * by;
  const y = (value) => top + (height - top - below) * (1 - value / ceiling);
  const step = (width - left) / number;
  const thick = Math.max(Math.min(step - (step > 4 ? 2 : 0), 56), 0.5);
  const x = (at) => left + at * step + (step - thick) / 2;

  const shapes = [];
  for (let value = 0; value <= ceiling; value += by) {
    shapes.push(drawn("path", { class: "grid", d: `M${left} ${Math.round(y(value)) + 0.5}H${width}` }));
    shapes.push(drawn("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, figure(value)));
  }
  for (let at = 0; at < number && x(at) + 66 <= width; at += Math.ceil(88 / step)) {
    shapes.push(drawn("text", { x: x(at), y: height - 4 }, dayOf(first + at)));
  }
  for (const [at, column] of columns) {
    let under = 0;
    for (const type of types.filter((each) => column.has(each))) {
      const over = under + column.get(type);
      shapes.push(drawn("rect", { class: `type-${rank(type)}`, x: x(at), width: thick, y: y(over), height: y(under) - y(over) }));
      under = over;
    }
  }
  const pointed = drawn("rect", { class: "pointed", y: top, height: height - top - below, width: step, visibility: "hidden" });
  svg.setAttribute("height", height);
  svg.setAttribute("aria-label", `${count(walk.conversions, "conversion")} per day, by type; the arrow keys go through them`);
  svg.replaceChildren(...shapes, pointed);
  picture = { first, number, step, left, columns, types, pointed };
  point(-1);

  const shown = types.slice(0, 5).map((type, place) => legend(`type-${place}`, type, walk.types.get(type)));
  if (types.length > 5) shown.push(legend("type-5", "other types", types.length - 5));
  part("types").replaceChildren(...shown);
  fillTable(
    part("numbers"),
    ["day", "conversions", ...types],
    [...columns].map(([at, column]) => [dayOf(first + at), figure(sum(column)), ...types.map((type) => figure(column.get(type) ?? 0))]),
  );
  tellTop("pages", walk.tops, (page) => element("a", { href: address({ conversion_page: page, offset: "" }) }, ...breakable(page)));
  tellTop("paths", walk.paths, (path) => {
    const [previous, page] = path.split("\n");
    return element("span", {}, ...breakable(previous), element("br", {}), "→ ", ...breakable(page));
  });
}

const sum = (column) => [...column.values()].reduce((all, found) => all + found, 0);

function tellTop(id, counts, name) {
  const top = [...counts].sort((one, other) => other[1] - one[1]).slice(0, 8);
  part(id).replaceChildren(
    ...top.map(([key, number]) => {
      const bar = element("span", { class: "bar" });
      bar.style.width = `${(number / top[0][1]) * 100}%`;
      return element("li", {}, bar, name(key), element("span", {}, figure(number)));
    }),
  );
}

function point(at) {
  const { first, number, step, left, columns, types, pointed } = picture;
  const isOn = at >= 0 && at < number;
  picture.at = isOn ? at : -1;
  part("tip").hidden = !isOn;
  pointed.setAttribute("visibility", isOn ? "visible" : "hidden");
  if (!isOn) return;
  pointed.setAttribute("x", left + at * step);
  const column = columns.get(at) ?? new Map();
  const lines = types.filter((type) => column.has(type)).map((type) => element("div", {}, `${type}: ${figure(column.get(type))}`));
  part("tip").replaceChildren(element("b", {}, `${dayOf(first + at)}: ${count(sum(column), "conversion")}`), ...lines);
  const room = part("days").clientWidth - part("tip").offsetWidth;
  part("tip").style.left = `${Math.max(0, Math.min(left + (at + 1) * step + 6, room))}px`;
}

// What one does

form.addEventListener("submit", (event) => {
  event.preventDefault();
  go();
});
form.addEventListener("input", (event) => {
  if (event.target.id !== "offset") part("offset").value = ""; // another query has other pages
  tellRequest();
});
part("account").addEventListener("change", () => part("account").value || part("key").focus());
part("clear").addEventListener("click", () => {
  for (const field of fields) field.value = "";
  tellRequest();
});
for (const choice of document.querySelectorAll("[name=language]")) choice.addEventListener("change", tellRequest);
part("copy").addEventListener("click", copy);

const unlessDisabled = (action) => (event) => event.currentTarget.getAttribute("aria-disabled") === "true" || action();
part("first").addEventListener("click", unlessDisabled(() => go({ offset: "" })));
part("next").addEventListener("click", unlessDisabled(next));
part("all").addEventListener("click", unlessDisabled(() => (walking ? stop() : walkAll())));

part("days").addEventListener("pointermove", (event) => {
  const place = event.clientX - part("days").getBoundingClientRect().left - picture.left;
  point(Math.floor(place / picture.step));
});
part("days").addEventListener("pointerleave", () => point(-1));
part("days").addEventListener("blur", () => point(-1));
part("days").addEventListener("keydown", (event) => {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (by) point(Math.min(Math.max(picture.at + by, 0), picture.number - 1));
  if (by) event.preventDefault();
  if (event.key === "Escape") point(-1);
});

new ResizeObserver(() => {
  drawStrip();
  if (walk.conversions) drawPicture();
}).observe(document.querySelector(".results"));
addEventListener("hashchange", show);
show();
