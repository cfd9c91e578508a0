// The sentences about a response: its status, why the page ended where it did, and what went wrong.

import { code, count, element, figure, part, range, strong } from "./elements.js";
import { showFaults } from "./form.js";
import { PAGE_SIZE } from "./request.js";

export function tellStatus({ status, statusText, timing, milliseconds }) {
  const kind = status < 300 ? "good" : status < 500 ? "client" : "server";
  const { strategy, batches, sql } = timing;
  const told = [`${Math.round(milliseconds)} ms`];
  if (sql !== undefined) told.push(`${sql} ms in SQL`);
  if (strategy) told.unshift(`${strategy} query${inBatches(batches)}`);
  const pill = element("strong", { class: `pill ${kind}` }, `${status} ${statusText}`.trim());
  part("status").replaceChildren(pill, ` ${told.join(" · ")}`);
}

const inBatches = (number) => (number > 0 ? ` in ${count(number, "batch").replace(/batchs$/, "batches")}` : "");

// Why the page ended where it did.
export function tellWhy({ offset, from, to, total, unit, records, batches, hasMore }) {
  const counts = ["Here ", code("offset"), " counts ", strong(`${unit}s`), ". "];
  if (to === from) {
    const end = total ? `There are only ${count(total, unit)}, so nothing follows the offset ${figure(offset)}.` : `There are no ${unit}s.`;
    return part("why").replaceChildren(...counts, end);
  }
  const positions = `${unit}${to - from === 1 ? "" : "s"} ${range(from + 1, to)} of ${figure(total)}`;
  const next = hasMore ? [" The next offset is ", strong(figure(to)), "."] : [" There are no more pages."];
  if (unit === "conversion") {
    const full = hasMore ? ` A page of a direct query is full at ${PAGE_SIZE}.` : "";
    return part("why").replaceChildren(...counts, `This page holds ${positions}.${full}`, ...next);
  }
  const collected = count(records.length, "conversion");
  const reason =
    records.length >= PAGE_SIZE ? `${collected} were collected, and ${PAGE_SIZE} fill a page` : `the pool ended, with ${collected} collected`;
  return part("why").replaceChildren(...counts, `This page processed ${positions}${inBatches(batches)} and stopped because ${reason}.`, ...next);
}

// An error instead of a first page: {problem} without a response, else the response. Its sentences go to the fields they are about, too.
export function showError(reply) {
  const { problem, status, json } = reply;
  const fields = Object.entries(json?.fields ?? {}).map(([name, sentences]) =>
    element("p", {}, code(name), `: ${[sentences].flat().join(" ")}`),
  );
  part("error").className = `error ${problem || status >= 500 ? "server" : "client"}`;
  part("error").replaceChildren(element("strong", {}, sentenceOf(reply)), ...fields);
  part("error").hidden = false;
  showFaults([401, 429].includes(status) ? { key: json?.error } : (json?.fields ?? {}));
}

const sentenceOf = ({ problem, json }) => problem ?? json?.error ?? "The response is not JSON from the endpoint; it is shown below.";

// An error in the middle of a walk. What was fetched stays; retry goes on from there.
export function showStopped({ to, total, unit }, reply, retry) {
  const again = element("button", { type: "button" }, "Try again");
  again.addEventListener("click", retry);
  const status = reply.problem ? "" : ` ${reply.status} ${reply.statusText}:`;
  const told = `Stopped at ${figure(to)} of ${count(total, unit)}.${status} `;
  part("stopped").replaceChildren(element("p", {}, strong(told), sentenceOf(reply)), again);
  part("stopped").hidden = false;
}
