"""Rows of DynamoDB as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any


def plain_row(item: Mapping[str, Any]) -> dict[str, Any]:
    """A row of plain values; nulls are left out, as if they were missing."""
    return {name: plain(value) for name, value in item.items() if "NULL" not in value}


def plain(value: Mapping[str, Any]) -> Any:
    """The value of an attribute in DynamoDB JSON: numbers are decimals, sets are sorted lists."""
    ((kind, content),) = value.items()
    match kind:
        case "N":
            return Decimal(content)
        case "NULL":
            return None
        case "NS":
            return sorted(Decimal(number) for number in content)
        case "SS" | "BS":
            return sorted(content)
        case "L":
            return [plain(member) for member in content]
        case "M":
            return {name: plain(member) for name, member in content.items()}
        case _:
            return content
