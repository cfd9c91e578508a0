// The explorer. What it shows is in the address: sending the form or turning a page changes the address, and a changed address fills
// the form and fetches what is missing.

import { read, write } from "./address.js";
import { drawChart, listenToChart } from "./chart.js";
import { drawWalk } from "./drawing.js";
import { enable, onClick, part } from "./elements.js";
import { describeForm, editForm, fillForm, fillOffset, listen, readForm, showFaults } from "./form.js";
import { explainNothing } from "./nothing.js";
import { openPicture } from "./picture.js";
import { listenToDownloads, listenToTabs, showResponse, tellDownload } from "./records.js";
import { BATCH_SIZE, PAGE_SIZE, isSameRequest, problemWithKey, send } from "./request.js";
import { listenToCode, showCode } from "./samples.js";
import { showError, showStopped, tellStatus, tellWhy } from "./status.js";
import { tellTops } from "./tops.js";
import { addressed, allRecords, hasMore, isSameWalk, nextRequest, pageOf, recordCount, requestOf, startWalk, take } from "./walk.js";

const PATIENCE = 300; // milliseconds until the page says that it waits
const BETWEEN_DRAWINGS = 400; // milliseconds, while a walk goes on: drawing a page takes longer than fetching it
const views = [...document.querySelectorAll(".views a")];

let walk = null; // whose pages are shown, or were asked for
let shown = null; // the request whose response is shown
let isWalking = false;
let asking = new AbortController();

// Opens what the address says; an address that says nothing opens the first example.
function show() {
  const address = read(location.hash) ?? read(views[0]?.hash ?? "") ?? { key: "", query: {}, pages: 1 };
  const current = write(address);
  for (const view of views) view.ariaCurrent = view.hash === current ? "true" : null;
  isWalking = false;
  if (walk?.pages.length && isSameWalk(walk, { key: address.key || walk.key, query: address.query })) {
    fillForm({ key: walk.key, query: address.query });
    walk.at = Math.min(address.pages, walk.pages.length) - 1;
    draw();
  } else {
    fillForm(address);
    const { key, prefer } = readForm();
    walk = startWalk({ key, query: address.query, prefer });
    if (!canAsk(key)) return;
    enableButtons();
  }
  if (walk.pages.length < address.pages) fetchPages(() => walk.pages.length >= address.pages);
}

function canAsk(key) {
  const problem = key ? problemWithKey(key) : "Enter your key and press Send. A key of your own is not kept in the address.";
  if (!problem) return true;
  asking.abort();
  shown = null;
  clear();
  if (part("problem") === null || key) showFaults({ key: problem });
  return false;
}

// Fetches the next pages of the walk until there are enough of them, no more, or an error.
async function fetchPages(isEnough) {
  asking.abort();
  const { signal } = (asking = new AbortController());
  const mine = walk;
  const patience = setTimeout(() => busy(true), PATIENCE);
  let drawnAt = performance.now();
  try {
    do {
      const request = nextRequest(mine);
      const reply = await send(request, signal);
      if (!reply.json?.pagination) return fail(request, reply, isEnough);
      take(mine, request.query.offset ?? "0", reply);
      mine.at = mine.pages.length - 1;
      part("stopped").hidden = true;
      if (performance.now() > drawnAt + BETWEEN_DRAWINGS) {
        draw();
        drawnAt = performance.now();
      }
    } while (hasMore(mine) && !isEnough());
    isWalking = false;
    draw();
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    clearTimeout(patience);
    if (asking.signal === signal) busy(false);
  }
}

function busy(isBusy) {
  part("busy").hidden = !isBusy || isWalking;
  part("results").ariaBusy = isBusy ? "true" : null;
}

