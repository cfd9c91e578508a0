// Code that sends a request, one page of it or all pages; and a curl command that was pasted, as the request that it sends.

import { bodyOf, headersOf, readBody, settings } from "./request.js";

const forShell = (text) => `'${text.replaceAll("'", "'\\''")}'`;
const indented = (text, by) => text.replaceAll("\n", `\n${by}`);

const curlHeaders = (headers) => Object.entries(headers).map(([name, value]) => `-H ${forShell(`${name}: ${value}`)}`);
const quoted = (headers) => {
  const members = Object.entries(headers).map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`);
  return `{${members.join(", ")}}`;
};

// Returns the code that sends a request, in curl, fetch or Python: of one page, or of all pages from the first.
export function codeFor(language, request, isAll = false) {
  if (!isAll) return ONE_PAGE[language](settings.url, headersOf(request), request);
  const { offset, ...filters } = request.query;
  return ALL_PAGES[language](settings.url, headersOf(request), { query: filters });
}

const ONE_PAGE = {
  curl: (url, headers, request) => `curl ${[forShell(url), ...curlHeaders(headers)].join(" \\\n  ")} \\
  -d ${forShell(request.raw ?? indented(bodyOf(request, 60), "  "))}`,
  // The body is text, for a number in JavaScript would round an offset beyond 2^53.
  fetch: (url, headers, request) => `const response = await fetch(${JSON.stringify(url)}, {
  method: "POST",
  headers: ${quoted(headers)},
  body: ${JSON.stringify(bodyOf(request, Infinity))},
});
const page = await response.json();`,
  Python: (url, headers, request) => `import requests

response = requests.post(
    ${JSON.stringify(url)},
    headers=${quoted(headers)},
    ${request.raw === undefined ? `json=${indented(bodyOf(request, 60), "    ")}` : `data=${JSON.stringify(request.raw)}.encode()`},
)
page = response.json()`,
};

const ALL_PAGES = {
  curl: (url, headers, request) => `# Prints each record as a line of JSON; needs jq.
query=${forShell(bodyOf(request, Infinity))}
offset=0
while [ -n "$offset" ]; do
  page=$(jq -n "$query + {offset: $offset}" | curl --fail-with-body -s ${[forShell(url), ...curlHeaders(headers)].join(" \\\n    ")} \\
    -d @-) || { echo "$page" >&2; break; }
  echo "$page" | jq -c '.records[]?'
  offset=$(echo "$page" | jq '.pagination | select(.has_more).records_processed')
done`,
  fetch: (url, headers, request) => `const query = ${bodyOf(request, 60)};
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
  Python: (url, headers, request) => `import requests

query = ${bodyOf(request, 60)}
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

// The words of a command, as a POSIX shell splits them.
function words(command) {
  const found = [];
  const piece = /'([^']*)'|"((?:[^"\\]|\\[^])*)"|\\\r?\n|\\([^])|([^\s'"\\]+)|(\s+)/g;
  let word = null;
  for (const [whole, single, double, escaped, plain, space] of command.matchAll(piece)) {
    if (space !== undefined || /^\\\r?\n$/.test(whole)) {
      if (word !== null) found.push(word);
      word = null;
    } else {
      word = (word ?? "") + (single ?? double?.replace(/\\([$`"\\])|\\\r?\n/g, "$1") ?? escaped ?? plain);
    }
  }
  return word === null ? found : [...found, word];
}

// Returns {key, body, query} of a curl command; throws an Error with a sentence if its body cannot be filled in.
export function readCurl(text) {
  const [, ...rest] = words(text.trim().replace(/^\$\s+/, ""));
  let [key, body] = ["", ""];
  rest.forEach((word, at) => {
    const [, short, attached] = word.match(/^-([Hd])(.+)$/s) ?? [];
    const [, long, assigned] = word.match(/^--([\w-]+)=(.*)$/s) ?? [];
    const option = short ? `-${short}` : long ? `--${long}` : word;
    const value = attached ?? assigned ?? rest[at + 1] ?? "";
    if (["-H", "--header"].includes(option)) key = value.match(/^authentication:\s*(.*)$/i)?.[1] ?? key;
    if (["-d", "--data", "--data-raw", "--data-binary", "--json"].includes(option)) body = value;
  });
  const query = readBody(body);
  if (query === null) throw new Error(`The body of this curl command is not a JSON object: ${body}`);
  return { key, body, query };
}
