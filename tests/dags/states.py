"""Runs in every state that a task of them may be cleared, marked or tried again in: of rows, of a rollback, of schemas, and
of the switch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from include.embedded import postgres
from include.trueup.errors import StoreUnavailableError
from include.trueup.run import run_id
from include.trueup.schema.history import History
from tests.dags.tasks import Place, Tasks
from tests.harness import new_database, run_sql
from tests.schemas import history, migration_of, revision
from tests.small import Database, declare
from trueup_airflow import connections
from trueup_airflow.dags.cutover import build_cutover
from trueup_airflow.dags.rows import build_dag, build_rollback
from trueup_airflow.dags.schema import build_schema_dag

_EXPIRED = "UPDATE trueup.leases SET expires_at = clock_timestamp() - interval '1 s' WHERE ended_at IS NULL"
_FOR_LONG = "UPDATE trueup.leases SET expires_at = clock_timestamp() + interval '1 day' WHERE ended_at IS NULL"


class States:
    """A place; what of it is kept, by name: "before <task>" of the run that the table is of, and states that it may have
    ended in. `make` makes the tasks of that run anew; `held` is what its target holds, and `right` what it holds once the
    run is proven; `known`: what Airflow's connections lead to besides ledger and workspace."""

    def __init__(
        self,
        place: Place,
        make: Callable[..., Tasks],
        held: Callable[[], Any],
        right: Callable[[], Any],
        **known: Callable[..., Any],
    ) -> None:
        self.place, self._make, self.held, self.right = place, make, held, right
        self.of_switch = False
        self._known = known
        self._returned: dict[str, dict[str, Any]] = {}

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Airflow's connections lead to this place: for one cell only, since the next may be of another's."""
        with connected(self.place, **self._known):
            yield

    def run(self, state: str = "") -> Tasks:
        """The run that came to this state, with what its tasks have returned."""
        run = self._make("a", mode="plan") if state == "planned" else self._make("a")
        run.returned.update(self._returned.get(state, {}))
        return run

    def status(self) -> str | None:
        """Where the run stands in the ledger; of a run that turns the switch, where that stands."""
        if self.of_switch:
            return str(self.held())
        run = self.run()
        found = self.place.ledger.run(run_id(run.dag.dag_id, run.run_id))
        return None if found is None else str(found.status)

    def keep_before_each(self, end: str) -> None:
        """Keep what is there before each task, and behind the last."""
        run = self.run()
        for id in run.order:
            self._keep(f"before {id}", run)
            run.do(id)
        self._keep(end, run)

    def _keep(self, name: str, run: Tasks) -> None:
        self.place.keep(name)
        self._returned[name] = dict(run.returned)

    @contextmanager
    def kept_since(self, name: str, since: str, *, expired: bool = False) -> Iterator[Tasks]:
        """Keep what the block makes of an earlier state; `expired`: a lease later."""
        self.place.bring_back(since)
        if expired:
            run_sql(self.place.uris[0], _EXPIRED)
        yield (run := self.run(since))
        self._keep(name, run)


@contextmanager
def connected(place: Place, **known: Callable[..., Any]) -> Iterator[None]:
    """Airflow's connections lead to the place."""
    with pytest.MonkeyPatch.context() as patch:
        given = {"ledger": lambda: place.ledger, "workspace": lambda: place.workspace, **known}
        for name, connection in given.items():
            patch.setattr(connections, name, connection)
        yield


class Small:
    """People, four of them, and the DAGs of the small migration, which has a script behind its phase."""

    def __init__(self, server: postgres.Server, folder: Path, ledger_template: str) -> None:
        self.database = Database(server, 4)
        self.place = Place(server, folder, new_database(server, ledger_template), self.database.uri)
        self.database.store.batch_rows, self.database.store.writers = 2, 1
        made = declare(self.place.work)
        (after := self.place.work / "after.sql").write_text("COMMENT ON TABLE persons IS 'done'")
        self.migration = replace(made, phases=(replace(made.phases[0], finish=(after,)),))
        mapped = ("snapshot", "transform", "plan", "copy.apply", "copy.read_back", "copy.verify")
        self._parts = {task: [{"part": 0}] for task in mapped}

    def forward(self, id: str, **params: Any) -> Tasks:
        """A run of the migration."""
        asked = {"partitions": 1, "segments": 1, "max_reject_share": 1, **params}
        return Tasks(build_dag(self.migration), id, self._parts, **asked)

    def back(self, id: str, **params: Any) -> Tasks:
        """A rollback of the last run."""
        return Tasks(build_rollback(self.migration), id, self._parts, **params)

    def cutover(self, id: str, **params: Any) -> Tasks:
        """A turn of the switch."""
        return Tasks(build_cutover(self.migration), id, {}, **{"why": "as agreed", **params})

    def all(self, run: Tasks) -> None:
        """The whole run."""
        assert run.do_from("preflight") is None

    @contextmanager
    def broken(self, write: str) -> Iterator[None]:
        """The store is gone behind the first batch."""
        store, calls = self.database.store, []
        real = getattr(store, write)

        def once(*args: Any, **more: Any) -> Any:
            calls.append(1)
            if len(calls) > 1:
                raise StoreUnavailableError("gone")
            return real(*args, **more)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store, write, once)
            yield

    def held(self) -> dict[str, Any]:
        """The target; nothing where it is not made."""
        made = self.database.sql("SELECT to_regclass('persons')::text") != [(None,)]
        return self.database.persons() if made else {}


