// A strip: a row of segments along the positions that offset counts, each with its place as a share of what the strip shows.

import { count, element, figure, place } from "./elements.js";

const NARROWEST = 4; // pixels: narrower segments of a kind are drawn as one
const NARROWEST_CELL = 9; // pixels
const MOST_CELLS = 70;

const share = ({ from, to }, position) => Math.min(Math.max((position - from) / (to - from || 1), 0), 1);
const at = (view, { from, to }) => ({ left: share(view, from), width: share(view, to) - share(view, from) });

// Joins neighbours of one kind until each is wide enough to be seen. Segments are {kind, from, to}, sorted.
function joinNarrow(segments, pixelsPerPosition) {
  const isNarrow = ({ from, to }) => (to - from) * pixelsPerPosition < NARROWEST;
  const joined = [];
  for (const segment of segments) {
    const last = joined.at(-1);
    const continues = last?.kind === segment.kind && last.to === segment.from;
    if (continues && isNarrow(last)) last.to = segment.to;
    else joined.push({ ...segment });
  }
  return joined.filter((segment, at) => {
    const previous = joined[at - 1];
    const isRest = isNarrow(segment) && previous?.kind === segment.kind && previous.to === segment.from;
    if (isRest) previous.to = segment.to;
    return !isRest;
  });
}

// What a series of pages covers, as segments from end to end: what is returned once or again, lost in between, or left. Without the
// server's verdict, which knows of retries, whatever is covered twice is returned again.
export function coverage({ pages, total, repeats = null, gaps = null }) {
  const edges = new Set([0, total]);
  const changes = new Map(); // position → by how many pages more it is covered
  let reached = 0;
  for (const { from, to } of pages) {
    reached = Math.max(reached, Math.min(from, total), to);
    if (to <= from) continue;
    changes.set(from, (changes.get(from) ?? 0) + 1);
    changes.set(to, (changes.get(to) ?? 0) - 1);
  }
  for (const at of [...changes.keys(), reached, ...(repeats ?? []).flat(), ...(gaps ?? []).flat()]) edges.add(at);
  const sorted = [...edges].sort((one, other) => one - other);
  const isIn = (ranges, at) => ranges.some(([from, to]) => from <= at && at < to);
  let covering = 0;
  return sorted.slice(0, -1).map((from, at) => {
    covering += changes.get(from) ?? 0;
    const isAgain = repeats ? isIn(repeats, from) : covering > 1;
    const isLost = gaps ? isIn(gaps, from) : from < reached;
    return { kind: isAgain ? "again" : covering ? "once" : isLost ? "lost" : "left", from, to: sorted[at + 1] };
  });
}

// How many positions one cell stands for: 1, the step, or a multiple of it that can be seen at this width.
function cellSize(positions, step, width) {
  const most = Math.min(MOST_CELLS, width / NARROWEST_CELL);
  const sizes = [1, step, 2, 5, 10, 20, 50].map((size, number) => (number < 2 ? size : size * step));
  for (let power = 100; power < 1e15; power *= 10) sizes.push(step * power, 2 * step * power, 5 * step * power);
  return sizes.find((size) => positions / size <= most);
}

export function cellsOf(view, segments, { width, step, className = "" }) {
  const pixels = width / (view.to - view.from || 1);
  const seen = segments.filter(({ from, to }) => to > view.from && from < view.to && to > from);
  const drawn = joinNarrow(seen, pixels).map((segment) => place(element("div", { class: segment.kind }), at(view, segment)));
  const size = cellSize(view.to - view.from, step, width);
  const cell = size / (view.to - view.from || 1);
  const lines = place(element("div", { class: "lines" }), { cell, before: (cell * (view.from % size)) / size });
  return { cells: element("div", { class: `cells ${className}` }, ...drawn, lines), size };
}

// A label whose pole stands at a position. The label never leaves the strip.
export const flag = (view, position, className, text) =>
  element("p", { class: `flag ${className}` }, place(element("span", {}, text), { at: share(view, position) }));

// The conversions collected after each batch, up to and past the line at which a page is full.
export function barsOf(view, batches, full) {
  const seen = batches.filter(({ start, end }) => end > view.from && start < view.to);
  const most = Math.max(full, ...seen.map(({ collected }) => collected));
  const bars = seen.map(({ start, end, own, collected, isMany, numbers, sessions }) => {
    const title = `Batch ${numbers}, sessions ${sessions}: ${count(own, "conversion")}, ${figure(collected)} collected so far`;
    const before = place(element("div", { class: "before" }), { share: (collected - own) / most });
    const added = place(element("div", { class: isMany ? "own together" : "own" }), { share: own / most });
    const bar = element("div", { class: "bar", title }, before, added, element("span", {}, figure(collected)));
    return place(bar, at(view, { from: start, to: end }));
  });
  const line = place(element("p", { class: "full" }, element("span", {}, `${full} = page full`)), { share: full / most });
  return element("div", { class: "bars" }, ...bars, line);
}

// Calls jump with the position of a click.
export const onPosition = (view, cells, jump) =>
  cells.addEventListener("click", ({ clientX }) => {
    const box = cells.getBoundingClientRect();
    jump(Math.floor(view.from + ((clientX - box.left) / box.width) * (view.to - view.from)));
  });
