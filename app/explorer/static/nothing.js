// What to do when nothing was found: which data the account has, and which filter to drop.

import { code, count, element, part } from "./elements.js";
import { isDemo, write } from "./address.js";
import { isSessionQuery, send } from "./request.js";

const ALL_TIME = { start_date: "0001-01-01", end_date: "9999-12-31" };

// Asks the endpoint for it. With a key of one's own only when told to, because each request counts towards a monthly limit.
export function explainNothing(request, signal) {
  const box = part("nothing");
  box.hidden = false;
  const { offset, ...filters } = request.query;
  const asked = { ...request, query: filters };
  if (isDemo(request.key)) return tell(box, asked, signal);
  const button = element("button", { type: "button" }, `Find out why with up to ${Object.keys(filters).length + 3} more requests`);
  button.addEventListener("click", () => tell(box, asked, signal));
  return box.replaceChildren(button);
}

async function tell(box, request, signal) {
  box.replaceChildren();
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
      if (some) found.push(choice(request, name, without, some.total));
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
  const withoutOne = Object.keys(filters).map((name) => [name, Object.fromEntries(Object.entries(query).filter(([other]) => other !== name))]);
  return [...withoutOne, ["window", { ...filters, ...ALL_TIME }]];
}

async function totalOf(request, signal) {
  const { json } = await send(request, signal);
  if (!json?.pagination) return null;
  return { total: json.pagination.total_records, newest: json.records[0]?.timestamp };
}

function choice({ key }, name, query, total) {
  const unit = isSessionQuery(query) ? "session" : "conversion";
  const what = name === "window" ? ["over all time"] : ["without ", code(name)];
  return element("li", {}, element("a", { href: write({ key, query }) }, ...what), `: ${count(total, unit)}`);
}
