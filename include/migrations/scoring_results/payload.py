"""What a payload is: its schema, `payload.schema.json`, compiled once, and what a schema cannot say."""

from __future__ import annotations

import json
from calendar import monthrange
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import jsonschema_rs
from pydantic import JsonValue

from include.trueup.errors import TerminalError
from include.trueup.rows.values import json_value

SCHEMA = Path(__file__).parent / "payload.schema.json"
MOST = 20
"""Complaints that are told of one payload."""


@dataclass(frozen=True, kw_only=True)
class Complaint:
    """What is wrong, and where: `pointer` is a JSON pointer (RFC 6901), empty for the whole."""

    pointer: str
    detail: str


class PayloadError(TerminalError):
    """A payload that is not what the schema describes; `complaints` say where, the first `MOST`."""

    def __init__(self, given: tuple[Complaint, ...]) -> None:
        listed = "; ".join(f"{each.pointer or 'the whole'}: {each.detail}" for each in given)
        super().__init__(
            f"no payload of results, so nothing is written: {listed}. Correct it ({SCHEMA.name} describes it)"
        )
        self.complaints = given

    def as_json(self) -> list[dict[str, str]]:
        """The complaints as JSON values."""
        return [asdict(each) for each in self.complaints]


@cache
def validator() -> jsonschema_rs.Draft202012Validator:
    """The schema's validator."""
    return jsonschema_rs.Draft202012Validator(json_value(SCHEMA.read_text(encoding="utf-8")))


def description() -> dict[str, JsonValue]:
    """The same schema, as the description of an API takes it: nothing refers to a place of the file, and what may be
    anything, or nothing, is an object, as generators of clients want it."""
    whole = json.loads(SCHEMA.read_text(encoding="utf-8"))
    known = whole.pop("$defs")
    del whole["title"]  # a generated client would name its class by it

    def within(value: JsonValue, of_names: bool = False) -> JsonValue:
        match value:
            case {"$ref": str(place)}:
                return within(known[place.removeprefix("#/$defs/")])
            case dict():
                # the members of `properties` are schemas by names; those of a schema are words of its own
                return {
                    name: within(_object(member) if of_names else member, not of_names and name == "properties")
                    for name, member in value.items()
                    if not name.startswith("$")
                }
            case list():
                return [within(member) for member in value]
            case _:
                return value

    return cast("dict[str, JsonValue]", within(whole))


def _object(schema: JsonValue) -> JsonValue:
    return schema if isinstance(schema, dict) else {} if schema else {"not": {}}


def require(payload: Any) -> None:
    """Raise `PayloadError` for what is no payload."""
    if wrong := complaints(payload):
        raise PayloadError(wrong)


def complaints(payload: Any) -> tuple[Complaint, ...]:
    """What is wrong with a payload, as JSON values (numbers may be `Decimal`): the first `MOST`."""
    listed = []
    for _, error in zip(range(MOST), validator().iter_errors(payload), strict=False):
        pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in error.instance_path)
        listed.append(Complaint(pointer=pointer, detail=error.message[:500]))
    return tuple(listed or list(_beyond_the_schema(payload))[:MOST])


def in_order(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The payload, its types by rank (those without one last), then type_code, its functions by func_code: by code point, as
    the migration lists them."""
    types = sorted(payload["types"], key=lambda row: (row["rank"] is None, row["rank"] or 0, row["type_code"]))
    functions = sorted(payload["functions"], key=lambda row: row["func_code"])
    return {**payload, "types": types, "functions": functions}


def _beyond_the_schema(payload: Mapping[str, Any]) -> Iterator[Complaint]:
    """What two places of a payload say of each other, and of its texts."""
    version, profile = payload["version"], payload["profile"]
    for pointer, stated in (
        ("/results_version", payload["results_version"]),
        ("/profile/results_version", profile["results_version"]),
    ):
        if stated != version:
            yield Complaint(pointer=pointer, detail=f"{stated!r} is not the version, {version!r}")
    if UUID(profile["session_id"]) != UUID(payload["session"]["id"]):
        yield Complaint(pointer="/profile/session_id", detail="it is not the id of the session")
    for rows, code in (("types", "type_code"), ("functions", "func_code")):
        seen: Counter[str] = Counter()
        for number, row in enumerate(payload[rows]):
            seen[row[code]] += 1
            if seen[row[code]] == 2:
                yield Complaint(pointer=f"/{rows}/{number}/{code}", detail=f"{row[code]!r} is there twice")
    for name in ("started_at", "completed_at"):
        at = payload["session"][name]
        if at is not None and not _is_a_day(at):
            yield Complaint(pointer=f"/session/{name}", detail=f"{at!r} is of a day that its month does not have")
    yield from _texts(payload)


def _is_a_day(instant: str) -> bool:
    """Whether the month has that day, of an instant as the schema describes it."""
    year, month, day = instant.partition("T")[0].split("-")
    counted = 1 - int(year) if instant.endswith("BC") else int(year)  # there is no year 0: before 1 is 1 BC
    return int(day) <= monthrange(2000 + counted % 400, int(month))[1]


def _texts(payload: Mapping[str, Any]) -> Iterator[Complaint]:
    """Texts that PostgreSQL cannot hold, at any depth."""
    waiting: list[tuple[str, Any]] = [("", payload)]
    while waiting:
        pointer, value = waiting.pop()
        match value:
            case str() if "\0" in value or _halved(value):
                shown = pointer.encode(errors="backslashreplace").decode()
                yield Complaint(pointer=shown, detail="the text has the character NUL, or half of a surrogate pair")
            case dict():
                for name, member in value.items():
                    inside = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
                    waiting += [(inside, member), (inside, name)]
            case list():
                waiting += [(f"{pointer}/{number}", member) for number, member in enumerate(value)]


def _halved(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)
