"""DynamoDB's condition and update expressions: an item is still what was read, and what is to change in it.

AWS allows 300 operators and 4 KB an expression: n comparisons are 2 n - 1 operators, so 150 attributes. An item is
deleted only if all that was read of it, and the absence of declared columns, fits in one condition. An update is on the
condition of the attributes that it changes, and of as many others as fit; the rest was compared when the item was read,
a moment before. An update that changes more than fits is several: a reader meanwhile sees it half done. What no
condition can see is an attribute that nobody declared and that somebody adds in that moment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from ...declare.migration import Table
from ...rows.dynamodb_values import Value
from .items import Item

OPERATORS = 300
CHARACTERS = 4_096
_MOST_TERMS = OPERATORS // 2 + 1
"""More comparisons than one expression can hold."""

Request = dict[str, Any]
Term = tuple[int, str]
"""A comparison, with the number of its operators and of the `AND` before it."""


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

    def used_in(self, *expressions: str) -> dict[str, Request]:
        """The request's names and values: DynamoDB refuses one that no expression uses, and an empty set of them."""
        used = {placeholder for text in expressions for placeholder in re.findall(r"[#:]\d+", text)}
        names = {placeholder: name for name, placeholder in self._names.items() if placeholder in used}
        values = {f":{number}": value for number, value in enumerate(self._values) if f":{number}" in used}
        named: dict[str, Request] = {"ExpressionAttributeNames": names, "ExpressionAttributeValues": values}
        return {member: members for member, members in named.items() if members}


class _Condition:
    """A condition expression in the making."""

    def __init__(self) -> None:
        self._terms: list[str] = []
        self._operators = -1
        self._characters = -5

    def add(self, terms: Iterable[Term]) -> bool:
        """Add these comparisons, all or none; whether they fit."""
        added = list(islice(terms, _MOST_TERMS))
        operators = self._operators + sum(cost for cost, _ in added)
        characters = self._characters + sum(len(text) + 5 for _, text in added)
        if operators > OPERATORS or characters > CHARACTERS:
            return False
        self._operators, self._characters = operators, characters
        self._terms += (text for _, text in added)
        return True

    def add_alike(self, terms: Sequence[str]) -> bool:
        """Add these comparisons of two operators each, all or none; whether they fit."""
        operators = self._operators + 2 * len(terms)
        if operators > OPERATORS:
            return False
        characters = self._characters + sum(map(len, terms)) + 5 * len(terms)
        if characters > CHARACTERS:
            return False
        self._operators, self._characters = operators, characters
        self._terms += terms
        return True

    def __str__(self) -> str:
        return " AND ".join(self._terms)


def differing(before: Item, after: Item | None) -> list[str]:
    """Names of the attributes that are not the same before and after; none for an item to be removed."""
    if after is None:
        return []
    return [name for name in {**before, **after} if before.get(name) != after.get(name)]


def removal(table: Table, raw: Item, by_leaf: bool) -> Request | None:
    """The DeleteItem of an item if it still is `raw`, in the store's own notation; None where no one condition holds
    all of it. `by_leaf` compares maps and lists member by member, for engines that cannot tell whether two maps are
    equal."""
    use, condition = _Placeholders(), _Condition()
    compared = [name for name in _names(table, raw) if name not in table.key] or table.key
    if _add_while_fit(use, condition, raw, compared, by_leaf) < len(compared):
        return None
    return _request(table, raw, use, condition)


def unchanged(table: Table, raw: Item, by_leaf: bool) -> Request:
    """The ConditionCheck that an item still is `raw`, as far as one condition holds it."""
    use, condition = _Placeholders(), _Condition()
    _add_while_fit(use, condition, raw, _names(table, raw), by_leaf)
    return _request(table, raw, use, condition)


def update(table: Table, raw: Item, changed: Sequence[str], after: Item, by_leaf: bool) -> tuple[Request, int] | None:
    """The UpdateItem that brings the attributes `changed` from `raw` to `after` if they still are as in `raw`, and how
    many of them it brings there: the first that fit in one condition. None where not even the first does."""
    use, condition = _Placeholders(), _Condition()
    for name in table.key:  # an item that is gone must not be created again
        condition.add(_terms(use, raw, name, by_leaf))
    fits = _add_while_fit(use, condition, raw, changed, by_leaf)
    if not fits:
        return None
    compared = {*changed, *table.key}
    _add_while_fit(use, condition, raw, (name for name in _names(table, raw) if name not in compared), by_leaf)
    chosen = changed[:fits]
    sets = [f"{use.name(name)}={use.value(after[name])}" for name in chosen if name in after]
    removes = [use.name(name) for name in chosen if name not in after]
    clauses = [("SET " + ",".join(sets)) if sets else "", ("REMOVE " + ",".join(removes)) if removes else ""]
    return _request(table, raw, use, condition, " ".join(filter(None, clauses))), fits


def _names(table: Table, raw: Item) -> dict[str, None]:
    """What a condition on the whole item compares: its attributes, and the absence of declared ones."""
    return dict.fromkeys([*table.key, *raw, *table.columns])


def _request(table: Table, raw: Item, use: _Placeholders, condition: _Condition, changes: str = "") -> Request:
    request: Request = {
        "TableName": table.name,
        "Key": {name: raw[name] for name in table.key},
        "ConditionExpression": str(condition),
    }
    if changes:
        request["UpdateExpression"] = changes
    return request | use.used_in(request["ConditionExpression"], changes)


def _add_while_fit(use: _Placeholders, condition: _Condition, raw: Item, names: Iterable[str], by_leaf: bool) -> int:
    """Compare these attributes, in their order, as many as fit; how many."""
    names = [*names]
    if not by_leaf and len(names) <= _MOST_TERMS and condition.add_alike([_term(use, raw, name) for name in names]):
        return len(names)
    fit = 0
    for name in names:
        if not condition.add(_terms(use, raw, name, by_leaf)):
            break
        fit += 1
    return fit


def _terms(use: _Placeholders, raw: Item, name: str, by_leaf: bool) -> Iterator[Term]:
    """The comparisons that an attribute is as in `raw`."""
    if by_leaf and name in raw:
        yield from _leaves(use, use.name(name), raw[name])
    else:
        yield 2, _term(use, raw, name)


def _term(use: _Placeholders, raw: Item, name: str) -> str:
    """The comparison that an attribute is as in `raw`, with two operators: its own, and the `AND` before it."""
    if name in raw:
        return f"{use.name(name)}={use.value(raw[name])}"
    return f"attribute_not_exists({use.name(name)})"


def _leaves(use: _Placeholders, path: str, value: Value) -> Iterator[Term]:
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
