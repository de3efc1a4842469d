"""A snapshot is used by no declaration that would have read otherwise: of the same run, or of the next day's. What one version of a
transform has made is not planned beside what another one made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from include.embedded import postgres
from include.trueup.declare.migration import Migration, Source, Table, Type
from include.trueup.errors import ArtifactError
from include.trueup.ledger import Ledger
from include.trueup.run import Window
from include.trueup.run.workspace import Workspace
from include.trueup.walk import carry_out
from tests.small import Database
from tests.stepping import Stepped, do

TITLES = Table(
    name="titles", connection="c", key=("id",), columns={"id": Type.TEXT, "person": Type.TEXT, "title": Type.TEXT}
)
OPTIONS = {"partitions": 4, "max_remove_share": 1, "max_left_alone": 9}


@pytest.fixture
def small(postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path) -> Stepped:
    """Persons are to get their title, which another table has; of each person that row has another key."""
    stepped = Stepped(postgres_server, ledger, workspace, tmp_path, 12)
    entitle(stepped.database, "Dr.")
    (tmp_path / "rows.sql").write_text(
        "CREATE VIEW rows AS SELECT p.id, concat_ws(' ', t.title, upper(p.name)) AS name, amount, seen_at, p.id AS _source "
        "FROM people p LEFT JOIN titles t ON t.person = p.id"
    )
    stepped.migration = joined(stepped.migration, ("id",))
    return stepped


def entitle(database: Database, title: str) -> None:
    database.sql(
        "CREATE TABLE titles (id text PRIMARY KEY, person text NOT NULL, title text NOT NULL)",
        f"INSERT INTO titles SELECT 't' || id, id, '{title}' FROM people",
    )


def joined(migration: Migration, by: tuple[str, ...] | None, table: Table = TITLES) -> Migration:
    """The migration, with the titles partitioned by these columns (None: a look-up)."""
    return replace(migration, sources=(migration.sources[0], Source(id="titles", table=table, partition_by=by)))


def unjoined(migration: Migration) -> Migration:
    """The migration without titles."""
    return replace(migration, sources=migration.sources[:1])


def named(small: Stepped) -> set[str]:
    return {name.partition(" ")[0] for name, *_ in small.database.persons().values()}


@pytest.mark.parametrize(
    ("before", "now"), [(("id",), ("person",)), (("id",), None), ((), ("person",))], ids=["by", "look-up", "added"]
)
def test_steps_that_are_done_again_by_another_declaration_read_again(
    small: Stepped, before: tuple[str, ...], now: tuple[str, ...] | None
) -> None:
    mended = joined(small.migration, now)
    small.migration = joined(small.migration, before) if before else unjoined(small.migration)
    run = small.begin("run", to="snapshot", **OPTIONS)
    run = replace(run, migration=mended)
    with pytest.raises(ArtifactError, match=r"titles.*clear the task snapshot"):
        do(run, first="transform")
    do(run, first="snapshot")
    assert named(small) == {"Dr."}


def test_a_transform_that_is_done_again_sees_what_is_shared_by_the_query_of_now(small: Stepped) -> None:
    (query := small.folder / "called.sql").write_text("SELECT id, 'Mr.' AS title FROM people")
    rows = small.folder / "rows.sql"
    rows.write_text(rows.read_text().replace("titles t ON t.person", "called t ON t.id"))
    small.migration = replace(unjoined(small.migration), shared={"called": query})
    run = small.begin("run", to="plan", **OPTIONS)
    do(run, first="transform", last="plan")
    query.write_text("SELECT id, 'Ms.' AS title FROM people")
    with pytest.raises(ArtifactError, match=r"shared 'called'.*clear the task shared"):
        do(run, first="transform")
    do(run, first="shared")
    assert named(small) == {"Ms."}


def test_rows_that_two_versions_of_a_transform_have_made_are_no_plan(small: Stepped) -> None:
    """It was deployed anew between two partitions, or a part was cleared since."""
    run = small.begin("run", to="transform", **OPTIONS)
    rows = small.folder / "rows.sql"
    rows.write_text(rows.read_text().replace("' ', t.title", "' ', 'Prof.'"))
    (transform,) = (step for step in run.steps if step.id == "transform")
    carry_out(transform, run, 3)
    with pytest.raises(
        ArtifactError, match=r"partition 3 .* other code than those of partition 0.*Clear the task transform"
    ):
        do(run, first="plan")
    do(run, first="transform")
    assert named(small) == {"Prof."}


def test_a_day_reads_again_what_was_read_by_another_declaration_or_elsewhere(
    small: Stepped, postgres_server: postgres.Server
) -> None:
    options = {**OPTIONS, "snapshot_max_age": 2}

    def day(id: str, end: str) -> str | None:
        small.proven(id, window=Window.parse("2025-01-01", end), **options)
        return small.run(id).files.start.snapshot_of

    assert day("first", "2025-01-03") is None
    assert day("same", "2025-01-04") == "first"
    small.migration = joined(small.migration, ("person",))
    assert day("mended", "2025-01-05") is None
    assert named(small) == {"Dr."}
    assert day("as mended", "2025-01-06") == "mended"
    small.database = Database(postgres_server, 12)  # the connection leads to another database
    entitle(small.database, "Prof.")
    assert day("elsewhere", "2025-01-07") is None
    assert named(small) == {"Prof."}
