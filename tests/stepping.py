"""Runs of the small migration, a step at a time, as Airflow's tasks take them: in any order that people ask for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from include.embedded import postgres
from include.trueup.declare.migration import Migration
from include.trueup.errors import StoreUnavailableError
from include.trueup.ledger import Ledger
from include.trueup.report import report
from include.trueup.run import Run
from include.trueup.run.workspace import Workspace
from include.trueup.walk import carry_out, rollback_preflight, walk
from include.trueup.walk.preflight import preflight

from .harness import run_of
from .small import Database, declare


class Stepped:
    """People in a database, and runs of the small migration over them."""

    def __init__(
        self, server: postgres.Server, ledger: Ledger, workspace: Workspace, folder: Path, people: int
    ) -> None:
        self.ledger, self.workspace, self.folder = ledger, workspace, folder
        self.database = Database(server, people)
        self.database.store.batch_rows = 2
        self.migration: Migration = declare(folder)

    def run(self, id: str, *, undoes: str | None = None, **options: Any) -> Run:
        """A run; `undoes` makes it a rollback."""
        asked = {"max_reject_share": 1, **options}
        made = run_of(self.migration, self.ledger, self.workspace, lambda _: self.database.store, id, **asked)
        if undoes is None:
            return made
        return replace(made, dag_id="small_rollback", undoes=undoes, options=replace(made.options, partitions=None))

    def begin(self, id: str, *, to: str = "plan_gate", **options: Any) -> Run:
        """A run from its preflight up to a step."""
        run = self.run(id, **options)
        preflight(run) if run.undoes is None else rollback_preflight.preflight(run)
        do(run, last=to)
        return run.chosen()

    def proven(self, id: str, **options: Any) -> dict[str, Any]:
        """A whole run; its report."""
        walk(self.run(id, **options))
        facts: dict[str, Any] = self.workspace.run(id).read_json("report.json")
        return facts

    def status(self, id: str) -> str:
        """Where a run stands."""
        return str(self.ledger.entered(id).status)

    def fail(self, run: Run, *tasks: str) -> None:
        """The run ends as failed: the workers of these tasks were lost."""
        report(run.chosen(), tasks or ["lost"])
        assert self.status(run.id) == "failed"


def do(run: Run, first: str | None = None, last: str | None = None) -> None:
    """The steps from `first` to `last`, as tasks would do them, each with the run as it finds it; "clear a task" is to do
    it again."""
    every = run.steps
    ids = [step.id for step in every]
    begin, end = 0 if first is None else ids.index(first), len(ids) - 1 if last is None else ids.index(last)
    for step in every[begin : end + 1]:
        if not step.skipped(run.chosen().options.mode) and not (step.id == "approve" and run.options.approval):
            for part in run.chosen().parts(step):
                carry_out(step, run.chosen(), part)


def broken_off(small: Stepped, run: Run, monkeypatch: pytest.MonkeyPatch, batches: int) -> None:
    """Apply, until the store is gone after so many batches."""
    store, calls = small.database.store, [0]

    def add(*args: Any) -> Any:
        calls[0] += 1
        if calls[0] > batches:
            raise StoreUnavailableError("gone")
        return type(store).add(store, *args)

    store.writers = 1
    with monkeypatch.context() as patch:
        patch.setattr(store, "add", add)
        with pytest.raises(StoreUnavailableError):
            do(run, "apply", "apply")
    small.fail(run, "copy.apply")
