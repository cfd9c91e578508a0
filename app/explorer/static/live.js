// /walks: asks the mock every second for the walks of its clients, and draws them, the newest first. Decision 63.

import { code, count, element, figure, part } from "./elements.js";
import { nameOf, sentQueries } from "./sent.js";
import { cellsOf, flag } from "./strip.js";
import { pagesWithVerdict, rightOffset, segmentsOf } from "./verdict.js";

const EVERY = 1000; // milliseconds
const AFTER_A_FAILURE = 5000;
const MOST_ROWS = 200; // of the table of pages
const STEPS = { session: 200, direct: 50 };

const entries = []; // {walk, text, item}, in the order in which the server sends them

async function poll() {
  let wait = EVERY;
  try {
    if (!document.hidden) show((await askMock("GET")).walks);
  } catch (error) {
    part("state").textContent = `${error.message} Trying again every ${AFTER_A_FAILURE / 1000} seconds.`;
    wait = AFTER_A_FAILURE;
  }
  setTimeout(poll, wait);
}

// The mock's own sentence says why it cannot list walks: it runs as several processes, or belongs to another origin.
async function askMock(method) {
  const response = await fetch("/_mock/walks", { method }).catch(() => {
    throw new Error("The server cannot be reached.");
  });
  const json = await response.json().catch(() => null);
  if (!response.ok) throw new Error(json?.error ?? `The server does not list walks: ${response.status} ${response.statusText}.`);
  return json;
}

function show(walks) {
  const own = sentQueries();
  const before = entries.splice(0);
  for (const walk of walks) {
    const isOwn = own.has(nameOf(walk.domain, walk.query));
    const text = JSON.stringify([walk, isOwn]);
    const entry = takeEntry(before, walk, text) ?? { item: element("li") };
    entries.push(entry);
    if (entry.text === text) continue;
    const wasOpen = entry.item.querySelector("details")?.open;
    Object.assign(entry, { text, walk });
    entry.item.dataset.own = isOwn;
    draw(entry.item, walk, isOwn);
    entry.item.querySelector("details").open = wasOpen ?? false;
  }
  const items = entries.map(({ item }) => item).reverse();
  const isInOrder = items.length === part("walks").children.length && items.every((item, at) => item === part("walks").children[at]);
  if (!isInOrder) part("walks").replaceChildren(...items);
  hideOwn();
  tellState(walks);
}

// The entry that showed this walk a moment ago, which may have had fewer pages then.
function takeEntry(before, walk, text) {
  const goesOn = (earlier) =>
    nameOf(earlier.domain, earlier.query) === nameOf(walk.domain, walk.query) &&
    JSON.stringify(earlier.pages) === JSON.stringify(walk.pages.slice(0, earlier.pages.length));
  let at = before.findIndex((entry) => entry.text === text);
  if (at < 0) at = before.findIndex((entry) => goesOn(entry.walk));
  return at < 0 ? null : before.splice(at, 1)[0];
}

function tellState(walks) {
  const faulty = walks.filter(({ faults }) => faults.length).length;
  const told = `${count(walks.length, "walk")}${faulty ? `, ${figure(faulty)} with a fault` : ", none with a fault"}.`;
  part("state").textContent = walks.length ? told : `No requests yet. Send them to ${location.origin}/api/v1/conversions.`;
}

function hideOwn() {
  for (const { item } of entries) item.hidden = part("hide-own").checked && item.dataset.own === "true";
}

function draw(item, walk, isOwn) {
  const { domain, query, strategy, pages, total_records: total, faults, message } = walk;
  const unit = strategy === "session" ? "session" : "conversion";
  const records = pages.reduce((all, page) => all + page.records, 0);
  item.className = faults.length ? "faulty" : walk.complete ? "complete" : "";
  const heading = element("h2", {}, code(JSON.stringify(query)), element("span", {}, ` ${domain}`));
  if (isOwn) heading.append(element("span", { class: "own-label" }, "the explorer sent this query too"));
  const figures = `${strategy} query · ${count(pages.length, "page")} · ${count(records, "record")} returned`;
  item.replaceChildren(
    heading,
    element("p", { class: "verdict" }, element("strong", {}, verdict(walk, unit)), element("span", {}, figures)),
    ...(message && faults.length ? [element("p", { class: "sentence" }, message)] : []),
    strip(walk, total, strategy, unit),
    pageTable(walk),
  );
}

const NAMES = { repeats: "Repeats", gaps: "Gaps", past_the_end: "Past the end" };

function verdict({ faults, complete, pages, total_records: total }, unit) {
  if (faults.length) return faults.map((fault) => NAMES[fault] ?? fault).join(", ");
  if (complete) return "Complete";
  const reached = Math.max(0, ...pages.map((page) => page.records_processed));
  return `At ${figure(reached)} of ${count(total ?? 0, unit)}`;
}

function strip(walk, total, strategy, unit) {
  const view = { from: 0, to: Math.max(total ?? 0, 1) };
  const step = STEPS[strategy] ?? 50;
  const width = part("walks").clientWidth;
  const { cells, size } = cellsOf(view, segmentsOf(walk), { width, step });
  const right = rightOffset(walk);
  const flags = right === null ? [] : [flag(view, right, "ends right", `the offset should have been ${figure(right)}`)];
  const drawn = element("div", { class: "strip", role: "img" }, cells, ...flags);
  const ranges = (name) => walk[name]?.map(([from, to]) => `${figure(from)} to ${figure(to)}`).join(", ");
  drawn.ariaLabel = [
    `${count(total ?? 0, unit)}.`,
    walk.repeats?.length ? `Returned again: ${ranges("repeats")}.` : "",
    walk.gaps?.length ? `Never fetched: ${ranges("gaps")}.` : "",
  ].join(" ");
  drawn.title = `One cell = ${count(size, unit)}`;
  return drawn;
}

function pageTable(walk) {
  const rows = pagesWithVerdict(walk).slice(-MOST_ROWS);
  const cell = (text) => element("td", {}, text);
  const row = ({ offset, records_processed, records, problem }) =>
    element("tr", problem ? { class: "wrong" } : {}, ...[figure(offset), figure(records_processed), figure(records), problem].map(cell));
  const heads = ["offset", "records_processed", "records", ""].map((name) => element("th", { scope: "col" }, name));
  const table = element("table", {}, element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows.map(row)));
  const region = element("div", { class: "scrolls", role: "region", tabindex: 0 }, table);
  region.ariaLabel = "Pages of this walk";
  return element("details", {}, element("summary", {}, "Page by page"), region);
}

part("hide-own").addEventListener("change", hideOwn);
part("clear-walks").addEventListener("click", async () => {
  try {
    await askMock("DELETE");
    show([]);
  } catch (error) {
    part("state").textContent = error.message;
  }
});
poll();
