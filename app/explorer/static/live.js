// /requests: asks the mock every second for the requests that are new, and shows them, the newest first. Decision 63.

import { codeFor } from "./code.js";
import { code, copy, count, element, figure, listenToCopies, part, sum } from "./elements.js";
import { askMock, listenToMock, refreshMock } from "./mock.js";
import { addressOf, configure, decisionBehind, requestWith, settings, stepOf } from "./request.js";
import { cellsOf, coverage, flag } from "./strip.js";

const EVERY = 1000; // milliseconds
const AFTER_A_FAILURE = 5000;
const MOST_REQUESTS = 500; // that the page keeps, as the mock does
const LONGEST_BODY = 2048; // bytes that the mock keeps: a longer body is not whole

const entries = new Map(); // by name, the newest last: {requests, walk, item}. A walk is one entry, any other request is its own.
const chips = [...document.querySelectorAll("[data-status]")];
let last = 0; // the number of the newest request
let turn = Promise.resolve(); // one look at the mock after the other
const inTurn = (action) => (turn = turn.catch(() => {}).then(action));

async function poll() {
  let wait = EVERY;
  try {
    if (!document.hidden) await inTurn(fetchNew);
  } catch (error) {
    part("state").textContent = `${error.message} Trying again every ${AFTER_A_FAILURE / 1000} seconds.`;
    wait = AFTER_A_FAILURE;
  }
  setTimeout(poll, wait);
}

async function fetchNew() {
  const asked = `after=${last}${part("own").checked ? "&explorer=1" : ""}`;
  const { requests } = await askMock("GET", `requests?${asked}`);
  if (requests.length && requests[0].number <= last) forget(); // the server was restarted, and counts from 1 again
  const walks = requests.some(({ walk }) => walk) ? (await askMock("GET", `walks?${asked}`)).walks : [];
  for (const request of requests) add(request);
  const changed = new Set(requests.map(nameOf));
  for (const walk of walks) if (entries.has(`walk ${walk.number}`)) entries.get(`walk ${walk.number}`).walk = walk;
  for (const name of changed) draw(entries.get(name));
  if (requests.some(({ fault }) => fault)) refreshMock();
  shorten();
  tellState();
}

const nameOf = ({ walk, number }) => (walk ? `walk ${walk}` : `request ${number}`);

function add(request) {
  const name = nameOf(request);
  const entry = entries.get(name) ?? { requests: [], walk: null, item: element("li") };
  entries.delete(name);
  entries.set(name, entry);
  entry.requests.push(request);
  part("requests").prepend(entry.item);
  last = request.number;
}

function shorten() {
  let kept = sum([...entries.values()].map(({ requests }) => requests.length));
  for (const [name, { requests, item }] of entries) {
    if (kept <= MOST_REQUESTS) break;
    kept -= requests.length;
    item.remove();
    entries.delete(name);
  }
}

function forget() {
  entries.clear();
  part("requests").replaceChildren();
  last = 0;
}

const kindOf = (status) => (status ? `${String(status)[0]}xx` : "5xx");

function tellState() {
  const all = [...entries.values()].flatMap(({ requests }) => requests);
  for (const chip of chips) {
    const ofKind = all.filter(({ status }) => ["all", kindOf(status)].includes(chip.dataset.status));
    chip.lastElementChild.textContent = ofKind.length ? figure(ofKind.length) : "";
  }
  const faulty = [...entries.values()].filter(({ walk }) => walk?.faults.length).length;
  const told = faulty ? `${count(faulty, "walk")} with a fault.` : "No walk has a fault.";
  part("state").textContent = all.length ? told : "No requests yet.";
}

function draw({ requests, walk, item }) {
  const newest = requests.at(-1);
  const { at, status, user_agent: agent, domain, records } = newest;
  const wasOpen = item.firstElementChild?.open;
  item.dataset.kind = kindOf(status);
  const isFaulty = Boolean(walk?.faults.length);
  const problem = isFaulty ? walk.message : [sentencesOf(newest), causeOf(newest)].filter(Boolean).join(" – ");
  const told = walk ? toldOf(walk, requests) : records === 0 ? "nothing found · " : "";
  const summary = element("summary", {},
    element("time", { datetime: at, title: at }, at.slice(11, 19)),
    element("span", { class: `status ${classOf(status)}` }, String(status ?? "cut")),
    element("span", { class: "agent", title: agent }, agent.replace(/[ /].*/, "") || "no name"),
    element("span", { class: "sent" }, walk ? JSON.stringify(walk.query) : sentBy(newest)),
    element("span", { class: "told" }, `${told}${domain ?? "no account"}`),
    ...(problem ? [element("span", { class: "problem" }, problem)] : []),
    ...(walk && (walk.pages.length > 1 || isFaulty) ? [stripOf(walk)] : []),
  );
  const details = element("details", { class: "entry" }, summary);
  details.addEventListener("toggle", () => open(details, requests));
  details.open = wasOpen ?? false;
  item.replaceChildren(details);
}

const classOf = (status) => (status === null || status >= 500 ? "server" : status >= 400 ? "client" : "good");
const sentBy = ({ method, body }) => (method === "POST" ? body.replace(/\s+/g, " ") || "no body" : `${method} request`);
const causeOf = ({ fault, preference }) => (fault ? "forced by the mock" : preference ? "forced with Prefer" : "");

