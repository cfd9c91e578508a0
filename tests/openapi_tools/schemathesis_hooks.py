"""What Schemathesis needs and the OpenAPI document does not show: the exact pattern of a date, and how to follow the link."""

import schemathesis
from conversions_api.instants import PATTERN


@schemathesis.hook
def before_load_schema(context, raw_schema):
    # Whether a second 60 is valid depends on the offset, which a pattern cannot compute: none is sent.
    pattern = f"^{PATTERN.pattern.replace('|60', '')}$"
    properties = raw_schema["components"]["schemas"]["ConversionsQuery"]["properties"]
    for date in ("start_date", "end_date"):
        properties[date]["pattern"] = pattern
    ok = raw_schema["paths"]["/api/v1/conversions"]["post"]["responses"]["200"]
    ok["links"]["next-page"]["requestBody"] = {"offset": "$response.body#/pagination/records_processed"}
