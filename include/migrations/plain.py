"""Rows of DynamoDB as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
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


MOST_DIGITS, DEEPEST = 38, 31
"""What DynamoDB holds: digits of a number, and levels of documents inside one attribute."""


class UnfitError(ValueError):
    """A value that DynamoDB does not hold: `pointer` (JSON pointer) says where."""

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(f"{pointer or 'the whole'}: {detail}")
        self.pointer, self.detail = pointer, detail


def typed(value: Any, pointer: str = "", depth: int = 0) -> dict[str, Any]:
    """A value of JSON as DynamoDB JSON has it, the opposite of `plain`. Raises `UnfitError`."""
    if depth > DEEPEST:
        raise UnfitError(pointer, f"it is nested more than {DEEPEST} levels deep")
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case int() | Decimal():
            return {"N": _number(Decimal(value), pointer)}
        case str():
            return {"S": value}
        case list():
            return {"L": [typed(each, f"{pointer}/{n}", depth + 1) for n, each in enumerate(value)]}
        case dict():
            if "" in value:
                raise UnfitError(pointer, "it has a member without a name, which DynamoDB does not take")
            escaped = {name: name.replace("~", "~0").replace("/", "~1") for name in value}
            return {"M": {name: typed(each, f"{pointer}/{escaped[name]}", depth + 1) for name, each in value.items()}}
        case _:
            raise UnfitError(pointer, f"it is of a kind that JSON does not have: {type(value).__name__}")


def _number(number: Decimal, pointer: str) -> str:
    digits = number.normalize(Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)).as_tuple().digits
    if len(digits) > MOST_DIGITS or (number and not -130 <= number.adjusted() <= 125):
        raise UnfitError(pointer, f"DynamoDB holds numbers of {MOST_DIGITS} digits, from 1E-130 to 9.99E+125")
    return format(number, "E") if abs(number.adjusted()) > MOST_DIGITS else format(number, "f")
