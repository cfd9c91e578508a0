"""What is wrong with an imported file: where, in which field, the value, and what would be right. Decision 30."""

import json
import re

from marshmallow import ValidationError

from app import fields

LONGEST_VALUE = 60  # characters of a value that a fault shows


class Faults(ValueError):
    """The first faults of a file, and how many there are in all."""

    def __init__(self):
        self.sentences: list[str] = []
        self.count = 0
        self.advice = ""  # how to go on

    def add(self, place: str, field: str, sentence: str) -> None:
        self.count += 1
        if self.count <= fields.MOST_FAULTS:
            self.sentences.append(f"{place}{', ' + field if field else ''}: {sentence}")

    def add_all(self, place: str, error: ValidationError, given: object) -> None:
        """Add what marshmallow says about the fields of what was given."""
        for field, sentences in fields.flat(error.messages).items():
            for sentence in sentences:
                self.add(place, field, sentence + shown(value_at(given, field), sentence))

    def __str__(self) -> str:
        lines = ["The file has faults, and nothing was changed.", *self.sentences]
        if self.count > len(self.sentences):
            lines.append(f"… and {self.count - len(self.sentences)} more")
        return "\n".join(lines + [self.advice] * bool(self.advice))


def value_at(given: object, field: str) -> object:
    """Return the value of a field such as conversions.0.timestamp; None if it is missing."""
    for name in field.split(".") if field else []:
        try:
            given = given[int(name) if isinstance(given, list) else name]
        except (LookupError, TypeError, ValueError):
            return None
    return given


def shown(value: object, sentence: str) -> str:
    """Return what to add to a sentence about the value, so that it shows it."""
    is_there = value != "" and re.search(rf"(?<![\w/]){re.escape(str(value))}(?![\w/])", sentence)
    if value is None or is_there or sentence.startswith("Unknown field"):
        return ""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return f" Found: {text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + '…'}"
