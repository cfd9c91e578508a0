"""Load conversions with dlt: python dlt_source.py URL KEY QUERY. The paginator is what counts."""

import json
import sys
from itertools import islice

from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.auth import APIKeyAuth
from dlt.sources.helpers.rest_client.paginators import JSONResponseCursorPaginator, OffsetPaginator

MOST_PAGES = 100

PAGINATORS = {
    "right": lambda: JSONResponseCursorPaginator(
        cursor_path="pagination.records_processed", cursor_body_path="offset", has_more_path="pagination.has_more"
    ),
    # What goes wrong, and how
    "without has_more_path": lambda: JSONResponseCursorPaginator(
        cursor_path="pagination.records_processed", cursor_body_path="offset"
    ),
    "offset": lambda: OffsetPaginator(
        limit=50, limit_body_path="", offset_body_path="offset", total_path="pagination.total_records"
    ),
    "automatic": lambda: None,
}


def records(url: str, key: str, query: dict, paginator: str = "right") -> int:
    client = RESTClient(url, auth=APIKeyAuth(name="Authentication", api_key=key, location="header"))
    pages = client.paginate(
        "/api/v1/conversions", method="POST", json=query, paginator=PAGINATORS[paginator](), data_selector="records"
    )
    return sum(len(page) for page in islice(pages, MOST_PAGES))


if __name__ == "__main__":
    print(records(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), *sys.argv[4:]))
