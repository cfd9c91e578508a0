// A curl command that was pasted, as the request that it sends.

// The words of a command, as a POSIX shell splits them.
export function words(command) {
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

// Returns {key, query} or null if the text is not a curl command; throws an Error with a sentence if its body cannot be filled in.
export function readCurl(text) {
  const [program, ...rest] = words(text.trim().replace(/^\$\s+/, ""));
  if (program !== "curl") return null;
  let key = "";
  let body = "";
  rest.forEach((word, at) => {
    const [, short, attached] = word.match(/^-([Hd])(.+)$/s) ?? [];
    const [, long, assigned] = word.match(/^--([\w-]+)=(.*)$/s) ?? [];
    const option = short ? `-${short}` : long ? `--${long}` : word;
    const value = attached ?? assigned ?? rest[at + 1] ?? "";
    if (["-H", "--header"].includes(option)) key = value.match(/^authentication:\s*(.*)$/i)?.[1] ?? key;
    if (["-d", "--data", "--data-raw", "--data-binary", "--json"].includes(option)) body = value;
  });
  let query;
  try {
    query = JSON.parse(withExactOffset(body.replace(/,\s*}\s*$/, "}") || "{}"));
  } catch {
    throw new Error(`The body of this curl command is not JSON: ${body}`);
  }
  if (query === null || typeof query !== "object" || Array.isArray(query)) throw new Error(`The body is not a JSON object: ${body}`);
  return { key, query: Object.fromEntries(Object.entries(query).map(([name, value]) => [name, String(value)])) };
}

// An offset beyond 2^53 keeps its digits as text.
const withExactOffset = (body) => body.replace(/("offset"\s*:\s*)(\d+)/, '$1"$2"');
