"""What Schemathesis needs and the OpenAPI document does not show: which dates are valid, and how to follow the link.

It imports nothing but Schemathesis, which most people have in an environment of its own.
"""

import schemathesis

# Days that exist in every month. Whether a second 60 is valid depends on the offset, which a pattern cannot compute: none is sent.
DATE = "((?:[1-9][0-9]{3}|0[1-9][0-9]{2})-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8]))"
TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]+)?)?"
ZONE = "(?:[Zz]|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)?"


@schemathesis.hook
def before_load_schema(context, raw_schema):
    properties = raw_schema["components"]["schemas"]["ConversionsQuery"]["properties"]
    for date in ("start_date", "end_date"):
        properties[date]["pattern"] = f"^{DATE}(?:[Tt ]{TIME}{ZONE})?$"
    ok = raw_schema["paths"]["/api/v1/conversions"]["post"]["responses"]["200"]
    ok["links"]["next-page"]["requestBody"] = {"offset": "$response.body#/pagination/records_processed"}
