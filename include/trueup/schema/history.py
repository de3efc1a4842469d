"""An Alembic history as phases: which revisions a phase holds, where a database stands, and running one revision.

The scripts run in an environment that is made here, not in the history's `env.py`: on the connection that is given, or
offline, to render their SQL.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, MigrationStep
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util import CommandError

from ..errors import DeclarationError, OptionsError, SourceError
from ..run.schema_records import Way
from .model import AlembicHistory

NOWHERE = -1
"""The phase of a database that has no revision yet."""


@dataclass(frozen=True, kw_only=True)
class Revision:
    """One revision, up or down. `phase` is the phase that it belongs to; `database` the history's id."""

    database: str
    revision: str
    title: str
    phase: int
    up: bool
    breaking: str | None
    locks: str | None
    irreversible: str | None

    @property
    def way(self) -> Way:
        """Up or down."""
        return "up" if self.up else "down"

    @property
    def name(self) -> str:
        """For people: which revision of which database, and which way."""
        return f"{self.database}: revision {self.revision} {self.way} ({self.title})"


class History:
    """A history, read. Raises `DeclarationError` where it cannot be, or its labels contradict its order."""

    def __init__(self, declared: AlembicHistory) -> None:
        self.declared = declared
        self._config = Config()
        self._config.set_main_option("script_location", str(declared.script_location).replace("%", "%%"))
        self._config.set_main_option("path_separator", "os")
        try:
            self._directory = ScriptDirectory.from_config(self._config)
            # from the first revision to the last
            self._scripts: list[Script] = [*self._directory.walk_revisions()][::-1]
        except CommandError as error:
            raise DeclarationError(f"history {declared.id!r} cannot be read: {error}") from error

    @cached_property
    def phases(self) -> dict[str, int]:
        """The phase of every revision that belongs to one, in an order in which they can run."""
        labels = {s.revision: self._label(s) for s in self._scripts}
        if unknown := set(self.declared.phases) - set(labels):
            raise DeclarationError(
                f"history {self.declared.id!r}: phases name revisions {sorted(unknown)}, which are not in it"
            )
        phases: dict[str, int] = {}
        for script in reversed(self._scripts):  # those after it are known already
            later = [phases[r] for r in self._nexts(script) if r in phases]
            own = labels[script.revision]
            if own is not None and later and own > min(later):
                raise DeclarationError(
                    f"history {self.declared.id!r}: revision {script.revision} is of phase {own}, but a revision after it is of "
                    f"phase {min(later)}; the phases of a history must follow its order"
                )
            phase = min(later) if own is None and later else own
            if phase is not None:
                phases[script.revision] = phase
        return {s.revision: phases[s.revision] for s in self._scripts if s.revision in phases}

    def _label(self, script: Script) -> int | None:
        if self.declared.phases:
            return self.declared.phases.get(script.revision)
        phase = getattr(script.module, "phase", None)
        if phase is not None and not isinstance(phase, int):
            raise DeclarationError(
                f"history {self.declared.id!r}: phase of revision {script.revision} is {phase!r}, not a number"
            )
        return phase

    @staticmethod
    def _nexts(script: Script) -> set[str]:
        """The revisions that come directly after it, by order or by dependency."""
        return {str(r) for r in script._all_nextrev}

    def applied(self, heads: Sequence[str]) -> set[str]:
        """Every revision that a database with those heads has run. Raises `SourceError` for a head that is not here."""
        revisions = self._directory.revision_map
        try:
            scripts = (
                list(revisions.iterate_revisions(tuple(heads), "base", inclusive=True, implicit_base=True))
                if heads
                else []
            )
        except (CommandError, RevisionError) as error:
            raise SourceError(
                f"database {self.declared.id!r} is at revision {', '.join(heads)}, which its history does not have ({error}); "
                "deploy the code that knows it, or check the connection"
            ) from error
        return {str(s.revision) for s in scripts}

    def standing(self, heads: Sequence[str]) -> range:
        """The phases that a database with those heads is at: several, where later phases hold no revision of it.

        Raises `SourceError` when it stands between phases, or beyond them."""
        done = self._within(heads)
        if not done:
            return range(NOWHERE, min(self.phases.values(), default=0))
        highest = max((self.phases.get(r, NOWHERE) for r in done), default=NOWHERE)
        if missing := sorted({r for r, p in self.phases.items() if p <= highest} - done):
            raise SourceError(
                f"database {self.declared.id!r} (revision {', '.join(heads)}) stands between phases: it lacks {missing} of "
                f"phase {highest}"
            )
        after = min((p for p in self.phases.values() if p > highest), default=max(self.phases.values()) + 1_000)
        return range(highest, after)

    def _within(self, heads: Sequence[str]) -> set[str]:
        """Every revision that it has run, all of phases. Raises `SourceError`."""
        done = self.applied(heads)
        if beyond := sorted(done - {*self.phases}):
            raise SourceError(
                f"database {self.declared.id!r} (revision {', '.join(heads)}) stands between phases: it has {beyond}, which "
                "belong to no phase"
            )
        return done

    def between(self, heads: Sequence[str]) -> tuple[int, int] | None:
        """The last phase that such a database has whole, and the one that it has in part; None where it is at a phase.

        Raises `SourceError` for revisions that belong to no phase, or are not here."""
        done = self._within(heads)
        highest = max((self.phases[r] for r in done), default=NOWHERE)
        part = min((p for r, p in self.phases.items() if r not in done and p <= highest), default=None)
        if part is None:
            return None
        return max((p for p in self.phases.values() if p < part), default=NOWHERE), part

    def steps(self, heads: Sequence[str], target: int) -> list[Revision]:
        """What brings a database with those heads to phase `target`, in order; down steps first. Nothing if it is there."""
        return self._steps(heads, {r for r, phase in self.phases.items() if phase <= target})

    def steps_to(self, heads: Sequence[str], revision: str) -> list[Revision]:
        """The same, to that revision and those that it needs. Raises `OptionsError` for one that is not of a phase."""
        if revision not in self.phases:
            raise OptionsError(
                f"target_revision: {self.declared.id} has no revision {revision!r} that belongs to a phase; there are "
                f"{', '.join(self.phases)}"
            )
        return self._steps(heads, self.applied((revision,)))

    def _steps(self, heads: Sequence[str], wanted: set[str]) -> list[Revision]:
        done = self.applied(heads)
        down = [r for r in reversed(self.phases) if r in done and r not in wanted]
        up = [r for r in self.phases if r not in done and r in wanted]
        return [self._step(r, up=False) for r in down] + [self._step(r, up=True) for r in up]

    def back(self, step: Revision) -> Revision:
        """The opposite of a step."""
        return self._step(step.revision, up=not step.up)

    def _step(self, revision: str, *, up: bool) -> Revision:
        script = self._directory.get_revision(revision)
        says = {name: getattr(script.module, name, None) or None for name in ("breaking", "locks", "irreversible")}
        title = (script.doc or "").splitlines()[0] if script.doc else revision
        return Revision(
            database=self.declared.id, revision=revision, title=title, phase=self.phases[revision], up=up, **says
        )

    def heads(self, connection: sa.Connection) -> tuple[str, ...]:
        """The revisions that the database is at, as its version table says; none if it has no such table."""
        context = MigrationContext.configure(connection, opts={"version_table": self.declared.version_table})
        return tuple(sorted(context.get_current_heads()))

    def run(
        self,
        connection: sa.Connection,
        step: Revision,
        first: Callable[[], None] | None = None,
        last: Callable[[], None] | None = None,
    ) -> None:
        """Run one revision on the connection, in a transaction of its own (except the parts that must run outside of one).
        `first` is called before it, in that transaction, and `last` after it."""
        connection.rollback()  # what was read before is over: Alembic leaves a transaction that it finds open to others
        with self._environment(self._one(step, first, last)) as environment:
            environment.configure(
                connection=connection, version_table=self.declared.version_table, transaction_per_migration=True
            )
            with environment.begin_transaction():
                environment.run_migrations()

    def sql(self, step: Revision, heads: Sequence[str]) -> str:
        """The SQL that the revision runs on a PostgreSQL database with those heads, rendered offline.

        Raises `DeclarationError` for a revision that cannot be rendered: one that asks the database what to do."""
        text = io.StringIO()
        start = tuple(heads) or None
        with self._environment(self._one(step), as_sql=True, starting_rev=start) as environment:
            environment.configure(
                dialect_name="postgresql",
                version_table=self.declared.version_table,
                transaction_per_migration=True,
                output_buffer=text,
                literal_binds=True,
            )
            try:
                with environment.begin_transaction():
                    environment.run_migrations()
            except Exception as error:  # a revision's code may raise anything
                raise DeclarationError(
                    f"{step.name}: its SQL cannot be rendered offline: {type(error).__name__}: {error}"
                ) from error
        return text.getvalue()

    def after(self, heads: Sequence[str], step: Revision) -> tuple[str, ...]:
        """The heads of a database once the step has run on it."""
        done = self.applied(heads)
        done = done | {step.revision} if step.up else done - {step.revision}
        return tuple(
            r
            for r in self.phases
            if r in done and not any(n in done for n in self._nexts(self._directory.get_revision(r)))
        )

    def _one(
        self, step: Revision, first: Callable[[], None] | None = None, last: Callable[[], None] | None = None
    ) -> Any:
        revisions, script = self._directory.revision_map, self._directory.get_revision(step.revision)
        make = MigrationStep.upgrade_from_script if step.up else MigrationStep.downgrade_from_script
        made: Any = make(revisions, script)
        own = made.migration_fn

        def between(**given: Any) -> None:
            if first is not None:
                first()
            own(**given)
            if last is not None:
                last()

        made.migration_fn = between
        return lambda *_: [made]

    def _environment(self, fn: Any, **options: Any) -> EnvironmentContext:
        return EnvironmentContext(self._config, self._directory, fn=fn, **options)
