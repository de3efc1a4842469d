"""Runs of schema migrations on real databases, for tests."""

from __future__ import annotations

import itertools
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

from include.embedded import postgres
from include.trueup.ledger import Ledger
from include.trueup.run import Mode, SchemaOptions, order
from include.trueup.run.reported import Verdict
from include.trueup.run.schema_records import SchemaPlan
from include.trueup.run.workspace import Workspace
from include.trueup.schema import AlembicHistory, SchemaMigration, SchemaPhase
from include.trueup.schema.plan import make
from include.trueup.schema.preflight import preflight
from include.trueup.schema.report import report
from include.trueup.schema.run import SchemaRun
from include.trueup.steps import APPROVE
from include.trueup.walk import carry_out
from include.trueup.write.approval import approve, ask, plans_of
from tests.harness import new_database

_names = itertools.count()


class Databases:
    """Databases of their own, empty unless `uris` gives others, for the connections of a schema migration, and runs on
    them."""

    def __init__(
        self,
        server: postgres.Server,
        migration: SchemaMigration,
        ledger: Ledger,
        workspace: Workspace,
        uris: dict[str, str] | None = None,
    ) -> None:
        self.migration, self._ledger, self._workspace = migration, ledger, workspace
        self.uris = uris or {history.connection: new_database(server) for history in migration.histories}

    def uri(self, database: str) -> str:
        """The URI of the database of that history."""
        return self.uris[self.migration.history(database).connection]

    def run(
        self, target: int | None, *, mode: Mode = Mode.APPLY, migration: SchemaMigration | None = None, **options: Any
    ) -> SchemaRun:
        """A new run to that phase, or to `target_revision`."""
        declared = migration or self.migration
        return SchemaRun(
            id=f"schema-{next(_names)}",
            dag_id=declared.id,
            migration=declared,
            options=SchemaOptions(target_phase=target, mode=mode, **options),
            ledger=self._ledger,
            workspace=self._workspace,
            uri=self.uris.__getitem__,
        )


def answered(run: SchemaRun, by: str = "ada") -> Verdict:
    """The whole run, whose plan a person approves as it was shown; the verdict."""
    run = replace(run, options=replace(run.options, approval=True))
    try:
        ready(run, by)
        do(run, "apply")
        do(run, "gate")
    except Exception:
        report(run)
        raise
    return report(run)


def do(run: SchemaRun, step: str) -> Any:
    """A step of the run, in all its parts, as Airflow's tasks do it; what the last part gave."""
    (this,) = (each for each in run.steps if each.id == step)
    return [carry_out(this, run, part) for part in run.parts(this)][-1]


def plan_of(run: SchemaRun) -> SchemaPlan:
    """What the task approve makes before it asks."""
    order.enter(run, APPROVE)
    return make(run)


def planned(run: SchemaRun) -> SchemaPlan:
    """Everything up to the plan, which is given."""
    preflight(run)
    do(run, "lint")
    do(run, "rehearse")
    return plan_of(run)


def ready(run: SchemaRun, by: str = "ada") -> None:
    """Everything before apply; a person approves where the run asks."""
    planned(run)
    if plans_of(run).asks(run):
        approve(run, by, shown_sha256=ask(run).sha256)
    else:
        approve(run)
    do(run, "backup")


def anything() -> list[Any]:
    """A suite that holds of any change."""
    import great_expectations.expectations as gxe

    return [gxe.ExpectColumnToExist(column="fate")]


def history(folder: Path, *revisions: str, id: str = "app", **declared: Any) -> AlembicHistory:
    """A history in a folder: each revision is the body of a module; the n-th is revision `r<n>`, phase n unless it says."""
    versions = folder / id / "versions"
    versions.mkdir(parents=True)
    for n, body in enumerate(revisions):
        down = f'"r{n - 1}"' if n else None
        head = f'"""Revision {n}."""\nfrom alembic import op\nrevision = "r{n}"\ndown_revision = {down}\n'
        phase = "" if "phase =" in body or declared.get("phases") else f"phase = {n}\n"
        (versions / f"r{n}.py").write_text(head + phase + textwrap.dedent(body))
    return AlembicHistory(id=id, connection=id, script_location=folder / id, **declared)


def revision(up: str, down: str = "", more: str = "") -> str:
    """The body of a revision that runs SQL."""
    return f'{more}\ndef upgrade():\n    op.execute("""{up}""")\ndef downgrade():\n    {f"op.execute({down!r})" if down else "pass"}\n'


def migration_of(*histories: AlembicHistory, phases: int, **declared: Any) -> SchemaMigration:
    """A migration of these histories with that many phases."""
    made = tuple(SchemaPhase(number=n, title=f"Phase {n}", suite=anything) for n in range(phases))
    return SchemaMigration(
        id="app_schema", title="App", owner="ada", doc="", histories=histories, phases=made, **declared
    )
