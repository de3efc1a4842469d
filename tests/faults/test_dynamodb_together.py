"""Transactions that are cancelled, or whose answer is lost."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from include.trueup.declare.migration import Table
from include.trueup.stores import Share
from include.trueup.stores.dynamodb import wire
from tests.contract.subject import arrow, by_key
from tests.harness import store_at

from .rows import row, stored


def share(table: Table) -> Share:
    rows = arrow(table, [row(1, label="new"), row(2)])
    before = arrow(table, [row(1), {}])
    return Share(table=table, rows=rows, before=before, units=(0, 0))


@pytest.mark.parametrize("committed", [False, True], ids=["not written", "written, and the answer lost"])
@pytest.mark.parametrize("reasons", [("TransactionConflict", "None"), ("None", "ConditionalCheckFailed")])
def test_a_cancelled_transaction_is_decided_by_what_is_there(
    engine: str,
    table: Table,
    short_pauses: None,
    monkeypatch: pytest.MonkeyPatch,
    reasons: tuple[str, ...],
    committed: bool,
) -> None:
    store = store_at(engine)
    store.add(table, arrow(table, [row(1)]))
    real, tries = wire.Wire.call, [0]

    def cancelled(self: wire.Wire, operation: str, *rest: Any, **named: Any) -> dict[str, Any]:
        if operation == "TransactWriteItems":
            tries[0] += 1
            if tries[0] == 1:
                if committed:
                    real(self, operation, *rest, **named)
                raise wire.RejectedError("TransactionCanceled", "cancelled", reasons)
        return real(self, operation, *rest, **named)

    monkeypatch.setattr(wire.Wire, "call", cancelled)
    (outcome,) = store.together([share(table)])
    assert (outcome.written, outcome.conflicts) == (2, [])
    assert outcome.retries == (reasons[0] == "TransactionConflict")
    assert stored(engine, table) == by_key(table, share(table).rows)


def test_a_cancelled_transaction_says_what_each_action_met(engine: str, table: Table) -> None:
    store = store_at(engine)
    store.add(table, arrow(table, [row(1)]))
    condition = {"ConditionExpression": "attribute_not_exists(id)"}
    items = ({"id": {"S": f"id-{n:03}"}, "label": {"S": "x"}} for n in (1, 2))
    puts = [{"Put": {"TableName": table.name, "Item": item, **condition}} for item in items]
    with pytest.raises(wire.RejectedError) as caught:
        wire.Wire(store.client).call("TransactWriteItems", table.name, orjson.dumps({"TransactItems": puts}))
    assert caught.value.code == "TransactionCanceled"
    assert caught.value.reasons == ("ConditionalCheckFailed", "None")
