"""What makes another table like one that is there: defaults, constraints, indexes and comments; and what is left out of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypedDict

import pyarrow as pa

from ..catalogue import Likeness, Rule
from .catalog import Shape
from .session import Session

QUERY = (Path(__file__).parent / "likeness.sql").read_text()
"""Gives one JSON of the table; $1 is its oid."""


class _Column(TypedDict):
    """What is said of a column."""

    name: str
    identity: str
    generated: str
    expression: str | None
    needs: str | None
    collation: str | None
    domain: str | None
    comment: str | None


class _Rule(TypedDict):
    """A constraint, or an index (of kind '')."""

    kind: Literal["c", "u", "x", "f", ""]
    name: str
    says: str
    needs: str | None
    columns: list[str]
    valid: bool
    unique: bool


class _Described(TypedDict):
    """What the query gives."""

    comment: str | None
    columns: list[_Column]
    constraints: list[_Rule]
    indexes: list[_Rule]
    partitioned: str | None
    policies: list[str]
    granted: bool


_FOREIGN = "the table it refers to may not be there, nor its rows before these: add it when they are"


def likeness(session: Session, shape: Shape, made: dict[str, str | None], triggers: tuple[str, ...]) -> Likeness:
    """Of a table; `made` is what makes its types (`Known.made_by`), by column."""
    if shape.kind not in ("r", "p"):
        return Likeness()
    (text,) = session.fetch(QUERY, pa.record_batch({"oid": pa.array([shape.oid], pa.int64())}))["likeness"].to_pylist()
    described: _Described = json.loads(text)
    by_hand = {name for name, how in made.items() if how is None}
    columns, left = {}, []
    for column in described["columns"]:
        says, out = _column(column, column["name"] in by_hand)
        columns[column["name"]] = says
        left += out
    rules = []
    for one in (*described["constraints"], *described["indexes"]):
        if why := _why_not(one, by_hand):
            left.append(f"{_in_words(one)}: {why}")
        else:
            rules.append(Rule(says=_in_words(one), columns=tuple(one["columns"]), index=not one["kind"]))
    left += _besides(described, triggers)
    comments = {c["name"]: c["comment"] for c in described["columns"] if c["comment"]}
    return Likeness(
        columns=columns, rules=tuple(rules), comment=described["comment"] or "", comments=comments, left_out=tuple(left)
    )


def _column(column: _Column, by_hand: bool) -> tuple[str, list[str]]:
    """What follows the type of a column, and what does not, in words."""
    says, left, expression = [], [], column["expression"]
    if column["collation"] and not by_hand:
        if column["collation"].startswith("pg_catalog.") or "." not in column["collation"]:
            says.append(f"COLLATE {column['collation']}")
        else:
            left.append(f"COLLATE {column['collation']} of {column['name']}: another database may not have it")
    if column["domain"]:
        left.append(f"{column['domain']}: the domain of {column['name']}, which is of what that is made from")
    if column["identity"]:
        says.append(f"GENERATED {column['identity']} AS IDENTITY")
    elif expression:
        what = (
            f"GENERATED ALWAYS AS ({expression}) {column['generated']}"
            if column["generated"]
            else f"DEFAULT {expression}"
        )
        if column["needs"] or by_hand:
            left.append(
                f"{what} of {column['name']}: it needs {column['needs'] or 'its type'}, which another database may not have"
            )
        else:
            says.append(what)
    return " ".join(says), left


def _in_words(one: _Rule) -> str:
    if one["kind"]:
        return str(one["says"])
    return f"CREATE {'UNIQUE ' if one['unique'] else ''}INDEX {one['says']}"


def _why_not(one: _Rule, by_hand: set[str]) -> str:
    """Why a constraint or an index does not come along; '' where it does."""
    if one["kind"] == "f":
        return _FOREIGN
    if not one["valid"]:
        return "it is NOT VALID, so rows may break it"
    if one["needs"] or by_hand & {*one["columns"]}:
        return f"it needs {one['needs'] or 'a type that is made by hand'}, which another database may not have"
    return ""


def _besides(described: _Described, triggers: tuple[str, ...]) -> Iterator[str]:
    if described["partitioned"]:
        yield f"PARTITION BY {described['partitioned']}: this is one table"
    for trigger in triggers:
        yield f"{trigger}: what it does to rows is done already"
    for policy in described["policies"]:
        yield f"policy {policy}: say who may see which rows"
    if described["granted"]:
        yield "GRANTs: say who may do what"
