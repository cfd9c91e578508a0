"""Load conversions with a Singer tap, made with Meltano's SDK. Use the right paginator."""

from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th
from singer_sdk.pagination import BaseAPIPaginator


class RecordsProcessed(BaseAPIPaginator):
    def has_more(self, response) -> bool:
        return response.json().get("pagination", {}).get("has_more", False)  # {"message": …} has no pagination

    def get_next(self, response) -> int:
        return response.json()["pagination"]["records_processed"]


class AddRecords(RecordsProcessed):
    """What goes wrong: the offset of a session query counts sessions, not records."""

    def get_next(self, response) -> int:
        return self.current_value + len(response.json()["records"])


class Conversions(RESTStream):
    name = "conversions"
    path = "/api/v1/conversions"
    http_method = "POST"
    records_jsonpath = "$.records[*]"
    primary_keys = ()  # records have no id
    schema = th.PropertiesList(th.Property("timestamp", th.StringType)).to_dict()

    @property
    def url_base(self) -> str:
        return self.config["url"]

    @property
    def http_headers(self) -> dict:
        return {"Authentication": self.config["key"]}

    def get_new_paginator(self) -> BaseAPIPaginator:
        return {"right": RecordsProcessed, "adds the number of records": AddRecords}[self.config["paginator"]](0)

    def prepare_request_payload(self, context, next_page_token) -> dict:
        return self.config["query"] | {"offset": next_page_token}


class ConversionsTap(Tap):
    name = "tap-conversions"
    config_jsonschema = th.PropertiesList(
        th.Property("url", th.StringType),
        th.Property("key", th.StringType),
        th.Property("query", th.ObjectType(additional_properties=True)),
        th.Property("paginator", th.StringType, default="right"),
    ).to_dict()

    def discover_streams(self) -> list:
        return [Conversions(self)]


def load(url: str, key: str, query: dict, paginator: str = "right") -> None:
    ConversionsTap(config={"url": url, "key": key, "query": query, "paginator": paginator}).sync_all()
