"""What is written, read back and proven counts in that order: of a step that is done again, those behind it are to be, too."""

from __future__ import annotations

from contextvars import Context
from dataclasses import replace
from pathlib import Path

import pytest

from include.embedded import postgres
from include.trueup.declare.migration import Statement
from include.trueup.errors import ApprovalError, GateError
from include.trueup.ledger import Ledger
from include.trueup.report import report
from include.trueup.run import Run
from include.trueup.run.workspace import Workspace
from tests.stepping import Stepped, do


@pytest.fixture
def small(postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path) -> Stepped:
    return Stepped(postgres_server, ledger, workspace, tmp_path, people=4)


def test_a_row_that_a_further_look_finds_missing_is_not_proven_by_the_gate_before_it(small: Stepped) -> None:
    run = small.begin("a", to="validate")
    small.database.sql("DELETE FROM persons WHERE id = 'p01'")
    do(run, "read_back", "verify")
    said = report(run)
    assert (said.status, said.proof) == ("failed", "not_proven")
    assert "step gate/copy was not done" in said.headline
    assert "it began before the step verify/copy was over, which was done again since" in said.headline


def test_what_comes_behind_it_done_again_proves_the_run(small: Stepped) -> None:
    run = small.begin("a", to="validate")
    do(run, "apply", "apply")
    assert report(run).status == "failed"
    do(run, "read_back")
    assert report(run).status == "passed"


def goes_on_late(small: Stepped, run: Run, patch: pytest.MonkeyPatch, meanwhile: str) -> None:
    """A try of verify that is just publishing what it found stands still there while somebody does that, and a newer one looks."""
    real = Workspace.write

    def write(workspace: Workspace, content: bytes, path: str) -> tuple[int, str]:
        if path.endswith("manifests/verify/copy/000.json"):
            patch.setattr(Workspace, "write", real)
            small.database.sql(meanwhile)
            Context().run(do, run, "read_back", "verify")
        return real(workspace, content, path)

    patch.setattr(Workspace, "write", write)
    do(run, "verify", "verify")


def test_an_older_look_that_is_published_late_proves_nothing(small: Stepped, monkeypatch: pytest.MonkeyPatch) -> None:
    run = small.begin("a", to="read_back")
    goes_on_late(small, run, monkeypatch, "DELETE FROM persons WHERE id = 'p01'")
    do(run, "gate")
    assert "is of try 1, which went on late, and not of try 2" in report(run).headline
    do(run, "verify", "verify")
    with pytest.raises(GateError, match="p01"):
        do(run, "gate")


def test_an_older_look_that_is_published_late_takes_nothing_back(
    small: Stepped, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.proven("a")
    back = small.begin("back", to="read_back", undoes="a")
    goes_on_late(small, back, monkeypatch, "INSERT INTO persons SELECT * FROM people WHERE id = 'p01'")
    do(back, "gate", "validate")
    with pytest.raises(ApprovalError, match="is of try 1, which went on late"):
        do(back, "settle")
    report(back)
    assert (small.status("a"), small.status("back")) == ("proven", "failed")


def test_nothing_is_entered_as_rolled_back_by_an_older_gate(small: Stepped) -> None:
    small.proven("a")
    back = small.begin("back", to="validate", undoes="a")
    small.database.sql("INSERT INTO persons SELECT * FROM people WHERE id = 'p01'")
    do(back, "read_back", "verify")
    with pytest.raises(ApprovalError, match="has not been through 'gate/copy'"):
        do(back, "settle")
    assert report(back).status == "failed"
    assert small.status("a") == "proven"


def test_the_report_of_a_run_that_begins_again_says_nothing_of_its_earlier_plan(small: Stepped) -> None:
    stated = Statement(title="Everybody is there.", query="SELECT (SELECT count(*) FROM after_persons) = 4")
    small.migration = replace(small.migration, statements=(stated,))

    def said(run: Run) -> tuple[bool, int]:
        small.fail(run, "lost")
        written = run.files.report
        assert written is not None
        return written.plan is not None, len(written.statements)

    assert said(small.begin("a", to="validate")) == (True, 1)
    again = small.begin("a", to="transform")
    assert said(again) == (False, 0)
    do(again, "plan", "plan_gate")
    assert said(again) == (True, 0)
