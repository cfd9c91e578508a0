"""Write the responses of app/openapi/examples.json, which the OpenAPI document shows: python -m tests.tools.examples

They are what the server returns for the bundled data. tests/test_openapi.py compares them. Run this after you change a message.
"""

import json
import tempfile
from pathlib import Path

from conversions_api.body import LARGEST_BODY

from tests.conftest import REPOSITORY, Hub

FILE = REPOSITORY / "app" / "openapi" / "examples.json"


def true_responses(hub: Hub, empty: Hub) -> dict[str, dict]:
    """Return the examples by status and name: responses of a server with the bundled data, and of one without a database."""
    events = json.loads(FILE.read_text(encoding="utf-8"))["requests"]["events"]["value"]
    key = "YOUR_API_KEY"

    def ask(query: dict, **more):
        return hub.post(json.dumps(query), **{"key": key} | more)

    sent = {
        "events": ("A page: the response to the request of the same name", ask(events)),
        "past-the-end": ("The same request with offset 11, which is past the end", ask(events | {"offset": 11})),
        "nothing-found": ("No conversion matches the filters", ask({"meta_id": "no-such-form"})),
        "unknown-field": ("A misspelt field", ask({"sorce": "google.com"})),
        "wrong-values": ("Values of the wrong type or form", ask({"offset": -1, "source": None, "start_date": "15.07.2025"})),
        "not-json": ("Invalid JSON", hub.post("{'source': 'google.com'}", key)),
        "filter-in-the-url": ("A filter in the URL", ask({}, query_string={"source": "google.com"})),
        "no-key": ("No key", ask({}, key=None)),
        "unknown-key": ("An unknown key", ask({}, key="unknown")),
        "get": ("The method GET", hub.client.get("/api/v1/conversions")),
        "too-large": ("A body of 65,537 bytes", hub.post(" " * (LARGEST_BODY + 1), key)),
        "text": ("The content type text/plain", hub.post("{}", key, "text/plain")),
        "limit": ("The key over-limit", ask({}, key="over-limit")),
        "no-database": ("No database", empty.post("{}", key)),
    }
    examples = {}
    for name, (summary, response) in sent.items():
        examples.setdefault(str(response.status_code), {})[name] = {"summary": summary, "value": response.json}
    return examples


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        hub = Hub(Path(folder) / "conversions.sqlite")
        hub.run("seed")
        examples = json.loads(FILE.read_text(encoding="utf-8"))
        examples["responses"] = true_responses(hub, Hub(Path(folder) / "missing.sqlite"))
    FILE.write_text(json.dumps(examples, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
