// The address: #key=…&source=…&pages=3. "offset" is where the walk starts, "pages" is how many pages it shows. No server gets to see
// it, and a key of one's own stays out of it.

export const EMPTY = '""'; // is typed to send the empty string: a field that is left empty is not sent

const account = document.getElementById("account");
const names = [...document.querySelectorAll("#query input[name]")].map((field) => field.name);
const demoKeys = [...account.options].map((option) => option.value).filter(Boolean);

export const isDemo = (key) => demoKeys.includes(key);

export function write({ key, query, pages = 1 }) {
  return `#${new URLSearchParams({ key: isDemo(key) ? key : "", ...query, ...(pages > 1 ? { pages } : {}) })}`;
}

// The request and the number of pages; null for an address that names no key and no filter.
export function read(fragment) {
  const members = new URLSearchParams(fragment.replace(/^#/, ""));
  const query = Object.fromEntries([...members].filter(([name]) => names.includes(name)));
  if (!members.has("key") && !Object.keys(query).length) return null;
  const pages = /^[1-9]\d{0,5}$/.test(members.get("pages")) ? Number(members.get("pages")) : 1;
  return { key: members.get("key") ?? "", query, pages };
}
