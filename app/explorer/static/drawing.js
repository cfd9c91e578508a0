// The drawing of a walk: the pages on the strip, enlarged around the page that is shown if the whole is too long for it.

import { count, element, figure, fillTable, legend, part, range, strong, sum } from "./elements.js";
import { settings, stepOf } from "./request.js";
import { barsOf, cellsOf, flag, onPosition } from "./strip.js";
import { pageOf } from "./walk.js";

const TOO_NARROW = 28; // pixels: a page narrower than this is enlarged
const NEIGHBOURS = 2.5; // of its own size on either side of it
const FEWEST_NEIGHBOURS = 10; // positions

// Draws the walk. A click at a position of the strip calls jump with it.
export function drawWalk(walk, jump) {
  part("drawing").hidden = !walk.pages.length;
  if (!walk.pages.length) return;
  const page = pageOf(walk);
  const step = stepOf(page.unit);
  const whole = { from: 0, to: Math.max(page.total, 1) };
  const hasBars = walk.pages.some(({ found }) => found.length);
  part("drawing").classList.toggle("with-bars", hasBars);
  const width = part("detail").clientWidth - (hasBars ? parseFloat(getComputedStyle(part("drawing")).getPropertyValue("--gutter")) : 0);

  const segments = segmentsOf(walk);
  const around = neighbourhood(page, whole.to);
  const isEnlarged = page.to > page.from && (width * (page.to - page.from)) / whole.to < TOO_NARROW && around.to - around.from < whole.to;
  const view = isEnlarged ? around : whole;
  part("overview").hidden = part("lens").toggleAttribute("hidden", !isEnlarged);
  if (isEnlarged) {
    const { cells } = cellsOf(whole, segments, { width, step, className: "thin" });
    part("overview").replaceChildren(cells);
    onPosition(whole, cells, jump);
    drawLens(view, whole);
  }
  const { cells, size } = cellsOf(view, segments, { width, step });
  const ends = `records_processed ${figure(page.to)}, ${page.hasMore ? "the next offset" : "the end"}`;
  part("detail").replaceChildren(
    flag(view, page.from, hasBars ? "begins tall" : "begins", `offset ${figure(page.offset)}`),
    ...(hasBars ? [barsOf(view, walk.pages.flatMap((each) => batchesOf(each)), settings.page_size)] : []),
    cells,
    flag(view, page.to, "ends", ends),
  );
  onPosition(view, cells, jump);
  tellParts(walk, page);
  const cellOf = size === step ? `, one ${page.unit === "session" ? "batch" : "full page"}` : "";
  const shown = isEnlarged ? ` The lower strip enlarges ${page.unit}s ${range(Math.floor(view.from) + 1, Math.ceil(view.to))}.` : "";
  part("cell-size").textContent = `One cell = ${count(size, page.unit)}${cellOf}.${shown} Click the strip to jump.`;
  tellBatches(page);
  tellProgress(walk, page);
}

function segmentsOf({ pages, at }) {
  const { total } = pages[at];
  const kinds = pages.map(({ from, to }, number) => ({ kind: number === at ? "taken" : "walked", from, to }));
  const all = [{ kind: "skipped", from: 0, to: pages[0].from }, ...kinds, { kind: "left", from: pages.at(-1).to, to: total }];
  return all.filter(({ from, to }) => to > from);
}

function neighbourhood({ from, to }, total) {
  const margin = Math.max(NEIGHBOURS * (to - from), FEWEST_NEIGHBOURS);
  return { from: Math.max(0, from - margin), to: Math.min(total, to + margin) };
}

function drawLens(view, whole) {
  const [left, right] = [view.from, view.to].map((position) => (100 * position) / whole.to);
  part("lens").firstElementChild.setAttribute("points", `${left},0 ${Math.max(right, left + 0.3)},0 100,14 0,14`);
}

function tellParts({ pages }, { from, to, total }) {
  const before = pages[0].from;
  const reached = pages.at(-1).to;
  const parts = [
    ["skipped", "skipped", before],
    ["walked", "other pages", reached - before - (to - from)],
    ["taken", "this page", to - from],
    ["left", "left", total - reached],
  ];
  const legends = parts.filter(([, , number]) => number > 0).map((each) => legend(...each));
  part("parts").replaceChildren(...legends, element("li", { class: "total" }, "total_records ", strong(figure(total))));
}

// What each batch of a page added; of a direct query, none. The server lists the first batches of a page one by one, and of the
// others only what the whole page holds: these are one entry.
function batchesOf({ from, to, records, batches, found }) {
  const entries = found.map((own, number) => ({ first: number + 1, last: number + 1, own }));
  if (found.length && batches > found.length) {
    entries.push({ first: found.length + 1, last: batches, own: records.length - sum(found) });
  }
  let collected = 0;
  return entries.map(({ first, last, own }) => {
    const start = from + (first - 1) * settings.batch_size;
    const end = Math.min(from + last * settings.batch_size, to);
    const reason = records.length < settings.page_size ? "the end of the pool" : `${settings.page_size} or more collected`;
    collected += own;
    const then = last < batches ? "continue" : `stop: ${reason}`;
    return { start, end, own, collected, then, numbers: range(first, last), sessions: range(start + 1, end), isMany: last > first };
  });
}

function tellBatches(page) {
  const batches = batchesOf(page);
  part("batches").hidden = !batches.length;
  const rows = batches.map(({ numbers, sessions, own, collected, then }) => [numbers, sessions, figure(own), figure(collected), then]);
  fillTable(part("batches").querySelector("table"), rows);
}

function tellProgress({ pages }, { unit }) {
  const { to, total, hasMore } = pages.at(-1);
  const extent = !hasMore && pages[0].from === 0 ? "The whole walk" : "The walk so far";
  const conversions = count(sum(pages.map(({ records }) => records.length)), "conversion");
  const told = `${extent}: ${count(pages.length, "page")}, ${figure(to)} of ${count(total, unit)}, ${conversions}.`;
  const hasMoved = pages.some((page) => page.total !== total);
  const moved = hasMoved ? " The total changed during the walk: give both dates to keep the window still." : "";
  part("progress").textContent = pages.length > 1 ? told + moved : "";
}
