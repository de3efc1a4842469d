"""What the engine asks of a store. A store knows tables, rows and keys; it knows nothing of plans or phases.

Rows cross this border as Arrow tables in *canonical form*: the declared columns of `declare.Table` in their order, each
of `declare.Type`'s Arrow type, then `_extra` and `_mistyped` (`arrow_schema`). Two rows are equal if and only if every
column of them is equal, so that comparing is a matter of DuckDB, not of the store.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa

from ..declare.migration import Table, Type
from ..declare.names import EXTRA, MISTYPED
from .catalogue import Catalogue as Catalogue
from .catalogue import Known as Known
from .constraints import Limits as Limits
from .constraints import Reference as Reference
from .constraints import Unique as Unique
from .fence import RELIED_SECONDS as RELIED_SECONDS
from .fence import Fence as Fence
from .fence import ask_fence as ask_fence
from .fence import present_fence as present_fence
from .keys import key_text as key_text
from .location import Location as Location

ARROW: dict[Type, pa.DataType] = {
    Type.TEXT: pa.string(),
    Type.NUMBER: pa.string(),
    Type.INTEGER: pa.int64(),
    Type.FLOAT: pa.float64(),
    Type.BOOLEAN: pa.bool_(),
    Type.TIMESTAMP: pa.timestamp("us", tz="UTC"),
    Type.DATETIME: pa.timestamp("us"),
    Type.DATE: pa.date32(),
    Type.JSON: pa.string(),
    Type.BINARY: pa.binary(),
}


def arrow_schema(table: Table) -> pa.Schema:
    """The Arrow schema of the table's rows in canonical form."""
    fields = [pa.field(name, ARROW[type_]) for name, type_ in table.columns.items()]
    return pa.schema([*fields, pa.field(EXTRA, pa.string()), pa.field(MISTYPED, pa.string())])


