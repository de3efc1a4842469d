"""A run of some days, then one of all rows, and the way back to the first: what a made-up declaration with a window goes through."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from include.trueup.declare import Migration
from include.trueup.declare.names import MISTYPED
from include.trueup.errors import TrueupError
from include.trueup.run import Options, Run, Window
from include.trueup.testing import Stage, make
from include.trueup.testing.literal import differences
from include.trueup.testing.trip import put, rows_in
from include.trueup.walk import walk

if TYPE_CHECKING:
    from .test_check_to_proof import Declared

_numbers = itertools.count(1)


def backfill(
    each: Declared,
    migration: Migration,
    stage: Stage,
    rows: dict[str, list[dict[str, Any]]],
    holds: dict[str, list[dict[str, Any]]],
    gives: dict[str, list[dict[str, Any]]],
) -> None:
    """A run of the days, which writes what rows in them give, and no other row; one of all rows; and that rolled back."""
    for table, given_rows in (
        *((source.table, rows[source.id]) for source in migration.sources),
        *((migration.target(id).table, there) for id, there in holds.items()),
    ):
        put(stage, table, given_rows)
    within = [row for row in rows["old"] if each.is_within(row)]
    of_days = make(migration, {**rows, "old": within}).rows
    after = {}
    for id, planned in gives.items():
        key = migration.target(id).table.key
        keys = {tuple(map(repr, (row[name] for name in key))) for row in of_days[id]}
        is_of_days = [row for row in planned if tuple(map(repr, (row[name] for name in key))) in keys]
        others = [row for row in holds.get(id, ()) if tuple(map(repr, (row.get(name) for name in key))) not in keys]
        after[id] = [*is_of_days, *others]
    walked(each, migration, stage, window=each.days)
    held(migration, stage, after)
    whole = walked(each, migration, stage)
    held(migration, stage, gives)
    if stage.ledger.written_ever(whole):
        walked(each, migration, stage, undoes=whole)
    held(migration, stage, after)


def walked(
    each: Declared, migration: Migration, stage: Stage, undoes: str | None = None, window: Window | None = None
) -> str:
    """A run, or the rollback of one, which is proven; its id."""
    options = Options(
        partitions=None if undoes else each.partitions,
        segments=1,
        max_reject_share=1,
        params={},
        window=window,
        # once a run has written, rows that the target had outside of its days count as somebody else's
        overwrite_drift=window is None and undoes is None,
    )
    made = Run(
        id=f"{'back' if undoes else 'days' if window else 'all'}-{next(_numbers)}",
        dag_id="made_rollback" if undoes else "made",
        migration=migration,
        options=options,
        ledger=stage.ledger,
        workspace=stage.workspace,
        store=stage.store,
        undoes=undoes,
    )
    try:
        assert walk(made).proof == "proven", (made.id, each)
    except TrueupError as error:
        raise AssertionError(f"{made.id}: {error}") from error
    return made.id


def held(migration: Migration, stage: Stage, wanted: Mapping[str, list[dict[str, Any]]]) -> None:
    """Each of these targets holds these rows, and no other."""
    for id, rows in wanted.items():
        table = migration.target(id).table
        store = stage.store(table.connection)
        is_there = [{n: v for n, v in row.items() if n != MISTYPED} for row in rows_in(store, table).values()]
        assert not differences(table, is_there, rows, dynamodb=store.kind == "dynamodb"), id
