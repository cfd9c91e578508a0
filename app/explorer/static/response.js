// The sentences about a response: its status, why the page ended where it did, what went wrong, what to do when nothing was found.

import { code, count, element, figure, part, range, strong } from "./elements.js";
import { showFaults } from "./form.js";
import { addressOf, decisionBehind, isDemo, send, sentenceOf, settings, unitOf } from "./request.js";

const ALL_TIME = { start_date: "0001-01-01", end_date: "9999-12-31" };

export function tellStatus({ status, statusText, timing, milliseconds }) {
  const kind = status < 300 ? "good" : status < 500 ? "client" : "server";
  const { strategy, batches, sql } = timing;
  const told = [`${Math.round(milliseconds)} ms`];
  if (sql !== undefined) told.push(`${sql} ms in SQL`);
  if (strategy) told.unshift(`${strategy} query${inBatches(batches)}`);
  const pill = element("strong", { class: `pill ${kind}` }, `${status} ${statusText}`.trim());
  part("status").replaceChildren(pill, ` ${told.join(" · ")}`);
}

const inBatches = (number) => (number > 0 ? ` in ${count(number, "batch")}` : "");

// Why the page ended where it did.
export function tellWhy({ offset, from, to, total, unit, records, batches, hasMore }) {
  const counts = ["Here ", code("offset"), " counts ", strong(`${unit}s`), ". "];
  if (to === from) {
    const end = total ? `There are only ${count(total, unit)}, so nothing follows the offset ${figure(offset)}.` : `There are no ${unit}s.`;
    return part("why").replaceChildren(...counts, end);
  }
  const positions = `${unit}${to - from === 1 ? "" : "s"} ${range(from + 1, to)} of ${figure(total)}`;
  const next = hasMore ? [" The next offset is ", strong(figure(to)), "."] : [" There are no more pages."];
  const most = settings.page_size;
  if (unit === "conversion") {
    const full = hasMore ? ` A page of a direct query is full at ${most}.` : "";
    return part("why").replaceChildren(...counts, `This page holds ${positions}.${full}`, ...next);
  }
  const collected = count(records.length, "conversion");
  const isFull = records.length >= most;
  const reason = isFull ? `${collected} were collected, and ${most} fill a page` : `the pool ended, with ${collected} collected`;
  const processed = `This page processed ${positions}${inBatches(batches)} and stopped because ${reason}.`;
  return part("why").replaceChildren(...counts, processed, ...next);
}

// An error instead of a first page: {problem} without a response, else the response. Its sentences go to the fields they are about, too.
export function showError(reply, wasForced) {
  const { problem, status, json } = reply;
  const fields = Object.entries(json?.fields ?? {}).map(([name, sentences]) =>
    element("p", {}, code(name), `: ${[sentences].flat().join(" ")}`),
  );
  const number = decisionBehind(status, `${json?.error} ${fields.map((field) => field.textContent).join(" ")}`);
  const behind = number ? [element("a", { href: `/decisions#${number}` }, `Decision ${number}`)] : [];
  part("error").className = `error ${problem || status >= 500 ? "server" : "client"}`;
  part("error").replaceChildren(element("strong", {}, sentenceOf(reply)), ...fields, ...(wasForced ? [forcedNote()] : []), ...behind);
  part("error").hidden = false;
  showFaults([401, 429].includes(status) && !wasForced ? { key: json?.error } : (json?.fields ?? {}));
}

const forcedNote = () =>
  element("p", { class: "forced" }, "The mock was set to change responses when this was sent: see the top of the page.");

// An error in the middle of a walk. What was fetched stays; retry goes on from there.
export function showStopped({ to, total, unit }, reply, wasForced, retry) {
  const again = element("button", { type: "button" }, "Try again");
  again.addEventListener("click", retry);
  const status = reply.problem ? "" : ` ${reply.status} ${reply.statusText}:`;
  const told = `Stopped at ${figure(to)} of ${count(total, unit)}.${status} `;
  part("stopped").replaceChildren(element("p", {}, strong(told), sentenceOf(reply)), ...(wasForced ? [forcedNote()] : []), again);
  part("stopped").hidden = false;
}

// Says which data the account has, and which filter to drop. With a key of one's own only when told to, because each request counts
// towards a monthly limit.
export function explainNothing(request, isEmptyWindow, signal) {
  const box = part("nothing");
  box.hidden = false;
  const { offset, ...filters } = request.query;
  const asked = { key: request.key, query: filters };
  const window = "The window is empty, because start_date is after end_date. That is not an error.";
  box.replaceChildren(...(isEmptyWindow ? [element("p", {}, strong(window))] : []));
  if (isDemo(request.key)) return tell(box, asked, signal);
  const button = element("button", { type: "button" }, `Find out why with up to ${Object.keys(filters).length + 3} more requests`);
  button.addEventListener("click", () => {
    button.remove();
    tell(box, asked, signal);
  });
  return box.append(button);
}

async function tell(box, request, signal) {
  try {
    const all = await totalOf({ ...request, query: ALL_TIME }, signal);
    if (!all) return box.append(element("p", {}, "This account has no conversions at all."));
    const oldest = await send({ ...request, query: { ...ALL_TIME, offset: String(all.total - 1) } }, signal);
    const first = oldest.json?.records?.[0]?.timestamp.slice(0, 10);
    const last = all.newest.slice(0, 10);
    box.append(element("p", {}, `This account has ${count(all.total, "conversion")}, from ${first} to ${last}.`));
    const found = [];
    for (const [name, without] of variants(request.query)) {
      const some = await totalOf({ ...request, query: without }, signal);
      const what = name === "window" ? ["over all time"] : ["without ", code(name)];
      const link = element("a", { href: addressOf({ key: request.key, query: without }) }, ...what);
      if (some) found.push(element("li", {}, link, `: ${count(some.total, unitOf(without))}`));
    }
    if (found.length) box.append(element("p", {}, "Without one filter there are matches:"), element("ul", {}, ...found));
    else if (Object.keys(request.query).length > 1) box.append(element("p", {}, "Dropping a single filter does not help."));
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

// The query without each of its filters, and with an unlimited window in place of its own.
function variants(query) {
  const { start_date, end_date, ...filters } = query;
  const without = (name) => Object.fromEntries(Object.entries(query).filter(([other]) => other !== name));
  return [...Object.keys(filters).map((name) => [name, without(name)]), ["window", { ...filters, ...ALL_TIME }]];
}

async function totalOf(request, signal) {
  const { json } = await send(request, signal);
  if (!json?.pagination) return null;
  return { total: json.pagination.total_records, newest: json.records[0]?.timestamp };
}
