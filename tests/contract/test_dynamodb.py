"""What only DynamoDB has: undeclared attributes, other types than declared, sets, NULL, its indexes and its limits."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from boto3.dynamodb.types import TypeDeserializer

from include.trueup.declare.migration import Index, Table, Type
from include.trueup.declare.names import EXTRA, MISTYPED, WITHOUT_NULLS
from include.trueup.errors import DeclarationError, StoreRejectedError
from include.trueup.rows import duck

from .dynamodb_subject import DynamoDBSubject
from .subject import Row, arrow, by_key, stored

DIGITS = "1.2345678901234567890123456789012345678"
COLUMNS = {"id": Type.TEXT, "label": Type.TEXT, "amount": Type.NUMBER, "done": Type.BOOLEAN, "more": Type.JSON}
INDEXES = (Index(name="label-index", key=("label", "amount")), Index(name="amount-index", key=("amount",)))

RICH: dict[str, Any] = {
    "id": {"S": "rich"},
    "label": {"S": ""},
    "more": {"M": {"z": {"N": "1.50"}, "a": {"L": [{"NULL": True}, {"SS": ["b", "a"]}, {"M": {}}, {"BOOL": False}]}}},
    "strings": {"SS": ["b", "a", "ü", "Z"]},
    "numbers": {"NS": ["10", "9", DIGITS, "-1.50"]},
    "bytes": {"BS": [b"\x01", b"\x00\xff"]},
    "raw": {"B": b"\x00\x01"},
    "precise": {"N": DIGITS},
    "list": {"L": [{"N": "1E+2"}, {"S": ""}]},
}
RICH_EXTRA = (
    '{"bytes":{"BS":["AP8=","AQ=="]},"list":{"L":[{"N":"100"},{"S":""}]},'
    f'"numbers":{{"NS":["-1.5","{DIGITS}","10","9"]}},"precise":{{"N":"{DIGITS}"}},'
    '"raw":{"B":"AAE="},"strings":{"SS":["Z","a","b","ü"]}}'
)


@pytest.fixture
def table(dynamodb: DynamoDBSubject) -> Table:
    """An empty table."""
    declared = dynamodb.table(COLUMNS, ("id",))
    dynamodb.store.create(declared)
    return declared


def put(dynamodb: DynamoDBSubject, table: Table, *items: dict[str, Any]) -> None:
    for item in items:
        dynamodb.client.put_item(TableName=table.name, Item=item)


def raw(dynamodb: DynamoDBSubject, table: Table, key: str) -> dict[str, Any]:
    """An item as boto3 reads it, in Python's values: equal numbers, sets and maps are equal."""
    return plain(dynamodb.client.get_item(TableName=table.name, Key={"id": {"S": key}}, ConsistentRead=True)["Item"])


def plain(item: dict[str, Any]) -> dict[str, Any]:
    return {name: TypeDeserializer().deserialize(value) for name, value in item.items()}


def only(dynamodb: DynamoDBSubject, table: Table) -> Row:
    ((_, row),) = stored(dynamodb, table).items()
    return row


# what a row holds beside its declared columns


def test_undeclared_attributes_are_kept_in_canonical_form(dynamodb: DynamoDBSubject, table: Table) -> None:
    put(dynamodb, table, RICH)
    row = only(dynamodb, table)
    assert row[EXTRA] == RICH_EXTRA
    assert row[MISTYPED] is None
    assert row["more"] == '{"a":{"L":[{"NULL":true},{"SS":["a","b"]},{"M":{}},{"BOOL":false}]},"z":{"N":"1.5"}}'


def test_attributes_of_another_type_are_kept_beside_their_null_column(dynamodb: DynamoDBSubject, table: Table) -> None:
    item = {"id": {"S": "1"}, "label": {"N": "7.0"}, "amount": {"S": "7.0"}, "done": {"S": "true"}, "more": {"L": []}}
    put(dynamodb, table, item, {"id": {"S": "2"}, "label": {"S": "well"}, "amount": {"N": "1"}})
    rows = stored(dynamodb, table)
    assert rows[("1",)] == {
        **dict.fromkeys([*COLUMNS, EXTRA]),
        "id": "1",
        MISTYPED: '{"amount":{"S":"7.0"},"done":{"S":"true"},"label":{"N":"7"},"more":{"L":[]}}',
    }
    assert (rows[("2",)]["label"], rows[("2",)]["amount"], rows[("2",)][MISTYPED]) == ("well", "1", None)


