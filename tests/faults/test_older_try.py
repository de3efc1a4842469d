"""An older try that still lives when its run, or another one, begins, and goes on before its next renewal tells it so."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from include.embedded import postgres
from include.trueup.errors import StoreUnavailableError, TargetHeldError, TrueupError
from include.trueup.ledger import Ledger
from include.trueup.run import Run
from include.trueup.run.workspace import Workspace
from include.trueup.stores import RELIED_SECONDS, Store
from include.trueup.stores.effects import REAL
from tests.faults.stop_walk import migration_of
from tests.harness import fastest_engine, items, store_at
from tests.stepping import Stepped, do

BATCHES = 3
"""Of two rows each: what the older try has written when it stands still."""
BARRIER = 77
"""An advisory lock, at which the older try stands still in the midst of a transaction."""


@pytest.fixture
def small(postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path) -> Stepped:
    made = Stepped(postgres_server, ledger, workspace, tmp_path, 12)
    made.database.store.writers = 1
    do(made.begin("a"), "approve", "create_tables")
    return made


class Older:
    """A try of apply in a thread of its own, which stands still before it calls the store for one more batch."""

    def __init__(self, run: Run, store: Any) -> None:
        self.error: Exception | None = None
        self._stands, self._goes_on = threading.Event(), threading.Event()
        real, calls = store.add, [0]

        def add(*given: Any) -> Any:
            calls[0] += 1
            if calls[0] == BATCHES + 1:
                self._stands.set()
                self._goes_on.wait()
            return real(*given)

        def apply() -> None:
            try:
                do(run, "apply", "apply")
            except TrueupError as error:
                self.error = error

        store.add = add
        self._thread = threading.Thread(target=apply)
        self._thread.start()
        assert self._stands.wait(60)
        store.add = real

    def goes_on(self) -> None:
        """It goes on."""
        self._goes_on.set()

    def ends(self) -> None:
        """It goes on to its end."""
        self.goes_on()
        self._thread.join()


@contextmanager
def older(run: Run, store: Any) -> Iterator[Older]:
    made = Older(run, store)
    try:
        yield made
    finally:
        made.ends()


class InDynamoDB(Stepped):
    """The same, its target in DynamoDB. `slept`: for how long the newest run has waited; nobody does, but all clocks go on
    by it."""

    def __init__(self, endpoint: str, *given: Any) -> None:
        super().__init__(*given)
        self.late = 0.0
        elapsing, wall = (lambda: REAL.elapsing() + self.late), (lambda: REAL.wall() + self.late)
        self.ledger.effects = replace(REAL, elapsing=elapsing, wall=wall)
        self.migration = migration_of(self.folder, dynamodb=True)
        self.target, self.slept = store_at(endpoint), list[float]()
        self.target.batch_rows, self.target.writers = 2, 1

    def run(self, id: str, **options: Any) -> Run:
        """A run."""
        self.slept.clear()
        stores: dict[str, Store] = {"c": self.database.store, "d": self.target}
        effects = replace(REAL, sleep=self._sleep)
        return replace(super().run(id, **options), store=stores.__getitem__, effects=effects)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.late += seconds

    def held(self) -> set[str]:
        """The keys in the target."""
        return {item["id"]["S"] for item in items(self.target, "persons")}


def begins_again(small: Stepped) -> None:
    """The run is cleared from its first task."""
    small.begin("a", to="plan")


def another_begins(small: Stepped) -> None:
    """The run was marked as failed in Airflow, and another one is triggered."""
    small.fail(small.run("a"), "copy.apply")
    small.begin("b", to="plan")


def is_rolled_back(small: Stepped) -> None:
    """The run was marked as failed in Airflow, and is rolled back."""
    small.fail(small.run("a"), "copy.apply")
    small.begin("back", undoes="a", to="plan")


NEWER = pytest.mark.parametrize("newer", [begins_again, another_begins, is_rolled_back])


@NEWER
def test_between_two_transactions(small: Stepped, newer: Callable[[Stepped], None]) -> None:
    """No connection of it is open when the newer one begins: then it opens one, and would write and commit."""
    with older(small.run("a").chosen(), small.database.store) as paused:
        newer(small)
        read = small.database.persons()
        assert len(read) == 2 * BATCHES
    assert small.database.persons() == read
    assert isinstance(paused.error, TargetHeldError)


def standing(small: Stepped) -> int:
    """How many sessions stand still at the barrier."""
    query = f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = {BARRIER} AND NOT granted"
    ((count,),) = small.database.sql(query)
    return int(count)


@contextmanager
def barrier(small: Stepped) -> Iterator[psycopg.Connection]:
    """While it is held, who writes the first row of the next batch stands still, until it is let go."""
    small.database.sql(
        "CREATE FUNCTION stand() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF new.id = 'p06' THEN "
        f"PERFORM pg_advisory_xact_lock({BARRIER}); END IF; RETURN new; END $$",
        "CREATE TRIGGER stand BEFORE INSERT ON persons FOR EACH ROW EXECUTE FUNCTION stand()",
    )
    with closing(psycopg.connect(small.database.uri, autocommit=True)) as held:
        held.execute("SELECT pg_advisory_lock(%s)", [BARRIER])
        yield held


@NEWER
def test_in_the_midst_of_a_transaction(small: Stepped, newer: Callable[[Stepped], None]) -> None:
    """It has asked the ledger, and has written: whoever is newer ends it before it reads."""
    with barrier(small), older(small.run("a").chosen(), small.database.store) as paused:
        paused.goes_on()
        while not standing(small):
            assert paused.error is None
        newer(small)
        assert standing(small) == 0
        read = small.database.persons()
        assert len(read) == 2 * BATCHES
    assert small.database.persons() == read
    assert isinstance(paused.error, TargetHeldError | StoreUnavailableError)


@NEWER
def test_between_two_requests_of_dynamodb(
    postgres_server: postgres.Server,
    ledger: Ledger,
    workspace: Workspace,
    tmp_path: Path,
    newer: Callable[[Stepped], None],
) -> None:
    """Nothing of it can be ended there: whoever is newer waits for as long as it may go by what it was told last."""
    with fastest_engine() as engine:
        small = InDynamoDB(engine.endpoint, postgres_server, ledger, workspace, tmp_path, 12)
        do(small.begin("a"), "approve", "create_tables")
        with older(small.run("a").chosen(), small.target) as paused:
            newer(small)
            assert small.slept == [RELIED_SECONDS]
            read = small.held()
            assert len(read) == 2 * BATCHES
        assert small.held() == read
        assert isinstance(paused.error, TargetHeldError)
        if newer is begins_again:
            begins_again(small)  # nobody is there any more
            assert small.slept == []


def test_before_it_has_the_right(small: Stepped, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has begun its step, and was allowed to; when it asks for the right to write, its run has begun again."""
    leases, real = small.ledger.leases, small.ledger.leases.enter

    def enter(*given: Any, **more: Any) -> Any:
        monkeypatch.setattr(leases, "enter", real)
        small.begin("a", to="snapshot")
        return real(*given, **more)

    run = small.run("a").chosen()
    monkeypatch.setattr(leases, "enter", enter)
    with pytest.raises(TargetHeldError, match="begun again"):
        do(run, "apply", "apply")
    assert small.database.persons() == {}
