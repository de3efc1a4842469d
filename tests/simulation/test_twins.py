"""The twins carry a migration, as the real stores do, do by themselves what a table was given, and lie as they are asked to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from include.trueup.declare.migration import Migration, Table, Type
from include.trueup.declare.names import MISTYPED
from include.trueup.errors import StoreUnavailableError, TargetHeldError
from include.trueup.run import Run
from include.trueup.stores import Fence, Store, arrow_schema
from include.trueup.stores.effects import REAL, Effects
from include.trueup.stores.postgres.catalog import StoredIndex
from include.trueup.stores.set_off import SetOff, Watch
from include.trueup.walk import walk
from tests.harness import run_of
from tests.simulation.twins import (
    Counter as Sequence,
)
from tests.simulation.twins import (
    Database,
    DocumentServer,
    DocumentTwin,
    Does,
    Effect,
    Firing,
    ForeignKey,
    HalfError,
    HiddenError,
    Hook,
    LaterError,
    LedgerTwin,
    RelationalTwin,
    RowRefusedError,
    ThrottledError,
    UnprocessedError,
    WorkspaceTwin,
)
from tests.simulation.twins.rows import Row
from tests.small import declare

TABLE = Table(name="t", connection="c", key=("id",), columns={"id": Type.TEXT, "name": Type.TEXT})
QUICK = replace(REAL, sleep=lambda _: None)
"""The machine, on which nobody waits."""


def rows(*ids: str, name: str = "new") -> pa.Table:
    return pa.Table.from_pylist([{"id": id, "name": name} for id in ids], schema=arrow_schema(TABLE))


def fence(epoch: int, check: Callable[[], None] = lambda: None) -> Fence:
    return Fence(check=check, confirm=lambda _: check(), epochs={"t": epoch}, part="apply 0", tries=1, lasts=60)


def once(error: Exception, kind: str, when: str = "before") -> Hook:
    """Raises the error the first time."""
    left = [error]

    def hook(effect: Effect) -> None:
        if (effect.kind, effect.when) == (kind, when) and left:
            raise left.pop()

    return hook


def relational(database: Database | None = None, hook: Hook = lambda _: None, **given: Any) -> RelationalTwin:
    made = RelationalTwin(database, hook=hook, effects=QUICK, **given)
    if database is None:
        made.database.make(TABLE)
    return made


def held(store: Store) -> dict[str, str]:
    return {row["id"]: row["name"] for batch in store.read(TABLE, 0, 1) for row in batch.to_pylist()}


# ── whole runs ───────────────────────────────────────────────────────────────────────────────────────────────────────


class Small:
    """People in memory, and runs of the small migration over them. `effects` are those that were told."""

    def __init__(self, folder: Path, people: int = 5) -> None:
        self.effects: list[Effect] = []
        self.migration: Migration = declare(folder)
        self.store = RelationalTwin(hook=self.effects.append)
        self.store.batch_rows = 2
        self.ledger = LedgerTwin(hook=self.effects.append)
        self.workspace = WorkspaceTwin(folder / "workspace", hook=self.effects.append)
        (source,), (target,) = self.migration.sources, self.migration.targets
        self.people, self.target = self.store.database.make(source.table), target.table
        for n in range(people):
            self.put(n, f"name {n}")

    def put(self, n: int, name: str | None) -> None:
        self.people.rows[f"p{n:02}",] = {"id": f"p{n:02}", "name": name, "amount": str(n), "seen_at": n}

    def persons(self) -> dict[Any, Row]:
        held = self.store.database.find(self.target)
        return {} if held is None else held.rows

    def run(self, id: str, **options: Any) -> Run:
        return run_of(self.migration, self.ledger, self.workspace, lambda _: self.store, id, **options)

    def status(self, id: str) -> str:
        return str(self.ledger.entered(id).status)


@pytest.fixture
def small(workspace_folder: Path) -> Iterator[Small]:
    made = Small(workspace_folder)
    yield made
    made.ledger.close()


def test_a_migration_goes_through_all_steps_and_back_on_the_twins(small: Small) -> None:
    small.put(7, None)
    walk(small.run("first"))
    assert small.status("first") == "proven"
    assert {key: row["name"] for key, row in small.persons().items()} == {(f"p{n:02}",): f"NAME {n}" for n in range(5)}
    assert small.store.database.scripts == [small.migration.targets[0].create.read_text()]  # type: ignore[union-attr]
    small.put(1, "other")
    small.put(5, "new")
    walk(small.run("second"))
    assert small.status("second") == "proven"
    assert [small.persons()[f"p{n:02}",]["name"] for n in (1, 5)] == ["OTHER", "NEW"]
    back = replace(small.run("back"), dag_id="small_rollback", undoes="second")
    walk(replace(back, options=replace(back.options, partitions=None)))
    assert small.status("second") == "rolled_back"
    assert {key: row["name"] for key, row in small.persons().items()} == {(f"p{n:02}",): f"NAME {n}" for n in range(5)}
    told = Counter((effect.place, effect.kind, effect.when) for effect in small.effects)
    assert {kind for place, kind, _ in told if place == "store"} >= {
        "read",
        "add",
        "change",
        "remove",
        "commit",
        "create",
    }
    for (place, kind, when), count in told.items():
        if kind != "commit":
            assert told[place, kind, "after" if when == "before" else "before"] == count, (place, kind)


# ── what a table does by itself ──────────────────────────────────────────────────────────────────────────────────────


def test_a_table_does_by_itself_what_it_was_given() -> None:
    store = relational()
    table = store.database.tables["public.t"]
    other = replace(TABLE, name="other")
    child = store.database.make(other)
    table.indexes.append(StoredIndex(name="t_name", primary=False, unique=True, complete=True, key=("name",)))
    store.database.foreign_keys.append(
        ForeignKey(name="refers", table="public.other", columns=("name",), to="public.t", refers_to=("id",))
    )
    outcome = store.add(TABLE, rows("a", "b"))
    assert (outcome.written, [r.constraint for r in outcome.refused]) == (1, ["t_name"])
    assert [r.constraint for r in store.add(other, rows("x", name="none")).refused] == ["refers"]
    assert store.add(other, rows("x", name="a")).written == 1
    assert "refer to it" in store.stuck(TABLE, rows("a"))["a"]
    assert "other rows refer to it" in store.remove(TABLE, rows("a")).conflicts[0].reason
    store.database.foreign_keys[0] = replace(store.database.foreign_keys[0], on_delete="CASCADE")
    assert store.remove(TABLE, rows("a")).conflicts
    told: list[SetOff] = []
    with Watch(tables=(TABLE, other), tell=told.append).active():
        assert store.remove(TABLE, rows("a"), cascade_to=["public.other.refers"]).written == 1
    assert [(each.table.name, each.deleted) for each in told] == [("other", 1)]
    assert not child.rows
    found = store.describe(TABLE)
    assert found is not None
    assert (found.references[0].name, found.unique[0].name) == ("public.other.refers", "t_name")
    table.policies = True
    described = store.describe(TABLE)
    assert described is not None
    assert "row security" in described.obstacles[0]


def test_a_trigger_drops_alters_and_refuses_rows_and_writes_others() -> None:
    store = relational()

    def act(firing: Firing) -> Row | None:
        assert firing.new is not None
        match firing.new["name"]:
            case "dropped":
                return None
            case "refused":
                raise RowRefusedError("no such name", "trigger guard")
            case "other":
                firing.transaction.update(firing.held, ("a",), {"name": "touched"})
        return {**firing.new, "name": str(firing.new["name"]).upper()}

    store.add(TABLE, rows("a"))
    store.database.tables["public.t"].triggers.append(Does(name="guard", events=("INSERT",), act=act))
    dropped = store.add(TABLE, rows("b", name="dropped"))
    assert [(r.key, r.constraint) for r in dropped.refused] == [("b", "trigger guard")]
    assert store.add(TABLE, rows("c", name="refused")).refused[0].reason == "no such name"
    told: list[SetOff] = []
    with Watch(tables=(TABLE,), tell=told.append).active():
        assert store.add(TABLE, rows("d", name="other")).written == 1
    assert held(store) == {"a": "touched", "d": "OTHER"}
    assert [sorted(each.rows["id"].to_pylist()) for each in told] == [["a", "d"]]


def test_a_sequence_is_brought_behind_the_greatest_value() -> None:
    store, numbered = relational(), Table(name="n", connection="c", key=("id",), columns={"id": Type.INTEGER})
    table = store.database.make(numbered)
    table.counters.append(Sequence(column="id"))
    store.add(numbered, pa.Table.from_pylist([{"id": 7}], schema=arrow_schema(numbered)))
    (advanced,) = store.advance(numbered)
    assert (advanced.before, advanced.after, table.counters[0].next()) == (1, 7, 8)


def test_what_is_read_in_one_block_is_of_one_moment() -> None:
    store = relational()
    store.add(TABLE, rows("a"))
    with store.reading() as one:
        store.add(TABLE, rows("b"))
        assert held(one) == {"a": "new"}
    assert len(held(store)) == 2


# ── lies ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("of_documents", [False, True])
def test_a_request_without_an_answer_is_sent_again_and_writes_once(of_documents: bool, when: str) -> None:
    kind, hook = "PutItem" if of_documents else "add", StoreUnavailableError("no answer")
    store = documents(once(hook, kind, when)) if of_documents else relational(hook=once(hook, kind, when))
    outcome = store.add(TABLE, rows("a"))
    assert (outcome.written, outcome.retries) == (1, 1)
    assert held(store) == {"a": "new"}


def test_what_a_newer_lease_has_ended_is_not_committed() -> None:
    database = Database()
    database.make(TABLE)
    newer, lost = relational(database), list[str]()

    def late(effect: Effect) -> None:
        if effect.kind == "commit":
            newer.end_older(fence(2))
            lost.append("taken")

    def check() -> None:
        if lost:
            raise TargetHeldError("another run has taken it")

    with fence(1, check).active(), pytest.raises(TargetHeldError):
        relational(database, late).add(TABLE, rows("a"))
    assert held(newer) == {}


def test_a_row_that_an_open_transaction_has_is_waited_for_until_it_is_idle_for_too_long() -> None:
    clock, database = [0.0], Database()
    database.make(TABLE)

    def sleep(seconds: float) -> None:
        clock[0] += max(seconds, 1.0)

    def at() -> float:
        return clock[0]

    effects: Effects = replace(REAL, monotonic=at, elapsing=at, sleep=sleep)
    second = RelationalTwin(database, effects=effects, lock_timeout=20)

    def pause(effect: Effect) -> None:
        if effect.kind == "commit":
            with fence(1).active():  # another row is free, the same one is not
                assert second.add(TABLE, rows("b")).written == 1
            assert clock[0] < 1
            assert second.add(TABLE, rows("a", name="second")).written == 1
            assert 30 < clock[0] < 33

    with fence(1).active(), pytest.raises(StoreUnavailableError, match="idle"):
        RelationalTwin(database, hook=pause, effects=effects, patience=0).add(TABLE, rows("a", name="first"))
    assert held(second) == {"a": "second", "b": "new"}


def test_a_transaction_is_ended_that_is_idle_while_the_ledger_is_asked() -> None:
    clock, kinds = [0.0], list[str]()
    effects: Effects = replace(REAL, monotonic=lambda: clock[0], elapsing=lambda: clock[0])
    store = RelationalTwin(hook=lambda effect: kinds.append(effect.kind), effects=effects, patience=0)
    store.database.make(TABLE)

    def confirm(_: float) -> None:
        clock[0] += 31

    with replace(fence(1), confirm=confirm).active(), pytest.raises(StoreUnavailableError, match="idle"):
        store.add(TABLE, rows("a"))
    assert (held(store), kinds[:2]) == ({}, ["add", "read"])


def test_rows_are_hidden_from_reads() -> None:
    for store in (relational(), documents()):
        store.add(TABLE, rows("a", "b", "c"))
        hook = once(HiddenError("b"), "Scan" if isinstance(store, DocumentTwin) else "read")
        lying: Store = (
            DocumentTwin(store.documents, hook=hook)
            if isinstance(store, DocumentTwin)
            else relational(store.database, hook)
        )
        assert [*held(lying)] == ["a", "c"]
        assert len(held(lying)) == 3


def documents(hook: Hook = lambda _: None) -> DocumentTwin:
    server = DocumentServer()
    DocumentTwin(server, effects=QUICK).create(TABLE)
    return DocumentTwin(server, hook=hook, effects=QUICK)


@pytest.mark.parametrize(
    ("lie", "kind"),
    [
        (ThrottledError(), "BatchExecuteStatement"),
        (UnprocessedError(3), "BatchExecuteStatement"),
        (HalfError(3), "BatchExecuteStatement"),
        (ThrottledError("TransactionInProgress"), "PutItem"),
        (UnprocessedError(2), "BatchGetItem"),
    ],
    ids=lambda value: (getattr(value, "args", value) and str(value)) or "lie",
)
def test_what_a_document_store_leaves_undone_is_done_again(lie: Exception, kind: str) -> None:
    met: list[Effect] = []
    lies = once(lie, kind)

    def hook(effect: Effect) -> None:
        met.append(effect)
        lies(effect)

    store = documents(hook)
    assert store.add(TABLE, rows(*"abcdefgh")).written == 8
    changed = store.change(TABLE, rows(*"abcdefgh", name="other"), rows(*"abcdefgh"))
    assert (changed.written, changed.conflicts) == (8, [])
    assert held(store) == dict.fromkeys("abcdefgh", "other")
    assert sum(effect.kind == kind and effect.when == "before" for effect in met) >= 2


def test_a_document_request_that_is_done_later_keeps_its_condition() -> None:
    under_way: list[Callable[[], object]] = []
    store = documents(once(LaterError(under_way.append), "PutItem"))
    assert store.add(TABLE, rows("a")).written == 1
    store.change(TABLE, rows("a", name="other"), rows("a"))
    (arrives,) = under_way
    arrives()
    assert held(store) == {"a": "other"}
    store.remove(TABLE, rows("a", name="other"))
    arrives()
    assert held(store) == {"a": "new"}


def test_a_value_that_is_too_long_for_its_column_is_refused_and_a_number_that_is_none_goes_with_the_next_one() -> None:
    store = relational()
    there = store.database.find(TABLE)
    assert there is not None
    there.exact = {"name": "character varying(3)"}
    outcome = store.add(TABLE, pa.concat_tables([rows("a"), rows("b", name="newer")]))
    assert [(each.key, each.reason) for each in outcome.refused] == [
        ("b", "value too long for type character varying(3) (SQLSTATE 22001)")
    ]
    there.rows["a",][MISTYPED] = '{"name":"NaN","other":1}'
    before = next(store.read(TABLE, 0, 1))
    store.change(TABLE, rows("a", name="old"), pa.Table.from_batches([before]))
    assert there.rows["a",][MISTYPED] == '{"other":1}'
