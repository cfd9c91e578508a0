"""Reads [name, body] pairs from standard input and parses each body with that pydantic model of datamodel-code-generator."""

import json
import sys

import conversions

for name, body in json.load(sys.stdin):
    model = getattr(conversions, name).model_validate(body)
    assert model.model_dump(mode="json", exclude_unset=True) == body, name
