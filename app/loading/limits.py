"""How much of a file is in memory at once, so that no file can fill it: the same for every form. Decision 68."""

import io
from collections.abc import Iterator

LONGEST_FIELD = 1_048_576  # characters
LONGEST_LINE = 32 * 1_048_576  # bytes; a session with 80,000 conversions
LARGEST_DOCUMENT = 128 * 1_048_576  # bytes of JSON that is not one session per line

TOO_LONG = f"has more than {LONGEST_FIELD:,} characters, which is the most that a field can have."


def lines(reader: io.BufferedReader) -> Iterator[bytes]:
    """Return the lines of a file. Raises ValueError with a sentence if one is too long."""
    number = 0
    while line := reader.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise ValueError(f"Line {number} has more than {LONGEST_LINE:,} bytes, which is the most that a line can have.")
        yield line


def document(reader: io.BufferedReader) -> bytes:
    """Return the whole file. Raises ValueError with a sentence if it is too large."""
    raw = reader.read(LARGEST_DOCUMENT + 1)
    if len(raw) > LARGEST_DOCUMENT:
        raise ValueError(
            f"A JSON document can have {LARGEST_DOCUMENT:,} bytes. Write a larger one with one session per line, for example with "
            "jq -c '.[]' FILE."
        )
    return raw
