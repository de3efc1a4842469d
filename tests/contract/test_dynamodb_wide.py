"""Rows of more attributes than one condition, or one update, has room for."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from include.trueup.declare.migration import Table, Type
from include.trueup.errors import StoreUnavailableError
from include.trueup.stores import Outcome, Share
from include.trueup.stores.dynamodb import settle
from include.trueup.stores.dynamodb.wire import Wire

from .dynamodb_subject import DynamoDBSubject
from .subject import Row, arrow, by_key, stored

WIDE = {"id": Type.TEXT, **{f"a{n:03}": Type.TEXT for n in range(400)}}


@pytest.fixture
def table(dynamodb: DynamoDBSubject) -> Table:
    declared = dynamodb.table(WIDE, ("id",))
    dynamodb.store.create(declared)
    return declared


def row(text: str, attributes: int = 400, **values: str | None) -> Row:
    return {"id": "1", **{f"a{n:03}": f"{text}{n}" for n in range(attributes)}, **values}


def remove_attribute(dynamodb: DynamoDBSubject, table: Table, name: str) -> None:
    dynamodb.client.update_item(
        TableName=table.name,
        Key={"id": {"S": "1"}},
        UpdateExpression="REMOVE #n",
        ExpressionAttributeNames={"#n": name},
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (row("old"), row("new")),
        (row("old"), row("", 0)),
        (row("", 0), row("new")),
        (row("old", 200), {**row("old"), **dict.fromkeys(list(WIDE)[1:150])}),
        (row("old"), row("old", a399="new")),
    ],
    ids=["all change", "all go", "all come", "some go, some come", "one changes"],
)
def test_a_wide_row_is_brought_to_its_new_content(
    before: Row, after: Row, dynamodb: DynamoDBSubject, table: Table
) -> None:
    dynamodb.put(table, [before])
    for _ in range(2):
        outcome = dynamodb.store.change(table, arrow(table, [after]), arrow(table, [before]))
        assert (outcome.written, outcome.conflicts) == (1, [])
        assert stored(dynamodb, table) == by_key(table, arrow(table, [after]))


def broken_off(dynamodb: DynamoDBSubject, table: Table, before: Row, after: Row, updates: int = 1) -> None:
    """A change that stops after so many of its updates."""
    real, sent = Wire.call, [0]

    def call(self: Wire, operation: str, *rest: Any, **named: Any) -> dict[str, Any]:
        if operation == "UpdateItem":
            sent[0] += 1
            if sent[0] > updates:
                raise StoreUnavailableError("stopped by a test")
        return real(self, operation, *rest, **named)

    with patch.object(Wire, "call", call), pytest.raises(StoreUnavailableError):
        dynamodb.store.change(table, arrow(table, [after]), arrow(table, [before]))


def test_a_change_that_was_broken_off_goes_on(dynamodb: DynamoDBSubject, table: Table) -> None:
    before, after = row("old"), row("new")
    dynamodb.put(table, [before])
    broken_off(dynamodb, table, before, after)
    half = stored(dynamodb, table)[("1",)]
    assert 0 < sum(value == after[name] for name, value in half.items() if name in after and name != "id") < 400
    assert dynamodb.store.change(table, arrow(table, [after]), arrow(table, [before])).written == 1
    assert stored(dynamodb, table) == by_key(table, arrow(table, [after]))


@pytest.mark.parametrize("name", ["a000", "a399", "theirs"])
def test_what_somebody_changes_in_between_is_not_overwritten(
    name: str, dynamodb: DynamoDBSubject, table: Table
) -> None:
    before, after = row("old"), row("new")
    dynamodb.put(table, [before])
    broken_off(dynamodb, table, before, after)
    dynamodb.client.update_item(
        TableName=table.name,
        Key={"id": {"S": "1"}},
        UpdateExpression="SET #n = :v",
        ExpressionAttributeNames={"#n": name},
        ExpressionAttributeValues={":v": {"S": "theirs"}},
    )
    theirs = stored(dynamodb, table)
    outcome = dynamodb.store.change(table, arrow(table, [after]), arrow(table, [before]))
    assert (outcome.written, [conflict.reason for conflict in outcome.conflicts]) == (0, [settle.CHANGED])
    assert stored(dynamodb, table) == theirs


def test_a_row_that_one_update_has_room_for_is_never_half_ours(dynamodb: DynamoDBSubject, table: Table) -> None:
    """Somebody who made one of two changes made them for reasons of their own."""
    before, after = row("old", 20), row("old", 20, a000="new", a001="new")
    dynamodb.put(table, [row("old", 20, a000="new")])
    assert len(dynamodb.store.change(table, arrow(table, [after]), arrow(table, [before])).conflicts) == 1


def test_a_change_that_is_in_counts_though_another_attribute_was_changed_since(
    dynamodb: DynamoDBSubject, table: Table
) -> None:
    """As after an answer that was lost: the read-back tells of the other attribute."""
    before, after = row("old", 20), row("old", 20, a000="new")
    dynamodb.put(table, [row("old", 20, a000="new", a001="theirs")])
    outcome = dynamodb.store.change(table, arrow(table, [after]), arrow(table, [before]))
    assert (outcome.written, outcome.conflicts) == (1, [])
    assert stored(dynamodb, table) == by_key(table, arrow(table, [row("old", 20, a000="new", a001="theirs")]))


def narrow(dynamodb: DynamoDBSubject) -> Table:
    """A table whose rows have attributes that nobody declared."""
    declared = dynamodb.table({"id": Type.TEXT}, ("id",))
    dynamodb.store.create(declared)
    return declared


def undeclared(attributes: int) -> Row:
    members = ",".join(f'"a{n:03}":{{"S":"x"}}' for n in range(attributes))
    return {"id": "1", "_extra": f"{{{members}}}"}


def test_a_row_is_removed_on_the_condition_of_all_its_attributes_or_not_at_all(dynamodb: DynamoDBSubject) -> None:
    table = narrow(dynamodb)
    for attributes, removed in ((150, True), (151, False)):
        rows = arrow(table, [undeclared(attributes)])
        assert dynamodb.store.add(table, rows).written == 1
        assert dynamodb.store.stuck(table, rows) == ({} if removed else {"1": settle.TOO_WIDE})
        outcome: Outcome = dynamodb.store.remove(table, rows)
        assert [conflict.reason for conflict in outcome.conflicts] == ([] if removed else [settle.TOO_WIDE])
        assert (stored(dynamodb, table) == {}) is removed


def test_what_is_removed_is_compared_to_the_last_attribute(dynamodb: DynamoDBSubject) -> None:
    table = narrow(dynamodb)
    rows = arrow(table, [undeclared(150)])
    dynamodb.store.add(table, rows)
    real = Wire.call

    def call(self: Wire, operation: str, *rest: Any, **named: Any) -> dict[str, Any]:
        if operation == "DeleteItem":
            remove_attribute(dynamodb, table, "a149")
        return real(self, operation, *rest, **named)

    with patch.object(Wire, "call", call):
        outcome = dynamodb.store.remove(table, rows)
    assert [conflict.reason for conflict in outcome.conflicts] == [settle.CHANGED]
    assert len(stored(dynamodb, table)) == 1


def test_a_transaction_has_no_room_for_a_wide_change(dynamodb: DynamoDBSubject, table: Table) -> None:
    before, after = row("old"), row("new")
    dynamodb.put(table, [before])
    share = Share(table=table, rows=arrow(table, [after]), before=arrow(table, [before]), units=(0,))
    (outcome,) = dynamodb.store.together([share])
    assert "a transaction has one update a row" in outcome.conflicts[0].reason
    assert stored(dynamodb, table) == by_key(table, arrow(table, [before]))


def test_a_row_that_dynamodb_refuses_stops_no_other(dynamodb: DynamoDBSubject) -> None:
    """Nothing asked whether these rows fit: DynamoDB is the judge of that in the end."""
    table = dynamodb.table({"id": Type.TEXT, "text": Type.TEXT}, ("id",))
    dynamodb.store.create(table)
    small: list[Row] = [{"id": f"{n:02}", "text": "x"} for n in range(60)]
    large = "x" * 409_600
    # the first row is put, not inserted: ministack's INSERT does not look at sizes
    added = dynamodb.store.add(table, arrow(table, [{**small[0], "text": large}, *small[1:]]))
    assert (added.written, [refused.key for refused in added.refused]) == (59, ["00"])
    assert "size" in added.refused[0].reason
    assert dynamodb.store.add(table, arrow(table, small)).written == 60
    after = arrow(table, [{**each, "text": large if n == 30 else "y"} for n, each in enumerate(small)])
    changed = dynamodb.store.change(table, after, arrow(table, small))
    assert (changed.written, [refused.key for refused in changed.refused]) == (59, ["30"])


def test_large_rows_go_in_batches_of_their_own(dynamodb: DynamoDBSubject) -> None:
    table = dynamodb.table({"id": Type.TEXT, "text": Type.TEXT}, ("id",))
    dynamodb.store.create(table)
    rows = arrow(table, [{"id": f"{n:02}", "text": "x" * 400_000} for n in range(60)])
    for _ in range(2):
        assert dynamodb.store.add(table, rows).written == 60
    assert dynamodb.store.get(table, rows.select(["id"])).num_rows == 60
