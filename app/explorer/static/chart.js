// The chart: conversions of all pages that were fetched, over the window of the query, in days, weeks or months. Below it, the pages
// on which most of them occurred, and the most frequent steps to them.

import { breakable, count, element, figure, fillTable, legend, part, place, strong, sum, svg } from "./elements.js";
import { defaultWindow } from "./form.js";
import { addressOf } from "./request.js";
import { hasMore, recordCount } from "./walk.js";

const DAY = 864e5; // milliseconds
const HEIGHT = 168; // pixels
const MOST_COLUMNS = 80;
const PUBLISHED = ["hubspot_form", "html_form", "custom_event", "custom"]; // types, each with its colour everywhere
const MOST_TYPES = 7; // with a colour of their own
const MOST_TOPS = 8;

let columns = []; // {shape, middle, name, total, told}
let pointed = -1;
let colours = new Map(); // a type keeps its colour from page to page and from query to query of a key
let coloursOf = "";

function chooseColours(key, types) {
  if (key !== coloursOf) [colours, coloursOf] = [new Map(PUBLISHED.map((type, at) => [type, at])), key];
  for (const type of types) if (!colours.has(type)) colours.set(type, Math.min(colours.size, MOST_TYPES));
}

export function drawChart(walk) {
  const { key, filters, tally: { days, types } } = walk;
  part("chart").hidden = !days.size;
  if (!days.size) return;
  chooseColours(key, types.keys());

  const { unit, starts, nameOf } = timeline(filters, [...days.keys()].sort());
  part("chart-title").textContent = `Conversions per ${unit}`;
  const counts = starts.map(() => new Map());
  for (const [day, ofDay] of days) {
    const column = counts[indexOf(starts, Date.parse(`${day}T00:00Z`))];
    for (const [type, number] of ofDay) column.set(type, (column.get(type) ?? 0) + number);
  }
  draw(counts, starts.map(nameOf), unit, missingIn(walk, starts, [...days.keys()].sort()));
  const isPart = hasMore(walk) || walk.pages[0].from > 0;
  part("of-fetched").textContent = isPart ? `of the ${count(recordCount(walk), "record")} fetched; hatched is not fetched yet` : "";
  tellTops(walk);
  tellTypes(types);
  const rows = columns.filter(({ total }) => total).map(({ name, total, told }) => [name, figure(total), told.join(", ")]);
  fillTable(part("numbers").querySelector("table"), rows);
}

// Which columns lack records: those at and before the oldest conversion fetched if pages follow, those at and after the newest if
// pages come before.
function missingIn(walk, starts, days) {
  const [first, last] = [days[0], days.at(-1)].map((day) => indexOf(starts, Date.parse(`${day}T00:00Z`)));
  return starts.map((_, at) => (hasMore(walk) && at <= first) || (walk.pages[0].from > 0 && at >= last));
}

// The first of each column. A window that is far longer than its conversions is cut to them.
function timeline({ start_date, end_date }, days) {
  const [first, last] = [days[0], days.at(-1)].map((day) => Date.parse(`${day}T00:00Z`));
  const given = (text, fallback) => Date.parse(/^\d{4}-\d\d-\d\d/.exec(text ?? "")?.[0]) || Math.floor(fallback / DAY) * DAY;
  let end = Math.max(given(end_date, defaultWindow().to), last);
  let start = Math.min(given(start_date, end - 30 * DAY), first);
  if ((end - start) / DAY > 3660) [start, end] = [first, last];
  const length = (end - start) / DAY + 1;
  const iso = (time) => new Date(time).toISOString();
  if (length <= MOST_COLUMNS) return { unit: "day", starts: every(start, end, 1), nameOf: (time) => iso(time).slice(0, 10) };
  const monday = start - ((new Date(start).getUTCDay() + 6) % 7) * DAY;
  const weekOf = (time) => `week of ${iso(time).slice(0, 10)}`;
  if (length / 7 <= MOST_COLUMNS) return { unit: "week", starts: every(monday, end, 7), nameOf: weekOf };
  return { unit: "month", starts: months(start, end), nameOf: (time) => iso(time).slice(0, 7) };
}

const every = (start, end, days) => Array.from({ length: Math.floor((end - start) / DAY / days) + 1 }, (_, at) => start + at * days * DAY);

function months(start, end) {
  const [first, last] = [start, end].map((time) => new Date(time)).map((date) => 12 * date.getUTCFullYear() + date.getUTCMonth());
  // Counted from 2000, since Date.UTC takes the year 99 as 1999.
  return Array.from({ length: last - first + 1 }, (_, at) => Date.UTC(2000, first - 24000 + at));
}

const indexOf = (starts, time) => Math.max(0, starts.findLastIndex((start) => start <= time));