// What the server said about a request that it refused: about its fields, if it named some.
function sentencesOf({ status, error, fields }) {
  const named = Object.entries(fields ?? {}).map(([name, sentences]) => `${name}: ${[sentences].flat().join(" ")}`);
  return status === null ? "The mock closed the connection." : named.join(" ") || error || "";
}

function toldOf({ complete, faults, pages, total_records: total, strategy }, requests) {
  const reached = Math.max(0, ...pages.map((page) => page.records_processed));
  const unit = strategy === "session" ? "session" : "conversion";
  const extent = complete ? "complete · " : `at ${figure(reached)} of ${count(total, unit)} · `;
  return `${count(requests.length, "page")} · ${faults.length ? "" : extent}`;
}

function stripOf({ strategy, total_records: total, pages, faults, repeats, gaps, expected_offset: right }) {
  const view = { from: 0, to: Math.max(total, 1) };
  const covering = pages.map(({ offset, records_processed }) => ({ from: offset, to: records_processed }));
  const width = part("requests").clientWidth * 0.7;
  const { cells } = cellsOf(view, coverage({ pages: covering, total, repeats, gaps }), { width, step: stepOf(strategy) });
  const isKnown = faults.length > 0 && right !== null && right !== undefined;
  const flags = isKnown ? [flag(view, right, "ends right", `the offset should have been ${figure(right)}`)] : [];
  const told = [["Returned again", repeats], ["Never fetched", gaps]].filter(([, ranges]) => ranges.length);
  const title = told.map(([name, ranges]) => `${name}: ${ranges.map(([from, to]) => `${figure(from)} to ${figure(to)}`).join(", ")}.`);
  return element("span", { class: "strip", title: title.join(" ") || "Nothing repeated, nothing skipped" }, cells, ...flags);
}

// Fills what a click opens: of a walk its pages, and of one request what was sent and what it got.
function open(details, requests, chosen = requests.at(-1)) {
  if (details.lastElementChild.className === "opened") details.lastElementChild.remove();
  if (!details.open) return;
  const table = requests.length > 1 ? [pageTable(requests, chosen, (request) => open(details, requests, request))] : [];
  details.append(element("div", { class: "opened" }, ...table, ...detailsOf(chosen)));
}

function pageTable(requests, chosen, choose) {
  const rows = requests.map((request) => {
    const { number, offset, records_processed, records, warning } = request;
    const button = element("button", { class: "link", type: "button", "aria-pressed": String(request === chosen) }, `#${number}`);
    button.addEventListener("click", () => choose(request));
    const cells = [button, ...[offset, records_processed, records].map((each) => figure(each ?? 0)), warning || ""];
    return element("tr", warning ? { class: "wrong" } : {}, ...cells.map((cell) => element("td", {}, cell)));
  });
  const heads = ["request", "offset", "records_processed", "records", "warning"].map((name) => element("th", { scope: "col" }, name));
  const table = element("table", {}, element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows));
  const region = element("div", { class: "scrolls", role: "region", tabindex: 0 }, table);
  region.ariaLabel = "Pages of this query";
  return region;
}

function detailsOf(entry) {
  const { number, method, status, domain, body, headers, milliseconds, warning } = entry;
  const key = Object.keys(settings.demo).find((each) => settings.demo[each] === domain) ?? "";
  const request = requestWith(key, body);
  const [isPost, isWhole] = [method === "POST", body.length < LONGEST_BODY];
  const command = isPost ? codeFor("curl", { ...request, key: key || "YOUR_KEY" }) : `curl -X ${method} '${settings.url}'`;
  const curl = element("button", { class: "link", type: "button" }, "Copy as curl");
  curl.addEventListener("click", () => copy(curl, command));
  const sentences = sentencesOf(entry);
  const decision = decisionBehind(status, `${entry.error} ${sentences}`);
  const told = [sentences, causeOf(entry), warning].filter(Boolean).join(" – ");
  const names = Object.entries(headers ?? {}).flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]);
  return [
    element("p", {}, `Request ${figure(number)}: ${method}, ${status ?? "no response"}, ${figure(milliseconds)} ms. ${told}`),
    element("p", { class: "buttons" },
      ...(isPost && isWhole ? [element("a", { href: `/${addressOf(request)}` }, "Open in explorer")] : []),
      ...(isWhole ? [curl] : []),
      ...(decision ? [element("a", { href: `/decisions#${decision}` }, `Decision ${decision}`)] : []),
    ),
    body ? element("pre", {}, body + (isWhole ? "" : " …")) : element("p", {}, "Sent without a body, which is the same as ", code("{}"), "."),
    element("dl", {}, ...names),
  ];
}

for (const chip of chips) {
  chip.addEventListener("click", () => {
    part("requests").dataset.shown = chip.dataset.status; // the stylesheet hides the others
    for (const each of chips) each.ariaPressed = String(each === chip);
  });
}
const tellFailure = (error) => (part("state").textContent = error.message);
part("own").addEventListener("change", () => {
  inTurn(forget);
  inTurn(fetchNew).catch(tellFailure);
});
part("clear-requests").addEventListener("click", () => {
  inTurn(async () => {
    for (const what of ["requests", "walks"]) await askMock("DELETE", what);
    forget();
    tellState();
  }).catch(tellFailure);
});
configure();
listenToCopies();
listenToMock(() => {});
poll();
