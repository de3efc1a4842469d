"""The target of the simulation's histories, with what it does by itself and what applications do to it: PostgreSQL, made by the
script, and the twin, which is dressed as the script says, are the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import psycopg
import pyarrow as pa
import pytest
from psycopg import conninfo

from include.embedded import postgres
from include.trueup.errors import StoreUnavailableError
from include.trueup.stores import Outcome, Store
from include.trueup.stores.effects import REAL
from include.trueup.stores.postgres import PostgresStore
from include.trueup.stores.postgres.session import SnapshotGoneError
from tests.harness import new_database, run_sql
from tests.simulation.databases import Behind, Relational
from tests.simulation.declared import LABELS, ORDERS, PERSONS, dress
from tests.simulation.history import Setup
from tests.simulation.real.databases import RealRelational
from tests.simulation.scripts import STRAIGHT
from tests.simulation.twins.hook import nothing

from .subject import arrow


@dataclass
class Target:
    """What is behind the target's connection, and a store of the engine over it, which soon gives up."""

    behind: Behind
    store: Store

    def put(self, *rows: tuple[str, str | None, str | None]) -> list[bool]:
        return [self.behind.put(PERSONS, row[0], (*row, None, None)) for row in rows]

    def rows(self) -> list[tuple[str | None, ...]]:
        return [row[:3] for _, row in sorted(self.behind.rows(PERSONS).items())]

    def orders(self) -> list[str]:
        return sorted(self.behind.rows(ORDERS))

    def order(self, key: str) -> bool:
        return self.behind.put(ORDERS, key, (key, key, None, None))


Made = Callable[[Setup], Target]


@pytest.fixture(scope="module")
def uri(postgres_server: postgres.Server) -> str:
    return new_database(postgres_server)


