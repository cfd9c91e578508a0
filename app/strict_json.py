"""A strict JSON parser: RFC 8259, except that a comma after the last member of an object or array is accepted. Decision 3.

The published examples end in such a comma. Python's own parser accepts more than the RFC does; that is refused here.
"""

import json
import re
from collections import Counter
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from functools import partial
from itertools import accumulate

DEEPEST = 32  # levels of objects and arrays
LONGEST_NUMBER = 100  # characters
LONGEST_SHOWN = 60  # characters of a value in an error sentence

# What each pattern matches, on an example:

_BLANK = " \t\n\r"

# {"a": "b, \"]\""}   "a" and "b, \"]\""
# ["a                 "a, up to the end of the text: a string is always matched whole, so nothing inside it is searched
_STRING = r'"(?:[^"\\]|\\.)*+"?'

# [1, 2 , ]           the " ," after 2; what follows the comma is only looked at
# {"a": 1,}           the "," after 1
_LAST_COMMA = rf"[{_BLANK}]*+,(?=[{_BLANK}]*+[}}\]])"

# What is replaced before the second try:
# ["a,]", "b", ]      "a,]" (which stays as it is) and "b", with its comma
# [1, 23, ]           3, with its comma: a last comma needs the end of a value before it, so [,] and [1,,] stay faulty
# [NaN, "NaN"]        NaN and "NaN" (which stays as it is)
_REPLACED = re.compile(rf"{_STRING}(?:{_LAST_COMMA})?|[^{_BLANK},:\[{{]{_LAST_COMMA}|NaN|-?Infinity", re.DOTALL)

# [{"a": "[["}]       [ and { and "a" and "[[" and } and ]
_NESTING = re.compile(rf"{_STRING}|[\[{{}}\]]", re.DOTALL)

# \ud83d\ude00        the pair, which is one character
# \ud83d or \ude00    a surrogate without its partner: the only case in which group 1 matches
# \\ud83d             \\ and nothing else, because an escaped backslash is matched first
_ESCAPE = re.compile(r"\\u[dD][89abAB]..\\u[dD][c-fC-F]|\\u([dD][89a-fA-F]..)|\\.", re.DOTALL)


def parse(raw: bytes):
    """Return the value of a JSON text; a number with a fraction or an exponent becomes a Decimal, so that none is rounded.

    Raises ValueError with the second half of a sentence, such as "is not valid JSON …", that says where the fault is.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 at byte {error.start + 1}") from None
    if text.count("[") + text.count("{") > DEEPEST and _depth(text) > DEEPEST:
        raise ValueError(f"is nested more than {DEEPEST} levels deep")
    value = _decode(text)
    for escape in _ESCAPE.finditer(text):
        if escape[1]:
            raise ValueError(f"has \\u{escape[1]}, half of a surrogate pair, {_place(text, escape.start())}")
    return value


def shown(value) -> str:
    """Return a parsed value as JSON, cut at 60 characters, for an error sentence."""
    text = _as_json(value)
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"


def _as_json(value) -> str:
    if isinstance(value, Decimal):
        return str(value)  # with all of its digits, and even if it is too large for a float
    if isinstance(value, list):
        return f"[{', '.join(map(_as_json, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_as_json(name)}: {_as_json(inner)}' for name, inner in value.items())}}}"
    return json.dumps(value, ensure_ascii=False)


def _decode(text: str):
    with suppress(json.JSONDecodeError):
        return _decoder.decode(text)
    try:
        return _decoder.decode(_REPLACED.sub(_replacement, text))
    except json.JSONDecodeError as error:
        found = f"unexpected {text[error.pos]!r}" if error.pos < len(text) else "unexpected end"
        raise ValueError(f"is not valid JSON: {found} {_place(text, error.pos)}") from None


def _place(text: str, position: int) -> str:
    line_start = text.rfind("\n", 0, position) + 1
    return f"at line {text.count(chr(10), 0, position) + 1}, column {position - line_start + 1}"


def _replacement(token: re.Match) -> str:
    """Replace the comma after a last member by a space, or a constant that JSON does not have by an error of the same length."""
    if token[0].endswith(","):
        return token[0][:-1] + " "
    return token[0] if token[0].startswith('"') else "?" + token[0][1:]


def _depth(text: str) -> int:
    steps = {"[": 1, "{": 1, "]": -1, "}": -1}
    return max(accumulate(steps.get(token, 0) for token in _NESTING.findall(text)))


def _object(members: list[tuple]) -> dict:
    found = dict(members)
    if len(found) < len(members):
        twice = next(name for name, times in Counter(name for name, _ in members).items() if times > 1)
        raise ValueError(f"has the key {shown(twice)} twice in one object")
    return found


def _number(digits: str, kind: type = Decimal):
    if len(digits) > LONGEST_NUMBER:
        raise ValueError(f"has a number of {len(digits)} characters, {digits[:20]}…; the longest allowed has {LONGEST_NUMBER}")
    try:
        return kind(digits)
    except InvalidOperation:
        raise ValueError(f"has the number {digits}, which is too large to represent") from None


def _refuse_constant(name: str):
    raise json.JSONDecodeError("not JSON", name, 0)  # its place is found when the replaced text is parsed


_integer = partial(_number, kind=int)
_decoder = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_float=_number, parse_constant=_refuse_constant)
