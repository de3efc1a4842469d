"""A report that is tried again while a task of its run, which somebody has cleared, does a step in another process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from include.embedded import postgres
from include.trueup.ledger import GoneOnError, Ledger, Part
from include.trueup.ledger.leases import Leases
from include.trueup.report import report
from include.trueup.run import Mode, Run, order
from include.trueup.run.workspace import Workspace
from include.trueup.stores.effects import REAL
from tests.schemas import Databases, history, migration_of, revision
from tests.stepping import Stepped, do


@pytest.fixture
def small(postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path) -> Stepped:
    return Stepped(postgres_server, ledger, workspace, tmp_path, 4)


@pytest.fixture
def failed(small: Stepped) -> Run:
    """A run that failed before it wrote anything."""
    run = small.begin("a", to="plan_gate")
    do(run, "approve", "create_tables")
    small.fail(run, "copy.apply")
    return run.chosen()


@contextmanager
def applying_elsewhere(small: Stepped, run: Run) -> Iterator[Callable[[], None]]:
    """A process of another machine writes; gives what renews its leases."""
    small.ledger.effects = replace(REAL, process=lambda: "another/1/2.0")
    with small.ledger.step(run.id, "apply/copy", "0") as tries:
        part = Part(step="apply/copy", part="0", tries=tries)
        entered = small.ledger.leases.enter(run.id, run.held_targets, right=True, part=part)
        small.ledger.effects = REAL
        yield lambda: small.ledger.leases.renew(run.id, entered.epochs, part)


def test_of_a_step_that_goes_on_nothing_is_taken(small: Stepped, failed: Run) -> None:
    with applying_elsewhere(small, failed) as renew:
        small.ledger.effects = replace(REAL, sleep=lambda _: renew())
        with pytest.raises(GoneOnError, match="the step apply/copy of run a is under way"):
            report(failed)
        renew()
    assert small.status("a") == "running"
    assert report(failed).status == "failed"


def test_of_a_part_that_goes_on_nothing_is_taken_though_another_part_has_failed(small: Stepped, failed: Run) -> None:
    with applying_elsewhere(small, failed) as renew:
        small.ledger.effects = replace(REAL, sleep=lambda _: renew())
        with pytest.raises(GoneOnError, match="the step apply/copy of run a is under way"):
            report(failed, ["copy.apply_1", "copy.apply_10"])
        small.ledger.effects = replace(REAL, sleep=lambda s: pytest.fail(f"waits {s} s for a part that has failed"))
        assert report(failed, ["copy.apply_0"]).status == "failed"


@pytest.mark.parametrize("mode", [Mode.PLAN, Mode.VERIFY])
def test_a_report_needs_no_setting_that_only_leases_need(
    small: Stepped, monkeypatch: pytest.MonkeyPatch, mode: Mode
) -> None:
    monkeypatch.setenv("TRUEUP_LEASE_SECONDS", "soon")
    run = small.begin("a", mode=mode)
    assert report(run, ["copy.verify_0"]).status == "failed"


def test_parts_are_numbered_as_airflow_numbers_their_tasks(
    postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path
) -> None:
    """Of databases, by their order; one task applies all phases to all of them."""
    histories = [history(tmp_path, revision("SELECT 1"), id=id) for id in ("app", "billing")]
    run = Databases(postgres_server, migration_of(*histories, phases=1), ledger, workspace).run(0)
    assert order.task_names(run, "rehearse", "billing") == {"rehearse", "rehearse_1"}
    assert order.task_names(run, "apply/0-expand", "billing") == order.task_names(run, "apply", "0") == {"apply"}
    assert order.task_names(run, "preflight", "0") == {"preflight"}


def test_what_a_step_takes_at_the_last_moment_stays_with_it(
    small: Stepped, failed: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Leases.leave

    def leave(*given: Any) -> None:
        do(small.run("a"), "approve", "approve")
        real(*given)

    monkeypatch.setattr(Leases, "leave", leave)
    with pytest.raises(GoneOnError, match="gone on"):
        report(failed)
    assert [lease.run_id for lease in small.ledger.leases.present()] == ["a"]
