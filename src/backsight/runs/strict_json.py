"""JSON from files that anybody may have written: bounded, and with one meaning."""

import json
import re
from math import isfinite
from typing import Any

from backsight.errors import ModelFileError

#: Brackets inside brackets. Our files have four.
DEEPEST = 16

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKETS = re.compile(rb"[\[\]{}]")


def canonical_json(values: Any) -> bytes:
    """The one text of these plain values: keys in order, no spaces, numbers as Python prints them, exactly.

    Raises:
        ValueError: a number is not finite.

    >>> canonical_json({"b": 0.1, "a": [1, None]})
    b'{"a":[1,null],"b":0.1}'
    """
    return json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False).encode()


def read_object(text: bytes, what: str) -> dict[str, Any]:
    """The JSON object that a text holds.

    Args:
        text: whose length was bounded before it was read.
        what: to name in errors.

    Raises:
        ModelFileError: it is no UTF-8 or no JSON, nested too deeply, has a key twice, a number that is not finite or
            has thousands of digits, or is no object.

    >>> read_object(b'{"a": 1}', "model.json")
    {'a': 1}
    """
    depth = 0
    for bracket in _BRACKETS.finditer(_STRING.sub(b"", text)):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > DEEPEST:  # before Python's reader sees it, which goes down with every bracket
            raise ModelFileError(f"{what} is nested more than {DEEPEST} deep.")
    try:
        found = json.loads(
            text.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_finite
        )
    except (UnicodeDecodeError, json.JSONDecodeError, _BadValue) as error:
        raise ModelFileError(f"{what} is no JSON of ours: {error}.") from error
    except ValueError as error:  # Python refuses to read a whole number of thousands of digits
        raise ModelFileError(f"{what} holds a number that is too long.") from error
    if not isinstance(found, dict):
        raise ModelFileError(f"{what} must hold an object; it holds {type(found).__name__}.")
    return found


def read_canonical(text: bytes, what: str) -> dict[str, Any]:
    """The JSON object that a text holds, if it is the one text that `canonical_json` gives for it.

    Raises:
        ModelFileError: it is not; see `read_object`.

    >>> read_canonical(b'{"a":1}', "model.json")
    {'a': 1}
    """
    found = read_object(text, what)
    try:
        same = canonical_json(found) == text
    except UnicodeEncodeError:  # half of a pair of surrogates, which is no character
        same = False
    if not same:
        raise ModelFileError(f"{what} is not written as we write it.")
    return found


class _BadValue(ValueError):
    """What JSON would let pass."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _BadValue(f"key {next(n for n in names if names.count(n) > 1)!r} is there twice")
    return found


def _finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise _BadValue(f"{digits[:20]} is too large")
    return number


def _no_constant(name: str) -> Any:
    raise _BadValue(f"{name} is no number")
