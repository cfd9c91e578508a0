"""Load conversions with dlt. Use the right paginator: each of the wrong ones loads something too."""

from dlt.sources.helpers.rest_client.paginators import JSONResponseCursorPaginator, RangePaginator
from dlt.sources.rest_api import rest_api_source

CURSOR = {"cursor_path": "pagination.records_processed", "cursor_body_path": "offset"}

PAGINATORS = {
    "right": lambda: JSONResponseCursorPaginator(**CURSOR, has_more_path="pagination.has_more"),
    "ignores has_more": lambda: JSONResponseCursorPaginator(**CURSOR),
    "adds 50": lambda: RangePaginator(
        param_name=None,
        param_body_path="offset",
        initial_value=0,
        value_step=50,
        total_path="pagination.total_records",
        error_message_items="conversions",
    ),
    "automatic": lambda: "auto",
}


def load(url: str, key: str, query: dict, paginator: str = "right") -> None:
    endpoint = {
        "path": "api/v1/conversions",
        "method": "POST",
        "json": query,
        "paginator": PAGINATORS[paginator](),
        "data_selector": "records",
        # Without records there is nothing to select, and no has_more.
        "response_actions": [{"content": "No conversions matched", "action": "ignore"}],
    }
    auth = {"type": "api_key", "name": "Authentication", "api_key": key, "location": "header"}
    source = rest_api_source(
        {"client": {"base_url": url, "auth": auth}, "resources": [{"name": "conversions", "endpoint": endpoint}]}
    )
    # A paginator that ignores has_more never ends: it gets 30 pages.
    for _ in source.resources["conversions"].add_limit(30):
        pass
