"""A planned row that the target does not take is missing: the run is not proven, and says what refused it."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.embedded import postgres
from include.trueup.errors import GateError
from include.trueup.ledger import Ledger
from include.trueup.report.lens import history
from include.trueup.report.lens.fates import Sought
from include.trueup.report.lens.shelf import Shelf
from include.trueup.run import Run
from include.trueup.run.workspace import Workspace
from include.trueup.walk import walk
from tests.harness import run_of
from tests.small import Database, declare

SKIP = (
    "CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS "
    "'BEGIN IF NEW.amount > 5 THEN RETURN NULL; END IF; RETURN NEW; END'"
)
RAISE = SKIP.replace("RETURN NULL", "RAISE EXCEPTION ''not above 5''")
TRIGGER = "CREATE TRIGGER keeps_out BEFORE INSERT ON persons FOR EACH ROW EXECUTE FUNCTION skip()"
ONE_ABOVE = "CREATE UNIQUE INDEX one_above ON persons ((amount > 5)) WHERE amount = 6 OR amount = 7"
PARTITIONED = (
    "CREATE TABLE persons (id text PRIMARY KEY, name text, amount numeric, seen_at timestamptz) PARTITION BY RANGE (id)"
)
LIKE = "CREATE TABLE persons (LIKE people INCLUDING ALL)"


@pytest.fixture
def database(postgres_server: postgres.Server) -> Database:
    return Database(postgres_server, 8)


@pytest.fixture
def run(database: Database, ledger: Ledger, workspace: Workspace, tmp_path: Path) -> Run:
    return run_of(declare(tmp_path), ledger, workspace, lambda _: database.store)


@pytest.mark.parametrize(
    ("statements", "constraint"),
    [
        ((LIKE, SKIP, TRIGGER), "trigger keeps_out"),
        ((LIKE, RAISE, TRIGGER), "trigger keeps_out"),
        ((LIKE, "ALTER TABLE persons ADD CONSTRAINT at_most_five CHECK (amount <= 5)"), "at_most_five"),
        ((LIKE, ONE_ABOVE, "INSERT INTO persons VALUES ('other', '', 6)"), "one_above"),
        ((PARTITIONED, "CREATE TABLE part PARTITION OF persons FOR VALUES FROM ('p00') TO ('p06')"), None),
    ],
)
def test_a_row_that_is_refused_is_missing(
    run: Run, database: Database, statements: tuple[str, ...], constraint: str | None
) -> None:
    database.sql(*statements)
    by = (
        constraint
        or r"the server, the first, 'p06': no partition .* contains \(id\) = \(p06\).*Make the partition of persons"
    )
    with pytest.raises(GateError, match=f"2 planned rows of persons were refused by {by}"):
        walk(run)
    database.sql("DELETE FROM persons WHERE id = 'other'")
    should = {id: row for id, row in database.should().items() if id not in ("p06", "p07")}
    assert database.persons() == should  # the others are written, in that batch too
    assert run.ledger.entered(run.id).status == "failed"
    report = run.folder.read_json("report.json")
    assert report is not None
    (proof,) = report["proof"]
    assert (proof["missing"], proof["passed"]) == (2, False)
    assert [(e["key"], e["constraint"]) for e in proof["examples"]] == [("p06", constraint), ("p07", constraint)]
    assert report["plan"]["phases"][0]["skipped"] == {"missing": 2}
    assert run.ledger.conflicts(run.id) == []
    # and whoever looks for the row is told
    (past,) = history.history(run.migration, run.ledger, Shelf(run.workspace), Sought(keys=("p06",))).runs
    (told,) = past.targets
    assert str(told.not_written).startswith(f"refused by {constraint}: " if constraint else "refused: ")
    assert told.proof is not None
    assert (told.written_at, told.proof.kind) == (None, "missing")
