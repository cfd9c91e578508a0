// The queries that the explorer sent from this browser, so that /walks can tell them from those of other clients. Decision 63.

const NAME = "queries of the explorer";
const MOST = 200;

// A query without its offset, written the same way whatever the order of its filters.
export function nameOf(domain, { offset, ...filters }) {
  return JSON.stringify([domain, ...Object.entries(filters).sort(([one], [other]) => (one < other ? -1 : 1))]);
}

export function sentQueries() {
  try {
    return new Set(JSON.parse(localStorage.getItem(NAME) ?? "[]"));
  } catch {
    return new Set(); // storage is switched off
  }
}

// The domain of a key of one's own is not known: nothing is remembered of it.
export function remember({ key, query }) {
  const option = [...document.getElementById("account").options].find(({ value }) => value && value === key);
  if (!option) return;
  const name = nameOf(option.dataset.domain, query);
  const queries = sentQueries();
  if (queries.has(name)) return;
  try {
    localStorage.setItem(NAME, JSON.stringify([...queries, name].slice(-MOST)));
  } catch {
    // storage is switched off
  }
}
