// A walk: the pages of one query, each of which begins where the page before it ended.

import { isSameRequest, unitOf } from "./request.js";

// A body that was written as text ("raw") is the first page's; the others have its members and their own offset.
export const startWalk = ({ key, query, raw }) => {
  const { offset = "0", ...filters } = query;
  const tally = { days: new Map(), types: new Map(), pages: new Map(), paths: new Map() };
  return { key, filters, raw, start: String(offset), unit: unitOf(query), pages: [], at: 0, tally };
};

export const pageOf = (walk) => walk.pages[walk.at];

function requestAt({ key, filters, raw, start }, offset) {
  const query = offset === "0" ? filters : { ...filters, offset };
  return offset === start && raw !== undefined ? { key, query, raw } : { key, query };
}

// The request of the next page, or of the first.
export const nextRequest = (walk) => requestAt(walk, walk.pages.length ? String(walk.pages.at(-1).to) : walk.start);

// The request of the page that is shown.
export const requestOf = (walk) => requestAt(walk, pageOf(walk)?.offset ?? walk.start);

// What the address of the page says: where the walk starts, and how many pages of it are shown.
export const addressed = (walk) => ({ ...requestAt(walk, walk.start), pages: walk.at + 1 });

export const isSameWalk = (walk, request) => isSameRequest(addressed(walk), addressed(startWalk(request)));

// Adds a page. Of the response its text is not kept, for a long walk would fill the memory with it.
export function take(walk, offset, reply) {
  const { json: { records, pagination }, timing: { batches, found } } = reply;
  const { records_processed: to, total_records: total, has_more: hasMore } = pagination;
  const from = Math.min(Number(offset), total);
  const kept = { ...reply, json: null, text: null };
  walk.pages.push({ offset, from, to, total, hasMore, unit: walk.unit, records, batches, found, pagination, reply: kept });
  for (const record of records) addToTally(walk.tally, record);
}

// Counted once for each record, so that drawing a long walk does not count all of them each time.
function addToTally({ days, types, pages, paths }, record) {
  const { conversion_page: page, previous_page: previous, conversion_meta: { type } } = record;
  const add = (counts, name) => counts.set(name, (counts.get(name) ?? 0) + 1);
  const day = record.timestamp.slice(0, 10);
  if (!days.has(day)) days.set(day, new Map());
  add(days.get(day), type);
  add(types, type);
  add(pages, page);
  add(paths, JSON.stringify([previous, page]));
}

export const allRecords = (walk) => walk.pages.flatMap((page) => page.records);
export const recordCount = (walk) => walk.pages.reduce((all, page) => all + page.records.length, 0);
export const hasMore = (walk) => walk.pages.length > 0 && walk.pages.at(-1).hasMore;
