"""Recognise the format of a file by its content, and load the sessions in it. Decisions 43, 45."""

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, cast

from . import csv_files, json_files
from .columns import KINDS, Columns
from .faults import Faults

_LOOKED_AT = 64 * 1024  # bytes at a file's beginning
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_FOREIGN = [(kind["begins"].encode(), kind["what"], kind["advice"]) for kind in KINDS["foreign"]]


def load(file: IO[bytes], columns: Columns, faults: Faults) -> Iterator[tuple[str, dict]]:
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
        yield from _load(reader, columns, faults)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"The gzip file is damaged or incomplete, and nothing was changed: {error}.") from None
    finally:
        with suppress(ValueError):  # the file is closed already
            buffer.detach()  # otherwise it would close the file


def _load(reader: io.BufferedReader, columns: Columns, faults: Faults) -> Iterator[tuple[str, dict]]:
    start = reader.peek()
    for pattern, name, advice in _FOREIGN:
        if re.match(pattern, start):
            raise ValueError(f"This looks like {name}: {advice}.")
    start = start.lstrip()
    if not start:
        return
    if start[:1] in (b"{", b"["):
        yield from json_files.load(reader, start, columns, faults)
    elif csv_files.is_csv(start, columns):
        yield from csv_files.load(reader, start, columns, faults)
    else:
        line = start.partition(b"\n")[0].decode(errors="replace").strip()
        raise ValueError(f"This is neither JSON nor CSV with a header. It begins with: {line[:60]}")
