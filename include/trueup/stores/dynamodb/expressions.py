"""DynamoDB's condition and update expressions: an item is still what was read, and what is to change in it.

AWS allows 300 operators and 4 KB an expression. Of an item that needs more, the condition holds the attributes that
are written and as many others as fit; the rest was compared when the item was read, a moment before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from ...model import Table
from .items import Item, Value

OPERATORS = 290
CHARACTERS = 4_000
ASSIGNMENTS = 280
"""Attributes that one update may set or remove."""


class _Placeholders:
    """What stands for names and values in the expressions of one request."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._values: list[Value] = []

    def name(self, attribute: str) -> str:
        return self._names.setdefault(attribute, f"#{len(self._names)}")

    def value(self, value: Value) -> str:
        self._values.append(value)
        return f":{len(self._values) - 1}"

    def used_in(self, *expressions: str) -> dict[str, dict[str, Any]]:
        """The request's names and values: DynamoDB refuses one that no expression uses."""
        used = {found for text in expressions for found in re.findall(r"[#:]\d+", text)}
        names = {placeholder: name for name, placeholder in self._names.items() if placeholder in used}
        values = {f":{number}": value for number, value in enumerate(self._values) if f":{number}" in used}
        return {"ExpressionAttributeNames": names, "ExpressionAttributeValues": values}


def differing(before: Item, after: Item | None) -> list[str]:
    """Names of the attributes that are not the same before and after; none for an item to be removed."""
    if after is None:
        return []
    return [name for name in {**before, **after} if before.get(name) != after.get(name)]


def write_request(
    table: Table, raw: Item, before: Item, after: Item | None, by_leaf: bool
) -> tuple[str, dict[str, Any]]:
    """Operation and request that bring an item from `before` to `after` (None: delete it) if it still is `raw`.

    `raw` is `before` in the store's own notation. `by_leaf` compares maps and lists member by member, for engines
    that cannot tell whether two maps are equal.
    """
    use = _Placeholders()
    changed = differing(before, after)
    compared = dict.fromkeys([*table.key, *changed, *raw, *table.columns])
    request: dict[str, Any] = {
        "TableName": table.name,
        "Key": {name: raw[name] for name in table.key},
        "ConditionExpression": _joined(_terms(use, raw, compared, by_leaf)),
    }
    if after is not None:
        request["UpdateExpression"] = _update(use, changed, after)
    request |= use.used_in(request["ConditionExpression"], request.get("UpdateExpression", ""))
    return ("DeleteItem" if after is None else "UpdateItem"), request


def _update(use: _Placeholders, changed: list[str], after: Item) -> str:
    sets = [f"{use.name(name)}={use.value(after[name])}" for name in changed if name in after]
    removes = [use.name(name) for name in changed if name not in after]
    clauses = [("SET " + ",".join(sets)) if sets else "", ("REMOVE " + ",".join(removes)) if removes else ""]
    return " ".join(filter(None, clauses))


def _terms(use: _Placeholders, raw: Item, compared: Iterable[str], by_leaf: bool) -> Iterator[tuple[int, str]]:
    """Each comparison with the number of its operators."""
    for name in compared:
        if name not in raw:
            yield 2, f"attribute_not_exists({use.name(name)})"
        elif by_leaf:
            yield from _leaves(use, use.name(name), raw[name])
        else:
            yield 2, f"{use.name(name)}={use.value(raw[name])}"


def _leaves(use: _Placeholders, path: str, value: Value) -> Iterator[tuple[int, str]]:
    """Comparisons of a value's members, at any depth, and of how many there are."""
    ((tag, content),) = value.items()
    if tag not in ("M", "L"):
        yield 2, f"{path}={use.value(value)}"
        return
    yield 3, f"size({path})={use.value({'N': str(len(content))})}"
    if tag == "M":
        for name, member in content.items():
            if not name:
                continue  # DynamoDB holds a member without a name, but has no path to it
            yield from _leaves(use, f"{path}.{use.name(name)}", member)
    else:
        for position, member in enumerate(content):
            yield from _leaves(use, f"{path}[{position}]", member)


def _joined(terms: Iterable[tuple[int, str]]) -> str:
    """As many of the comparisons, in their order, as one expression may hold."""
    joined: list[str] = []
    operators = characters = 0
    for cost, term in terms:
        operators += cost
        characters += len(term) + 5
        if operators > OPERATORS or characters > CHARACTERS:
            break
        joined.append(term)
    return " AND ".join(joined)
