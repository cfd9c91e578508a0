// The explorer. What it shows is in the address: sending the form or turning a page changes the address, and a changed address fills
// the form and fetches what is missing.

import { drawChart, listenToChart } from "./chart.js";
import { drawWalk } from "./drawing.js";
import { copy, enable, figure, listenToCopies, onClick, part } from "./elements.js";
import { defaultWindow, editForm, fillForm, isEmptyWindow, listenToForm, readForm } from "./form.js";
import { rememberKey, showFaults, toggleSessionFilter } from "./form.js";
import { listenToLoops, showLoopsOf } from "./loops.js";
import { isForcing, listenToMock, refreshMock } from "./mock.js";
import { listenToDownloads, listenToTabs, showResponse, tellDownload } from "./records.js";
import { addressOf, configure, isSameRequest, problemWithKey, readAddress, send, settings, stepOf } from "./request.js";
import { explainNothing, showError, showStopped, tellStatus, tellWhy } from "./response.js";
import { addressed, allRecords, hasMore, isSameWalk, nextRequest, pageOf, recordCount, requestOf, startWalk, take } from "./walk.js";

const PATIENCE = 300; // milliseconds until the page says that it waits
const BETWEEN_DRAWINGS = 400; // milliseconds, while a walk goes on: drawing a page takes longer than fetching it
const views = [...document.querySelectorAll(".views a")];

let walk = null; // whose pages are shown, or were asked for
let shown = null; // the request whose response is shown
let asked = null; // the request whose response has not arrived
let isEdited = false; // since the request was sent, by a person
let isWalking = false; // fetching page after page: Stop stops it
let asking = new AbortController();

// Opens what the address says; an address that says nothing opens the first example.
function show() {
  const given = readAddress(location.hash);
  const address = given?.query ? given : (readAddress(views[0]?.hash ?? "") ?? { key: "", query: {}, pages: 1 });
  part("ignored").hidden = !given?.unknown.length;
  part("ignored").textContent = `The endpoint has no field ${given?.unknown.join(", ")}: the page left it out of this link's request.`;
  const current = addressOf(address);
  for (const view of views) view.ariaCurrent = view.hash === current ? "true" : null;
  isWalking = isEdited = false;
  fillForm(address);
  const request = readForm();
  showLoopsOf(request);
  if (walk?.pages.length && isSameWalk(walk, request)) {
    walk.at = Math.min(address.pages, walk.pages.length) - 1;
    draw();
  } else {
    walk = startWalk({ ...address, key: request.key });
    if (!canAsk(request.key)) return;
    changed();
  }
  const missing = address.pages - walk.pages.length;
  if (missing <= 0) return;
  isWalking = missing > 1;
  fetchPages(address.pages);
}

function canAsk(key) {
  const problem = key ? problemWithKey(key) : "Enter your key and press Send. A key of your own is not kept in the address.";
  if (!problem) return true;
  asking.abort();
  shown = asked = null;
  clear();
  if (part("problem") === null || key) showFaults({ key: problem });
  return false;
}

// Fetches the next pages of the walk until there are that many of them, no more, or an error.
async function fetchPages(wanted) {
  asking.abort();
  const { signal } = (asking = new AbortController());
  const mine = walk;
  const patience = setTimeout(() => busy(mine, wanted), PATIENCE);
  let drawnAt = performance.now();
  try {
    do {
      const request = (asked = nextRequest(mine));
      const wasForced = isForcing();
      changed();
      const reply = await send(request, signal);
      if (wasForced) refreshMock();
      if (!reply.json?.pagination) return fail(request, reply, wasForced, wanted);
      take(mine, request.query.offset ?? "0", reply);
      mine.at = mine.pages.length - 1;
      part("stopped").hidden = true;
      if (performance.now() > drawnAt + BETWEEN_DRAWINGS) {
        draw();
        busy(mine, wanted);
        drawnAt = performance.now();
      }
    } while (hasMore(mine) && mine.pages.length < wanted && isWalking);
    isWalking = false;
    asked = null;
    draw();
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    clearTimeout(patience);
    if (asking.signal === signal) {
      part("busy").hidden = true;
      part("results").ariaBusy = null;
    }
  }
}

function busy({ pages }, wanted) {
  const of = Number.isFinite(wanted) ? ` of ${figure(wanted)}` : "";
  const many = `Fetching page ${figure(pages.length + 1)}${of} …`;
  const before = shown && asked && !isSameRequest(shown, asked) ? " What is below belongs to the request before." : "";
  part("busy").textContent = isWalking ? many : `Waiting for the server …${before}`;
  part("busy").hidden = false;
  part("results").ariaBusy = "true";
}

function fail(request, reply, wasForced, wanted) {
  isWalking = false;
  asked = null;
  if (walk.pages.length && !reply.ok) {
    draw();
    return showStopped(walk.pages.at(-1), reply, wasForced, () => {
      isWalking = wanted > walk.pages.length + 1;
      fetchPages(wanted);
    });
  }
  shown = request;
  clear();
  if (!reply.problem) {
    tellStatus(reply);
    showResponse({ records: [], ...reply });
  }
  part("tabs").hidden = Boolean(reply.problem);
  if (!reply.ok || !reply.json?.message) return showError(reply, wasForced);
  showFaults({});
  part("why").textContent = reply.json.message;
  return explainNothing(request, isEmptyWindow(request.query), asking.signal);
}