function draw(counts, names, unit, missing) {
  const totals = counts.map((column) => sum(column.values()));
  const step = stepFor(Math.max(...totals));
  const ceiling = Math.ceil(Math.max(...totals) / step) * step;
  const x = (at) => `${(100 * at) / names.length}%`;
  const y = (value) => HEIGHT * (1 - value / ceiling);
  columns = counts.map((column, at) => {
    const hatch = missing[at] ? [svg("rect", { class: "missing", x: x(at), width: x(1), height: HEIGHT })] : [];
    const shape = svg("g", {}, svg("rect", { class: "whole", x: x(at), width: x(1), height: HEIGHT }), ...hatch);
    const byType = [...column].sort(([one], [other]) => colours.get(one) - colours.get(other));
    let below = 0;
    for (const [type, number] of byType) {
      const size = { x: x(at + 0.1), width: x(0.8), y: y(below + number), height: y(below) - y(below + number) };
      shape.append(svg("rect", { class: `type-${colours.get(type)}`, ...size }));
      below += number;
    }
    const told = byType.map(([type, number]) => `${type} ${figure(number)}`);
    return { shape, middle: x(at + 0.5), name: names[at], total: totals[at], told, isMissing: missing[at] };
  });
  const lines = Array.from({ length: ceiling / step + 1 }, (_, number) => number * step).flatMap((value) => [
    svg("line", { class: "grid", x2: "100%", y1: y(value), y2: y(value) }),
    svg("text", { class: "value", x: -10, y: y(value) + 4 }, figure(value)),
  ]);
  const most = Math.max(2, Math.floor(part("columns").parentElement.clientWidth / 96)); // labels that have room
  const every = Math.ceil(names.length / Math.min(6, most));
  const labels = names.flatMap((name, at) => {
    if (at % every || at + every / 3 > names.length) return [];
    return [svg("text", { class: "time", x: x(at + 0.5), y: HEIGHT + 20 }, name.replace("week of ", ""))];
  });
  const stripes = svg("path", { d: "M-2,2 l4,-4 M0,8 l8,-8 M6,10 l4,-4" });
  const hatch = svg("defs", {}, svg("pattern", { id: "hatch", width: 8, height: 8, patternUnits: "userSpaceOnUse" }, stripes));
  part("columns").replaceChildren(hatch, ...lines, ...labels, ...columns.map(({ shape }) => shape));
  part("columns").ariaLabel = `${count(sum(totals), "conversion")} per ${unit}, by type. The arrow keys go from ${unit} to ${unit}.`;
  point(-1);
}

// 1, 2 or 5, or so many tens, hundreds …: with it, an axis has at most five lines.
function stepFor(most) {
  const power = 10 ** Math.floor(Math.log10(most));
  return [power / 5, power / 2, power, power * 2, power * 5].find((step) => step >= 1 && most / step <= 4);
}

function tellTypes(types) {
  const byColour = ([one], [other]) => colours.get(one) - colours.get(other);
  const named = [...types].filter(([type]) => colours.get(type) < MOST_TYPES).sort(byColour);
  const others = sum([...types].filter(([type]) => colours.get(type) === MOST_TYPES).map(([, number]) => number));
  const shown = named.map(([type, number]) => legend(`type-${colours.get(type)}`, type, number));
  if (others) shown.push(legend(`type-${MOST_TYPES}`, "other types", others));
  part("types").replaceChildren(...shown);
}

function point(at) {
  columns[pointed]?.shape.classList.remove("pointed");
  pointed = at;
  const column = columns[at];
  part("tip").hidden = !column;
  if (!column) return;
  column.shape.classList.add("pointed");
  const heading = strong(`${column.name}: ${count(column.total, "conversion")}${column.isMissing ? ", not all fetched" : ""}`);
  place(part("tip"), { at: column.middle }).replaceChildren(heading, ...column.told.map((told) => element("div", {}, told)));
}

// A mouse points, a finger taps, the arrow keys go along.
export function listenToChart() {
  const chart = part("columns");
  const pointAt = ({ target }) => point(columns.findIndex(({ shape }) => shape.contains(target)));
  chart.addEventListener("pointerover", pointAt);
  chart.addEventListener("click", pointAt);
  chart.addEventListener("pointerleave", ({ pointerType }) => pointerType === "mouse" && point(-1));
  chart.addEventListener("blur", () => point(-1));
  chart.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Escape") point(-1);
    if (!by) return;
    event.preventDefault();
    point(Math.min(Math.max(pointed + by, 0), columns.length - 1));
  });
}

function tellTops({ key, filters, tally }) {
  const linkTo = (page) => addressOf({ key, query: { ...filters, conversion_page: page } });
  tellTop("pages", tally.pages, (page) => [element("a", { href: linkTo(page) }, ...breakable(page))]);
  tellTop("paths", tally.paths, (path) => {
    const [previous, page] = JSON.parse(path);
    const from = previous === null ? [element("span", { class: "null" }, "null")] : breakable(previous);
    return [...from, element("br"), "→ ", ...breakable(page)];
  });
}

function tellTop(id, counts, name) {
  const top = [...counts].sort(([, one], [, other]) => other - one).slice(0, MOST_TOPS);
  const item = ([what, number]) => element("li", {}, element("span", {}, ...name(what)), element("span", {}, figure(number)));
  part(id).replaceChildren(...top.map((each) => place(item(each), { share: `${(100 * each[1]) / top[0][1]}%` })));
}
