"""Restore: the backup of a run on schemas into a database, whose tables must hold no rows; proven by count and hash."""

from __future__ import annotations

import graphlib
import gzip
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import sqlalchemy as sa

from ..errors import ArtifactError, OptionsError, ProofError, StoreRejectedError, TargetHeldError
from ..ledger import Ledger
from ..run import StepName
from ..run.records import from_values, to_json
from ..run.schema_files import RESTORED, RESTORING, backed_up
from ..run.schema_records import BackedUp, Held, Restored, RestoredTable
from ..run.workspace import Artifact, Manifest, RunFolder
from . import describe, filling
from .describe import Database, qualified, quoted

log = logging.getLogger(__name__)
_REFERS = sa.text(
    "SELECT c.conrelid, c.confrelid FROM pg_constraint c WHERE c.contype = 'f' AND c.conrelid = ANY (:oids) "
    "AND c.confrelid = ANY (:oids) AND c.conrelid <> c.confrelid"
)
_SET_BY_ITSELF = sa.text(
    "SELECT attname FROM pg_attribute WHERE attrelid = CAST(:oid AS oid) AND attnum > 0 AND NOT attisdropped AND attgenerated <> ''"
)


def restore(
    own: RunFolder,
    of: RunFolder,
    database: str,
    into: Database,
    *,
    tables: Sequence[str] = (),
    ledger: Ledger | None = None,
) -> Restored:
    """Put the rows that a run (its folder is `of`) backed up of a database back into the tables of that name in the database at
    `into`, all or nothing; `tables`: only these. What was restored is proven from a second look at the database, and published
    in the restore's `own` folder. Tried again, it goes on where it was.

    Raises `ArtifactError` where the run has no such backup, or a file of it is not the one that it published; `OptionsError` for
    a table that is not in it; `StoreRejectedError`, with names and numbers, where tables hold rows, are not there, or lack a
    column, and for rows that the database refuses; `TargetHeldError` while a run works on the database; `ProofError` where the
    tables do not hold what was backed up."""
    manifest = _manifest(of, database)
    held = _chosen(of, database, from_values(BackedUp, manifest.facts), tables)
    _refuse_held(ledger, into)
    began = own.read(RESTORING) is not None
    own.write(RESTORING, json.dumps({"run": of.run_id, "database": database, "tables": sorted(held)}))
    with describe.connected(into, f"restore the backup of {database}") as connection:
        place = describe.identity(connection)
        done = began and not _differs(connection, held)
        if not done:
            _fill(connection, of, manifest, database, held)
            if difference := _differs(connection, held):
                raise ProofError(
                    f"nothing was restored, because what came into the tables is not what was backed up: {difference}"
                )
            connection.commit()
    with describe.connected(into, f"look at what was restored of {database}") as connection:
        if difference := _differs(connection, held):
            raise ProofError(f"what was restored is not what was backed up; somebody wrote it meanwhile: {difference}")
    restored = Restored(
        run=of.run_id,
        database=database,
        place=place,
        tables=tuple(
            RestoredTable(table=name, rows=each.count, checksums=each.checksums, sha256=_file(manifest, database, name))
            for name, each in sorted(held.items())
        ),
    )
    own.write(RESTORED, to_json(restored))
    return restored


def _manifest(of: RunFolder, database: str) -> Manifest:
    every = {m.part: m for m in of.manifests(StepName.BACKUP)}
    if database not in every:
        databases = ", ".join(map(str, every)) or "none"
        raise ArtifactError(f"run {of.run_id} has no backup of {database!r} (of: {databases}), so nothing was restored")
    return every[database]


def _chosen(of: RunFolder, database: str, backup: BackedUp, tables: Sequence[str]) -> Mapping[str, Held]:
    if unknown := sorted({*tables} - {*backup.held}):
        raise OptionsError(
            f"the backup of {database} by run {of.run_id} has no table {', '.join(unknown)}; it has "
            f"{', '.join(sorted(backup.held)) or 'none'}"
        )
    held = {name: each for name, each in backup.held.items() if not tables or name in tables}
    if not held:
        raise ArtifactError(
            f"the backup of {database} by run {of.run_id} has no table: that run changed none that was there"
        )
    return held


def _refuse_held(ledger: Ledger | None, into: Database) -> None:
    """A run that changes the database, or is about to, would find other rows than it has backed up."""
    if ledger is None or not ledger.is_upgraded():
        return
    place = describe.place_as_leased(into)
    for lease in ledger.leases.present():
        if lease.target.split("#")[0] == place:
            raise TargetHeldError(
                f"run {lease.run_id} works on {lease.target}, so nothing was restored: wait until it has ended, or end it"
            )


