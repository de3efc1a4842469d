"""The canonical form of values, so that equal values are equal bytes whatever notation a store uses.

JSON of any notation goes one way: Python's C scanner reads the text, and hands every number over as it is written; the
number, brought into canonical form once and remembered, is written by orjson as it stands. No float in between, and no
notation that costs more than another: 16 µs for 1.3 KB. What is nested too deep for either goes a way without
recursion (`deep_json.parse`, `_dump`).
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from functools import partial
from math import isfinite, isinf
from typing import Any
from uuid import UUID

import orjson

from ..errors import UnreadableValueError
from .deep_json import Canonical, parse

MAX_EXPONENT = 131_072
"""The largest exponent of a number, up or down: PostgreSQL's numeric has as many digits before its point."""
MAX_WRITTEN_OUT = 1_048_576
"""Digits that all the numbers with an exponent in one JSON text may take together, written out. `1e131072` is 8 bytes
that become 131,073; without a limit one value of 1 MB would become 14 GB."""
_text = partial(json.dumps, ensure_ascii=False)
_NUMBER = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?")
_NO_ZERO = re.compile(r"(?:\A|[:\[,])\s*-?\.[0-9]")
NO_ZERO = (
    "DuckDB leaves out the 0 before the point of a DECIMAL that has no digit there, such as DECIMAL(38, 38): cast it to"
    " DECIMAL(38, 37) or less before it becomes JSON"
)
_SHORT = 48
"""A number longer than this is not remembered."""
_WIDER = 400
"""A number that takes so many more digits written out is counted; all those of a double are below it."""
_REMEMBERED = 65_536


def canonical_number(text: str) -> str:
    """A decimal number, exactly, as plain digits: no exponent, no trailing zeros, no plus sign, no negative zero.

    `"1.50"` → `"1.5"`, `"1E+2"` → `"100"`, `"-0"` → `"0"`. Raises `UnreadableValueError` for what is not a number, and for
    an exponent beyond `MAX_EXPONENT`.
    """
    if text.isascii() and text.isdigit() and (text[0] != "0" or text == "0"):
        return text
    parts = _NUMBER.fullmatch(text)
    if parts is None or not (parts[2] or parts[3]):
        raise UnreadableValueError(f"{_shown(text)} is not a number")
    sign, whole, fraction, exponent = parts[1], parts[2], parts[3] or "", parts[4]
    if exponent is not None:
        if not (whole + fraction).strip("0"):
            return "0"
        digits = exponent.lstrip("+-").lstrip("0") or "0"
        if len(digits) > 6 or int(digits) > MAX_EXPONENT:
            raise UnreadableValueError(f"{_shown(text)} has an exponent beyond ±{MAX_EXPONENT:,}")
        point = int(digits) if exponent[0] != "-" else -int(digits)
        if point >= 0:
            whole, fraction = whole + fraction[:point].ljust(point, "0"), fraction[point:]
        else:
            whole, fraction = whole[:point], whole[point:].rjust(-point, "0") + fraction
    whole, fraction = whole.lstrip("0") or "0", fraction.rstrip("0")
    plain = f"{whole}.{fraction}" if fraction else whole
    return f"-{plain}" if sign == "-" and plain != "0" else plain


def canonical_float(text: str) -> str:
    """A number that a double holds, as Python writes it. `"0.10"` → `"0.1"`, `"1e3"` → `"1000.0"`, `"-0"` → `"-0.0"`, `"NaN"` →
    `"nan"`. Raises `UnreadableValueError` for what is not a number, and for one that would become another."""
    if text.lower().lstrip("+-") in ("nan", "inf", "infinity"):
        return str(float(text))
    plain, value = canonical_number(text), float(text)
    if isinf(value):
        raise UnreadableValueError(f"{_shown(text)} is beyond what a floating-point number of 64 bits holds")
    if plain != canonical_number(repr(value)) and Decimal(plain) != Decimal(value):
        raise UnreadableValueError(
            f"{_shown(text)} would become {value!r}: declare Type.NUMBER, or CAST it to DOUBLE in the transform, if that is meant"
        )
    return repr(value)


class _Numbers(dict[str, Any]):
    """Numbers as JSON writes them → what orjson writes for them; those that are short are remembered."""

    def __missing__(self, text: str) -> Any:
        plain = canonical_number(text)
        if len(plain) > len(text) + _WIDER:
            raise _WideningError  # many of them are to be counted
        written = orjson.Fragment(plain)
        if len(text) <= _SHORT:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[text] = written
        return written


