"""The canonical form of values, so that equal values are equal bytes whatever notation a store uses."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache, partial
from math import isfinite
from typing import Any
from uuid import UUID

_text = partial(json.dumps, ensure_ascii=False)


@lru_cache(maxsize=65_536)
def canonical_number(text: str) -> str:
    """A decimal number, exactly, as plain digits: no exponent, no trailing zeros, no plus sign, no negative zero.

    `"1.50"` → `"1.5"`, `"1E+2"` → `"100"`, `"-0"` → `"0"`. Raises `decimal.InvalidOperation` for what is no number.
    """
    if text.isascii() and text.isdigit() and (text[0] != "0" or text == "0"):
        return text
    number = Decimal(text)
    plain = format(number, "f")
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return "0" if plain in ("-0", "") else plain


@dataclass(frozen=True, slots=True)
class _Number:
    """A JSON number by its digits; no float in between."""

    text: str


def _dump(value: Any) -> str:
    if isinstance(value, _Number):
        return canonical_number(value.text)
    if isinstance(value, dict):
        return "{" + ",".join(f"{_text(k)}:{_dump(value[k])}" for k in sorted(value)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_dump, value)) + "]"
    if isinstance(value, Decimal | float) or (isinstance(value, int) and not isinstance(value, bool)):
        if not isfinite(value):
            raise ValueError(f"JSON has no number {value}")
        return canonical_number(str(value))
    return _text(str(value) if isinstance(value, UUID) else value)


def canonical_json(text: str) -> str:
    """JSON text with keys sorted, no white space and every number in canonical form, at any depth.

    Raises `json.JSONDecodeError` for what is no JSON.
    """
    return _dump(json.loads(text, parse_float=_Number, parse_int=_Number))


def json_text(value: Any) -> str:
    """The same of a Python value: what `json` takes, and `Decimal` with all its digits and `UUID` besides.

    Raises `TypeError` for anything else, `ValueError` for a number that JSON has not (NaN, infinity)."""
    return _dump(value)


def json_value(text: str) -> Any:
    """The Python value of JSON text; numbers with a fraction or an exponent are `Decimal`, so that no digit is lost."""
    return json.loads(text, parse_float=Decimal)
