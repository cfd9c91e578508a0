// Walks all pages of two queries with the types of openapi-typescript, and prints how many pages and records each has.
import createClient from "openapi-fetch";
import type { components, paths } from "./conversions.js";
import { readmeQuery } from "./readme.js";

declare const process: { argv: string[] };

type Query = components["schemas"]["ConversionsQuery"];
type Conversion = components["schemas"]["Conversion"];

const client = createClient<paths>({ baseUrl: process.argv[2], headers: { Authentication: "YOUR_API_KEY" } });

async function walk(query: Query): Promise<{ pages: number; records: number }> {
  const records: Conversion[] = [];
  let pages = 0;
  for (let offset = 0, hasMore = true; hasMore; pages += 1) {
    const { data, error } = await client.POST("/api/v1/conversions", { body: { ...query, offset } });
    if (error) throw new Error(error.error);
    if ("message" in data) break;
    records.push(...data.records);
    offset = data.pagination.records_processed;
    hasMore = data.pagination.has_more;
  }
  return { pages, records: records.length };
}

const summer: Query = { start_date: "2025-07-01", end_date: "2025-08-15" };
console.log(JSON.stringify([await walk(readmeQuery), await walk(summer), await walk({ ...summer, source: "google.com" })]));