function fail(request, reply, isEnough) {
  isWalking = false;
  if (walk.pages.length && reply.status !== 200) {
    draw();
    return showStopped(walk.pages.at(-1), reply, () => {
      isWalking = true;
      enableButtons();
      fetchPages(isEnough);
    });
  }
  shown = request;
  clear();
  if (!reply.problem) {
    tellStatus(reply);
    showResponse({ records: [], ...reply });
  }
  part("tabs").hidden = Boolean(reply.problem);
  if (reply.status !== 200 || !reply.json?.message) return showError(reply);
  showFaults({});
  part("why").textContent = reply.json.message;
  return explainNothing(request, asking.signal);
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
  for (const id of ["error", "stopped", "nothing", "busy"]) part(id).hidden = true;
  part("tabs").hidden = false;
  if (isWalking || location.hash) history.replaceState(null, "", write(addressed(walk)));
  fillOffset(page.offset);
  shown = requestOf(walk);
  tellStatus(page.reply);
  tellWhy(page);
  drawWalk(walk, jump);
  showResponse({ records: page.records, json: { records: page.records, pagination: page.pagination }, headers: page.reply.headers });
  tellDownload(recordCount(walk));
  drawChart(walk);
  tellTops(walk);
  showFaults({});
  changed();
}

// The form or what is shown changed: are they the same request, what is it as code, which buttons can work?
function changed() {
  part("unsent").hidden = !isUnsent();
  part("results").classList.toggle("stale", isUnsent());
  showCode(readForm());
  enableButtons();
}

const isUnsent = () => shown !== null && !isSameRequest(shown, readForm());

function enableButtons() {
  const page = walk && pageOf(walk);
  const canTurn = Boolean(page) && !isUnsent();
  enable("first-page", canTurn && page.from > 0);
  enable("previous-page", canTurn && page.from > 0 && (walk.at > 0 || page.unit === "conversion"));
  enable("next-page", canTurn && page.hasMore);
  enable("walk", isWalking || (canTurn && hasMore(walk)));
  part("walk").textContent = isWalking ? "Stop" : "Walk all pages";
  const isUnknown = page?.from > 0 && walk.at === 0 && page.unit === "session";
  part("previous-page").title = isUnknown ? "Where the page before this one starts is only known after walking to it from the first." : "";
}

// Turning pages

const turnTo = (address) => (location.hash = write(address));
const turnToPage = (at) => turnTo({ ...addressed(walk), pages: at + 1 });

function startAt(offset) {
  turnTo({ key: walk.key, query: offset > 0 ? { ...walk.filters, offset } : walk.filters });
}

// A click on the strip: a page that was fetched is shown again, elsewhere a new walk starts.
function jump(position) {
  if (isUnsent() || isWalking) return;
  const at = walk.pages.findIndex(({ from, to }) => from <= position && position < to);
  const step = walk.unit === "session" ? BATCH_SIZE : PAGE_SIZE;
  if (at >= 0) turnToPage(at);
  else startAt(Math.floor(position / step) * step);
}

onClick("first-page", () => (walk.start === "0" ? turnToPage(0) : startAt(0)));
onClick("previous-page", () => (walk.at > 0 ? turnToPage(walk.at - 1) : startAt(Math.max(0, pageOf(walk).from - PAGE_SIZE))));
onClick("next-page", () => turnToPage(walk.at + 1));
onClick("walk", () => {
  isWalking = !isWalking;
  enableButtons();
  if (isWalking) fetchPages(() => !isWalking);
});
onClick("undo", () => {
  fillForm(shown);
  changed();
});

listen({
  edited() {
    isWalking = false;
    changed();
  },
  submitted() {
    const wasUnsent = isUnsent() || shown === null;
    const request = readForm();
    walk = null;
    editForm(false);
    const address = wasUnsent ? write(request) : location.hash;
    if (address === location.hash) show();
    else location.hash = address;
    part("response-title").scrollIntoView({ block: "nearest" });
  },
});
listenToTabs();
listenToDownloads(() => allRecords(walk));
listenToChart();
listenToCode(readForm);

addEventListener("resize", () => part("drawing").hidden || drawWalk(walk, jump));

addEventListener("hashchange", show);
describeForm();
openPicture(!location.hash);
show();
