"""What a run's own writing set off in its targets: rows that a trigger, or a foreign key, changed when others were written.

The store tells it before a batch is committed (`stores/set_off.py`), so that it is known after a kill, too. It lies in
`set_off/<attempt>/<target>/<sha256>.parquet`: the rows in canonical form as they were left, `_key`, and `DELETED`; a row
without a key says how many rows went that were not to. Such rows are the run's own work: they never move on
(`prove/verify.py`), the next run does not take them for somebody else's (`plan/baseline.py`), and a rollback takes them back where the
run wrote them (`plan/backward.py`).
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from pathlib import PurePath

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from ..declare.migration import Target
from ..declare.names import FOUND, KEY, PLANNED, own
from ..errors import ArtifactError
from ..rows import duck
from ..run import Run, Session
from ..run.files import set_off_file, set_off_files
from ..run.workspace import RunFolder
from ..stores import Outcome, arrow_schema, key_text
from ..stores.set_off import SetOff, Watch
from .files import differ

log = logging.getLogger(__name__)

DELETED = own("deleted")
UNKNOWN = -1
"""In place of the number of deleted rows: it is not known."""


def watch(run: Run, connection: str) -> Watch:
    """Publishes what the targets behind a connection make of what is written."""
    targets = {t.table.name: t for t in run.migration.targets if t.table.connection == connection}
    attempt = run.ledger.entered(run.id).attempt

    def tell(change: SetOff) -> None:
        _publish(run, targets[change.table.name], attempt, change)

    return Watch(tables=tuple(t.table for t in targets.values()), tell=tell)


def schema(target: Target) -> pa.Schema:
    """The schema of the files: a row's columns (`arrow_schema`), `_key` (text), and how many rows went, of a row without a key."""
    return pa.schema([*arrow_schema(target.table), pa.field(KEY, pa.string()), pa.field(DELETED, pa.int64())])


def _publish(run: Run, target: Target, attempt: int, change: SetOff) -> None:
    gone = UNKNOWN if change.deleted is None else change.deleted
    with run.workspace.scratch() as scratch, duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("rows_", change.rows.append_column(DELETED, pa.nulls(change.rows.num_rows, pa.int64())))
        rows = connection.sql(
            f"SELECT * EXCLUDE ({DELETED}), {key_text(target.table.key)} AS {KEY}, {DELETED} FROM rows_"
        )
        whole = rows.to_arrow_table().cast(schema(target))
        if gone:
            whole = pa.concat_tables([whole, pa.Table.from_pylist([{DELETED: gone}], schema(target))])
        pq.write_table(whole, local := scratch / "set_off.parquet")
        digest = hashlib.sha256(local.read_bytes()).hexdigest()
        run.folder.publish(local, set_off_file(target.id, attempt, digest), whole.num_rows)


def relate(session: Session, name: str, folder: RunFolder, target: Target, attempt: int | None = None) -> bool:
    """Make `name` a relation (`schema`) of what a run set off in a target, when it began for the `attempt`th time (None: ever);
    whether there is anything. What is of other columns than are declared now is left out. Raises `ArtifactError` for a file
    that was changed."""
    files = []
    for path in set_off_files(folder, target.id, attempt):
        local = folder.published(path, session.scratch)
        if hashlib.sha256(local.read_bytes()).hexdigest() != PurePath(path).stem:
            raise ArtifactError(
                f"{folder.location(path)} is not what was written there; somebody changed the workspace"
            )
        if pq.read_schema(local).equals(schema(target)):
            files.append(local)
        else:  # from another declaration, so its rows cannot be matched
            log.warning(
                "what run %s set off in %s is of other columns than are declared now",
                folder.run_id,
                target.table.name,
            )
    session.relate(name, files, schema(target))
    return bool(files)


def settled(run: Run, output: str, outcome: Outcome) -> Outcome:
    """The outcome of a batch, where it was tried again after it had been written: a row that is as the first try had left
    it is written, though a trigger made it otherwise than planned, and no conflict."""
    if not outcome.conflicts:
        return outcome
    ((target),) = {
        o.target: run.migration.target(o.target) for p in run.phases for o in p.outputs if o.name == output
    }.values()
    with run.session() as session:
        if not relate(session, own("set_off"), run.folder, target):
            return outcome
        connection = session.connection
        connection.register(own("met"), pa.table({KEY: [c.key for c in outcome.conflicts]}))
        names = [field.name for field in arrow_schema(target.table)]
        keys = ", ".join(duck.identifier(name) for name in target.table.key)
        wanted = connection.sql(
            f"SELECT DISTINCT {keys} FROM {own('set_off')} SEMI JOIN {own('met')} USING ({KEY})"
        ).to_arrow_table()
        if not wanted.num_rows:
            return outcome
        connection.register(own("now"), run.store_of(target.table).get(target.table, wanted))
        same = f"{key_text(target.table.key, FOUND)} = {PLANNED}.{KEY} AND NOT {differ(target, names, FOUND, PLANNED)}"
        ours = {
            k
            for (k,) in connection.execute(
                f"SELECT {PLANNED}.{KEY} FROM {own('set_off')} {PLANNED} JOIN {own('now')} {FOUND} ON {same}"
            ).fetchall()
        }
    left = [c for c in outcome.conflicts if c.key not in ours]
    return replace(outcome, written=outcome.written + len(outcome.conflicts) - len(left), conflicts=left)
