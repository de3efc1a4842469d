"""An older try that stood still and goes on when a newer one has begun, or the run is proven: in the run's folder, where
nothing can be fenced, it leaves nothing, and in the ledger it takes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from include.console import outcome
from include.embedded import postgres
from include.trueup.errors import GateError, StatusError, StoreUnavailableError
from include.trueup.ledger import GoneOnError, Lease, Ledger, RunRow
from include.trueup.ledger.leases import Leases
from include.trueup.report import report
from include.trueup.run import Files, Mode, Run, run_id
from include.trueup.run.workspace import RunFolder, Workspace
from include.trueup.stores.effects import REAL
from include.trueup.walk import carry_out, walk
from include.trueup.walk.preflight import preflight
from tests.stepping import Stepped, do


@pytest.fixture
def small(postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path) -> Stepped:
    return Stepped(postgres_server, ledger, workspace, tmp_path, 4)


@dataclass(frozen=True)
class Left:
    """What there is of the run: its files, by their hashes, its options and status, its lease, and how its steps ended."""

    files: dict[str, str]
    row: RunRow | None
    leases: list[Lease]
    errors: list[str | None]


def left(small: Stepped) -> Left:
    base = Path(small.workspace.uri) / "runs" / "a"
    files = {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(base.rglob("*")) if p.is_file()}
    errors = [step.error for step in small.ledger.steps("a")]
    return Left(files, small.ledger.run("a"), small.ledger.leases.present(), errors)


def begins_again(small: Stepped) -> Left:
    """A newer try of the preflight, and what it left with the steps that follow."""
    small.begin("a", to="plan_gate")
    return left(small)


def proven(small: Stepped) -> Left:
    """A newer try of the whole run, which is proven; what it left."""
    run = small.begin("a", to="plan_gate")
    do(run, "approve")
    assert report(run.chosen()).status == "passed"
    return left(small)


def proven_of_others(small: Stepped) -> Left:
    """The same of other rows."""
    small.database.sql("UPDATE people SET name = 'other'")
    return proven(small)


class _Killed(BaseException):
    """The process is gone."""


class Paused:
    """Has the older try stand still before it calls something of the engine, for a minute, in which a newer one is at work."""

    def __init__(self, small: Stepped, patch: pytest.MonkeyPatch) -> None:
        self._small, self._patch = small, patch
        self.newer: Left | None = None
        self.late = 0.0
        patch.setattr(small.ledger, "effects", replace(REAL, elapsing=lambda: REAL.elapsing() + self.late))

    def before(
        self, of: Any, name: str, newer: Callable[[Stepped], Left], about: str | None = None, *, killed: bool = False
    ) -> None:
        """It stands still there, the first time (`about`: that it is given this); `killed`: what it calls is the last that it
        does."""
        real = getattr(of, name)

        def stands(*given: Any, **more: Any) -> Any:
            if about not in (None, *given):
                return real(*given, **more)
            self._patch.setattr(of, name, real)
            self.newer = Context().run(newer, self._small)  # as another process does it
            self.late += 60
            done = real(*given, **more)
            if killed:
                raise _Killed
            return done

        self._patch.setattr(of, name, stands)


@pytest.fixture
def paused(small: Stepped, monkeypatch: pytest.MonkeyPatch) -> Paused:
    return Paused(small, monkeypatch)


@pytest.mark.parametrize(
    ("of", "name", "newer"),
    [
        (Files, "forget", begins_again),
        (Ledger, "step", begins_again),
        (Leases, "take", begins_again),
        (Ledger, "choose", begins_again),
        (Files, "write_start", begins_again),
        (Ledger, "step", proven),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_preflight(small: Stepped, paused: Paused, of: Any, name: str, newer: Callable[[Stepped], Left]) -> None:
    preflight(small.run("a"))  # so that it begins again
    paused.before(of, name, newer)
    with pytest.raises(StatusError, match="leaves nothing more"):
        preflight(small.run("a", partitions=3))
    assert left(small) == paused.newer


def test_a_preflight_that_keeps_what_the_run_had_begun_to_write(small: Stepped, paused: Paused) -> None:
    run = small.begin("a", to="plan_gate")
    do(run, "approve", "create_tables")
    small.fail(run, "copy.apply")
    paused.before(RunFolder, "copy", begins_again)
    with pytest.raises(StatusError, match="leaves nothing more"):
        preflight(small.run("a"))
    assert left(small) == paused.newer


@pytest.mark.parametrize(
    ("first", "step", "of", "name", "newer"),
    [
        ("plan", "plan", RunFolder, "seal", begins_again),
        ("plan", "plan_gate", Files, "write_plan", begins_again),
        ("plan", "gate", Files, "write_proof", proven),
        ("plan", "plan", Ledger, "step", proven),
        ("plan", "plan_gate", Ledger, "planned", proven_of_others),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_step(
    small: Stepped, paused: Paused, first: str, step: str, of: Any, name: str, newer: Callable[[Stepped], Left]
) -> None:
    run = small.begin("a", to="transform")
    if step != first:
        do(run, first, run.steps[[each.id for each in run.steps].index(step) - 1].id)
    paused.before(of, name, newer)
    with pytest.raises(StatusError, match="leaves nothing more"):
        do(run, step, step)
    assert left(small) == paused.newer


def test_a_step_that_was_read_before_the_run_began_again(small: Stepped, paused: Paused) -> None:
    """It does not begin as a try of what the newer one does, nor has the run go on; nor does it once the newer one is there."""
    older = small.begin("a", to="transform").chosen()
    paused.before(Ledger, "step", begins_again)
    with pytest.raises(StatusError, match="leaves nothing more"):
        do_as_read(older, "plan")
    assert left(small) == paused.newer
    small.fail(small.run("a"))
    before = left(small)
    with pytest.raises(StatusError, match="leaves nothing more"):
        do_as_read(older, "plan")
    assert left(small) == before


def do_as_read(run: Run, name: str) -> None:
    """A step of the run, by a task that has read of it before what it knows."""
    carry_out(next(step for step in run.steps if step.id == name), run, 0)


def test_threads_of_a_step(small: Stepped, paused: Paused) -> None:
    """The snapshot reads and publishes several tables at once."""

    def reads_others(small: Stepped) -> Left:
        small.database.sql("UPDATE people SET name = 'other'")
        return begins_again(small)

    run = small.begin("a", to="transform")
    paused.before(RunFolder, "publish", reads_others)
    with pytest.raises(StatusError, match="leaves nothing more"):
        do(run, "snapshot", "snapshot")
    assert left(small) == paused.newer


REPORTS = ("report.html", "report.json")
OF_REPORTS = [(Ledger, "move"), (Files, "write_report")]


@pytest.mark.parametrize(("of", "name"), OF_REPORTS, ids=lambda value: getattr(value, "__name__", value))
def test_a_report_of_a_run_that_has_begun_again(small: Stepped, paused: Paused, of: Any, name: str) -> None:
    run = small.begin("a", to="plan_gate")
    paused.before(of, name, begins_again)
    with pytest.raises(GoneOnError, match="begun again"):
        report(run.chosen(), ["lost"])
    assert left(small) == paused.newer
    assert small.status("a") == "running"


@pytest.mark.parametrize(
    ("of", "name", "path"),
    [
        *((RunFolder, "write", path) for path in REPORTS),
        # a request that is under way passes, and what it has written over is written again
        *((Workspace, "write", f"runs/a/{path}") for path in REPORTS),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_report_of_a_run_that_failed_and_is_proven_meanwhile(
    small: Stepped, paused: Paused, of: Any, name: str, path: str
) -> None:
    run = small.begin("a", to="plan_gate")
    paused.before(of, name, proven, path)
    assert report(run.chosen(), ["lost"]).status == "passed"
    assert left(small) == paused.newer
    assert small.workspace.run("a").read_json("report.json")["run"]["status"] == "proven"


@pytest.mark.parametrize("path", REPORTS)
def test_a_report_of_a_run_that_is_proven_meanwhile_whose_process_is_killed_then(
    small: Stepped, paused: Paused, path: str
) -> None:
    """What it was publishing is not taken for the report of the proven run, and lies there no more once that is asked for."""
    run = small.begin("a", to="plan_gate")
    paused.before(Workspace, "write", proven, f"runs/a/{path}", killed=True)
    with pytest.raises(_Killed):
        report(run.chosen(), ["lost"])
    assert left(small) != paused.newer
    written = run.files.report
    assert written is not None
    assert written.run.status == "proven"
    assert b"Failed" not in (run.files.reported("report.html") or b"Failed")
    assert report(run.chosen()).status == "passed"
    assert left(small) == paused.newer


def test_a_report_of_a_proven_run_whose_process_is_killed_before_it_lies_beside_the_other_files(
    small: Stepped, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> None:
        raise _Killed

    run = small.begin(run_id("small", "r"), to="validate")
    run.folder.write("report.html", "of an older try")
    monkeypatch.setattr(Files, "uncover", killed)
    with pytest.raises(_Killed):
        report(run.chosen())
    assert {*REPORTS, "report.md"} <= run.files.names()
    told = outcome.read(small.workspace, "small", "r")
    assert told is not None
    assert told.report == run.folder.location("proven/report.html")
    monkeypatch.undo()
    assert report(run.chosen()).status == "passed"
    told = outcome.read(small.workspace, "small", "r")
    assert told is not None
    assert told.report == run.folder.location("report.html")


def test_a_report_of_a_proof_that_was_made_again_meanwhile_and_failed(small: Stepped, paused: Paused) -> None:
    """The one that was collected before makes no proven run of it."""

    def fails(small: Stepped) -> Left:
        small.database.sql("UPDATE persons SET name = 'other'")
        with pytest.raises(GateError):
            do(small.run("a"), "snapshot", "gate")
        small.fail(small.run("a"))
        return left(small)

    small.proven("before")
    run = small.begin("a", to="validate", mode=Mode.VERIFY)
    paused.before(Ledger, "move", fails)
    with pytest.raises(GoneOnError, match="gone on"):
        report(run.chosen())
    assert left(small) == paused.newer
    assert small.status("a") == "failed"


def test_a_report_of_a_run_that_goes_on_meanwhile(small: Stepped, paused: Paused) -> None:
    """The next try of it says how the run stands then."""

    def goes_on(small: Stepped) -> Left:
        do(small.run("a"), "approve", "approve")
        return left(small)

    run = small.begin("a", to="plan_gate")
    small.fail(run)
    paused.before(Files, "write_report", goes_on)
    with pytest.raises(GoneOnError, match="gone on"):
        report(run.chosen(), ["lost"])
    assert report(run.chosen()).status == "failed"
    assert small.status("a") == "failed"


def test_a_report_of_a_proven_run_that_was_not_written_and_of_which_a_task_was_cleared_since(
    small: Stepped, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = small.begin("a", to="validate")

    def gone(*_: Any, **__: Any) -> None:
        raise StoreUnavailableError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(Files, "write_report", gone)
        with pytest.raises(StoreUnavailableError):
            report(run.chosen())
    assert small.status("a") == "proven"
    with pytest.raises(StatusError, match="has ended"):
        do(run, "plan", "plan")
    assert report(run.chosen(), ["plan"]).status == "passed"


def test_a_plan_gate_that_was_publishing_when_the_run_was_proven(small: Stepped, paused: Paused) -> None:
    """That one file passes; the run is rolled back by what its report says of the plan."""
    run = small.begin("a", to="plan")
    paused.before(Workspace, "write", proven_of_others, "runs/a/plan.json")
    with pytest.raises(StatusError, match="leaves nothing more"):
        do(run, "plan_gate", "plan_gate")
    published, entered = run.files.plan, small.ledger.entered("a")
    assert (published and published.sha256) != entered.plan_sha256
    walk(small.run("b", undoes="a"))
    assert small.status("a") == "rolled_back"
