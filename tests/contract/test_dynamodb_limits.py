"""What DynamoDB does not hold is named beforehand, at any depth; what it holds is written."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from include.trueup.declare.migration import Index, Table, Type
from include.trueup.declare.names import EXTRA, MISTYPED
from include.trueup.errors import StoreRejectedError
from include.trueup.rows import duck

from .dynamodb_subject import DynamoDBSubject
from .subject import Row, arrow, by_key, stored

COLUMNS = {"id": Type.TEXT, "label": Type.TEXT, "more": Type.JSON}


def unwritable(dynamodb: DynamoDBSubject, table: Table, row: Row) -> str | None:
    """Why the store says that it could not hold the row, None if it could."""
    with tempfile.TemporaryDirectory() as scratch, duck.connect(Path(scratch)) as connection:
        connection.register("planned", arrow(table, [row]))
        connection.execute("CREATE TABLE candidates AS SELECT 77 AS __trueup_row_id, * FROM planned")
        found = connection.execute(dynamodb.store.unwritable(table, "candidates")).fetchall()
    assert [number for number, _ in found] in ([], [77])
    return found[0][1] if found else None


LIMITED = {"h": Type.TEXT, "r": Type.BINARY, "i": Type.TEXT, "n": Type.NUMBER, "t": Type.TEXT, "j": Type.JSON}
KEY: Row = {"h": "h", "r": b"r"}
ENGINES_DO_NOT_REFUSE = {"'i', key of index 'i-index', has 2049 bytes, 2048 are allowed"}
"""AWS does."""
ITEM_BYTES = 409_600 - len("hhrrt")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"h": "h"}, "'r', key, is missing"),
        ({"h": "", "r": b"r"}, "'h', key, is empty"),
        ({"h": "h", "r": b""}, "'r', key, is empty"),
        ({"h": "ü" * 1025, "r": b"r"}, "'h', key, has 2050 bytes, 2048 are allowed"),
        ({"h": "h", "r": b"r" * 1025}, "'r', key, has 1025 bytes, 1024 are allowed"),
        ({**KEY, "i": ""}, "'i', key of index 'i-index', is empty"),
        ({**KEY, "i": "i" * 2049}, "'i', key of index 'i-index', has 2049 bytes, 2048 are allowed"),
        ({**KEY, MISTYPED: '{"i":{"N":"1"}}'}, "'i', key of index 'i-index', is of another type"),
        ({**KEY, "n": "1" * 39}, "'n' has 39 significant digits, 38 are allowed"),
        ({**KEY, "n": "0." + "1" * 39}, "'n' has 39 significant digits, 38 are allowed"),
        ({**KEY, "n": "1" + "0" * 126}, "beyond the numbers"),
        ({**KEY, "n": "-0." + "0" * 130 + "1"}, "beyond the numbers"),
        ({**KEY, "n": "NaN"}, "'n' is not a plain decimal number"),
        ({**KEY, "t": "t" * (ITEM_BYTES + 1)}, "the row takes 409601 bytes or more"),
        ({**KEY, "t": "ü" * 204_800}, "the row takes 409605 bytes or more"),
        ({**KEY, "j": '{"x":{"S":"' + "x" * 409_600 + '"}}'}, "the row takes 409"),
        ({**KEY, EXTRA: '{"x":{"S":"' + "x" * 409_600 + '"}}'}, "the row takes 409"),
    ],
)
def test_what_dynamodb_refuses_is_named_beforehand(row: Row, message: str, dynamodb: DynamoDBSubject) -> None:
    table = dynamodb.table(LIMITED, ("h", "r"), (Index(name="i-index", key=("i", "n")),))
    dynamodb.store.create(table)
    assert message in (unwritable(dynamodb, table, row) or "")
    if message not in ENGINES_DO_NOT_REFUSE:
        try:
            outcome = dynamodb.store.add(table, arrow(table, [row]))
        except StoreRejectedError:
            return
        assert (outcome.written, len(outcome.refused)) == (0, 1)


@pytest.mark.parametrize(
    "row",
    [
        {"h": "ü" * 1024, "r": b"r" * 1024, "i": "i" * 2048},
        {**KEY, "n": "-1" + "0" * 125},
        {**KEY, "n": "9" * 38 + "0" * 88},
        {**KEY, "n": "0." + "0" * 129 + "1"},
        {**KEY, "n": "0." + "0" * 90 + "1" * 38},
        {**KEY, "t": "t" * ITEM_BYTES},
        {**KEY, "j": '{"a":{"L":[' + ",".join(['{"N":"1"}'] * 20_000) + "]}}"},
        {**KEY, EXTRA: '{"x":{"NS":["1","2"]}}', MISTYPED: '{"t":{"N":"1"}}'},
    ],
)
def test_what_dynamodb_just_holds_is_written(row: Row, dynamodb: DynamoDBSubject) -> None:
    table = dynamodb.table(LIMITED, ("h", "r"), (Index(name="i-index", key=("i",)),))
    dynamodb.store.create(table)
    assert unwritable(dynamodb, table, row) is None
    assert dynamodb.store.add(table, arrow(table, [row])).written == 1
    assert stored(dynamodb, table) == by_key(table, arrow(table, [row]))


def test_a_declared_column_among_the_undeclared_is_named(dynamodb: DynamoDBSubject) -> None:
    table = dynamodb.table(COLUMNS, ("id",))
    assert "_extra: label" in (unwritable(dynamodb, table, {"id": "1", EXTRA: '{"label":{"S":"x"}}'}) or "")


def nested(levels: int) -> str:
    """A map in a map, and so on: its innermost value is at this level of the column's."""
    return '{"a":{"M":' * (levels - 2) + '{"a":{"S":"x"}}' + "}}" * (levels - 2)