def _fill(
    connection: sa.Connection, of: RunFolder, manifest: Manifest, database: str, held: Mapping[str, Held]
) -> None:
    """In the connection's transaction: lock the tables, see that they are there and hold no rows, and fill them, those that
    others refer to first."""
    regclass = sa.text("SELECT to_regclass(:name)::oid::bigint".replace("::", r"\:\:"))
    present = {name: connection.execute(regclass, {"name": qualified(name)}).scalar() for name in held}
    oids = {name: int(oid) for name, oid in present.items() if oid is not None}
    if absent := sorted({*held} - {*oids}):
        raise StoreRejectedError(
            f"nothing was restored: the database has no table {', '.join(absent)}; bring it to the phase that has them first"
        )
    for name in sorted(held):
        connection.exec_driver_sql(f"LOCK TABLE {qualified(name)} IN ACCESS EXCLUSIVE MODE")
    counts = {
        name: connection.exec_driver_sql(f"SELECT count(*) FROM {qualified(name)}").scalar_one()
        for name in sorted(held)
    }
    if full := [f"{name} ({count:,} rows)" for name, count in counts.items() if count]:
        raise StoreRejectedError(
            f"nothing was restored: tables of the database hold rows: {', '.join(full)}. Empty them, restore into another "
            "database, or name the tables to restore"
        )
    parts = {*oids} - {*filling.whole(connection, oids)}
    with of.workspace.scratch() as scratch, filling.untriggered(connection, oids.values()):
        for name in (each for each in _in_order(connection, oids) if each not in parts):
            content, columns = (_artifact(manifest, path) for path in backed_up(database, name))
            names = json.loads(of.fetch(columns, scratch).read_bytes())
            _table(connection, name, oids[name], names, of.fetch(content, scratch))
            log.info("%s: %s rows", name, f"{held[name].count:,}")


def _in_order(connection: sa.Connection, oids: Mapping[str, int]) -> list[str]:
    """The tables, those that others refer to first. Raises `StoreRejectedError` for tables that refer to each other."""
    names = {oid: name for name, oid in oids.items()}
    refers: dict[str, set[str]] = {name: set() for name in sorted(oids)}
    for of, to in connection.execute(_REFERS, {"oids": list(oids.values())}):
        refers[names[of]].add(names[to])
    try:
        return [*graphlib.TopologicalSorter(refers).static_order()]
    except graphlib.CycleError as error:
        raise StoreRejectedError(
            f"nothing was restored: the tables {', '.join(error.args[1])} refer to each other, so none can be filled first; drop "
            "one of the foreign keys, restore, and make it again"
        ) from error


def _table(connection: sa.Connection, name: str, oid: int, columns: Sequence[str], content: Path) -> None:
    """Fill a table from a file of COPY's text format. By way of a temporary table, since COPY writes to no generated column;
    sequences are brought behind what came in."""
    table, listed = qualified(name), ", ".join(map(quoted, columns))
    columns_there = {row.attname for row in connection.execute(
        sa.text("SELECT attname FROM pg_attribute WHERE attrelid = CAST(:oid AS oid) AND attnum > 0 AND NOT attisdropped"), {"oid": oid}
    )}  # fmt: skip
    if lacking := sorted({*columns} - columns_there):
        raise StoreRejectedError(
            f"nothing was restored: table {name} lacks {', '.join(lacking)}, which the backup holds; bring the database to the "
            "phase that has it first"
        )
    connection.exec_driver_sql(
        f"CREATE TEMP TABLE trueup_restored ON COMMIT DROP AS SELECT {listed} FROM {table} WITH NO DATA".replace(
            "%", "%%"
        )
    )
    driver = connection.connection.driver_connection
    assert driver is not None
    with (
        gzip.open(content, "rb") as stream,
        driver.cursor() as cursor,
        cursor.copy(b"COPY pg_temp.trueup_restored FROM STDIN") as copy,
    ):
        while block := stream.read(1 << 20):
            copy.write(block)
    generated = {row.attname for row in connection.execute(_SET_BY_ITSELF, {"oid": oid})}
    given = ", ".join(quoted(c) for c in columns if c not in generated)
    connection.exec_driver_sql(
        f"INSERT INTO {table} ({given}) OVERRIDING SYSTEM VALUE SELECT {given} FROM pg_temp.trueup_restored".replace(
            "%", "%%"
        )
    )
    connection.exec_driver_sql("DROP TABLE pg_temp.trueup_restored")
    filling.advance(connection, table, oid)


def _differs(connection: sa.Connection, held: Mapping[str, Held]) -> str:
    """In which of these tables the database holds other rows than were backed up, in words; nothing where in none."""
    schema = describe.schema(connection, "alembic_version")
    now = describe.rows(connection, {key: d for key, d in schema.items() if d.table in held})
    was = {name: describe.Rows(each.count, dict(each.checksums), {}) for name, each in held.items()}
    return "; ".join(describe.rows_lost(was, now))


def _artifact(manifest: Manifest, path: str) -> Artifact:
    return next(each for each in manifest.files if each.path == path)


def _file(manifest: Manifest, database: str, table: str) -> str:
    return _artifact(manifest, backed_up(database, table)[0]).sha256
