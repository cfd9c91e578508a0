// What the mock says about a walk, as segments of a strip and as a list of pages. Ranges are half-open, positions from 0.

// From end to end: what pages cover, what they repeat, what they skipped, and what is left.
export function segmentsOf({ pages, repeats = [], gaps = [], total_records: total }) {
  const edges = new Set([0, total ?? 0]);
  const changes = new Map(); // position → by how many pages more it is covered
  const change = (at, by) => changes.set(at, (changes.get(at) ?? 0) + by);
  for (const { offset, records_processed: end } of pages) {
    if (end <= offset) continue;
    change(offset, 1);
    change(end, -1);
  }
  for (const at of [...changes.keys(), ...repeats.flat(), ...gaps.flat()]) edges.add(at);
  const sorted = [...edges].sort((one, other) => one - other);
  const isIn = (ranges, at) => ranges.some(([from, to]) => from <= at && at < to);
  let covering = 0;
  return sorted.slice(0, -1).map((from, at) => {
    covering += changes.get(from) ?? 0;
    const kind = isIn(repeats, from) ? "repeat" : covering ? "walked" : isIn(gaps, from) ? "gap" : "left";
    return { kind, from, to: sorted[at + 1] };
  });
}

// Each page with what is wrong with its offset, if something is; the mock's faults decide whether anything is wrong at all.
export function pagesWithVerdict({ pages, strategy, faults }) {
  let reached = 0;
  return pages.map((page, at) => {
    const { offset, records_processed: end } = page;
    const earlier = pages.slice(0, at);
    const isRetry = earlier.some((other) => other.offset === offset);
    const isRepeat = faults.includes("repeats") && !isRetry && earlier.some((other) => other.offset < end && offset < other.records_processed);
    const isGap = faults.includes("gaps") && strategy === "session" && offset > reached;
    const right = isRepeat || isGap ? reached : null;
    const problem = right === null ? "" : `${isRepeat ? "repeats" : "skips"}, expected ${right.toLocaleString("en")}`;
    reached = Math.max(reached, end);
    return { ...page, problem, right };
  });
}

// The offset that the first wrong page should have had, or null.
export const rightOffset = (walk) => pagesWithVerdict(walk).find(({ right }) => right !== null)?.right ?? null;
