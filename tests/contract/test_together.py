"""Rows of several tables written in one transaction, on every store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from include.trueup.declare.migration import Table, Type
from include.trueup.errors import StoreRejectedError
from include.trueup.stores import ELSEWHERE, Share

from .dynamodb_subject import DynamoDBSubject
from .subject import Row, Subject, arrow, by_key, stored

Change = tuple[int, Row | None, Row]
"""Unit, row as it was (None: none), row as it should be."""


@pytest.fixture
def tables(subject: Subject) -> tuple[Table, Table]:
    """Two empty tables of different shape."""
    first = subject.table({"id": Type.TEXT, "label": Type.TEXT, "amount": Type.NUMBER, "done": Type.BOOLEAN}, ("id",))
    second = subject.table({"a": Type.TEXT, "b": Type.NUMBER, "note": Type.TEXT, "more": Type.JSON}, ("a", "b"))
    for table in (first, second):
        assert subject.store.create(table)
    return first, second


def share(table: Table, *changes: Change) -> Share:
    rows = arrow(table, [after for _, _, after in changes])
    before = arrow(table, [was or {} for _, was, _ in changes])
    return Share(table=table, rows=rows, before=before, units=tuple(unit for unit, _, _ in changes))


def one(number: int, **values: object) -> Row:
    return {"id": f"id-{number}", "label": "old", "amount": "1.5", "done": None, **values}


def two(subject: Subject, number: int, **values: object) -> Row:
    return {"a": "a", "b": str(number), "note": "old", "more": subject.json({"deep": [1.5, {"er": None}]}), **values}


def linked(subject: Subject, tables: tuple[Table, Table], units: int) -> list[Share]:
    """Changes that link a row of the first table to one of the second; every other unit adds that one."""
    first, second = tables
    ones = [(n, one(n), one(n, label=f"linked {n}")) for n in range(units)]
    twos = [(n, two(subject, n) if n % 2 else None, two(subject, n, note=f"linked {n}")) for n in range(units)]
    return [share(first, *ones), share(second, *reversed(twos))]


def put_before(subject: Subject, shares: list[Share]) -> None:
    for each in shares:
        key = each.table.key[0]
        subject.put(
            each.table,
            [
                row
                for row in each.before.to_pylist()
                if row[key] is not None and not row.pop("_extra") and not row.pop("_mistyped")
            ],
        )


def held(subject: Subject, shares: list[Share]) -> list[dict[tuple[Any, ...], Row]]:
    return [stored(subject, each.table) for each in shares]


def test_units_are_written_and_written_again_without_effect(subject: Subject, tables: tuple[Table, Table]) -> None:
    shares = linked(subject, tables, 30)
    put_before(subject, shares)
    for _ in range(2):
        outcomes = subject.store.together(shares)
        assert [(o.written, o.conflicts) for o in outcomes] == [(30, []), (30, [])]
        assert held(subject, shares) == [by_key(each.table, each.rows) for each in shares]


def test_of_a_unit_with_a_changed_row_nothing_is_written(subject: Subject, tables: tuple[Table, Table]) -> None:
    shares = linked(subject, tables, 8)
    put_before(subject, shares)
    theirs = [one(1, amount="1.51"), one(5, done=False)]
    subject.put(tables[0], theirs)
    subject.put(tables[1], [two(subject, 2, note="theirs")])  # was to be added
    before = held(subject, shares)
    first, second = subject.store.together(shares)
    assert (first.written, second.written) == (5, 5)
    assert sorted(c.key for c in first.conflicts) == ["id-1", "id-2", "id-5"]
    assert {c.key: c.reason for c in first.conflicts}["id-2"] == ELSEWHERE
    assert [c.reason == ELSEWHERE for c in sorted(second.conflicts, key=lambda c: c.key)] == [True, False, True]
    assert all("1.51" in (c.found or "") for c in first.conflicts if c.key == "id-1")
    for after, was, each in zip(held(subject, shares), before, shares, strict=True):
        planned = by_key(each.table, each.rows)
        units = dict(zip(planned, each.units, strict=True))
        alone = {key for key, unit in units.items() if unit in (1, 2, 5)}
        assert {key: after.get(key) for key in alone} == {key: was.get(key) for key in alone}
        assert {k: v for k, v in after.items() if k not in alone} == {
            k: v for k, v in planned.items() if k not in alone
        }


def test_a_row_that_is_gone_holds_back_its_unit(subject: Subject, tables: tuple[Table, Table]) -> None:
    shares = linked(subject, tables, 2)
    put_before(subject, [shares[1]])
    first, second = subject.store.together(shares)
    assert [(c.key, c.found) for c in first.conflicts] == [("id-0", None), ("id-1", None)]
    assert len(second.conflicts) == 2
    assert held(subject, shares)[0] == {}


def test_a_row_that_is_as_planned_already_does_not_hold_back_its_unit(
    subject: Subject, tables: tuple[Table, Table]
) -> None:
    shares = linked(subject, tables, 4)
    put_before(subject, shares)
    subject.put(tables[0], [one(3, label="linked 3")])
    assert [o.written for o in subject.store.together(shares)] == [4, 4]
    assert held(subject, shares) == [by_key(each.table, each.rows) for each in shares]


def test_of_writers_that_race_for_a_unit_one_wins_it_whole(subject: Subject, tables: tuple[Table, Table]) -> None:
    first, second = tables
    put_before(subject, linked(subject, tables, 12))
    shares = [
        [
            share(first, *((n, one(n), one(n, label=f"writer {w}")) for n in range(12))),
            share(
                second,
                *((n, two(subject, n) if n % 2 else None, two(subject, n, note=f"writer {w}")) for n in range(12)),
            ),
        ]
        for w in range(3)
    ]
    with ThreadPoolExecutor(3) as pool:
        outcomes = list(pool.map(subject.store.together, shares))
    ones, twos = held(subject, shares[0])
    winners = [ones[f"id-{n}",]["label"] for n in range(12)]
    assert winners == [twos["a", str(n)]["note"] for n in range(12)]
    assert [[o.written for o in both] for both in outcomes] == [[winners.count(f"writer {w}")] * 2 for w in range(3)]
    assert all(winner.startswith("writer") for winner in winners)


def test_no_units_are_nothing_to_do(subject: Subject, tables: tuple[Table, Table]) -> None:
    outcomes = subject.store.together([share(tables[0]), share(tables[1])])
    assert [(o.written, o.conflicts) for o in outcomes] == [(0, []), (0, [])]


def test_a_unit_too_large_for_a_transaction_is_refused(dynamodb: DynamoDBSubject) -> None:
    table = dynamodb.table({"id": Type.TEXT}, ("id",))
    dynamodb.store.create(table)
    with pytest.raises(StoreRejectedError, match="101 rows"):
        dynamodb.store.together([share(table, *((0, None, {"id": str(n)}) for n in range(101)))])
    assert stored(dynamodb, table) == {}


def leaving(subject: Subject, tables: tuple[Table, Table], units: int) -> list[Share]:
    """The way back: a row of the first table changed, and one of the second deleted, in each unit."""
    first, second = tables
    ones = share(first, *((n, one(n, label=f"linked {n}"), one(n)) for n in range(units)))
    twos = [two(subject, n) for n in range(units)]
    gone = share(second, *((n, row, row) for n, row in enumerate(twos)))
    return [ones, replace(gone, gone=(True,) * units)]


def test_units_with_rows_to_delete_are_written_and_written_again(subject: Subject, tables: tuple[Table, Table]) -> None:
    shares = leaving(subject, tables, 6)
    put_before(subject, shares)
    for _ in range(2):
        assert [(o.written, o.conflicts) for o in subject.store.together(shares)] == [(6, []), (6, [])]
        assert held(subject, shares) == [by_key(tables[0], shares[0].rows), {}]


def test_of_a_unit_whose_row_to_delete_was_changed_nothing_is_written(
    subject: Subject, tables: tuple[Table, Table]
) -> None:
    shares = leaving(subject, tables, 4)
    put_before(subject, shares)
    subject.put(tables[1], [two(subject, 2, note="theirs")])
    before = held(subject, shares)
    first, second = subject.store.together(shares)
    assert [(o.written, len(o.conflicts)) for o in (first, second)] == [(3, 1), (3, 1)]
    assert [(c.key, c.reason == ELSEWHERE) for c in (*first.conflicts, *second.conflicts)] == [
        ("id-2", True), (second.conflicts[0].key, False)
    ]  # fmt: skip
    after = held(subject, shares)
    assert after[0]["id-2",] == before[0]["id-2",]
    assert list(after[1].values()) == [row for key, row in before[1].items() if key in after[1]]
    assert len(after[1]) == 1
