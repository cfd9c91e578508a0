// Which loop is right? Four loops page through the query of the form with real requests, each in a lane that shows what it returned.

import { codeFor } from "./code.js";
import { copy, element, figure, part, sum } from "./elements.js";
import { isSameRequest, isSessionQuery, send, sentenceOf, settings, stepOf, unitOf } from "./request.js";
import { cellsOf, coverage } from "./strip.js";

const MOST_REQUESTS = 60; // of one loop: a wrong one may never end
const BETWEEN = 140; // milliseconds between two requests, so that one can watch
const RIGHT = 3; // the number of the loop that is right for every query

const NEXT_OFFSET = [
  (offset) => offset + settings.page_size,
  (offset, page) => offset + page.records.length,
  (offset, page) => offset + page.pagination.records_processed,
  (offset, page) => page.pagination.records_processed,
];

let played = null; // the request that the lanes belong to, without its offset
let playing = new AbortController();

const lanes = () => [...part("lanes").children];
const withoutOffset = ({ key, query: { offset, ...query } }) => ({ key, query });

// Shows whether the query has a session filter, and empties lanes that belong to another query.
export function showLoopsOf(request) {
  part("session-filter").ariaChecked = String(isSessionQuery(request.query));
  if (played && !isSameRequest(played, withoutOffset(request))) empty();
}

function empty() {
  playing.abort();
  played = null;
  part("play").textContent = "Play";
  for (const lane of lanes()) show(lane, "", element("div", { class: "cells" }), "not played yet");
}

function show(lane, className, cells, ...outcome) {
  lane.className = `lane ${className}`;
  lane.querySelector(".track").replaceChildren(cells);
  lane.querySelector(".outcome").replaceChildren(...outcome);
}

async function play(request) {
  empty();
  const { signal } = (playing = new AbortController());
  played = withoutOffset(request);
  part("play").textContent = "Stop";
  try {
    judge(await Promise.all(lanes().map((lane, number) => run(lane, number, played, signal))));
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  if (playing.signal === signal) part("play").textContent = "Play again";
}

// Fetches pages until has_more is false, and draws each of them. Returns {pages, counts, problem}.
async function run(lane, number, request, signal) {
  const made = { pages: [], counts: new Map(), total: 0, problem: "" };
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  for (let offset = 0; made.pages.length < MOST_REQUESTS; ) {
    const reply = await send(offset ? { ...request, query: { ...request.query, offset: String(offset) } } : request, signal);
    const page = reply.json;
    if (!page?.pagination) {
      made.problem = page?.message ?? sentenceOf(reply);
      break;
    }
    const { records_processed: to, total_records: total, has_more: hasMore } = page.pagination;
    made.total = total;
    made.pages.push({ from: Math.min(offset, total), to, records: page.records.length });
    for (const record of page.records.map((each) => JSON.stringify(each))) made.counts.set(record, (made.counts.get(record) ?? 0) + 1);
    draw(lane, made, request);
    if (!hasMore) return made;
    offset = NEXT_OFFSET[number](offset, page);
    if (!isCalm) await new Promise((resolve) => setTimeout(resolve, BETWEEN));
  }
  made.problem ||= `stopped after ${MOST_REQUESTS} requests`;
  return made;
}

const returned = ({ pages }) => sum(pages.map(({ records }) => records));

function draw(lane, made, request) {
  const view = { from: 0, to: Math.max(made.total, 1) };
  const width = lane.querySelector(".track").clientWidth;
  const { cells } = cellsOf(view, coverage(made), { width, step: stepOf(unitOf(request.query)) });
  show(lane, "", cells, `${figure(returned(made))} returned so far`);
}

// The right loop's records are what there is. The others are compared with them, equal records counted.
function judge(runs) {
  const all = runs[RIGHT];
  runs.forEach((made, number) => {
    const lane = lanes()[number];
    const cells = lane.querySelector(".cells");
    if (made.problem && (all.problem || !made.pages.length)) return show(lane, "", cells, made.problem);
    const unique = sum([...all.counts].map(([record, times]) => Math.min(times, made.counts.get(record) ?? 0)));
    const [lost, again] = [returned(all) - unique, returned(made) - unique];
    const isRight = !lost && !again && !made.problem;
    const told = `returned ${figure(returned(made))}, unique ${figure(unique)}, lost ${figure(lost)}`;
    const verdict = element("strong", {}, isRight ? "right" : "wrong");
    return show(lane, isRight ? "right" : "wrong", cells, verdict, ` ${told}${made.problem ? `; ${made.problem}` : ""}`);
  });
}

// readRequest returns the request of the form; toggle adds or removes its session filter, and sends it.
export function listenToLoops(readRequest, toggle) {
  part("play").addEventListener("click", () => {
    if (part("play").textContent === "Stop") empty();
    else play(readRequest());
  });
  part("session-filter").addEventListener("click", () => {
    const wasPlayed = played !== null;
    toggle();
    if (wasPlayed) play(readRequest());
  });
  for (const button of document.querySelectorAll("[data-loop]")) {
    button.addEventListener("click", () => copy(button, codeFor(button.dataset.loop, readRequest(), true)));
  }
}
