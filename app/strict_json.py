"""JSON read to the letter of RFC 8259, with one exception: a comma after the last member of an object or array. Decision 3.

The published examples carry such a comma. What Python's own reader would let through beyond the RFC is refused here.
"""

import json
import re
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from itertools import accumulate

DEEPEST = 32  # nested objects and arrays
LONGEST_NUMBER = 100  # characters

_BLANK = " \t\n\r"
# A string is taken whole, even one that nobody closed, so that what stands in it is never looked at, nor twice.
_STRING = r'"(?:[^"\\]|\\.)*+"?'
_LAST_COMMA = rf"[{_BLANK}]*+,(?=[{_BLANK}]*+[}}\]])"
_MENDABLE = re.compile(rf"{_STRING}(?:{_LAST_COMMA})?|[^{_BLANK},:\[{{]{_LAST_COMMA}|NaN|-?Infinity", re.DOTALL)
_NESTING = re.compile(rf"{_STRING}|[\[{{}}\]]", re.DOTALL)
# An escape: of two surrogates that make a character, of a surrogate alone (what this finds), or any other.
_ESCAPE = re.compile(r"\\u[dD][89abAB]..\\u[dD][c-fC-F]|\\u([dD][89a-fA-F])|\\.", re.DOTALL)


def parse(raw: bytes):
    """The value that the text stands for; a number with a fraction or an exponent becomes a Decimal, so that none is rounded.

    Raises ValueError with a sentence that names the place of the fault.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError as fault:
        raise ValueError(f"is not UTF-8 at byte {fault.start + 1}") from None
    if text.count("[") + text.count("{") > DEEPEST and _depth(text) > DEEPEST:
        raise ValueError(f"is nested more than {DEEPEST} deep")
    value = _decode(text)
    for escape in _ESCAPE.finditer(text):
        if escape[1]:
            raise ValueError(f"has a lone surrogate, which is no character, {_place(text, escape.start())}")
    return value


def _decode(text: str):
    with suppress(json.JSONDecodeError):
        return _decoder.decode(text)
    try:
        return _decoder.decode(_MENDABLE.sub(_mended, text))
    except json.JSONDecodeError as fault:
        stands = repr(text[fault.pos]) if fault.pos < len(text) else "its end"
        raise ValueError(f"is not valid JSON {_place(text, fault.pos)}, where {stands} stands") from None


def _place(text: str, position: int) -> str:
    line_start = text.rfind("\n", 0, position) + 1
    return f"at line {text.count(chr(10), 0, position) + 1}, column {position - line_start + 1}"


def _mended(token: re.Match) -> str:
    """A last comma becomes a space, and what JSON has no constant for cannot be read: a fault keeps its line and column."""
    if token[0].endswith(","):
        return token[0][:-1] + " "
    return token[0] if token[0].startswith('"') else "?" + token[0][1:]


def _depth(text: str) -> int:
    steps = {"[": 1, "{": 1, "]": -1, "}": -1}
    return max(accumulate(steps.get(token, 0) for token in _NESTING.findall(text)))


def _object(members: list[tuple]) -> dict:
    found = dict(members)
    if len(found) < len(members):
        names = [name for name, _ in members]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"has the key {twice!a} twice in one object")
    return found


def _integer(digits: str) -> int:
    return int(_sane(digits))


def _number(digits: str) -> Decimal:
    try:
        return Decimal(_sane(digits))
    except InvalidOperation:
        raise ValueError(f"has the number {digits}, which is too large to represent") from None


def _sane(digits: str) -> str:
    if len(digits) > LONGEST_NUMBER:
        raise ValueError(f"has a number of {len(digits)} characters; {LONGEST_NUMBER} are the most")
    return digits


def _refuse_constant(name: str):
    raise json.JSONDecodeError("is no JSON", name, 0)  # without its place, which is found when the mended text is read


_decoder = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_float=_number, parse_constant=_refuse_constant)
