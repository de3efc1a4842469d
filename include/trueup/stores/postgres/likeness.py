"""What makes another table like one that is there: defaults, constraints, indexes and comments; and what is left out of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypedDict

import pyarrow as pa

from ..catalogue import Likeness, Reference, Rule
from .catalog import Shape
from .session import Session

QUERY = (Path(__file__).parent / "likeness.sql").read_text()
"""Gives one JSON of the table; $1 is its oid."""


class _Check(TypedDict):
    """A CHECK of a domain, about its VALUE."""

    says: str
    needs: str | None


class _Domain(TypedDict):
    """A domain of a column, or what that is made from."""

    name: str
    default: str | None
    checks: list[_Check]


class _Column(TypedDict):
    """What is said of a column."""

    name: str
    identity: str
    generated: str
    expression: str | None
    needs: str | None
    collation: str | None
    domains: list[_Domain]
    quoted: str
    comment: str | None


class _Rule(TypedDict):
    """A constraint, or an index (of kind '')."""

    kind: Literal["c", "u", "x", "f", ""]
    name: str
    says: str
    needs: str | None
    columns: list[str]
    refers: str
    itself: bool
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


_VALUE = re.compile(r"'(?:[^']|'')*'|\bVALUE\b")
"""A text, or the word that stands for the value in a CHECK of a domain."""


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
    domains = {domain["name"] for column in described["columns"] for domain in column["domains"]}
    rules, references = [], []
    for column in described["columns"]:
        for rule, why in _of_domains(column):
            if why:
                left.append(f"{rule.says}: {why}")
            else:
                rules.append(rule)
    for one in (*described["constraints"], *described["indexes"]):
        if one["kind"] == "f" and one["valid"]:
            to = "" if one["itself"] else one["refers"]
            says = (
                one["says"].replace(f" REFERENCES {one['refers']}(", " REFERENCES {table}(")
                if one["itself"]
                else one["says"]
            )
            references.append(Reference(name=one["name"], says=says, to=to, columns=tuple(one["columns"])))
        elif why := _why_not(one, by_hand, domains):
            left.append(f"{_in_words(one)}: {why}")
        else:
            rules.append(Rule(says=_in_words(one), columns=tuple(one["columns"]), index=not one["kind"]))
    left += _besides(described, triggers)
    comments = {c["name"]: c["comment"] for c in described["columns"] if c["comment"]}
    return Likeness(
        columns=columns,
        rules=tuple(rules),
        references=tuple(references),
        comment=described["comment"] or "",
        comments=comments,
        left_out=tuple(left),
    )


def _column(column: _Column, by_hand: bool) -> tuple[str, list[str]]:
    """What follows the type of a column, and what does not, in words."""
    says, left, expression = [], [], column["expression"]
    if column["collation"] and not by_hand:
        if column["collation"].startswith("pg_catalog.") or "." not in column["collation"]:
            says.append(f"COLLATE {column['collation']}")
        else:
            left.append(f"COLLATE {column['collation']} of {column['name']}: another database may not have it")
    default = next((domain["default"] for domain in column["domains"] if domain["default"]), None)
    expression = expression or default
    if column["identity"]:
        says.append(f"GENERATED {column['identity']} AS IDENTITY")
    elif expression:
        what = (
            f"GENERATED ALWAYS AS ({expression}) {column['generated']}"
            if column["generated"]
            else f"DEFAULT {expression}"
        )
        needs = _beside(column["needs"], {domain["name"] for domain in column["domains"]}, expression)
        if needs or by_hand:
            left.append(
                f"{what} of {column['name']}: it needs {needs or 'its type'}, which another database may not have"
            )
        else:
            says.append(what)
    return " ".join(says), left


def _in_words(one: _Rule) -> str:
    if one["kind"]:
        return str(one["says"])
    return f"CREATE {'UNIQUE ' if one['unique'] else ''}INDEX {one['says']}"


def _why_not(one: _Rule, by_hand: set[str], domains: set[str]) -> str:
    """Why a constraint or an index does not come along; '' where it does."""
    if not one["valid"]:
        return "it is NOT VALID, so rows may break it"
    needs = _beside(one["needs"], domains, one["says"])
    if needs or by_hand & {*one["columns"]}:
        return f"it needs {needs or 'a type that is made by hand'}, which another database may not have"
    return ""


def _beside(needs: str | None, domains: set[str], says: str) -> str:
    """What an expression needs beside domains that it does not name: its column is of what they are made from."""
    named = {f"type {name}" for name in domains if name not in says}
    return ", ".join(each for each in (needs or "").split(", ") if each and each not in named)


def _of_domains(column: _Column) -> Iterator[tuple[Rule, str]]:
    """What the domains of a column ask of a value, of the column itself; and why it does not come along, '' where it does."""
    for domain in column["domains"]:
        for check in domain["checks"]:
            says = _VALUE.sub(lambda word: column["quoted"] if word[0] == "VALUE" else word[0], check["says"])
            why = f"it needs {check['needs']}, which another database may not have" if check["needs"] else ""
            yield Rule(says=says, columns=(column["name"],)), why


def _besides(described: _Described, triggers: tuple[str, ...]) -> Iterator[str]:
    if described["partitioned"]:
        yield f"PARTITION BY {described['partitioned']}: this is one table"
    for trigger in triggers:
        yield f"{trigger}: what it does to rows is done already"
    for policy in described["policies"]:
        yield f"policy {policy}: say who may see which rows"
    if described["granted"]:
        yield "GRANTs: say who may do what"