NULLED = {"label": {"NULL": True}, 'undeclared "]': {"NULL": True}}
HELD = '{"":["label","undeclared \\"]"]'


def test_a_null_attribute_is_null_and_remembered(dynamodb: DynamoDBSubject, table: Table) -> None:
    put(dynamodb, table, {"id": {"S": "1"}, **NULLED})
    assert only(dynamodb, table) == {**dict.fromkeys([*COLUMNS, EXTRA]), "id": "1", MISTYPED: HELD + "}"}
    put(dynamodb, table, {"id": {"S": "1"}, **NULLED, "amount": {"S": "7"}})
    assert only(dynamodb, table)[MISTYPED] == HELD + ',"amount":{"S":"7"}}'


def test_what_is_remembered_of_nulls_is_in_no_comparison(tmp_path: Path) -> None:
    with duck.connect(tmp_path) as connection:
        texts = [HELD + "}", HELD + ',"amount":{"S":"7"}}', '{"amount":{"S":"7"}}', '{"a":{"L":["",["x"]]}}', None]
        found = [connection.execute(f"SELECT {WITHOUT_NULLS}(?)", [text]).fetchone() for text in texts]
    assert found == [(None,), (texts[2],), (texts[2],), (texts[3],), (None,)]


def test_a_row_is_put_back_with_its_nulls(dynamodb: DynamoDBSubject, table: Table) -> None:
    item = {"id": {"S": "1"}, **NULLED, "more": {"M": {"deep": {"NULL": True}}}}
    put(dynamodb, table, item)
    before = pa.Table.from_batches(dynamodb.store.read(table, 0, 1))
    assert dynamodb.store.remove(table, before).written == 1
    for _ in range(2):
        assert dynamodb.store.add(table, before).written == 1
        assert raw(dynamodb, table, "1") == plain(item)
    after = arrow(table, [{"id": "1", "label": "new", "amount": "1"}])
    assert dynamodb.store.change(table, after, before).written == 1
    changed = {**item, "label": {"S": "new"}, "amount": {"N": "1"}}
    del changed["more"]
    assert raw(dynamodb, table, "1") == plain(changed)
    for _ in range(2):
        assert dynamodb.store.change(table, before, after).written == 1
        assert raw(dynamodb, table, "1") == plain(item)


def test_what_is_null_is_in_the_condition_of_a_removal(dynamodb: DynamoDBSubject, table: Table) -> None:
    put(dynamodb, table, {"id": {"S": "1"}, **NULLED})
    before = pa.Table.from_batches(dynamodb.store.read(table, 0, 1))
    put(dynamodb, table, {"id": {"S": "1"}, **NULLED, "label": {"S": "theirs"}})
    assert len(dynamodb.store.remove(table, before).conflicts) == 1
    put(dynamodb, table, {"id": {"S": "1"}})  # which is the same
    assert dynamodb.store.remove(table, before).written == 1


def test_rows_are_carried_to_another_table_with_all_they_hold(dynamodb: DynamoDBSubject, table: Table) -> None:
    odd = {"label": {"N": "1"}, 'it\'s "x" ü': {"S": "?"}, "a b": {"L": []}}
    dotted = {"a.b": {"N": "1"}, "a-b": {"S": ""}, "_": {"BOOL": False}, "1": {"NS": ["1"]}, "SELECT": {"S": "x"}}
    put(dynamodb, table, RICH, {"id": {"S": "a"}}, {"id": {"S": "dotted"}, **dotted})
    put(dynamodb, table, *({"id": {"S": key}, **odd} for key in ("odd", "odder")))
    copy = dynamodb.table(COLUMNS, ("id",))
    dynamodb.store.create(copy)
    rows = pa.Table.from_batches(dynamodb.store.read(table, 0, 1)).sort_by("id")
    for _ in range(2):
        assert dynamodb.store.add(copy, rows).written == 5
    for key in ("odd", "odder"):
        assert raw(dynamodb, copy, key) == plain({"id": {"S": key}, **odd})
    assert raw(dynamodb, copy, "dotted") == plain({"id": {"S": "dotted"}, **dotted})
    assert raw(dynamodb, copy, "rich") == plain(RICH)
    assert stored(dynamodb, copy) == stored(dynamodb, table)


