"""The sentences of the published text, numbered S1 to S76 in sentences.json, and which of them a check quotes."""

import json
import re
from functools import lru_cache
from pathlib import Path

SENTENCES: dict[str, str] = json.loads((Path(__file__).parent / "sentences.json").read_text(encoding="utf-8"))
# Beyond the text, a check says what this project decided.
OUR_READING = "Our reading: "


def plain(text: str) -> str:
    """Leave out what a quotation can do differently: white space, the kind of apostrophe, a final full stop."""
    return re.sub(r"\s+", "", text).replace("’", "'").rstrip(".…,")


PLAIN = {number: plain(sentence) for number, sentence in SENTENCES.items()}


@lru_cache(maxsize=1000)
def quoted(text: str) -> list[str]:
    """Return the numbers of the sentences that a text quotes, in “…”; an ellipsis stands for what is left out."""
    parts = [part for quotation in re.findall(r"“([^”]+)”", text) for part in quotation.split("…") if plain(part)]
    numbers = [number for part in parts for number in SENTENCES if plain(part) in PLAIN[number]]
    return list(dict.fromkeys(numbers))


def split(text: str) -> tuple[str, str]:
    """Divide the first paragraph of a check's text into the published sentence and our reading of it."""
    paragraph = text.strip().partition("\n\n")[0]
    sentence, _, reading = " ".join(paragraph.split()).partition(OUR_READING)
    return sentence.strip(), reading.strip()
