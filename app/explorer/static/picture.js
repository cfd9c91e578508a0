// The opening picture: the same conversions paged with a session filter and without one, on one time axis. Drawn from real responses.

import { count, element, figure, part, place } from "./elements.js";
import { write } from "./address.js";
import { PAGE_SIZE, send } from "./request.js";

const KEY = "sparse";
const FILTER = { source: "google.com" };
const DAY = 864e5; // milliseconds

export async function openPicture(isOpen) {
  const option = [...part("account").options].find(({ value }) => value === KEY);
  if (!option) return;
  const to = Date.parse(option.dataset.to);
  const window = { start_date: new Date(to - 29 * DAY).toISOString().slice(0, 10), end_date: option.dataset.to };
  const open = async () => {
    part("show-picture").hidden = true;
    const responses = await fetchAll(window).catch(() => null);
    if (!responses) return;
    draw(responses);
    part("picture").hidden = part("picture-buttons").hidden = false;
    choose("on");
  };
  part("show-picture").addEventListener("click", open, { once: true });
  part("session-filter").addEventListener("click", () => choose(part("picture").dataset.filter === "on" ? "off" : "on"));
  part("show-picture").hidden = isOpen;
  if (isOpen) await open();
}

// Page 1 with the filter, and without it as many pages as show what both pages hold.
async function fetchAll(window) {
  const ask = async (query) => {
    const { json, timing } = await send({ key: KEY, query: { ...query, ...window } });
    return { ...json.pagination, records: json.records, found: timing.found };
  };
  const [session, direct, rest] = await Promise.all([ask(FILTER), ask({}), ask({ offset: String(PAGE_SIZE) })]);
  const isWorthIt = session.found.length > 1 && session.found.every(Boolean) && session.has_more && direct.has_more;
  return isWorthIt ? { session, direct, all: [...direct.records, ...rest.records] } : null;
}

// Where everything is on the time axis: 0 is the newest conversion, 1 the end of the pool. The batch of a session is known by its
// conversions: a batch reaches from its newest one to that of the batch before it in time.
function onTimeAxis({ session, all }) {
  const times = all.map(({ timestamp }) => Date.parse(`${timestamp.replace(" ", "T")}Z`));
  const starts = [];
  let collected = 0;
  for (const found of session.found) {
    starts.push(times[collected]);
    collected += found;
  }
  const reached = times[collected] ?? times.at(-1);
  const length = (times[0] - reached) / session.found.length;
  const size = session.records_processed / session.found.length;
  const batches = Math.ceil(session.total_records / size);
  const end = reached - (batches - session.found.length) * length;
  const x = (time) => (times[0] - time) / (times[0] - end);
  const edges = Array.from({ length: batches + 1 }, (_, at) => x(starts[at] ?? reached - (at - session.found.length) * length));
  return { x, times, edges, from: times[0], to: end };
}

function draw(responses) {
  const { session, direct, all } = responses;
  const axis = onTimeAxis(responses);
  const most = Math.max(PAGE_SIZE, session.records.length) + 4;
  let collected = 0;
  const columns = axis.edges.slice(0, -1).map((from, at) => {
    const own = session.found[at];
    collected += own ?? 0;
    const parts = own === undefined ? [] : [element("div", { class: "rise" }), element("span", {}, figure(collected))];
    const column = element("div", { class: own === undefined ? "column left" : "column" }, ...parts, element("b", {}, "200"));
    return place(column, { from, to: axis.edges[at + 1], share: collected / most, turn: at });
  });
  const dots = axis.times.map((time, at) => {
    const kinds = [at < session.records.length && "with", at < direct.records.length && "without"].filter(Boolean);
    return place(element("i", { class: `dot ${kinds.join(" ")}` }), { x: axis.x(time), share: (at + 1) / most, turn: at });
  });
  const ticks = axis.times.map((time) => place(element("i"), { x: axis.x(time) }));
  const line = place(element("p", { class: "full" }, element("span", {}, `${PAGE_SIZE} = page full`)), { share: PAGE_SIZE / most });
  const between = (axis.x(axis.times[PAGE_SIZE - 1]) + axis.x(axis.times[PAGE_SIZE])) / 2;
  const landing = (className, x, unit, number) =>
    element("p", { class: `next ${className}` }, place(element("span", {}, `next offset = ${count(number, unit)}`), { at: x }));
  const reached = axis.edges[session.found.length];
  part("picture").replaceChildren(
    element("figcaption", { id: "picture-title" }, `The same ${figure(all.length)} conversions, paged in two ways`),
    element("p", { class: "spoken" }, spoken(responses)),
    element("div", { class: "scene", "aria-hidden": "true" },
      element("p", { class: "lane with" }, element("code", {}, '{"source": "google.com"}'), " counts sessions, 200 a batch"),
      element("div", { class: "stack" }, ...columns, line),
      landing("with", reached, "session", session.records_processed),
      element("div", { class: "time" }, ...days(axis)),
      element("div", { class: "flat" }, place(element("div", { class: "page" }), { to: between }), ...ticks),
      landing("without", between, "conversion", direct.records_processed),
      element("p", { class: "lane without" }, element("code", {}, "{}"), " counts conversions, one by one"),
      ...dots,
    ),
  );
}

function spoken({ session, direct }) {
  const batches = session.found.length;
  return `With the session filter source=google.com the server processes ${batches} batches of 200 sessions, until it has collected
    ${session.records.length} conversions: ${PAGE_SIZE} fill a page. The next offset is ${count(session.records_processed, "session")}.
    Without the filter a page holds ${direct.records.length} conversions, and the next offset is ${count(direct.records_processed, "conversion")}.`;
}

function days({ x, from, to }) {
  const midnights = [];
  for (let time = Math.floor(from / DAY) * DAY; time > to; time -= DAY) midnights.push(time);
  const every = Math.ceil(midnights.length / 5);
  const name = (time) => new Date(time).toLocaleDateString("en", { day: "numeric", month: "short", timeZone: "UTC" });
  return midnights.filter((time, at) => at % every === 0 && x(time) < 0.88).map((time) => place(element("span", {}, name(time)), { x: x(time) }));
}

function choose(filter) {
  part("picture").dataset.filter = filter;
  part("session-filter").ariaChecked = String(filter === "on");
  part("open-picture").href = write({ key: KEY, query: filter === "on" ? FILTER : {} });
}
