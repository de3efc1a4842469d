"""In what a planned row and the row that was found differ, as the examples of a proof hold them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any


def differences(planned: str | None, actual: str | None) -> list[tuple[str, str, str]]:
    """The attributes in which a planned and a found row differ: name, planned, found; none where that is not known."""
    try:  # as decimals: no digit is lost
        one, other = (json.loads(text or "", parse_float=Decimal, parse_int=Decimal) for text in (planned, actual))
    except (TypeError, ValueError):
        return []
    if not isinstance(one, dict) or not isinstance(other, dict):
        return []
    names = [n for n in {**one, **other} if one.get(n) != other.get(n)]
    return [(n, _value(one.get(n)), _value(other.get(n))) for n in names]


def _value(value: Any) -> str:
    return (
        "nothing"
        if value is None
        else value
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False, default=str)
    )