@pytest.fixture(params=["postgres", "twin"])
def made(request: pytest.FixtureRequest) -> Iterator[Made]:
    """The target of a setup: the table is there, and empty."""
    opened: list[Behind] = []

    def make(setup: Setup) -> Target:
        if request.param == "postgres":
            uri = request.getfixturevalue("uri")
            reset = f"ALTER DATABASE {conninfo.conninfo_to_dict(uri)['dbname']} RESET {STRAIGHT}"
            run_sql(uri, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public", reset)
            database = psycopg.connect(uri, autocommit=True)
            opened.append(RealRelational(database, uri, setup))
            store: Store = PostgresStore(uri, lock_timeout=0.05, patience=0)
        else:
            clock = iter(range(10_000))
            effects = replace(REAL, monotonic=lambda: float(next(clock)), sleep=lambda _: None)
            opened.append(Relational("store", 100, effects, nothing, partial(dress, setup=setup)))
            store = opened[-1].store()
        opened[-1].make(PERSONS)
        return Target(opened[-1], store)

    yield make
    for each in opened:
        each.close()


def of(*rows: tuple[str, str | None, str | None]) -> pa.Table:
    return arrow(PERSONS, [dict(zip(PERSONS.columns, row, strict=True)) for row in rows])


def told(outcome: Outcome) -> tuple[int, list[str], dict[str, str | None]]:
    """How many were written, which were conflicts, and which were refused, by what."""
    return outcome.written, [each.key for each in outcome.conflicts], {r.key: r.constraint for r in outcome.refused}


@pytest.mark.parametrize(
    ("trigger", "refused", "added", "put"),
    [
        ("alters", {}, ["A", "B", "C?", "D"], ["A!?", "E?"]),
        ("touches", {}, ["TOUCHED", "B", "C", "D"], ["A!", "E"]),
        ("drops", {"p02": "trigger persons_bends"}, ["A", "B", "D"], ["A!"]),
    ],
)
def test_a_trigger_does_what_it_says_until_somebody_drops_it(
    made: Made, trigger: str, refused: dict[str, str], added: list[str], put: list[str]
) -> None:
    target = made(Setup(trigger=trigger))
    given = [("p00", "A", "1"), ("p01", "B", "3"), ("p02", "C", "8"), ("p03", "D", None)]
    assert told(target.store.add(PERSONS, of(*given))) == (4 - len(refused), [], refused)
    assert [name for _, name, _ in target.rows()] == added
    before = target.rows()
    assert target.behind.restore(PERSONS)
    assert target.rows() == before
    assert target.put(("p00", "A!", "4"), ("p09", "E", "4")) == [True, True]
    assert [name for key, name, _ in target.rows() if key in ("p00", "p09")] == put
    target.behind.drop_triggers(PERSONS)
    target.put(("p00", "A", "4"), ("p04", "F", "8"), ("p05", "G", "3"))
    assert [name for key, name, _ in target.rows() if key in ("p00", "p04", "p05")] == ["A", "F", "G"]
    target.behind.restore(PERSONS)
    target.put(("p06", "H", "8"))
    assert ("p06", "H", "8") in target.rows()


@pytest.mark.parametrize(("referred", "taken"), [("NO ACTION", []), ("CASCADE", ["p01"])])
def test_a_row_that_is_referred_to_is_kept_or_its_orders_are_taken_along(
    made: Made, referred: str, taken: list[str]
) -> None:
    target = made(Setup(referred=referred))
    target.put(("p01", "A", "1"), ("p02", "B", "2"))
    assert [target.order(key) for key in ("p01", "p02", "p03")] == [True, True, True]
    assert target.orders() == ["p01", "p02"]
    assert target.behind.restore(PERSONS)
    assert told(target.store.remove(PERSONS, of(("p01", "A", "1")))) == (0, ["p01"], {})
    assert target.store.stuck(PERSONS, of(("p01", None, None), ("p03", None, None))).keys() == {"p01"}
    found = target.store.describe(PERSONS)
    assert found is not None
    (reference,) = found.references
    assert (reference.name, reference.columns, reference.refers_to) == (
        "public.orders.orders_person",
        ("person",),
        ("id",),
    )
    assert reference.takes_along == ("CASCADE" if taken else "")
    assert target.behind.put(PERSONS, "p01", None)
    assert target.orders() == sorted({"p01", "p02"} - {*taken})
    assert ("p01" in target.behind.rows(PERSONS)) == (not taken)
    assert told(target.store.change(PERSONS, of(("p02", "B!", "2")), of(("p02", "B", "2")))) == (1, [], {})


def test_who_wants_a_row_waits_for_the_transaction_that_has_it(made: Made) -> None:
    target = made(Setup(referred="NO ACTION"))
    was, new = ("p01", "A", "1"), ("p01", "B", "1")
    target.put(was)
    end = target.behind.keep_open(PERSONS, "p01", ("p01", "A", "5", None, None))
    assert end is not None
    assert target.rows() == [was]
    assert target.put(new) == [False]
    assert target.behind.keep_open(PERSONS, "p01", None) is None
    assert not target.behind.restore(PERSONS)
    waiting: list[Callable[[], Outcome]] = [
        lambda: target.store.change(PERSONS, of(new), of(was)),
        lambda: target.store.add(PERSONS, of(was)),
        lambda: target.store.remove(PERSONS, of(was)),
    ]
    for work in waiting:
        with pytest.raises(StoreUnavailableError, match="55P03"):
            work()
    assert target.order("p01")
    assert target.orders() == ["p01"]  # to refer to it goes together with a change
    end(True)
    assert target.rows() == [("p01", "A", "5")]
    assert told(target.store.change(PERSONS, of(new), of(was))) == (0, ["p01"], {})


def test_what_a_transaction_has_added_is_seen_by_nobody_else(made: Made) -> None:
    target = made(Setup(referred="NO ACTION"))
    row = ("p01", "A", "1")
    end = target.behind.keep_open(PERSONS, "p01", (*row, None, None))
    assert end is not None
    assert target.behind.put(PERSONS, "p01", None)
    assert target.order("p01")
    assert target.orders() == []
    assert told(target.store.change(PERSONS, of(row), of(("p01", "B", "1")))) == (0, ["p01"], {})
    assert told(target.store.remove(PERSONS, of(row))) == (1, [], {})
    assert target.put(("p01", "B", "1")) == [False]
    with pytest.raises(StoreUnavailableError, match="55P03"):
        target.store.add(PERSONS, of(row))
    end(False)
    assert target.rows() == []
    assert told(target.store.add(PERSONS, of(row))) == (1, [], {})
    end = target.behind.keep_open(PERSONS, "p01", None)
    assert end is not None
    assert not target.order("p01")
    with pytest.raises(StoreUnavailableError, match="55P03"):
        target.store.remove(PERSONS, of(row))
    end(True)
    assert target.rows() == []


def test_the_table_gives_numbers_which_are_brought_behind_what_was_written(made: Made) -> None:
    target = made(Setup(numbered=True, unique=True))
    assert target.behind.insert(PERSONS, "p01", "A")
    assert target.behind.insert(PERSONS, "p01", "B")
    assert target.behind.insert(PERSONS, "p02", "A")  # refused, and has taken a number
    assert target.behind.insert(PERSONS, "p03", "C")
    assert target.rows() == [("p01", "A", "1"), ("p03", "C", "3")]
    assert target.behind.next_number(PERSONS) == 4
    target.put(("p04", "D", "9"))
    (found,) = target.store.advance(PERSONS)
    assert (found.before, found.after, found.holds, target.behind.next_number(PERSONS)) == (3, 9, True, 10)
    assert target.behind.restore(PERSONS)
    assert target.behind.next_number(PERSONS) == 1
    end = target.behind.keep_open(PERSONS, "p05", ("p05", "E", "5", None, None))
    assert end is not None
    assert not target.behind.insert(PERSONS, "p05", "F")
    assert not target.behind.insert(PERSONS, "p06", "E")  # nobody knows yet whether the name is taken
    end(False)
    assert target.behind.next_number(PERSONS) == 3


def test_what_does_not_fit_is_refused(made: Made) -> None:
    target = made(Setup(unfit=True, trigger="alters"))
    assert target.put(("p01", "NAME 1!!", "1"), ("p02", "A", "1234"), ("p03", "A", None)) == [True, True, True]
    assert target.rows() == []
    given = [
        ("p01", "NAME 1!", "1"),
        ("p02", "NAME 2!", "4"),
        ("p03", "A", None),
        ("p04", "B", "1000"),
        ("p06", "12345678", "1"),
        ("p05", "C", "4"),
    ]
    refused = {"p02": "trigger persons_bends", "p03": "column amount", "p04": "column amount", "p06": "column name"}
    assert told(target.store.add(PERSONS, of(*given))) == (2, [], refused)
    assert target.behind.put(PERSONS, "p01", ("p01", "A", None, None, '{"amount":"NaN"}'))
    assert target.behind.rows(PERSONS)["p01"] == ("p01", "A", None, None, '{"amount":"NaN"}')
    assert target.put(("p01", "B", "0")) == [True]
    assert target.rows() == [("p01", "B?", "0"), ("p05", "C?", "4")]


def test_a_second_target_is_made_written_and_restored_beside_the_first(made: Made) -> None:
    target = made(Setup(second=True, trigger="alters", referred="NO ACTION", unique=True))
    target.behind.make(LABELS)
    of_labels = [("q01", "A", "4"), ("q02", "A", "8")]  # no trigger alters it, and names are not unique there
    assert [target.behind.put(LABELS, row[0], (*row, None, None)) for row in of_labels] == [True, True]
    assert target.put(("p01", "A", "4")) == [True]
    assert target.order("p01")
    for table in (LABELS, PERSONS, LABELS):
        assert target.behind.restore(table)
        assert [row[:3] for row in target.behind.rows(LABELS).values()] == of_labels
        assert target.rows() == [("p01", "A?", "4")]
    assert told(target.store.add(LABELS, arrow(LABELS, [{"id": "q03", "name": "B", "amount": "4"}]))) == (1, [], {})
    assert target.behind.rows(LABELS)["q03"][1] == "B"
    assert target.put(("p02", "B", "8"), ("p03", "B?", "1")) == [True, True]
    assert target.rows() == [("p01", "A?", "4"), ("p02", "B?", "8")]
    assert told(target.store.remove(PERSONS, of(("p01", "A?", "4")))) == (0, ["p01"], {})


def test_a_snapshot_of_before_shows_no_target_that_was_restored_since(made: Made) -> None:
    target = made(Setup(second=True))
    target.behind.make(LABELS)
    given = ("p01", "A", "1")
    target.put(given)
    with target.store.reading() as before:
        assert target.behind.restore(PERSONS)
        with pytest.raises(SnapshotGoneError):
            [*before.read(PERSONS, 0, 1)]
        with pytest.raises(SnapshotGoneError):
            before.get(PERSONS, of(given))
        assert [*before.read(LABELS, 0, 1)] == []
    with target.store.reading() as after:
        assert sum(batch.num_rows for batch in after.read(PERSONS, 0, 1)) == 1
