// Code that sends the request of the page: one page of it, or all pages.

import { part } from "./elements.js";
import { URL_OF_ENDPOINT, bodyOf, headersOf } from "./request.js";

const forShell = (text) => `'${text.replaceAll("'", "'\\''")}'`;
const indented = (text, by) => text.replaceAll("\n", `\n${by}`);

const chosen = (name) => document.querySelector(`[name=${name}]:checked`).value;

export function showCode(request) {
  const { offset, ...filters } = request.query;
  const isAll = chosen("reach") === "all";
  const write = (isAll ? ALL_PAGES : ONE_PAGE)[chosen("language")];
  part("code").textContent = write(URL_OF_ENDPOINT, headersOf(request), isAll ? filters : request.query);
}

export function listenToCode(readRequest) {
  const choices = document.querySelectorAll("[name=language], [name=reach]");
  for (const choice of choices) choice.addEventListener("change", () => showCode(readRequest()));
  part("copy").addEventListener("click", copy);
}

async function copy() {
  getSelection().selectAllChildren(part("code")); // if the clipboard is closed to pages, the code is at least selected
  const copied = await navigator.clipboard?.writeText(part("code").textContent).then(() => true, () => false);
  part("copy").textContent = copied ? "Copied" : "Selected";
  setTimeout(() => (part("copy").textContent = "Copy"), 1500);
}

const curlHeaders = (headers) => Object.entries(headers).map(([name, value]) => `-H ${forShell(`${name}: ${value}`)}`);
const quoted = (headers) => {
  const members = Object.entries(headers).map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`);
  return `{${members.join(", ")}}`;
};

const ONE_PAGE = {
  curl: (url, headers, query) => `curl ${[forShell(url), ...curlHeaders(headers)].join(" \\\n  ")} \\
  -d ${forShell(indented(bodyOf(query, 84), "  "))}`,
  // The body is text, for a number in JavaScript would round an offset beyond 2^53.
  fetch: (url, headers, query) => `const response = await fetch(${JSON.stringify(url)}, {
  method: "POST",
  headers: ${quoted(headers)},
  body: ${JSON.stringify(bodyOf(query, Infinity))},
});
const page = await response.json();`,
  Python: (url, headers, query) => `import requests

response = requests.post(
    ${JSON.stringify(url)},
    headers=${quoted(headers)},
    json=${indented(bodyOf(query, 84), "    ")},
)
page = response.json()`,
};

const ALL_PAGES = {
  curl: (url, headers, query) => `# Prints each record as a line of JSON; needs jq.
query=${forShell(bodyOf(query, Infinity))}
offset=0
while [ -n "$offset" ]; do
  page=$(jq -n "$query + {offset: $offset}" | curl --fail-with-body -s ${[forShell(url), ...curlHeaders(headers)].join(" \\\n    ")} \\
    -d @-) || { echo "$page" >&2; break; }
  echo "$page" | jq -c '.records[]?'
  offset=$(echo "$page" | jq '.pagination | select(.has_more).records_processed')
done`,
  fetch: (url, headers, query) => `const query = ${bodyOf(query, 84)};
const records = [];
for (let offset = 0, hasMore = true; hasMore; ) {
  const response = await fetch(${JSON.stringify(url)}, {
    method: "POST",
    headers: ${quoted(headers)},
    body: JSON.stringify({ ...query, offset }),
  });
  const page = await response.json();
  if (!response.ok) throw new Error(page.error);
  if (!page.records) break; // no conversions matched
  records.push(...page.records);
  offset = page.pagination.records_processed;
  hasMore = page.pagination.has_more;
}`,
  Python: (url, headers, query) => `import requests

query = ${bodyOf(query, 84)}
records, offset, has_more = [], 0, True
while has_more:
    response = requests.post(
        ${JSON.stringify(url)},
        headers=${quoted(headers)},
        json=query | {"offset": offset},
    )
    response.raise_for_status()
    page = response.json()
    if "records" not in page:  # no conversions matched
        break
    records += page["records"]
    offset, has_more = page["pagination"]["records_processed"], page["pagination"]["has_more"]`,
};