@dataclass(frozen=True, kw_only=True)
class Description:
    """A table as the store has it. `estimated_rows` is the store's own estimate (DynamoDB: up to six hours old), or
    None where it has none. `differences` says in words where key or indexes are not as declared.
    `undeclared` are columns that the declaration does not name, where the store has columns at all.
    `identified`: the declared key tells its rows apart, though it need not be the primary key. `misfits` says in words
    which declared columns are missing or of a type that does not fit, and what to declare; `obstacles` why what is read
    would not be all that is there, or could not be read, and what to do. `expected_rows` is what the store itself has
    counted, or estimated from a sample, at a time it knows; None where it never did.

    Of a target besides: `identity` tells the table from another that has its name later. `unwritable` says in words why
    rows cannot be written to it, `unaddable` why none can be added, `irremovable` why none can be removed, and what to do.
    `generated` are declared columns that nobody can write. `sets` are columns that the table
    fills by itself and that are not compared, by name with why (`Table.sets`). `triggers` are what it does besides.
    `stamps` are columns that a trigger is sure to change in every row that is updated, by name with the trigger.
    `fills` are undeclared columns that are compared, and that the table itself gives values in rows that are added.
    `unique` are unique indexes that can be judged from the rows alone. `references` are foreign keys that point at it,
    `limits` what its columns can hold."""

    name: str
    key: tuple[str, ...]
    indexes: tuple[str, ...]
    estimated_rows: int | None
    differences: tuple[str, ...] = ()
    undeclared: tuple[str, ...] = ()
    identified: bool = False
    misfits: tuple[str, ...] = ()
    obstacles: tuple[str, ...] = ()
    expected_rows: int | None = None
    identity: str | None = None
    unwritable: tuple[str, ...] = ()
    unaddable: tuple[str, ...] = ()
    irremovable: tuple[str, ...] = ()
    generated: tuple[str, ...] = ()
    sets: Mapping[str, str] = field(default_factory=dict)
    triggers: tuple[str, ...] = ()
    stamps: Mapping[str, str] = field(default_factory=dict)
    fills: tuple[str, ...] = ()
    unique: tuple[Unique, ...] = ()
    references: tuple[Reference, ...] = ()
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, kw_only=True)
class Advanced:
    """A sequence that gives a column its values, its last value `before` and `after` it was brought behind the greatest
    value of the column, and whether it `holds` that its next value is beyond."""

    table: str
    column: str
    sequence: str
    before: int
    after: int
    holds: bool


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """A row left alone because the store does not hold what the plan was made from. `found` is the row that is there,
    as JSON text in the store's own notation, or None when there is none."""

    key: str
    reason: str
    found: str | None


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A row that the store did not take, or let disappear: what is planned is missing. `reason` is what the store said,
    `constraint` the name of what it refused it by (a constraint, index, trigger, rule, …), if it has one."""

    key: str
    reason: str
    constraint: str | None = None


@dataclass(kw_only=True)
class Outcome:
    """What writing a batch did. `written` counts rows that now hold what was planned, including those that an earlier,
    interrupted try had written already; `written`, the `conflicts` and the `refused` together are the rows given."""

    written: int = 0
    conflicts: list[Conflict] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    retries: int = 0
    """Requests that had to be sent again (throttling, server errors, unprocessed rows)."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """What `Store.together` writes to one table: `rows` in canonical form; `before`, aligned, what each row was when
    planned, with a null key where it must not exist yet; `units`, aligned, the unit of each row; `gone`, aligned,
    whether the row is to be deleted (none is, unless it is given); `cascade_to` as with `Store.remove`."""

    table: Table
    rows: pa.Table
    before: pa.Table
    units: tuple[int, ...]
    gone: tuple[bool, ...] = ()
    cascade_to: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.gone:
            object.__setattr__(self, "gone", (False,) * len(self.units))


ELSEWHERE = "a row that is written in one transaction with it is not as it was when planned"
"""Reason of a conflict: the row itself could have been written."""
REFUSED_ELSEWHERE = "a row that is written in one transaction with it was refused"
"""Reason of a refusal: the row itself could have been written."""


class Store(Protocol):
    """One connection's tables. Instances are safe to use from several threads at once.

    Every method may raise `StoreUnavailableError` (after its own retries) and `StoreRejectedError`.
    """

    kind: str
    """"dynamodb" or "postgres"."""
    batch_rows: int
    """How many rows a call of `add` or `change` should get at most: the unit of commit."""
    writers: int
    """How many batches are worth writing at once from one process."""

    one_state: bool
    """Whether everything read in one block of `reading` is from one moment."""

    def reading(self) -> AbstractContextManager[Store]:
        """The store to read with. Where the store can (`one_state`), all tables that are read with it in the block,
        by several threads too, are in the state that they had at the beginning of the block."""

    def end_older(self, fence: Fence) -> bool:
        """End what was begun by an older lease or try: once it is done, nothing of theirs is written any more. Raises
        `TargetHeldError` where it could and may not; False where the store has nothing that can be ended, so that they stop
        by themselves: each request that writes asks the fence that is active (`ask_fence`)."""

    def identity(self, table: Table) -> str:
        """Where the table is or is to be, by the server's own word, whatever the address is spelled like, and free of
        secrets: what a lease is taken on. The same before and after the table is made."""

    def locate(self, table: Table) -> Location:
        """Where the store of the table is, for people and reports; free of secrets."""

    def server(self) -> str:
        """Which server answers now, where one that is a copy of another may do so; in its own words."""

    def describe(self, table: Table) -> Description | None:
        """The table as it is, or None if there is none."""

    def catalogue(self, name: str) -> Catalogue | None:
        """The table of that name, which need not be declared, or None if there is none."""

    def tables(self) -> list[str]:
        """The names of all tables and views that may be seen, as a declaration would say them, sorted."""

    def create(self, table: Table) -> bool:
        """Make the table and its indexes as declared and wait until it can be used; False if it was there already.

        Raises `StoreRejectedError` when a table of that name is there with another key or without an index."""

    def read(self, table: Table, segment: int, segments: int) -> Iterator[pa.RecordBatch]:
        """Every row of one of `segments` disjoint parts of the table, consistently read, in canonical form.

        Together the parts are the whole table, each row once. Bounded memory whatever the table's size."""

    def get(self, table: Table, keys: pa.Table) -> pa.Table:
        """The rows with these keys (a column per key column), consistently read, in canonical form, in any order;
        absent keys are absent from the result."""

    def add(self, table: Table, rows: pa.Table) -> Outcome:
        """Write rows (canonical form) that must not exist yet. A row that exists and equals the new one counts as
        written; one that differs is a conflict and is left alone; one that the store will not take is refused, and the
        others are written. Idempotent."""

    def change(self, table: Table, rows: pa.Table, before: pa.Table, *, cascade_to: Sequence[str] = ()) -> Outcome:
        """Bring existing rows (aligned: `before[i]` is what `rows[i]` was when planned) to their new content, each
        only if it still is as before; a row that already holds the new content counts as written. Attributes that
        do not differ between the two are not touched. One whose change would empty what refers to it is refused, except by
        foreign keys that `cascade_to` names. Idempotent."""

    def together(self, shares: Sequence[Share]) -> list[Outcome]:
        """Write the rows of each unit, over all tables, in one transaction: all of them or none; an outcome a share.

        A row that already holds its new content, or is gone as it should be, counts as written. Where any other row of a
        unit is not as before, or is refused, every row of the unit is a conflict, or refused, and none is touched.
        Idempotent. Raises `StoreRejectedError` where the store
        has no transactions, or none of that size."""

    def remove(self, table: Table, rows: pa.Table, *, cascade_to: Sequence[str] = ()) -> Outcome:
        """Delete rows, each only if it still is as given; an absent row counts as done. One that other rows refer to is a
        conflict, even where they would be deleted with it, except by foreign keys that `cascade_to` names (`Reference.name`).
        Idempotent."""

    def stuck(self, table: Table, rows: pa.Table, *, cascade_to: Sequence[str] = ()) -> dict[str, str]:
        """Which of the rows `remove` would leave alone though nobody changes them, by key (its text): why, in words. Foreign
        keys that are named are not looked at. Nothing is written."""

    def uncreatable(self, table: Table) -> tuple[str, ...]:
        """In words, why a table that does not exist could not be made and written, and what to do; nothing where it can,
        or where only trying tells."""

    def advance(self, table: Table) -> list[Advanced]:
        """Bring every sequence that gives a declared column its values behind the greatest value there; never
        backwards."""

    def script(self, text: str) -> None:
        """Run a script of the store's own language (PostgreSQL: SQL, in one transaction, giving up on a lock that is
        not free soon; or, of one statement, in none, where its first line is `-- trueup: no transaction`). Raises
        `StoreRejectedError` where the store has none."""

    def unwritable(self, table: Table, rows: str, limits: Limits = ...) -> str:
        """A DuckDB query over the relation named `rows` (canonical form): (`names.ROW_ID`, `message`) of each row that
        this store, or a table of these limits in it, could not hold (too large, empty key, …), by the relation's column of
        that name."""
