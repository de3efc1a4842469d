"""The rows of runs as they are looked at afterwards: every kind of them, and what became of one key in all runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from include.embedded import postgres
from include.trueup.declare.migration import Migration, Phase, Source, Table, Target, Type
from include.trueup.declare.names import KEY, NUMBER
from include.trueup.errors import ArtifactError
from include.trueup.ledger import Ledger
from include.trueup.report.lens import answer, browse, count, fates, history, one, search
from include.trueup.report.lens.rows import Looked, keys_of
from include.trueup.report.lens.shelf import Shelf
from include.trueup.rows import duck
from include.trueup.run import Window
from include.trueup.run.workspace import Workspace
from include.trueup.walk import walk
from include.trueup.write import apply
from include.trueup.write.numbers import batch_of
from tests.harness import run_of
from tests.small import Database, _suite, _whole, declare, declare_in_place

HOSTILE = "<b>\"x'/\u202eü"
PARTS = 150
DOCS = {"tenant": Type.TEXT, "name": Type.TEXT, "parts": Type.NUMBER, "note": Type.TEXT}
CHUNKS = {"tenant": Type.TEXT, "name": Type.TEXT, "part": Type.NUMBER, "note": Type.TEXT}
TRANSFORM = """
CREATE OR REPLACE VIEW rows AS
SELECT tenant, name, unnest(range(parts::INT))::VARCHAR AS part, note, _key AS _source FROM docs
WHERE note IS NOT NULL AND tenant NOT IN ('skip', 'keep');
CREATE OR REPLACE VIEW findings AS
SELECT _key AS _source, _key AS key, 'reject' AS severity, 'no_note' AS code, 'no note' AS message FROM docs WHERE note IS NULL
UNION ALL SELECT _key, _key, tenant, CASE tenant WHEN 'skip' THEN 'by_rule' ELSE '' END, '' FROM docs WHERE tenant IN ('skip', 'keep')
"""


def documents(folder: Path) -> Migration:
    """Documents into their parts: keys of several columns, one row into many, and every fate."""
    (folder / "parts.sql").write_text(TRANSFORM)
    (folder / "create.sql").write_text(
        "CREATE TABLE chunks (tenant text, name text, part numeric, note text, PRIMARY KEY (tenant, name, part))"
    )
    docs = Table(name="docs", connection="c", key=("tenant", "name"), columns=DOCS)
    chunks = Table(name="chunks", connection="c", key=("tenant", "name", "part"), columns=CHUNKS)
    phase = Phase(
        id="split", title="Split", source="docs", target="chunks", transform=folder / "parts.sql", suite=_suite
    )
    return Migration(
        id="documents", title="Documents", owner="tests", doc="",
        sources=(Source(id="docs", table=docs, partition_by=("tenant", "name")),),
        targets=(Target(id="chunks", table=chunks, create=folder / "create.sql"),), phases=(phase,), suite=_whole,
    )  # fmt: skip


@dataclass(frozen=True)
class Looking:
    """Runs that can be looked at."""

    migration: Migration
    ledger: Ledger
    shelf: Shelf

    def history(self, key: str, **more: Any) -> history.History:
        return history.history(self.migration, self.ledger, self.shelf, fates.Sought(keys=keys_of(key)), **more)

    def run(self, id: str) -> Looked:
        row = self.ledger.run(id)
        assert row is not None
        return history.look(self.migration, self.shelf, row)

    def rows(self, id: str, size: int = 100, **asked: str) -> Iterator[browse.Line]:
        after = None
        for _ in range(1_000):
            page = browse.page(self.run(id), self.ledger, search.Asked(**asked), after=after, size=size)
            yield from page.rows
            after = page.next
            if after is None:
                return

    def last(self, **asked: str) -> answer.Answer:
        asked_for = (
            answer.of_source(self.migration, asked["source"], asked["key"])
            if "source" in asked
            else answer.of_target(self.migration, asked["target"], asked["key"])
        )
        return answer.last(self.migration, self.ledger, self.shelf, asked_for)


def test_what_became_of_documents(
    postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path
) -> None:
    database, migration = Database(postgres_server, 1), documents(tmp_path)
    database.store.batch_rows = 7
    rows = [
        ("a/ü", HOSTILE, PARTS, "long"),
        ("a/ü", "plain", 2, "two"),
        ("no", "note", 1, None),
        ("keep", "k", 1, "x"),
        ("skip", "s", 1, "y"),
    ]
    database.sql("CREATE TABLE docs (tenant text, name text, parts int, note text, PRIMARY KEY (tenant, name))")
    for row in rows:
        values = ", ".join("NULL" if v is None else f"'{str(v).replace(chr(39), chr(39) * 2)}'" for v in row)
        database.sql(f"INSERT INTO docs VALUES ({values})")
    asked: dict[str, Any] = {"partitions": 2, "max_skip_share": 1.0, "max_remove_share": 1.0}
    run = run_of(migration, ledger, workspace, lambda _: database.store, "first", **asked)
    walk(run)
    looking = Looking(migration, ledger, Shelf(workspace))
    plain, hostile = json.dumps(["a/ü", "plain"]), json.dumps(["a/ü", HOSTILE], indent=1)

    # every row of every kind, once, whatever the size of a page
    every = list(looking.rows("first", size=13))
    assert len({line.at for line in every}) == len(every) == PARTS + 2 + 3
    assert {line.verb for line in every} == {"add", "rejected", "skipped", "keep"}
    assert [line.code for line in looking.rows("first", verb="skipped")] == ["by_rule"]
    assert len(list(looking.rows("first", key=hostile))) == PARTS
    assert [line.source for line in looking.rows("first", code="no_note")] == ['["no","note"]']
    assert len(list(looking.rows("first", text="TWO"))) == 2
    # a search that is given up for its time goes on where it stopped, and finds the same
    pages, after = list[browse.Page](), None
    while after is not None or not pages:
        asked_for = search.Asked(text="o")
        pages.append(browse.page(looking.run("first"), ledger, asked_for, after=after, seconds=-1))
        after = pages[-1].next
    assert [line.at for page in pages for line in page.rows] == [line.at for line in looking.rows("first", text="o")]
    assert not all(page.full for page in pages)
    assert [page.looked for page in pages] == sorted(page.looked for page in pages)
    assert pages[-1].looked == pages[-1].of
    assert browse.total(looking.run("first"), ledger, asked_for).rows == sum(len(page.rows) for page in pages)
    found = count.summary(looking.run("first"), ledger)
    (fan,) = found.fan_out
    assert (fan.sources, fan.rows, fan.several, fan.most) == (2, PARTS + 2, 2, PARTS)

    # a row whole: its source row, and its brothers
    line = next(looking.rows("first", text="two"))
    whole = one.one(looking.run("first"), ledger, line.at)
    assert whole is not None
    assert (whole.row["note"], whole.legacy[0].row["parts"], whole.before) == ("two", "2", None)
    assert len(whole.made.targets) == 2

    # the lens, by a key as a person writes it
    (past,) = looking.history(plain).runs
    assert [(s.fate, s.rule) for s in past.sources] == [("written", None)]
    assert {(t.key, t.verb) for t in past.targets} == {('["a/ü","plain","0"]', "add"), ('["a/ü","plain","1"]', "add")}
    for target in past.targets:
        assert target.written_at is not None
        assert target.proof is not None
        assert (target.proof.kind, target.proof.at is not None) == ("as planned", True)
    (past,) = looking.history(hostile).runs
    assert (len(past.targets), past.more) == (fates.MOST, PARTS - fates.MOST)
    assert [t.source for t in looking.history('["a/ü","plain",1]').runs[0].targets] == ['["a/ü","plain"]'] * 2
    for key, fate, rule in (
        ("no,note", "rejected", "no_note"),
        ("keep,k", "kept", None),
        ("skip,s", "skipped", "by_rule"),
    ):
        (past,) = looking.history(json.dumps(key.split(","))).runs
        assert [(s.fate, s.rule) for s in past.sources] == [(fate, rule)]
    nobody = looking.history("nobody").runs[0]
    assert (nobody.sources, nobody.targets, nobody.findings) == ((), (), ())

    # in which batch a row was written, as the writer numbers them
    for partition in range(2):
        plan = next(s for s in looking.run("first").stacks if s.artifact.path == f"plan/split/p{partition:03}.parquet")
        paths = {"split": looking.run("first").path(plan.artifact)}
        with workspace.scratch() as scratch, duck.connect(scratch) as connection:
            planned = duck.numbered([paths["split"]])
            numbers = dict(connection.execute(f"SELECT {KEY}, {NUMBER} FROM ({planned})").fetchall())
            for number, _, send in apply.batches(run.chosen(), migration.phase("split"), partition):
                keys = [
                    json.dumps([*map(str, row)], ensure_ascii=False, separators=(",", ":"))
                    for row in zip(*(send.args[-1][c].to_pylist() for c in ("tenant", "name", "part")), strict=True)
                ]
                sizes = {"chunks": 7}
                assert {
                    batch_of(connection, migration.phase("split"), sizes, paths, "split", numbers[key]) for key in keys
                } == {number}

    # the last word
    got = looking.last(source="docs", key=plain)
    assert (got.run, got.source, got.key, got.fate, got.rule) == ("first", "docs", '["a/ü","plain"]', "written", None)
    assert {(t.table, t.verb) for t in got.targets} == {("chunks", "add")}
    got = looking.last(target="chunks", key='["a/ü","plain","1"]')
    assert (got.source, got.key, got.fate) == ("docs", '["a/ü","plain"]', "written")
    # all of its rows, also beyond those that a page shows
    assert len({t.key for t in looking.last(source="docs", key=hostile).targets}) == PARTS
    assert {
        looking.last(target="chunks", key=t.key).source for t in looking.last(source="docs", key=hostile).targets[::75]
    } == {"docs"}
    assert looking.last(source="docs", key='["no","note"]').findings[0].code == "no_note"
    with pytest.raises(answer.KeyFormError, match="tenant, name"):
        looking.last(source="docs", key="plain")
    with pytest.raises(answer.UnknownRowError, match="no source 'nothing'"):
        looking.last(source="nothing", key="x")
    with pytest.raises(answer.UnknownRowError, match="1 of 1 runs"):
        looking.last(source="docs", key='["a","b"]')

    # taken back
    back = run_of(migration, ledger, workspace, lambda _: database.store, "back", partitions=None, segments=None)
    walk(replace(back, dag_id="documents_rollback", undoes="first"))
    undoing, past = looking.history(plain).runs
    assert past.undone_by == "back"
    assert ({t.verb for t in undoing.targets}, undoing.sources, undoing.undoes) == ({"remove"}, (), "first")
    assert [line.verb for line in looking.rows("back", key='["a/ü", "plain", 1]')] == ["remove"]
    assert looking.last(source="docs", key=plain).rule == "rolled_back"

    # again, and then the first run's files are gone, and one of the last run's is not what it was
    walk(run_of(migration, ledger, workspace, lambda _: database.store, "again", **asked))
    page = looking.history(plain)
    assert [p.run for p in page.runs] == ["again", "back", "first"]
    assert (page.next, page.looked, page.of) == (None, 3, 3)
    shutil.rmtree(Path(workspace.uri) / "runs" / "first")
    gone = looking.history(plain).runs[-1]
    assert gone.pruned
    assert "no longer in the workspace" in gone.not_looked[0]
    for path in (Path(workspace.uri) / "runs" / "again" / "plan" / "split").glob("*.parquet"):
        path.write_bytes(path.read_bytes() + b"x")
    changed = looking.history(plain).runs[0]
    assert "is not the file that its manifest names" in changed.not_looked[0]
    with pytest.raises(answer.UnknownRowError, match=r"not whole: again: .*is not the file"):
        looking.last(source="docs", key=plain)
    with pytest.raises(ArtifactError, match="is not the file"):
        list(looking.rows("again"))


def test_a_row_that_others_keep_and_one_outside_the_window(
    postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path
) -> None:
    database, migration = Database(postgres_server, 8), declare(tmp_path)
    database.sql("CREATE TABLE persons (LIKE people INCLUDING ALL)", "INSERT INTO persons VALUES ('q', 'not ours', 1)")
    day = Window(start=datetime(2025, 1, 3, tzinfo=UTC), end=datetime(2025, 1, 4, tzinfo=UTC))
    looking = Looking(migration, ledger, Shelf(workspace))
    walk(run_of(migration, ledger, workspace, lambda _: database.store, "whole", max_left_alone=5))
    walk(run_of(migration, ledger, workspace, lambda _: database.store, "day", window=day, max_left_alone=5))
    assert looking.last(source="people", key="p02").run == "day"
    assert (looking.last(source="people", key="p05").run, looking.last(source="people", key="p05").fate) == (
        "whole",
        "written",
    )
    assert [(s.fate, s.rule) for s in looking.history("p05").runs[0].sources] == [("skipped", "outside_window")]
    assert "outside the run's window" in count.summary(looking.run("day"), ledger).unlisted[0]
    extra = looking.last(target="persons", key="q")
    assert (extra.run, extra.source, extra.fate, extra.rule) == ("day", None, "kept", "extra")
    assert [line.key for line in looking.rows("whole", verb="extra")] == ["q"]


def test_a_row_that_changes_in_place_is_beside_what_it_was(
    postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path
) -> None:
    database, migration = Database(postgres_server, 4), declare_in_place(tmp_path)
    walk(run_of(migration, ledger, workspace, lambda _: database.store, "in_place"))
    looking = Looking(migration, ledger, Shelf(workspace))
    lines = list(looking.rows("in_place"))
    assert {line.verb for line in lines} == {"change"}
    assert [(c.name, c.before, c.value) for c in lines[2].cells] == [("amount", "2", "6")]
    whole = one.one(looking.run("in_place"), ledger, lines[2].at)
    assert whole is not None
    assert (whole.changed, whole.legacy[0].row["amount"], whole.row["amount"]) == (("amount",), "2", "6")
    assert one.one(looking.run("in_place"), ledger, "plan/count/p000.parquet:99") is None
    assert one.one(looking.run("in_place"), ledger, "../run.json:0") is None