def test_only_attributes_that_differ_are_changed(dynamodb: DynamoDBSubject, table: Table) -> None:
    item = {**RICH, "amount": {"N": "1"}, "done": {"NULL": True}, "gone": {"S": "x"}}
    put(dynamodb, table, item)
    before = pa.Table.from_batches(dynamodb.store.read(table, 0, 1))
    extra = RICH_EXTRA.replace('"AAE="', '"AAI="').replace("{", '{"fresh":{"BOOL":true},', 1)
    after = arrow(table, [{**before.to_pylist()[0], "amount": None, "done": True, EXTRA: extra}])
    assert dynamodb.store.change(table, after, before).written == 1
    expected = {**item, "done": {"BOOL": True}, "raw": {"B": b"\x00\x02"}, "fresh": {"BOOL": True}}
    del expected["amount"], expected["gone"]
    assert raw(dynamodb, table, "rich") == plain(expected)


@pytest.mark.parametrize("operation", ["change", "remove"])
def test_an_attribute_that_somebody_added_since_is_not_lost(
    operation: str, dynamodb: DynamoDBSubject, table: Table
) -> None:
    theirs = {"id": {"S": "1"}, "label": {"S": "a"}, "theirs": {"S": "x"}}
    put(dynamodb, table, theirs)
    before, after = arrow(table, [{"id": "1", "label": "a"}]), arrow(table, [{"id": "1", "label": "b"}])
    store = dynamodb.store
    outcome = store.change(table, after, before) if operation == "change" else store.remove(table, before)
    assert (outcome.written, len(outcome.conflicts)) == (0, 1)
    assert raw(dynamodb, table, "1") == plain(theirs)


def test_null_attributes_do_not_hinder_changing_and_removing(dynamodb: DynamoDBSubject, table: Table) -> None:
    null = {"NULL": True}
    put(dynamodb, table, *({"id": {"S": key}, "label": null, "done": null, "undeclared": null} for key in "12"))
    before = arrow(table, [{"id": "1"}, {"id": "2"}])
    assert dynamodb.store.change(table, arrow(table, [{"id": "1", "label": "a"}]), before.slice(0, 1)).written == 1
    assert dynamodb.store.remove(table, before.slice(1)).written == 1
    assert only(dynamodb, table)["label"] == "a"


# tables


