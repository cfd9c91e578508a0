"""Recognise the format of a file by its content, and load the sessions in it. Decisions 43, 45."""

import gzip
import io
import re
import zlib
from collections.abc import Iterator

from . import csv_files, json_files
from .csv_files import Columns
from .faults import Faults

_LOOKED_AT = 64 * 1024  # bytes at a file's beginning
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# What else people try, by how it begins, and what to do about it.
_FOREIGN = [
    (rb"\xff\xfe|\xfe\xff|[^\0]\0[^\0]\0|\0[^\0]\0[^\0]", "UTF-16 text", "save it as UTF-8"),
    (rb"PK\x03\x04", "a spreadsheet (.xlsx) or another ZIP archive", "export the sheet as CSV, or unpack the archive"),
    (rb"\xd0\xcf\x11\xe0", "an old Excel file (.xls)", "export the sheet as CSV"),
    (rb"SQLite format 3\0", "a SQLite database", "export a table with sqlite3 -header -csv FILE 'SELECT …'"),
    (rb"PAR1", "a Parquet file", "export it as CSV or JSON Lines, for example with DuckDB"),
    (rb"%PDF", "a PDF document", "export the data as CSV"),
    (rb"BZh|\xfd7zXZ|\x28\xb5\x2f\xfd", "a compressed file that is not gzip", "decompress it first"),
    (rb"\s*<[!?a-zA-Z]", "HTML or XML", "check that the download worked, and export CSV or JSON"),
    (rb"\S+ \S+ \S+ \[\d+/\w+/\d+:", "the log of a web server", "turn it into CSV first; the README has a script"),
]


def load(file: io.RawIOBase, columns: Columns, faults: Faults) -> Iterator[tuple[str, dict]]:
    """Load the sessions of a file: each with its place in the file, as imported.load returns it.

    What is wrong with a session is added to the faults. Raises ValueError with a sentence if the format is not one of these.
    """
    reader: io.BufferedReader = io.BufferedReader(file, _LOOKED_AT)
    if reader.peek().startswith(b"\x1f\x8b"):
        reader = io.BufferedReader(gzip.GzipFile(fileobj=reader), _LOOKED_AT)
    try:
        if reader.peek().startswith(_BYTE_ORDER_MARK):
            reader.read(len(_BYTE_ORDER_MARK))
        yield from _load(reader, columns, faults)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"The gzip file is damaged or incomplete, and nothing was changed: {error}.") from None


def _load(reader: io.BufferedReader, columns: Columns, faults: Faults) -> Iterator[tuple[str, dict]]:
    start = reader.peek()
    for pattern, name, advice in _FOREIGN:
        if re.match(pattern, start):
            raise ValueError(f"This looks like {name}: {advice}.")
    if not start.strip():
        return
    if start.lstrip()[:1] in (b"{", b"["):
        if columns:
            raise ValueError("--column and --set are about the columns of a CSV file, and this is JSON.")
        yield from json_files.load(reader, start, faults)
    elif csv_files.is_csv(start, columns):
        yield from csv_files.load(reader, start, columns, faults)
    else:
        line = start.strip().partition(b"\n")[0].decode(errors="replace").strip()
        raise ValueError(f"This is neither JSON nor CSV with a header. It begins with: {line[:60]}")
