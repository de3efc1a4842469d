"""What a transaction of the relational twin set off, told before it commits (`stores/set_off.py`)."""

from __future__ import annotations

from collections.abc import Iterable

from include.trueup.stores.set_off import SetOff, present_watch

from .relational_writing import Batch
from .rows import Key, Row, arrow
from .tables import name_of
from .transactions import Transaction


def tell(transaction: Transaction, batches: Iterable[Batch]) -> None:
    """Tell whoever watches of the rows that the transaction leaves otherwise than they were to be written."""
    watch = present_watch()
    if watch is None:
        return
    wrote: dict[str, dict[Key, tuple[Row | None, bool]]] = {}
    for batch in batches:
        wrote.setdefault(batch.full_name, {}).update(batch.wrote)
    for table in watch.tables:
        held, name = transaction.database.find(table), name_of(table)
        if held is None:
            continue
        extras, ours = held.extras(table), wrote.get(name, {})
        rows: list[Row] = []
        deleted = 0
        for key, now in transaction.changes.get(name, {}).items():
            planned = ours.get(key)
            if now is None:
                deleted += held.rows.get(key) is not None and (planned is None or planned[0] is not None)
            elif planned is None or planned[0] is None or any(now[c] != v for c, v in planned[0].items()):
                rows.append(held.read(table, now, extras))
        if rows or deleted:
            watch.tell(SetOff(table=table, rows=arrow(table, rows), deleted=deleted))
