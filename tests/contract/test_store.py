"""What the engine relies on, of every store: one suite for all of them."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from math import inf
from pathlib import Path
from typing import Any

import duckdb
import pytest

from include.trueup.declare.migration import Index, Table, Type
from include.trueup.errors import StoreRejectedError
from include.trueup.rows import duck
from include.trueup.stores import Outcome, key_text

from .subject import Row, Subject, arrow, by_key, stored

COLUMNS = {"id": Type.TEXT, "label": Type.TEXT, "amount": Type.NUMBER, "done": Type.BOOLEAN}
INDEX = Index(name="label-index", key=("label",))

SAMPLES: dict[Type, list[Any]] = {
    Type.TEXT: [
        "plain",
        "",
        "ünïcödé ☃ 𝄞",
        "two\nlines\ttab",
        "quotes ' \" ` \\ ?",
        '{"not": "parsed"}',
        " blanks ",
        "\x01",
    ],
    Type.NUMBER: ["0", "1.5", "-1.5", "12345678901234567890123456789012345678", "0.00000000000000000001", "100", "-7"],
    Type.INTEGER: [0, 1, -1, 2**63 - 1, -(2**63)],
    Type.BOOLEAN: [True, False],
    Type.TIMESTAMP: [datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC), datetime(1969, 1, 1, tzinfo=UTC)],
    Type.FLOAT: [0.1, -0.0, 0.0, 5e-324, 1.7976931348623157e308, inf, -inf, 1e22],  # NaN: equal to nothing in Python
    Type.DATETIME: [datetime(2024, 2, 29, 23, 59, 59, 999_999), datetime(1, 1, 1)],
    Type.DATE: [date(2024, 2, 29), date(1, 1, 1), date(9999, 12, 31)],
    Type.BINARY: [b"", b"\x00\xff", bytes(range(256))],
}
OBJECTS = [
    {},
    {"b": 1, "a": [1, 2.5, None, {"deep": {"er": True}}], "": "", "ü": "☃"},
    {"list": [], "object": {}, "null": None, "text": 'with " and \\'},
]


def row(number: int, **values: object) -> Row:
    return {"id": f"id-{number:04}", "label": f"label {number}", "amount": f"{number}.5", "done": True, **values}


@pytest.fixture
def table(subject: Subject) -> Table:
    """An empty table, with an index."""
    declared = subject.table(COLUMNS, ("id",), (INDEX,))
    assert subject.store.create(declared)
    return declared


@pytest.fixture
def wide(subject: Subject) -> tuple[Table, list[Row]]:
    """An empty table with a column of every type that the store has, and rows for it: every sample, and nulls."""
    declared = subject.table({"id": Type.TEXT, **{f"a {t}": t for t in subject.types}}, ("id",))
    assert subject.store.create(declared)
    samples = {**SAMPLES, Type.JSON: [subject.json(value) for value in OBJECTS]}
    rows = [
        {"id": f"{type_}-{number}", f"a {type_}": value}
        for type_ in subject.types
        for number, value in enumerate(samples[type_])
    ]
    whole = {f"a {type_}": samples[type_][-1] for type_ in subject.types}
    return declared, [*rows, {"id": "all", **whole}, {"id": "none"}]


# tables


def test_a_table_is_created_once_and_described(subject: Subject) -> None:
    declared = subject.table(COLUMNS, ("id",), (INDEX,))
    assert subject.store.describe(declared) is None
    assert subject.store.create(declared) is True
    assert subject.store.create(declared) is False
    found = subject.store.describe(declared)
    assert found is not None
    assert (found.name, found.key, found.differences) == (declared.name, ("id",), ())
    assert INDEX.name in found.indexes
    assert stored(subject, declared) == {}


def test_what_a_store_knows_of_a_table_that_nobody_declared(subject: Subject) -> None:
    declared = subject.table(COLUMNS, ("id",), (INDEX,))
    assert subject.store.catalogue(declared.name) is None
    assert declared.name not in subject.store.tables()
    subject.store.create(declared)
    assert declared.name in subject.store.tables()
    row = {"id": "a", "label": "x", "amount": "1.5", "done": True}
    assert subject.store.add(declared, arrow(declared, [row])).written == 1
    known = subject.store.catalogue(declared.name)
    assert known is not None
    assert (known.name, known.key) == (declared.name, ("id",))
    assert {c.name: c.type for c in known.columns} == COLUMNS
    assert {c.share for c in known.columns} == {1.0}
    assert {c.name: c.not_null for c in known.columns}["id"]


def test_a_composite_key_keeps_its_order(subject: Subject) -> None:
    declared = subject.table({"b": Type.TEXT, "a": Type.NUMBER}, ("b", "a"))
    subject.store.create(declared)
    found = subject.store.describe(declared)
    assert found is not None
    assert found.key == ("b", "a")


def test_a_table_with_another_key_is_refused(subject: Subject, table: Table) -> None:
    other = replace(table, key=("label",), indexes=())
    found = subject.store.describe(other)
    assert found is not None
    assert "label" in " ".join(found.differences)
    with pytest.raises(StoreRejectedError, match=table.name):
        subject.store.create(other)


def test_a_table_without_an_index_gets_it_or_is_refused(subject: Subject, table: Table) -> None:
    other = replace(table, indexes=(INDEX, Index(name="done-index", key=("amount",))))
    if subject.store.kind == "postgres":  # which makes one while others write; adding one to DynamoDB takes hours
        assert subject.store.create(other) is False
        found = subject.store.describe(other)
        assert found is not None
        assert "done-index" in found.indexes
        return
    found = subject.store.describe(other)
    assert found is not None
    assert "done-index" in " ".join(found.differences)
    with pytest.raises(StoreRejectedError, match="done-index"):
        subject.store.create(other)


def test_two_that_create_the_same_table_both_end_with_it(subject: Subject) -> None:
    declared = subject.table(COLUMNS, ("id",), (INDEX,))
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: subject.store.create(declared), range(4)))
    assert Counter(made) == {True: 1, False: 3}


def test_a_missing_table_is_refused_by_name(subject: Subject) -> None:
    declared = subject.table(COLUMNS, ("id",))
    with pytest.raises(StoreRejectedError, match=declared.name):
        list(subject.store.read(declared, 0, 1))
    with pytest.raises(StoreRejectedError, match=declared.name):
        subject.store.add(declared, arrow(declared, [row(1)]))


def test_the_identity_names_the_table_and_no_secret(subject: Subject, table: Table) -> None:
    other = subject.table(COLUMNS, ("id",))
    assert subject.store.identity(table) == subject.store.identity(table)
    assert subject.store.identity(table) != subject.store.identity(other)
    assert table.name in subject.store.identity(table)
    assert subject.secret not in subject.store.identity(table)
    at = subject.store.locate(table)
    assert f"{at.identity}/" in subject.store.identity(table)
    assert at.address
    assert subject.secret not in str(at)
    if subject.store.kind == "dynamodb":
        assert (at.region, at.account, at.database) == ("us-east-1", "000000000000", None)
    else:
        assert (at.region, at.account, at.database) == (None, None, at.identity.rpartition("/")[2])


# reading


def test_what_another_program_wrote_is_read_in_canonical_form(subject: Subject, wide: tuple[Table, list[Row]]) -> None:
    table, rows = wide
    subject.put(table, rows)
    assert stored(subject, table) == by_key(table, arrow(table, rows))


def test_a_number_is_read_the_same_whatever_its_notation(subject: Subject, table: Table) -> None:
    notations = {"1.50": "1.5", "1E+2": "100", "-0": "0", "007": "7", "1.0E-3": "0.001", "100.000": "100"}
    subject.put(table, [{"id": notation, "amount": notation} for notation in notations])
    assert {key: found["amount"] for (key,), found in stored(subject, table).items()} == notations


def test_the_parts_of_a_table_are_disjoint_and_together_the_whole(subject: Subject, table: Table) -> None:
    rows = [row(number) for number in range(4_500)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda at: subject.store.add(table, arrow(table, rows[at : at + 500])), range(0, 4_500, 500)))
    whole = by_key(table, arrow(table, rows))
    assert stored(subject, table, segments=1) == whole
    assert stored(subject, table, segments=7) == whole  # a key that is in two parts is an error there


def test_rows_are_got_by_key(subject: Subject) -> None:
    table = subject.table({"b": Type.TEXT, "a": Type.NUMBER, "label": Type.TEXT}, ("b", "a"))
    subject.store.create(table)
    rows = [{"b": f"b{number}", "a": str(number), "label": f"label {number}"} for number in range(230)]
    subject.put(table, rows)
    absent = [{"b": "b1", "a": "2"}, {"b": "none", "a": "1"}]
    wanted = arrow(table, [*rows[:205], *absent, rows[0]]).select(["b", "a"])
    assert by_key(table, subject.store.get(table, wanted)) == by_key(table, arrow(table, rows[:205]))
    assert subject.store.get(table, wanted.slice(0, 0)).num_rows == 0


# adding


def test_every_value_that_is_added_is_read_back(subject: Subject, wide: tuple[Table, list[Row]]) -> None:
    table, rows = wide
    assert subject.store.add(table, arrow(table, rows)).written == len(rows)
    assert stored(subject, table) == by_key(table, arrow(table, rows))


def test_adding_again_changes_nothing_and_counts_as_written(subject: Subject, wide: tuple[Table, list[Row]]) -> None:
    table, rows = wide
    subject.store.add(table, arrow(table, rows[::2]))
    for _ in range(2):
        outcome = subject.store.add(table, arrow(table, rows))
        assert (outcome.written, outcome.conflicts) == (len(rows), [])
    assert stored(subject, table) == by_key(table, arrow(table, rows))


def test_a_row_that_is_there_and_differs_is_a_conflict_and_left_alone(subject: Subject, table: Table) -> None:
    theirs = [row(3, amount="3.51"), row(70, label=None)]
    subject.put(table, theirs)
    ours = arrow(table, [row(number) for number in range(100)])
    outcome = subject.store.add(table, ours)
    assert outcome.written == 98
    assert sorted(conflict.key for conflict in outcome.conflicts) == ["id-0003", "id-0070"]
    assert all(conflict.found and conflict.reason for conflict in outcome.conflicts)
    assert "3.51" in (outcome.conflicts[0].found or "")
    assert stored(subject, table) == by_key(table, ours) | by_key(table, arrow(table, theirs))


def test_a_conflict_names_the_row_by_its_key_text(subject: Subject) -> None:
    table = subject.table({"b": Type.TEXT, "a": Type.NUMBER, "label": Type.TEXT}, ("b", "a"))
    subject.store.create(table)
    subject.put(table, [{"b": 'quote " ü', "a": "1.5", "label": "theirs"}])
    ours = arrow(table, [{"b": 'quote " ü', "a": "1.5", "label": "ours"}])
    with duckdb.connect() as connection:
        expected = connection.from_arrow(ours).project(key_text(table.key)).fetchall()[0][0]
    assert [conflict.key for conflict in subject.store.add(table, ours).conflicts] == [expected]


def test_of_writers_that_race_one_wins_and_no_row_is_overwritten(subject: Subject, table: Table) -> None:
    subject.store.add(table, arrow(table, [row(9_999)]))
    batches = [arrow(table, [row(number, label=f"writer {writer}") for number in range(60)]) for writer in range(4)]
    with ThreadPoolExecutor(4) as pool:
        outcomes: list[Outcome] = list(pool.map(lambda batch: subject.store.add(table, batch), batches))
    winners = Counter(found["label"] for found in stored(subject, table).values())
    assert [outcome.written for outcome in outcomes] == [winners[f"writer {writer}"] for writer in range(4)]
    assert [len(outcome.conflicts) for outcome in outcomes] == [60 - outcome.written for outcome in outcomes]
    assert sum(outcome.written for outcome in outcomes) == 60


def test_no_rows_are_nothing_to_do(subject: Subject, table: Table) -> None:
    none = arrow(table, [])
    for outcome in (
        subject.store.add(table, none),
        subject.store.change(table, none, none),
        subject.store.remove(table, none),
    ):
        assert outcome == Outcome()


# changing


def test_rows_are_changed_from_before_to_after(subject: Subject, wide: tuple[Table, list[Row]]) -> None:
    table, rows = wide
    before = [{**values, "id": f"row-{number}"} for number, values in enumerate(rows)]
    after = [{**values, "id": f"row-{number}"} for number, values in enumerate([*rows[1:], rows[0]])]
    subject.store.add(table, arrow(table, before))
    for _ in range(2):  # the second time, they are so already
        outcome = subject.store.change(table, arrow(table, after), arrow(table, before))
        assert (outcome.written, outcome.conflicts) == (len(rows), [])
        assert stored(subject, table) == by_key(table, arrow(table, after))


@pytest.mark.parametrize(
    "theirs",
    [
        pytest.param({"label": "theirs"}, id="in the column to be changed"),
        pytest.param({"amount": "1.51"}, id="in another column"),
        pytest.param({"done": None}, id="in a column that lost its value"),
        pytest.param({"label": None}, id="in the column to be changed that lost its value"),
    ],
)
def test_a_row_that_was_changed_since_is_a_conflict_and_left_alone(subject: Subject, table: Table, theirs: Row) -> None:
    before, after = [row(1), row(2)], [row(1, label="ours"), row(2, label="ours")]
    subject.put(table, [{**row(1), **theirs}, row(2)])
    outcome = subject.store.change(table, arrow(table, after), arrow(table, before))
    assert outcome.written == 1
    assert [conflict.key for conflict in outcome.conflicts] == ["id-0001"]
    assert outcome.conflicts[0].found is not None
    assert stored(subject, table) == by_key(table, arrow(table, [{**row(1), **theirs}, row(2, label="ours")]))


def test_a_value_that_somebody_set_since_is_a_conflict(subject: Subject, table: Table) -> None:
    before, after = row(1, label=None, done=None), row(1, label="ours", done=None)
    for theirs in (row(1, label="theirs", done=None), row(1, label=None, done=False)):
        subject.put(table, [theirs])
        outcome = subject.store.change(table, arrow(table, [after]), arrow(table, [before]))
        assert (outcome.written, len(outcome.conflicts)) == (0, 1)
        assert stored(subject, table) == by_key(table, arrow(table, [theirs]))


def test_a_row_that_is_gone_is_a_conflict_and_not_made_anew(subject: Subject, table: Table) -> None:
    outcome = subject.store.change(table, arrow(table, [row(1, label="ours")]), arrow(table, [row(1)]))
    assert (outcome.written, [conflict.found for conflict in outcome.conflicts]) == (0, [None])
    assert stored(subject, table) == {}


def test_of_changes_that_race_one_wins(subject: Subject, table: Table) -> None:
    before = arrow(table, [row(number) for number in range(20)])
    subject.store.add(table, before)
    news = [arrow(table, [row(number, label=f"writer {writer}") for number in range(20)]) for writer in range(3)]
    with ThreadPoolExecutor(3) as pool:
        outcomes = list(pool.map(lambda new: subject.store.change(table, new, before), news))
    winners = Counter(found["label"] for found in stored(subject, table).values())
    assert [outcome.written for outcome in outcomes] == [winners[f"writer {writer}"] for writer in range(3)]
    assert sum(outcome.written for outcome in outcomes) == 20


# removing


def test_rows_are_removed_and_absent_ones_count_as_done(subject: Subject, wide: tuple[Table, list[Row]]) -> None:
    table, rows = wide
    subject.store.add(table, arrow(table, rows))
    for _ in range(2):
        outcome = subject.store.remove(table, arrow(table, rows[1:]))
        assert (outcome.written, outcome.conflicts) == (len(rows) - 1, [])
        assert stored(subject, table) == by_key(table, arrow(table, rows[:1]))


@pytest.mark.parametrize("theirs", [{"label": "theirs"}, {"done": None}, {"amount": "1.51"}])
def test_a_row_that_was_changed_since_is_not_removed(subject: Subject, table: Table, theirs: Row) -> None:
    subject.put(table, [{**row(1), **theirs}, row(2)])
    outcome = subject.store.remove(table, arrow(table, [row(1), row(2)]))
    assert (outcome.written, [conflict.key for conflict in outcome.conflicts]) == (1, ["id-0001"])
    assert stored(subject, table) == by_key(table, arrow(table, [{**row(1), **theirs}]))


def test_a_value_that_somebody_set_since_keeps_the_row(subject: Subject, table: Table) -> None:
    subject.put(table, [row(1, done=False)])
    outcome = subject.store.remove(table, arrow(table, [row(1, done=None)]))
    assert (outcome.written, len(outcome.conflicts)) == (0, 1)
    assert len(stored(subject, table)) == 1


# limits


def test_rows_that_the_store_takes_are_not_called_unwritable(
    subject: Subject, wide: tuple[Table, list[Row]], tmp_path: Path
) -> None:
    table, rows = wide
    with duck.connect(tmp_path) as connection:
        connection.register("planned", arrow(table, rows))
        connection.execute("CREATE TABLE candidates AS SELECT row_number() OVER () AS __trueup_row_id, * FROM planned")
        assert connection.execute(subject.store.unwritable(table, "candidates")).fetchall() == []
