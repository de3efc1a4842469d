"""Both ways of listing a client's assignments, and the comparison of the two, over the dirty sample."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from include.migrations.checkins import sample
from include.migrations.checkins.migration import migration
from include.migrations.checkins.serving import USE_PRE_CREATED, IndexMissingError, compare, get_assignments
from include.migrations.checkins.shadow import comparison
from include.trueup.cutover.guards import guard
from include.trueup.errors import ProofError
from include.trueup.ledger import Ledger, SwitchState
from include.trueup.run.workspace import Workspace
from include.trueup.stores.dynamodb import DynamoDBStore
from include.trueup.walk import walk
from tests.harness import items, run_of, store_at
from tests.samples import Samples


@pytest.fixture
def store(samples: Samples) -> Iterator[DynamoDBStore]:
    """A DynamoDB with the sample."""
    with samples.engine(sample) as engine:
        yield store_at(engine.endpoint)


def test_both_ways_give_the_same_once_the_migration_has_run(
    store: DynamoDBStore, ledger: Ledger, workspace: Workspace
) -> None:
    assert sum(not c.same for c in compare(store)) > 50
    with pytest.raises(IndexMissingError):  # which only the run adds
        get_assignments(store, "client-000-000")
    responses = migration.target("responses").table
    store.create(responses)
    ids = [f"client-000-{n:03}" for n in range(0, 60, 20)]
    weeks = {id: [(a["formId"], a.get("recurringWeek"), a["id"]) for a in get_assignments(store, id)] for id in ids}
    walk(run_of(migration, ledger, workspace, lambda _: store))
    assert migration.shadow is not None
    assert migration.shadow.comparison == comparison.id
    assert comparison.compare(store, {}).differences == []
    with pytest.raises(ProofError, match=r"links that are wrong: \d+: assignment .*max_bad_links allows 0"):
        guard(migration.guards, SwitchState.NEW, {}, lambda _: store)
    assert guard(migration.guards, SwitchState.NEW, {"max_bad_links": 99}, lambda _: store).keys() == {"max_bad_links"}
    found = list(compare(store))
    assert [c for c in found if not c.same] == []
    assert sum(c.assignments for c in found) == sum("clientId" in a for a in items(store, "check-in-assignments"))
    for id in ids:
        there = get_assignments(store, id, lambda name: name == USE_PRE_CREATED)
        assert there == get_assignments(store, id)
        assert weeks[id] == [(a["formId"], a.get("recurringWeek"), a["id"]) for a in there]
        assert all(isinstance(a["recurringWeek"], Decimal) for a in there)

    # and it says which client's are not the same
    (target,) = [a["id"] for a in get_assignments(store, "client-bases") if a["formId"] == "every-type"][2:3]
    store.client.update_item(
        TableName="check-in-assignments",
        Key={"id": {"S": target}},
        UpdateExpression="SET dueDate = :d",
        ExpressionAttributeValues={":d": {"S": "2024-03-11"}},
    )
    assert [(c.client_id, c.different) for c in compare(store) if not c.same] == [("client-bases", (target,))]
    assert comparison.compare(store, {}).differences == [{"key": "client-bases", "different": [target]}]


def test_a_client_without_assignments_has_none(store: DynamoDBStore) -> None:
    store.create(migration.target("responses").table)
    assert get_assignments(store, "nobody") == []
    assert get_assignments(store, "nobody", lambda _: True) == []