@pytest.mark.parametrize(
    ("json", "message"),
    [
        (nested(33), "is nested deeper than 32 levels"),
        (nested(400), "is nested deeper than 32 levels"),
        (nested(2_000), "is not readable JSON"),
        ('{"a":{"L":[{"N":"' + "1" * 39 + '"}]}}', "has 39 significant digits, 38 are allowed"),
        ('{"a":{"NS":["1' + "0" * 126 + '"]}}', "is beyond the numbers"),
        ('{"a":{"N":"1E-131"}}', "is beyond the numbers"),
        ('{"a":{"N":"1E999999999"}}', "is not a number that DynamoDB can hold"),
        ('{"a":{"N":"x"}}', "is not a number that DynamoDB can hold"),
        ('{"a":{"N":1}}', "is int, not the text of one"),
        ('{"a":{"L":[{"SS":[]}]}}', "is an empty set"),
        ('{"a":{"SS":["x","x"]}}', "is a set that has a member twice"),
        ('{"a":{"NS":["1","1.0"]}}', "is a set that has a member twice"),
        ('{"a":{"NULL":false}}', "should be NULL: true, but is not"),
        ('{"a":1}', "is not a DynamoDB value: 1"),
        ('{"a":{"S":"x","N":"1"}}', "is not a DynamoDB value"),
        ('{"a":{"X":"x"}}', "is of a type that DynamoDB does not have"),
        ('{"a":{"B":"?"}}', "should be binary, but is not base64"),
    ],
)
@pytest.mark.parametrize("column", ["more", EXTRA])
def test_what_dynamodb_refuses_inside_a_value_is_named_beforehand(
    json: str, message: str, column: str, dynamodb: DynamoDBSubject
) -> None:
    said = unwritable(dynamodb, dynamodb.table(COLUMNS, ("id",)), {"id": "1", column: json})
    if column == EXTRA and json == nested(33):  # one level less: the member is the attribute itself
        assert said is None
    else:
        assert message in (said or "")


@pytest.mark.parametrize(
    "json",
    [
        nested(32),
        '{"":{"S":""},"b":{"B":""},"l":{"L":[]},"m":{"M":{}},"n":{"NULL":true},"s":{"SS":[""]}}',
        '{"points":{"L":[' + ",".join(f'{{"N":"{n % 90 + 10}"}}' for n in range(60_000)) + "]}}",
        '{"m":{"M":{' + ",".join(f'"{n:05}":{{"NULL":true}}' for n in range(50_000)) + "}}}",
    ],
    ids=["deep", "empty values", "60,000 small numbers", "50,000 NULLs"],
)
def test_what_dynamodb_holds_inside_a_value_is_written(json: str, dynamodb: DynamoDBSubject) -> None:
    table = dynamodb.table(COLUMNS, ("id",))
    dynamodb.store.create(table)
    row = {"id": "1", "more": json}
    assert unwritable(dynamodb, table, row) is None
    assert dynamodb.store.add(table, arrow(table, [row])).written == 1
    assert stored(dynamodb, table) == by_key(table, arrow(table, [row]))
    assert dynamodb.store.remove(table, arrow(table, [row])).written == 1
