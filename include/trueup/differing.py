"""In what a planned row and the row that was found differ, as the examples of a proof hold them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any


def differences(example: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The attributes in which a planned and a found row differ: name, planned, found; none where it cannot be told."""
    rows = []
    for side in ("planned", "found"):
        try:
            rows.append(json.loads(example.get(side) or "", parse_float=Decimal, parse_int=Decimal))  # no digit is lost
        except (TypeError, ValueError):
            return []
    planned, found = rows
    if not isinstance(planned, dict) or not isinstance(found, dict):
        return []
    names = [n for n in {**planned, **found} if planned.get(n) != found.get(n)]
    return [(n, _value(planned.get(n)), _value(found.get(n))) for n in names]


def _value(value: Any) -> str:
    return (
        "nothing"
        if value is None
        else value
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False, default=str)
    )
