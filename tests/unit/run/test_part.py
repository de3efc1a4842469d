"""How a step does its part: what is entered, published and sealed, and what is not where it raised."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from include.trueup.errors import ArtifactError
from include.trueup.ledger import Ledger
from include.trueup.rows import duck
from include.trueup.run import StepName, part
from include.trueup.run.files import PLAN_FILES
from include.trueup.run.workspace import Workspace

PEOPLE = pa.schema({"id": pa.int32(), "name": pa.string()})


@pytest.fixture
def run(ledger: Ledger, workspace: Workspace) -> Any:
    ledger.begin("r", migration_id="m", dag_id="m", triggered_by="ada", options={})
    return SimpleNamespace(id="r", ledger=ledger, folder=workspace.run("r"), attempt=None)


def test_what_a_part_wrote_is_published_with_its_manifest_when_it_ends(run: Any) -> None:
    path = PLAN_FILES.part("people", 3)
    with part(run, StepName.PLAN, 3) as doing:
        written = doing.write(path, "SELECT 1 AS id, 'Ada' AS name")
        doing.relate("people", [written], PEOPLE)
        assert doing.connection.execute("FROM people").fetchall() == [(1, "Ada")]
        assert doing.write(PLAN_FILES.part("pets", 3), "SELECT 1 AS id LIMIT 0", leave_out_empty=True).rows == 0
        doing.facts = {"people": {"add": 1}}
        assert run.folder.manifests(StepName.PLAN) == []
    (manifest,) = run.folder.manifests(StepName.PLAN, 1)
    assert (manifest.step, manifest.part, manifest.facts) == ("plan", "003", {"people": {"add": 1}})
    assert [(file.path, file.rows) for file in manifest.files] == [(path, 1)]
    with part(run, StepName.VERIFY, 3, phase="people") as doing:
        doing.relate("people", PLAN_FILES.among([manifest], "people", 3), PEOPLE)
        assert doing.connection.execute("FROM people").fetchall() == [(1, "Ada")]
        with pytest.raises(ArtifactError, match="expected columns"):
            doing.relate("people", manifest.files, pa.schema({"id": pa.int32()}))
    steps = {(row.step, row.part): row.error for row in run.ledger.steps("r")}
    assert steps == {("plan", "3"): None, ("verify/people", "3"): None}
    assert run.folder.steps() == ["plan"], "a part that leaves nothing leaves no manifest"


def test_a_relation_of_no_files_takes_the_place_of_one_of_files_and_the_other_way_round(run: Any) -> None:
    with part(run, StepName.PLAN, 0) as doing:
        written = doing.write(PLAN_FILES.part("people", 0), "SELECT 1 AS id, 'Ada' AS name")
        for files, rows in (([written], 1), ([], 0), ([], 0), ([written], 1)):
            doing.relate("people", files, PEOPLE)
            assert len(doing.connection.execute("SELECT id, name FROM people").fetchall()) == rows


def test_a_part_that_raised_leaves_its_error_and_no_manifest(run: Any) -> None:
    def bad() -> None:
        with part(run, StepName.SHARED) as doing:
            doing.write("shared/totals.parquet", "SELECT 1 AS id")
            doing.facts = {"totals": 1}
            raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        bad()
    assert run.folder.manifests(StepName.SHARED) == []
    assert run.folder.names("shared") == []
    assert [(r.step, r.part, r.error, r.tries) for r in run.ledger.steps("r")] == [("shared", "0", "bad", 1)]
    with part(run, StepName.SHARED) as doing:
        doing.facts = {}
        assert doing.tries == 2
    assert [m.part for m in run.folder.manifests(StepName.SHARED)] == ["0"]


def test_a_connection_is_made_only_for_a_part_that_asks_for_one(run: Any) -> None:
    opened: list[Path] = []

    @contextmanager
    def connect(scratch: Path) -> Iterator[duckdb.DuckDBPyConnection]:
        opened.append(scratch)
        with duck.connect(scratch) as connection:
            yield connection
        opened.remove(scratch)

    with part(run, StepName.APPROVE, connect=connect):
        pass
    assert opened == []
    with part(run, StepName.PLAN, 0, connect=connect) as doing:
        assert doing.connection is doing.connection
        assert opened == [doing.scratch]
    assert opened == []
    assert not doing.scratch.exists()
