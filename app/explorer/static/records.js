// The response as tabs: its records as a table that can be sorted and that filters on a click, its JSON, its headers.

import { breakable, colouredJson, count, element, figure, part } from "./elements.js";
import { addressOf } from "./request.js";

const FIRST_ROWS = matchMedia("(max-width: 900px)").matches ? 6 : 15; // the others are shown when asked for
const COLUMNS = [ // name, value of a record, the filter that finds it
  ["timestamp", (record) => record.timestamp],
  ["email", (record) => record.email],
  ["conversion_page", (record) => record.conversion_page, "conversion_page"],
  ["previous_page", (record) => record.previous_page],
  ["type", (record) => record.conversion_meta.type, "meta_type"],
  ["id", (record) => record.conversion_meta.id, "meta_id"],
];
const tabs = [...document.querySelectorAll("[role=tab]")];
const sortButtons = [...document.querySelectorAll("[data-sort]")];

let shown = { records: [], request: null, text: "", json: null, headers: [] };
let sorting = null; // {column, direction}; without it, the order of the response
let rows = FIRST_ROWS;
let chosen = tabs[0]; // by the person; a response without records is shown as JSON meanwhile

// Shows a response: {records, request, json, text, headers}. If json is null, the text is shown as it came.
export function showResponse(response) {
  shown = response;
  const hasTable = Boolean(response.json?.records);
  part("tab-records").hidden = !hasTable;
  select(chosen === part("tab-records") && !hasTable ? part("tab-json") : chosen);
}

function fillPanels() {
  const { json, text, headers } = shown;
  if (!part("panel-records").hidden) fillRecords();
  if (!part("panel-json").hidden) part("json").replaceChildren(...(json ? colouredJson(JSON.stringify(json, null, 2)) : [text]));
  part("headers").textContent = headers.map(([name, value]) => `${name}: ${value}`).join("\n");
}

function fillRecords() {
  const sorted = sortRecords(shown.records);
  const filtering = ({ key, query: { offset, ...query } }, filter, value) => ({ key, query: { ...query, [filter]: value } });
  const cell = ([name, read, filter]) => (record) => {
    const value = read(record);
    if (value === null) return element("td", { "data-name": name }, element("span", { class: "null" }, "null"));
    if (!filter) return element("td", { "data-name": name }, ...breakable(value));
    const href = addressOf(filtering(shown.request, filter, value));
    return element("td", { "data-name": name }, element("a", { href, title: `Only conversions with this ${filter}` }, ...breakable(value)));
  };
  const cells = COLUMNS.map(cell);
  const made = sorted.slice(0, rows).map((record) => element("tr", {}, ...cells.map((make) => make(record))));
  part("records").tBodies[0].replaceChildren(...made);
  part("records").hidden = !sorted.length;
  part("no-records").textContent = shown.json?.records && !sorted.length ? "This page has no records." : "";
  part("more-records").hidden = sorted.length <= rows;
  part("more-records").textContent = `Show all ${count(sorted.length, "record")}`;
}

function sortRecords(records) {
  if (!sorting) return records;
  const [, read] = COLUMNS[sorting.column];
  const order = (one, other) => {
    const [a, b] = [read(one), read(other)];
    if (a === b) return 0;
    if (a === null || b === null) return a === null ? 1 : -1; // null comes last in both directions
    return (a < b ? -1 : 1) * sorting.direction;
  };
  return [...records].sort(order);
}

// A first click sorts upwards, a second downwards, a third restores the order of the response.
function sortBy(column) {
  if (sorting?.column !== column) sorting = { column, direction: 1 };
  else sorting = sorting.direction === 1 ? { column, direction: -1 } : null;
  sortButtons.forEach((button, at) => {
    const isSorted = sorting?.column === at;
    button.parentElement.ariaSort = isSorted ? (sorting.direction === 1 ? "ascending" : "descending") : null;
  });
  fillRecords();
}

function select(tab) {
  for (const each of tabs) {
    each.ariaSelected = String(each === tab);
    each.tabIndex = each === tab ? 0 : -1;
    part(each.getAttribute("aria-controls")).hidden = each !== tab;
  }
  fillPanels();
}

function choose(tab) {
  chosen = tab;
  select(tab);
  tab.focus();
}

export function listenToTabs() {
  for (const [at, tab] of tabs.entries()) {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!by) return;
      const next = tabs[(at + by + tabs.length) % tabs.length];
      if (!next.hidden) choose(next);
    });
  }
  for (const button of sortButtons) button.addEventListener("click", () => sortBy(Number(button.dataset.sort)));
  const showAll = () => {
    rows = Infinity;
    fillRecords();
  };
  part("more-records").addEventListener("click", showAll);
  addEventListener("beforeprint", showAll);
}

// Everything that was walked, as files

export function tellDownload(number) {
  part("to-download").parentElement.hidden = !number;
  part("to-download").textContent = `Download ${number === 1 ? "the record" : `all ${figure(number)} records fetched`}:`;
}

export function listenToDownloads(fetched) {
  part("download-csv").addEventListener("click", () => download(csv(fetched()), "text/csv", "conversions.csv"));
  part("download-json").addEventListener("click", () => {
    download(JSON.stringify(fetched(), null, 2), "application/json", "conversions.json");
  });
}

// RFC 4180. A null is an empty cell, an empty string is a quoted one.
function csv(records) {
  const cell = (value) => (value === null ? "" : /^$|[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  const lines = records.map((record) => COLUMNS.map(([, read]) => cell(read(record))).join(","));
  return [COLUMNS.map(([name]) => name).join(","), ...lines, ""].join("\r\n");
}

function download(text, type, name) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