@contextmanager
def rows(server: postgres.Server, folder: Path, ledger_template: str, *, back: bool) -> Iterator[States]:
    """A run of the migration (`back`: a rollback) in its states."""
    small = Small(server, folder, ledger_template)
    place, make, first = small.place, small.back if back else small.forward, "prepare" if back else "create_tables"
    states = States(
        place, make, small.held, dict if back else small.database.should, store=lambda _: small.database.store
    )
    with states.connected():
        if back:
            small.all(small.forward("before"))
        states.keep_before_each("proven")
        with states.kept_since("written", "before report"):
            pass
        with states.kept_since("asked", "before approve") as run:
            run.do("approve", answer=False)
        with states.kept_since("failed", f"before {first}") as run:
            run.mark_failed(first)
        with states.kept_since("broken", "before copy.apply") as run, small.broken("remove" if back else "add"):
            run.do_from("copy.apply")
        with states.kept_since("newer", "broken"):
            small.all(small.forward("b"))
        with states.kept_since("held", "broken"):
            small.forward("b").do("preflight")
            run_sql(place.uris[0], _FOR_LONG)
        with states.kept_since("taken", f"before {first}", expired=True):
            small.all(small.forward("b"))
        with states.kept_since("planned", "before preflight"):
            small.all(make("a", mode="plan"))
        if not back:
            with states.kept_since("undone", "proven"):
                small.all(small.back("back"))
    yield states


@contextmanager
def switch(server: postgres.Server, folder: Path, ledger_template: str) -> Iterator[States]:
    """A turn of the switch in its states."""
    small = Small(server, folder, ledger_template)
    ledger = small.place.ledger
    store = small.database.store
    states = States(
        small.place, small.cutover, lambda: str(ledger.switches.state("small")), lambda: "dual", store=lambda _: store
    )
    states.of_switch = True
    with states.connected():
        small.all(small.forward("proof"))
        states.keep_before_each("turned")
        with states.kept_since("turned by another", "before turn"):
            small.all(small.cutover("b"))
        with states.kept_since("turned beyond", "before turn"):
            small.all(small.cutover("b"))
            small.all(small.cutover("c"))
        with states.kept_since("no proof any more", "before turn"):
            small.all(small.back("back"))
    yield states


@contextmanager
def _one_revision() -> Iterator[None]:
    """The database is gone behind the first revision."""
    real, calls = History.run, []

    def once(self: History, *given: Any) -> None:
        calls.append(1)
        if len(calls) > 1:
            raise StoreUnavailableError("gone")
        real(self, *given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(History, "run", once)
        yield


@contextmanager
def schemas(server: postgres.Server, folder: Path, ledger_template: str) -> Iterator[States]:
    """A run from phase 0 to phase 2 of one database in its states."""
    tables = [revision(f"CREATE TABLE t{n} (id int)", f"DROP TABLE t{n}") for n in range(2)]
    last = revision("ALTER TABLE t1 ADD note text", "ALTER TABLE t1 DROP note")
    ledger_uri = new_database(server, ledger_template)
    migration = migration_of(history(folder, *tables, last), phases=3, lock_timeout=0.1)
    uri = new_database(server)
    place = Place(server, folder, ledger_uri, uri)
    parts = {task: [{"part": "app"}] for task in ("rehearse", "backup")}

    def make(id: str, **params: Any) -> Tasks:
        return Tasks(build_schema_dag(migration), id, parts, **{"target_phase": 2, **params})

    def whole(run: Tasks) -> None:
        assert run.do_from("preflight") is None

    at = "SELECT version_num FROM alembic_version"
    states = States(place, make, lambda: run_sql(uri, at), lambda: [("r2",)], database=lambda _: uri)
    with states.connected():
        whole(make("zero", target_phase=0))
        states.keep_before_each("proven")
        with states.kept_since("written", "before report"):
            pass
        with states.kept_since("asked", "before approve") as run:
            run.do("approve", answer=False)
        with states.kept_since("failed", "before backup") as run:
            run.mark_failed("backup")
        with states.kept_since("broken", "before apply") as run, _one_revision():
            run.do_from("apply")
        with states.kept_since("newer", "broken"):
            whole(make("b"))
        with states.kept_since("held", "broken"):
            make("b").do("preflight")
            run_sql(place.uris[0], _FOR_LONG)
        with states.kept_since("taken", "before backup", expired=True):
            whole(make("b"))
        with states.kept_since("planned", "before preflight"):
            whole(make("a", mode="plan"))
    yield states
