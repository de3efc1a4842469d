"""`python -m bench.rows`: how long the rows of a large plan take to be looked at, each question asked anew.

The files of a run of kpi_linking are made directly, as its steps would leave them: a plan of the readings, of which two in
three make several rows, and the snapshot of their source. What is measured is what a request does, without the web server:
the best of a few, and the first, for which nothing is in memory yet and each file's SHA-256 is computed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from bench.measure import machine
from include.embedded import postgres
from include.migrations.kpi_linking.migration import migration
from include.trueup.declare.names import BEFORE, KEY, SOURCE_KEY, VERB
from include.trueup.ledger import Ledger
from include.trueup.plan.files import plan_schema
from include.trueup.report.lens import browse, count, fates, history, one, search
from include.trueup.report.lens.rows import keys_of
from include.trueup.report.lens.shelf import Shelf
from include.trueup.run import Files, Options, PhaseCounts, PlanRecord, Start
from include.trueup.run.files import PLAN_FILES, SNAPSHOT_FILES
from include.trueup.run.partitions import source_schema
from include.trueup.run.workspace import Artifact, Manifest, RunFolder, Workspace

RESULTS = Path(__file__).parent / "RESULTS-rows.md"
PARTITIONS, PHASE, SOURCE, TARGET = 8, "readings", "kpi_readings", "kpi_data"
EACH = 3
"""Target rows of three source rows, one of which makes one, and one two."""
SOURCE_OF = f"md5('s' || (i // {EACH} * 2 + (i % {EACH} > 0)::INT))"
TEXTS = {
    "id": "md5('x' || i)", "tenant_id": "'tenant-' || (i % 50)", "kpi_link_id": "md5('k' || (i // 3))",
    "data_category": "'Actual'", "actual_subtype": "'Measured'", "post_value": "(i * 7 % 100000)::VARCHAR",
    "post_date": "strftime(TIMESTAMP '2020-01-01' + to_minutes(i), '%Y-%m-%dT%H:%M:%SZ')", "label": "'reading ' || i",
    "override_comment": "md5('note' || i) || ' as entered by hand, row ' || (i * 31 % 977)", "data_source": "'Manual'",
    "recorded_by": "'user-' || (i % 1000)", "created_by": "'user-' || (i % 1000)",
    "recorded_at": "strftime(TIMESTAMP '2020-01-01' + to_minutes(i), '%Y-%m-%dT%H:%M:%S.1234567+00:00')",
    "legacy_table": "'purposepath-kpi-readings'", "legacy_id": SOURCE_OF,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Took:
    """A question, what it gave, and the seconds that it took first and at best."""

    question: str
    gave: str
    first: float
    best: float


def make(folder: RunFolder, rows: int) -> None:
    """The folder of a run with so many planned rows."""
    with folder.workspace.scratch() as scratch:
        made = [_plan(folder, rows, partition, scratch) for partition in range(PARTITIONS)]
        for partition, artifact in enumerate(made):
            folder.seal(Manifest(step="plan", part=f"{partition:03}", files=(artifact,), facts={}))
            folder.seal(Manifest(step="transform", part=f"{partition:03}", facts={}))
        read = tuple(_snapshot(folder, rows, partition, scratch) for partition in range(PARTITIONS))
        folder.seal(Manifest(step="snapshot", part="000", files=read, facts={}))
    files = Files(folder)
    files.write_start(Start(options=Options(partitions=PARTITIONS, segments=1), batch_rows={TARGET: 500}))
    counted = PhaseCounts(
        phase=PHASE, title="Readings", source_table="purposepath-kpi-readings", target_table="purposepath-kpi-data",
        source_rows=rows * 2 // EACH, written=rows * 2 // EACH, kept=0, rejected=0, skipped={}, unaccounted=0, rows={"add": rows},
    )  # fmt: skip
    files.write_plan(PlanRecord(sha256="0" * 64, created_at="2026-01-01T00:00:00Z", phases=(counted,)))


def _plan(folder: RunFolder, rows: int, partition: int, scratch: Path) -> Artifact:
    verbs = "CASE WHEN i % 10 = 0 THEN 'change' WHEN i % 97 = 0 THEN 'keep' ELSE 'add' END"
    own = {VERB: verbs, KEY: TEXTS["id"], SOURCE_KEY: SOURCE_OF}
    schema = plan_schema(migration.target(TARGET))
    before = schema.field(BEFORE).type
    columns = [f"{own.get(f.name) or _value(f)} AS {f.name}" for f in schema if f.name != BEFORE]
    old = ", ".join(f"{f.name} := {_value(f) if f.name != 'label' else chr(39) + 'old' + chr(39)}" for f in before)
    columns.append(f"CASE WHEN i % 10 = 0 OR i % 97 = 0 THEN struct_pack({old}) END AS {BEFORE}")
    query = f"SELECT {', '.join(columns)} FROM range({rows}) t(i) WHERE i % {PARTITIONS} = {partition} ORDER BY 2, 3"
    path = PLAN_FILES.part(PHASE, partition)
    return _published(folder, query, ", ROW_GROUP_SIZE 20480", scratch, path)


def _snapshot(folder: RunFolder, rows: int, partition: int, scratch: Path) -> Artifact:
    given = {"id": "md5('s' || i)", KEY: "md5('s' || i)", "tenant_id": TEXTS["tenant_id"], "kpi_id": "md5('k' || i)"}
    columns = ", ".join(
        f"{given.get(f.name) or _value(f)} AS {f.name}" for f in source_schema(migration.source(SOURCE).table)
    )
    query = f"SELECT {columns} FROM range({rows * 2 // EACH}) t(i) WHERE i % {PARTITIONS} = {partition}"
    return _published(folder, query, "", scratch, SNAPSHOT_FILES.part(SOURCE, partition, "s000-0"))


def _value(field: pa.Field) -> str:
    if pa.types.is_boolean(field.type):
        return "i % 5 = 0"
    return TEXTS.get(field.name, "CAST(NULL AS VARCHAR)")


def _published(folder: RunFolder, query: str, more: str, scratch: Path, path: str) -> Artifact:
    local = scratch / path.replace("/", "-")
    with duckdb.connect(config={"threads": 2}) as connection:
        (made,) = connection.execute(f"COPY ({query}) TO '{local}' (FORMAT parquet, COMPRESSION zstd{more})").fetchall()
    return folder.publish(local, path, int(made[0]))


def ask(ledger: Ledger, workspace: Workspace, id: str, rows: int, times: int) -> list[Took]:
    """Every question, with what it took."""
    row = ledger.run(id)
    assert row is not None
    (key, source, text), = duckdb.execute(
        f"SELECT md5('x' || i), {SOURCE_OF}, 'reading ' || i FROM range({rows}) t(i) WHERE i = {rows * 3 // 5 + 1}"
    ).fetchall()  # fmt: skip

    def page(shelf: Shelf, size: int = 25, **asked: str) -> browse.Page:
        looked = history.look(migration, shelf, row)
        return browse.page(looked, ledger, search.Asked(**asked), size=size)

    def total(shelf: Shelf, **asked: str) -> browse.Total:
        return browse.total(history.look(migration, shelf, row), ledger, search.Asked(**asked))

    def whole(shelf: Shelf) -> str:
        looked = history.look(migration, shelf, row)
        found = one.one(looked, ledger, page(shelf, key=key).rows[0].at)
        assert found is not None
        return f"the row, its source row, {len(found.made.targets)} of that"

    def fanned(shelf: Shelf) -> str:
        (fan,) = count.summary(history.look(migration, shelf, row), ledger).fan_out
        return f"{fan.sources:,} source rows make {fan.rows:,}, {fan.several:,} of them several"

    def lens(shelf: Shelf) -> str:
        found = history.history(migration, ledger, shelf, fates.Sought(keys=keys_of(source)))
        return f"{len(found.runs[0].targets)} target rows"

    def shown(found: browse.Page) -> str:
        return f"{len(found.rows)} rows" + ("" if found.full else f", {found.looked:,} rows searched, goes on")

    questions: dict[str, Callable[[Shelf], str]] = {
        "What there is: rows by verb, fan-out": lambda s: (
            f"{count.summary(history.look(migration, s, row), ledger).fan_out[0].several:,} make several"
        ),
        "First page": lambda s: shown(page(s)),
        "By key of the new row": lambda s: shown(page(s, key=key)),
        "By key of the legacy row": lambda s: shown(page(s, key=source)),
        "By verb (change)": lambda s: shown(page(s, verb="change")),
        "Text that many rows have, first page": lambda s: shown(page(s, text="BY HAND")),
        "Text that one row has, first answer": lambda s: shown(page(s, text=text)),
        "Text that many rows have, total": lambda s: f"{total(s, text='BY HAND').rows:,} rows",
        "Text that one row has, total": lambda s: f"{total(s, text=text).rows:,} rows",
        "Verb, total": lambda s: f"{total(s, verb='change').rows:,} rows",
        "One row, whole": whole,
        "The lens, by a legacy key, one run": lens,
    }
    return [_asked(question, give, workspace, times) for question, give in questions.items()]


def _asked(question: str, give: Callable[[Shelf], str], workspace: Workspace, times: int) -> Took:
    shelf = Shelf(workspace)
    took, gave = [], ""
    for _ in range(times + 1):
        started = time.perf_counter()
        gave = give(shelf)
        took.append(time.perf_counter() - started)
    print(f"{question}: {gave}; first {took[0]:.2f} s, then {min(took[1:]):.2f} s", flush=True)
    return Took(question=question, gave=gave, first=took[0], best=min(took[1:]))


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.rows", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--write", action="store_true", help=f"put the figures into {RESULTS.name}")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="trueup-bench-") as folder:
        server = postgres.start(Path(folder) / "postgres")
        try:
            server.create_database("ledger")
            ledger = Ledger(server.uri("ledger"))
            ledger.upgrade()
            workspace = Workspace(str(Path(folder) / "workspace"))
            options = Options(partitions=PARTITIONS, segments=1).to_json()
            ledger.begin("large", migration_id=migration.id, dag_id=migration.id, triggered_by=None, options=options)
            make(workspace.run("large"), asked.rows)
            size = sum(f.stat().st_size for f in (Path(workspace.uri) / "runs").rglob("*.parquet"))
            found = ask(ledger, workspace, "large", asked.rows, asked.times)
            ledger.close()
        finally:
            server.stop()
    if asked.write:
        RESULTS.write_text(_text(found, asked.rows, size, arguments), encoding="utf-8")
    return 0


def _text(found: Sequence[Took], rows: int, size: int, arguments: Sequence[str]) -> str:
    lines = [f"| {t.question} | {t.gave} | {t.first:.2f} | {t.best:.2f} |" for t in found]
    about = (
        f"`python -m bench.rows {' '.join(arguments)}`: {rows:,} planned rows in {PARTITIONS} partitions, {size / 2**20:,.0f} MB "
        "of Parquet with the snapshot. What a request does, without the web server: seconds when nothing of the run was looked "
        "at before (each file's SHA-256 is computed), and the best of those after."
    )
    head = ["| question | answer | first, s | then, s |", "|---|---|---:|---:|"]
    return "\n".join(["# Looking at the rows of a plan", "", about, "", *machine(), "", *head, *lines, ""])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