// An empty page: what was shown before belongs to another request.
function clear() {
  for (const id of ["drawing", "chart", "tabs", "error", "stopped", "nothing", "busy"]) part(id).hidden = true;
  for (const id of ["why", "status"]) part(id).replaceChildren();
  tellDownload(0);
  changed();
}

function draw() {
  const page = pageOf(walk);
  for (const id of ["error", "stopped", "nothing"]) part(id).hidden = true;
  part("tabs").hidden = false;
  if (isWalking || location.hash) history.replaceState(null, "", addressOf(addressed(walk)));
  shown = requestOf(walk);
  if (!isEdited) fillForm(shown);
  tellStatus(page.reply);
  tellWhy(page);
  drawWalk(walk, jump);
  const { records, pagination, reply: { headers } } = page;
  showResponse({ records, request: shown, json: { records, pagination }, headers });
  tellDownload(recordCount(walk));
  drawChart(walk);
  if (!isEdited) showFaults({});
  changed();
}

// The form or what is shown changed: are they the same request, and which buttons can work? A request on its way is neither.
function changed() {
  const request = readForm();
  const isStale = shown !== null && !isSameRequest(shown, request);
  const isOnItsWay = asked !== null && !isEdited;
  part("results").classList.toggle("stale", isStale && !isWalking);
  part("unsent").hidden = !isStale || isOnItsWay;
  const page = walk && pageOf(walk);
  const canTurn = Boolean(page) && !isStale;
  enable("first-page", canTurn && page.from > 0);
  enable("previous-page", canTurn && page.from > 0 && (walk.at > 0 || page.unit === "conversion"));
  enable("next-page", canTurn && page.hasMore && !isWalking);
  enable("walk", isWalking || (canTurn && hasMore(walk)));
  part("walk").textContent = isWalking ? "Stop" : "Walk all pages";
  const isUnknown = page?.from > 0 && walk.at === 0 && page.unit === "session";
  const unknown = "Where the page before this one starts is only known after walking to it from the first.";
  part("previous-page").title = isUnknown ? unknown : "";
}

// Turning pages

const turnTo = (address) => (location.hash = addressOf(address));
const turnToPage = (at) => turnTo({ ...addressed(walk), pages: at + 1 });

function startAt(offset) {
  turnTo({ key: walk.key, query: offset > 0 ? { ...walk.filters, offset } : walk.filters });
}

// A click on the strip: a page that was fetched is shown again, elsewhere a new walk starts.
function jump(position) {
  if (part("results").classList.contains("stale") || isWalking) return;
  const at = walk.pages.findIndex(({ from, to }) => from <= position && position < to);
  const step = stepOf(walk.unit);
  if (at >= 0) turnToPage(at);
  else startAt(Math.floor(position / step) * step);
}

onClick("first-page", () => (walk.start === "0" ? turnToPage(0) : startAt(0)));
onClick("previous-page", () => {
  if (walk.at > 0) turnToPage(walk.at - 1);
  else startAt(Math.max(0, pageOf(walk).from - settings.page_size));
});
onClick("next-page", () => turnToPage(walk.at + 1));
onClick("walk", () => {
  isWalking = !isWalking;
  changed();
  if (isWalking) fetchPages(Infinity);
});
onClick("undo", () => {
  isEdited = false;
  fillForm(asked ?? shown);
  changed();
});

// The address of the walk with both dates, so that it shows the same tomorrow.
function share() {
  const { from, to } = defaultWindow();
  const instant = (date) => date.toISOString().replace(/\.\d+/, "");
  const request = addressed(walk);
  const { start_date: start, end_date: end = instant(to) } = request.query;
  const first = start ?? (request.query.end_date ? null : instant(from));
  const query = { ...request.query, ...(first ? { start_date: first } : {}), end_date: end };
  copy(part("share"), `${location.origin}/${addressOf(request.raw === undefined ? { ...request, query } : request)}`);
}

function submit() {
  const request = readForm();
  rememberKey();
  const isNew = shown === null || !isSameRequest(shown, request);
  walk = null;
  editForm(false);
  const address = isNew ? addressOf(request) : location.hash;
  if (address === location.hash) show();
  else location.hash = address;
  part("response-title").scrollIntoView({ block: "nearest" });
}

configure();
listenToForm({
  edited() {
    isEdited = true;
    isWalking = false;
    showLoopsOf(readForm());
    changed();
  },
  submitted: submit,
});
listenToTabs();
listenToDownloads(() => allRecords(walk));
listenToChart();
listenToCopies();
listenToLoops(readForm, () => {
  toggleSessionFilter();
  submit();
});
onClick("share", share);

addEventListener("resize", () => part("drawing").hidden || drawWalk(walk, jump));
addEventListener("hashchange", show);
await listenToMock(() => {
  walk = null;
  show();
});
show();
