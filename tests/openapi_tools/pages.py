"""Walks all pages of two queries with the client of openapi-generator, and prints how many pages and records each has."""

import json
import sys

from openapi_client import ApiClient, Configuration, ConversionsApi, ConversionsPage, ConversionsQuery


def walk(api: ConversionsApi, query: ConversionsQuery) -> dict[str, int]:
    pages, records, has_more = 0, 0, True
    while has_more:
        page = api.list_conversions(query).actual_instance
        if not isinstance(page, ConversionsPage):
            break
        pages += 1
        records += len(page.records)
        query.offset = page.pagination.records_processed
        has_more = page.pagination.has_more
    return {"pages": pages, "records": records}


configuration = Configuration(host=sys.argv[1], api_key={"key": "YOUR_API_KEY"})
summer = {"start_date": "2025-07-01", "end_date": "2025-08-15"}
with ApiClient(configuration) as client:
    queries = [json.loads(sys.argv[2]), summer, summer | {"source": "google.com"}]
    print(json.dumps([walk(ConversionsApi(client), ConversionsQuery(**query)) for query in queries]))