class _WideningError(Exception):
    """A number takes much more space written out."""


def _no_constant(name: str) -> Any:
    raise UnreadableValueError(f"JSON cannot hold the number {name}")


_numbers = _Numbers()
# `dict.__getitem__` and the scanner are C: a number that is remembered costs no Python at all.
_decode = json.JSONDecoder(
    parse_float=_numbers.__getitem__, parse_int=_numbers.__getitem__, parse_constant=_no_constant
).decode


def canonical_bytes(text: str) -> bytes:
    """JSON text with keys sorted, no white space and every number in canonical form, at any depth; UTF-8.

    Raises `UnreadableValueError` for what has no such form: no JSON, half a surrogate pair (`"\\ud800"`), numbers or a
    depth beyond the limits above.
    """
    try:
        return orjson.dumps(_decode(text), option=orjson.OPT_SORT_KEYS)
    except UnreadableValueError:
        raise
    except (RecursionError, _WideningError, orjson.JSONEncodeError):
        return _long_way(text)
    except ValueError as error:
        raise UnreadableValueError(f"no JSON: {error}{no_zero(text)}") from None


def no_zero(text: str) -> str:
    """What to do about a number that begins with its point, as DuckDB writes it in JSON; '' where a text has none."""
    return f": {NO_ZERO}" if _NO_ZERO.search(text) else ""


def _long_way(text: str) -> bytes:
    """The same for what is nested deep, or has numbers that take much space, or text that is not Unicode."""
    try:
        return _dump(parse(text, _number)).encode()
    except UnicodeEncodeError:
        raise UnreadableValueError("it contains half of a surrogate pair, which is not Unicode") from None


def _number(written_out: int, token: str) -> tuple[int, Canonical]:
    """A number for `parse`, and how many digits the wide ones take so far."""
    plain = Canonical(canonical_number(token))
    if len(plain) > len(token) + _WIDER:
        written_out += len(plain)
        if written_out > MAX_WRITTEN_OUT:
            raise UnreadableValueError(f"its numbers take more than {MAX_WRITTEN_OUT:,} digits, written out")
    return written_out, plain


def canonical_json(text: str) -> str:
    """`canonical_bytes` as text."""
    return canonical_bytes(text).decode()


def _dump(value: Any) -> str:
    """The value as JSON with sorted keys, without recursion: what is still to be written lies on a stack, last first."""
    written: list[str] = []
    to_do: list[tuple[bool, Any]] = [(False, value)]  # whether it is written as it stands, and it
    while to_do:
        as_it_stands, each = to_do.pop()
        if as_it_stands:
            written.append(each)
        elif isinstance(each, dict):
            to_do.append((True, "}"))
            for n, key in reversed([*enumerate(sorted(each))]):
                to_do += [(False, each[key]), (True, f"{',' if n else ''}{_text(key)}:")]
            to_do.append((True, "{"))
        elif isinstance(each, list | tuple):
            to_do.append((True, "]"))
            for n, member in reversed([*enumerate(each)]):
                to_do.append((False, member))
                if n:
                    to_do.append((True, ","))
            to_do.append((True, "["))
        else:
            written.append(_scalar(each))
    return "".join(written)


def _scalar(value: Any) -> str:
    if isinstance(value, Canonical):
        return value
    if isinstance(value, Decimal | float):
        if not (value.is_finite() if isinstance(value, Decimal) else isfinite(value)):
            raise ValueError(f"JSON cannot hold the number {value}")
        return canonical_number(str(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _text(str(value) if isinstance(value, UUID) else value)


def json_text(value: Any) -> str:
    """Canonical JSON of a Python value: what `json` takes, and `Decimal` with all its digits and `UUID` besides.

    Raises `TypeError` for anything else, `ValueError` for a number JSON cannot hold (NaN, infinity)."""
    return _dump(value)


def json_value(text: str) -> Any:
    """The Python value of JSON text; numbers with a fraction or an exponent are `Decimal`, so that no digit is lost."""
    return json.loads(text, parse_float=Decimal)


def _shown(text: str) -> str:
    """A text for a message, cut where it is long."""
    return repr(text if len(text) <= 60 else f"{text[:40]}…") + (
        "" if len(text) <= 60 else f" ({len(text):,} characters)"
    )
