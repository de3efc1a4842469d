"""Items of the document twin, and what requests say of them: conditions, updates, keys, limits.

Of DynamoDB's expressions it reads those that the store writes (`stores/dynamodb/expressions.py`): comparisons with AND between
them, `SET` and `REMOVE`; anything else is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from include.trueup.rows.dynamodb_sizes import text_bytes, text_fault
from include.trueup.rows.dynamodb_values import Value, canonical_text, canonical_value

Item = dict[str, Value]
ITEM_BYTES = 400 * 1024
"""What an item may take: AWS's limit."""
_STEP = re.compile(r"\.?(#\w+)|\[(\d+)\]")
_CHANGES = re.compile(r"(?:SET (.+?))? ?(?:REMOVE (.+))?")
_INSERT = re.compile(r'INSERT INTO "([^"]+)" VALUE \{(.*)\}', re.S)
_NAME = re.compile(r"'([^']+)': \?")


class RefusedRequestError(Exception):
    """An answer that is an error: its code, and what it says. `reasons`: a code for each action of a transaction."""

    def __init__(self, code: str, message: str, reasons: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.code, self.reasons = code, reasons

    @property
    def body(self) -> bytes:
        """As it is sent."""
        answer: dict[str, Any] = {"__type": f"com.amazonaws.dynamodb.v20120810#{self.code}", "message": str(self)}
        if self.reasons:
            answer["CancellationReasons"] = [{"Code": reason} for reason in self.reasons]
        return orjson.dumps(answer)


def invalid(message: str) -> RefusedRequestError:
    """A request, or what is in it, that is none."""
    return RefusedRequestError("ValidationException", message)


def failed() -> RefusedRequestError:
    """A condition that does not hold."""
    return RefusedRequestError("ConditionalCheckFailedException", "The conditional request failed")


def checked(item: Item) -> None:
    """Raise `RefusedRequestError` for an item that DynamoDB does not hold."""
    text = canonical_text(item)
    if (fault := text_fault(text, False)) is not None:
        raise invalid(f"One or more parameter values were invalid: it {fault}")
    if (text_bytes(text, False) or 0) > ITEM_BYTES:
        raise invalid("Item size has exceeded the maximum allowed size")


def checked_key(key: Mapping[str, str], given: Mapping[str, Value]) -> bytes:
    """The key's bytes, by which its item is found. `key`: the key's attributes with their types."""
    for name, tag in key.items():
        value = given.get(name)
        if value is None or tag not in value:
            raise invalid(f"The provided key element does not match the schema: {name}")
        if value[tag] == "":
            raise invalid(f"One or more parameter values are not valid. The key attribute {name} is empty")
    return orjson.dumps([canonical_value(given[name]) for name in key])


@dataclass(frozen=True)
class Said:
    """A request, with its placeholders."""

    request: Mapping[str, Any]

    def holds(self, item: Item | None) -> bool:
        """Whether the request's condition holds of the item."""
        condition = self.request.get("ConditionExpression")
        return condition is None or all(self._term(term, item or {}) for term in condition.split(" AND "))

    def _term(self, term: str, item: Item) -> bool:
        if found := re.fullmatch(r"attribute_not_exists\((.+)\)", term):
            return self._at(found[1], item) is None
        if found := re.fullmatch(r"size\((.+)\)=(:\w+)", term):
            at = self._at(found[1], item)
            return at is not None and str(len(next(iter(at.values())))) == self._value(found[2])["N"]
        if found := re.fullmatch(r"(.+)=(:\w+)", term):
            at = self._at(found[1], item)
            return at is not None and canonical_value(at) == canonical_value(self._value(found[2]))
        raise invalid(f"Invalid ConditionExpression: {term}")

    def updated(self, item: Item) -> Item:
        """The item as the request's update makes it."""
        found = _CHANGES.fullmatch(self.request["UpdateExpression"])
        if found is None:
            raise invalid("Invalid UpdateExpression")
        new = dict(item)
        for change in found[1].split(",") if found[1] else []:
            name, _, value = change.partition("=")
            new[self._name(name)] = self._value(value)
        for name in found[2].split(",") if found[2] else []:
            new.pop(self._name(name), None)
        return new

    def _name(self, placeholder: str) -> str:
        name: str = self.request["ExpressionAttributeNames"][placeholder]
        return name

    def _value(self, placeholder: str) -> Value:
        value: Value = self.request["ExpressionAttributeValues"][placeholder]
        return value

    def _at(self, path: str, item: Item) -> Value | None:
        at: Value | None = {"M": item}
        for name, position in _STEP.findall(path):
            members = at.get("M" if name else "L") if at is not None else None
            if members is None:
                return None
            here = members if name else dict(enumerate(members))
            at = here.get(self._name(name) if name else int(position))
        return at


def inserted(statement: Mapping[str, Any]) -> tuple[str, Item]:
    """Table and item of a PartiQL INSERT."""
    found = _INSERT.fullmatch(statement["Statement"])
    if found is None:
        raise invalid(f"Statement wasn't well formed: {statement['Statement'][:80]}")
    return found[1], dict(zip(_NAME.findall(found[2]), statement["Parameters"], strict=True))
