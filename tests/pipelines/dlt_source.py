"""Load conversions with dlt. Use the right paginator: each of the wrong ones loads something too."""

from itertools import islice

from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.auth import APIKeyAuth
from dlt.sources.helpers.rest_client.paginators import JSONResponseCursorPaginator, RangePaginator

CURSOR = {"cursor_path": "pagination.records_processed", "cursor_body_path": "offset"}


class RecordsProcessed(JSONResponseCursorPaginator):
    """Sets offset to records_processed until has_more is false."""

    def __init__(self):
        super().__init__(**CURSOR, has_more_path="pagination.has_more")

    def update_state(self, response, data=None):
        if "pagination" in response.json():
            super().update_state(response, data)
        else:  # {"message": "No conversions matched the given filters."}
            self._has_next_page = False


PAGINATORS = {
    "right": RecordsProcessed,
    "ignores has_more": lambda: JSONResponseCursorPaginator(**CURSOR),
    "adds 50": lambda: RangePaginator(
        param_name=None,
        param_body_path="offset",
        initial_value=0,
        value_step=50,
        total_path="pagination.total_records",
        error_message_items="conversions",
    ),
    "automatic": lambda: None,
}


def load(url: str, key: str, query: dict, paginator: str = "right") -> None:
    client = RESTClient(url, auth=APIKeyAuth(name="Authentication", api_key=key, location="header"))
    pages = client.paginate(
        "/api/v1/conversions", method="POST", json=query, paginator=PAGINATORS[paginator](), data_selector="records"
    )
    for _ in islice(pages, 30):  # a paginator that ignores has_more never ends
        pass
