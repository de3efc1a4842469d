"""How large a value is as DynamoDB counts it, and what DynamoDB does not take at any depth; for the plan.

The sizes are those of AWS's page "DynamoDB item sizes and formats": an attribute is the UTF-8 bytes of its name and its
value; text and binary are their bytes, true, false and NULL one byte, a set its members; a map or list 3 bytes, and
each member its own size and one byte. A number is "approximately" a byte for every two significant digits and one more:
what it takes at least is counted here. So a row that DynamoDB holds is never called too large; one that is too large by
no more than its numbers' signs and places is left to DynamoDB itself, which refuses that row alone.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

import orjson

from ..errors import UnreadableValueError
from .values import canonical_number

DEPTH = 32
"""Levels of values: an attribute's own is the first."""
NUMBER_DIGITS = 38
INTEGER_DIGITS = 126
"""Digits before the point of the largest number, 9.99…E+125."""
FRACTION_ZEROS = 129
"""Zeros after the point of the smallest positive number, 1E-130."""
NAME_BYTES = 65_535


class _FaultError(Exception):
    """What DynamoDB would refuse, in words that follow an attribute's name."""


def text_bytes(text: str | None, nested: bool) -> int | None:
    """Bytes of the attributes in this DynamoDB JSON, at least; `nested`: they are the members of one map, which counts
    itself. None for null and for what `text_fault` finds fault with."""
    if text is None:
        return None
    try:
        members = orjson.loads(text)
        return _map(members, 1) if nested else _attributes(members)
    except (_FaultError, orjson.JSONDecodeError):
        return None


def text_fault(text: str | None, nested: bool) -> str | None:
    """Why DynamoDB would not take the attributes in this DynamoDB JSON, at any depth; None where it would."""
    if text is None:
        return None
    try:
        members = orjson.loads(text)
    except orjson.JSONDecodeError:  # also what is nested deeper than a thousand levels
        return "is not readable JSON"
    try:
        if nested:
            _map(members, 1)
        else:
            _attributes(members)
    except _FaultError as fault:
        return str(fault)
    return None


def _attributes(members: Any) -> int:
    """Bytes of an item's attributes."""
    if not isinstance(members, dict):
        raise _FaultError("is not a JSON object")
    size = 0
    for name, value in members.items():
        if not name and isinstance(value, list):  # the names of attributes that are NULL (`names.NULLS`)
            size += sum(len(each.encode()) + 1 for each in value)
            continue
        length = len(name.encode())
        if not 0 < length <= NAME_BYTES:
            raise _FaultError(f"has an attribute whose name has {length} bytes, 1 to {NAME_BYTES} are allowed")
        try:
            size += length + _value(value, 1)
        except _FaultError as fault:
            raise _FaultError(f"has in {name[:80]!r} what {fault}") from None
    return size


def _value(value: Any, depth: int) -> int:
    """Bytes of a typed value at this level."""
    if depth > DEPTH:
        raise _FaultError(f"is nested deeper than {DEPTH} levels")
    if not isinstance(value, dict) or len(value) != 1:
        raise _FaultError(f"is not a DynamoDB value: {orjson.dumps(value)[:80].decode(errors='replace')}")
    ((tag, content),) = value.items()
    if tag == "M":
        return _map(content, depth)
    if tag == "L":
        return _list(content, depth)
    size = _SIZES.get(tag)
    if size is None:
        raise _FaultError(f"is of a type that DynamoDB does not have, {tag[:80]!r}")
    return size(content)


def _string(content: Any) -> int:
    if not isinstance(content, str):
        raise _FaultError(f"should be a string, but is {type(content).__name__}")
    return len(content.encode())


def _number(content: Any) -> int:
    fault, digits = number_fault(content)
    if fault is not None:
        raise _FaultError(fault)
    return (digits + 1) // 2 + 1


def number_fault(text: Any) -> tuple[str | None, int]:
    """Why DynamoDB would not take the number, if so, and its significant digits."""
    if not isinstance(text, str):
        return f"should be a number, but is {type(text).__name__}, not the text of one", 0
    if text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS:
        return None, len(text.strip("0"))
    if len(text) > 1_000:  # no notation of a number in range needs as many
        return f"is a number of {len(text)} characters", 0
    try:
        plain = canonical_number(_bounded(text)).lstrip("-")
    except (ArithmeticError, ValueError, UnreadableValueError):
        return f"is not a number that DynamoDB can hold: {text[:60]!r}", 0
    whole, _, fraction = plain.partition(".")
    digits = len((whole + fraction).strip("0"))
    if digits > NUMBER_DIGITS:
        return f"has {digits} significant digits, {NUMBER_DIGITS} are allowed", digits
    zeros = len(fraction) - len(fraction.lstrip("0"))
    if len(whole) > INTEGER_DIGITS or (whole == "0" and zeros > FRACTION_ZEROS):
        return "is beyond the numbers that DynamoDB holds (1E-130 to 9.99E+125)", digits
    return None, digits


def _bounded(text: str) -> str:
    """The number, if written out it is not millions of digits. Raises `ValueError`."""
    _, _, exponent = text.upper().partition("E")
    if exponent and abs(int(exponent)) > 1_000:
        raise ValueError(text)
    return text


def _binary(content: Any) -> int:
    try:
        return len(base64.b64decode(content, validate=True))
    except (binascii.Error, TypeError, ValueError):
        raise _FaultError("should be binary, but is not base64") from None


def _one(content: Any) -> int:
    if not isinstance(content, bool):
        raise _FaultError(f"should be true or false, but is {type(content).__name__}")
    return 1


def _null(content: Any) -> int:
    if content is not True:
        raise _FaultError("should be NULL: true, but is not")
    return 1


def _set(member: Callable[[Any], int], same: Callable[[Any], Any]) -> Callable[[Any], int]:
    def size(content: Any) -> int:
        if not isinstance(content, list) or not content:
            raise _FaultError("is an empty set")
        bytes_ = sum(member(each) for each in content)
        if len({same(each) for each in content}) < len(content):
            raise _FaultError("is a set that has a member twice")
        return bytes_

    return size


def _map(content: Any, depth: int) -> int:
    if not isinstance(content, dict):
        raise _FaultError(f"should be a map, but is {type(content).__name__}")
    return 3 + sum(len(name.encode()) + _value(value, depth + 1) + 1 for name, value in content.items())


def _list(content: Any, depth: int) -> int:
    if not isinstance(content, list):
        raise _FaultError(f"should be a list, but is {type(content).__name__}")
    return 3 + sum(_value(value, depth + 1) + 1 for value in content)


_SIZES: dict[str, Callable[[Any], int]] = {
    "S": _string,
    "N": _number,
    "B": _binary,
    "BOOL": _one,
    "NULL": _null,
    "SS": _set(_string, str),
    "NS": _set(_number, canonical_number),
    "BS": _set(_binary, base64.b64decode),
}
