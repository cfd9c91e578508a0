"""Recognise the format of a file by its content, and load the sessions in it. Decisions 43, 45, 68."""

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from typing import IO, cast

from . import json_files, rows
from .columns import KINDS, Columns

# How much of a file is in memory at once, so that no file can fill it.
LONGEST_LINE = 32 * 1_048_576  # bytes; a session with 80,000 conversions
LARGEST_DOCUMENT = 128 * 1_048_576  # bytes of JSON that is not one session per line

_LOOKED_AT = 64 * 1024  # bytes at a file's beginning
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def load(file: IO[bytes], columns: Columns) -> Iterator[tuple[str, dict]]:
    """Load the sessions of a file: each with its place in the file, as imported.load returns it.

    What is wrong with a session is added to the faults. Raises ValueError with a sentence if the format is not one of these.
    """
    reader: io.BufferedReader = io.BufferedReader(cast(io.RawIOBase, file), _LOOKED_AT)
    buffer = reader
    if reader.peek().startswith(b"\x1f\x8b"):
        reader = io.BufferedReader(gzip.GzipFile(fileobj=reader), _LOOKED_AT)
    try:
        if reader.peek().startswith(_BYTE_ORDER_MARK):
            reader.read(len(_BYTE_ORDER_MARK))
        yield from _load(reader, columns)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"The gzip file is damaged or incomplete, and nothing was changed: {error}.") from None
    finally:
        with suppress(ValueError):  # the file is closed already
            buffer.detach()  # otherwise it would close the file


def _load(reader: io.BufferedReader, columns: Columns) -> Iterator[tuple[str, dict]]:
    start = reader.peek()
    for kind in KINDS["foreign"]:
        if re.match(kind["begins"].encode(), start):
            raise ValueError(f"This looks like {kind['what']}: {kind['advice']}.")
    start = start.lstrip()
    if not start:
        return
    if start[:1] in (b"{", b"["):
        yield from json_files.load([("", _document(reader))] if json_files.is_document(start) else _lines(reader), columns)
    elif rows.is_csv(start, columns):
        yield from rows.load_csv((line for _, line in _lines(reader)), start, columns)
    else:
        line = start.partition(b"\n")[0].decode(errors="replace").strip()
        raise ValueError(f"This is neither JSON nor CSV with a header. It begins with: {line[:60]}")


def _lines(reader: io.BufferedReader) -> Iterator[tuple[str, bytes]]:
    """Return the lines of a file with their places. Raises ValueError with a sentence if one is too long."""
    for number in count(1):
        line = reader.readline(LONGEST_LINE + 1)
        if len(line) > LONGEST_LINE:
            raise ValueError(f"Line {number} has more than {LONGEST_LINE:,} bytes, which is the most that a line can have.")
        if not line:
            return
        yield f"line {number}", line


def _document(reader: io.BufferedReader) -> bytes:
    """Return the whole file. Raises ValueError with a sentence if it is too large."""
    raw = reader.read(LARGEST_DOCUMENT + 1)
    if len(raw) > LARGEST_DOCUMENT:
        raise ValueError(
            f"A JSON document can have {LARGEST_DOCUMENT:,} bytes. Write a larger one with one session per line, for example with "
            "jq -c '.[]' FILE."
        )
    return raw
