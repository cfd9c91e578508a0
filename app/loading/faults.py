"""What is wrong with an imported file: where, in which field, and what would be right. Decision 30."""

from ..fields import MOST_FAULTS


class Faults(ValueError):
    """The first faults of a file, and how many there are in all."""

    def __init__(self):
        self.sentences: list[str] = []
        self.count = 0
        self.advice = ""  # how to go on
        self.options: list[str] = []  # with which the file can be imported, as far as its beginning tells
        self.otherwise = ""  # what to do if they are wrong

    def add(self, place: str, field: str, *sentences: str) -> None:
        shown = sentences[: max(MOST_FAULTS - self.count, 0)]
        self.sentences += [f"{place}{', ' + field if field else ''}: {sentence}" for sentence in shown]
        self.count += len(sentences)

    def __str__(self) -> str:
        lines = ["The file has faults, and nothing was changed.", *self.sentences]
        if self.count > len(self.sentences):
            lines.append(f"… and {self.count - len(self.sentences)} more")
        return "\n".join(lines + [self.advice] * bool(self.advice))
