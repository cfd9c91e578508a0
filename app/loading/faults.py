"""What is wrong with an imported file: where, in which field, and what would be right. Decision 30."""

from marshmallow import ValidationError

from .. import fields


class Faults(ValueError):
    """The first faults of a file, and how many there are in all."""

    def __init__(self):
        self.sentences: list[str] = []
        self.count = 0
        self.advice = ""  # how to go on
        self.options: list[str] = []  # with which the file can be imported, as far as its beginning tells
        self.otherwise = ""  # what to do if they are wrong

    def add(self, place: str, field: str, sentence: str) -> None:
        self.count += 1
        if self.count <= fields.MOST_FAULTS:
            self.sentences.append(f"{place}{', ' + field if field else ''}: {sentence}")

    def add_all(self, place: str, error: ValidationError) -> None:
        """Add what marshmallow says about the fields."""
        for field, sentences in fields.flat(error.messages_dict).items():
            for sentence in sentences:
                self.add(place, field, sentence)

    def __str__(self) -> str:
        lines = ["The file has faults, and nothing was changed.", *self.sentences]
        if self.count > len(self.sentences):
            lines.append(f"… and {self.count - len(self.sentences)} more")
        return "\n".join(lines + [self.advice] * bool(self.advice))
