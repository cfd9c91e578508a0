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
export function pagesWithVerdict({ pages, strategy, faults, repeats = [] }) {
  const ends = new Set();
  const starts = new Set();
  let reached = 0;
  return pages.map((page) => {
    const { offset, records_processed: end } = page;
    const isExpected = offset === 0 || ends.has(offset) || starts.has(offset);
    const isRepeat = faults.includes("repeats") && offset < reached && repeats.some(([from, to]) => offset < to && from < end);
    const isGap = faults.includes("gaps") && strategy === "session" && offset > reached;
    const isWrong = !isExpected && (isRepeat || isGap);
    const problem = isWrong ? `${isRepeat ? "repeats" : "skips"}: the offset should have been ${reached.toLocaleString("en")}` : "";
    starts.add(offset);
    ends.add(end);
    const right = isWrong ? reached : null;
    reached = Math.max(reached, end);
    return { ...page, problem, right };
  });
}

// The offset that the first wrong page should have had, or null.
export const rightOffset = (walk) => pagesWithVerdict(walk).find(({ right }) => right !== null)?.right ?? null;