def test_a_table_is_made_as_the_contract_says(dynamodb: DynamoDBSubject, caplog: pytest.LogCaptureFixture) -> None:
    declared = dynamodb.table(COLUMNS, ("id",), INDEXES)
    with caplog.at_level(logging.WARNING):
        dynamodb.store.create(declared)
    found = dynamodb.client.describe_table(TableName=declared.name)["Table"]
    assert found["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert found["DeletionProtectionEnabled"] is True
    indexes = {index["IndexName"]: index for index in found["GlobalSecondaryIndexes"]}
    assert {index["Projection"]["ProjectionType"] for index in indexes.values()} == {"ALL"}
    assert [key["AttributeName"] for key in indexes["label-index"]["KeySchema"]] == ["label", "amount"]
    types = {each["AttributeName"]: each["AttributeType"] for each in found["AttributeDefinitions"]}
    assert types == {"id": "S", "label": "S", "amount": "N"}
    assert recovery(dynamodb, declared) == ("ENABLED" if "point-in-time" not in caplog.text else None)


def recovery(dynamodb: DynamoDBSubject, table: Table) -> str | None:
    """Whether point-in-time recovery is on; None where the engine has none."""
    try:
        answer = dynamodb.client.describe_continuous_backups(TableName=table.name)
    except dynamodb.client.exceptions.ClientError as error:
        if error.response["Error"]["Code"] == "UnknownOperationException":
            return None
        raise
    return answer["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]


def test_a_key_of_another_type_is_a_difference(dynamodb: DynamoDBSubject) -> None:
    declared = dynamodb.table({"id": Type.NUMBER}, ("id",))
    dynamodb.store.create(declared)
    with pytest.raises(StoreRejectedError, match="'id' is of type N, declared is text"):
        dynamodb.store.create(replace(declared, columns={"id": Type.TEXT}))


def test_an_index_with_another_key_is_a_difference(dynamodb: DynamoDBSubject) -> None:
    declared = dynamodb.table(COLUMNS, ("id",), INDEXES)
    dynamodb.store.create(declared)
    other = replace(declared, indexes=(Index(name="label-index", key=("label",)),))
    with pytest.raises(StoreRejectedError, match="the key of index 'label-index'"):
        dynamodb.store.create(other)


def test_an_index_that_a_table_lacks_is_added_where_that_is_declared(dynamodb: DynamoDBSubject) -> None:
    declared = dynamodb.table(COLUMNS, ("id",), INDEXES[:1])
    dynamodb.store.create(replace(declared, indexes=()))
    put(dynamodb, declared, {"id": {"S": "1"}, "label": {"S": "a"}, "amount": {"N": "1"}})
    with pytest.raises(StoreRejectedError, match=f"it has no index '{INDEXES[0].name}'"):
        dynamodb.store.create(declared)
    added = replace(declared, indexes=tuple(replace(index, add=True) for index in declared.indexes))
    for _ in range(2):
        assert dynamodb.store.create(added) is False
    description = dynamodb.store.describe(added)
    assert description is not None
    assert description.indexes == (INDEXES[0].name,)
    (hash_key, *_) = INDEXES[0].key
    found = dynamodb.client.query(
        TableName=declared.name,
        IndexName=INDEXES[0].name,
        KeyConditionExpression="#h = :v",
        ExpressionAttributeNames={"#h": hash_key},
        ExpressionAttributeValues={":v": {"S": "a"}},
    )
    assert [item["id"] for item in found["Items"]] == [{"S": "1"}]


def test_binary_and_number_keys(dynamodb: DynamoDBSubject) -> None:
    table = dynamodb.table({"b": Type.BINARY, "n": Type.NUMBER, "label": Type.TEXT}, ("b", "n"))
    dynamodb.store.create(table)
    rows = arrow(table, [{"b": bytes([0, 255, number]), "n": f"{number}.5", "label": "a"} for number in range(5)])
    assert dynamodb.store.add(table, rows).written == 5
    assert by_key(table, dynamodb.store.get(table, rows.select(["b", "n"]))) == by_key(table, rows)
    assert len(dynamodb.store.add(table, arrow(table, [{**rows.to_pylist()[0], "label": "b"}])).conflicts) == 1
    assert dynamodb.store.remove(table, rows).written == 5


@pytest.mark.parametrize(
    ("columns", "key"),
    [
        ({"id": Type.TEXT, "n": Type.INTEGER}, ("id",)),
        ({"id": Type.TEXT, "t": Type.TIMESTAMP}, ("id",)),
        ({"id": Type.BOOLEAN}, ("id",)),
        ({"a": Type.TEXT, "b": Type.TEXT, "c": Type.TEXT}, ("a", "b", "c")),
    ],
)
def test_what_dynamodb_has_no_type_for_is_a_mistake_of_the_declaration(
    columns: dict[str, Type], key: tuple[str, ...], dynamodb: DynamoDBSubject
) -> None:
    with pytest.raises(DeclarationError):
        dynamodb.store.create(dynamodb.table(columns, key))


def test_there_are_no_scripts(dynamodb: DynamoDBSubject) -> None:
    with pytest.raises(StoreRejectedError, match="no scripts"):
        dynamodb.store.script("SELECT 1")
