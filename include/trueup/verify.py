"""Verify: the target is read back and compared with the plan, every row, both ways.

A row that is missing or different is read again, backing off, before it is believed; what could not be read is
`unverified`, and never a success. Rows that apply left alone as conflicts are not expected to be as planned.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from . import duck
from .apply import planned
from .errors import StoreUnavailableError
from .model import KEY, Phase, Target
from .plan import differs, struct
from .run import Run
from .snapshot import files_of, source_schema
from .stores import arrow_schema, key_text
from .transform import accumulated
from .workspace import Manifest

log = logging.getLogger(__name__)

REREAD_AFTER = (0.25, 0.5, 1.0)
"""Seconds before each further look at rows that seem wrong."""
REREAD_ROWS = 5_000
"""Rows that are read again at once."""
EXAMPLES = 20


def verify(run: Run, phase: Phase, partition: int) -> dict[str, int]:
    """Compare one partition of the target, as `read_back` found it, with the plans of this phase and of the phases
    before it that write the same target.

    Returns compared (rows that were planned and read), missing, different, extra (rows of the target that no plan
    knows), unverified, and reread (rows that were looked at again). The rows in question go to `proof/<phase>/…`.
    """
    target = run.migration.target(phase.target)
    with run.ledger.step(run.id, f"verify/{phase.id}", str(partition)), run.workspace.scratch() as scratch:
        with duck.connect(scratch) as connection:
            _relate(connection, run, target, phase, partition, scratch)
            compared = duck.count(connection, "SELECT count(*) FROM expected")
            connection.execute(_suspects(target))
            reread = duck.count(connection, "SELECT count(*) FROM suspects")
            unverified = _read_again(connection, run, target)
            local = scratch / "proof.parquet"
            connection.execute(
                f"COPY (SELECT * FROM suspects ORDER BY kind, key) TO {duck.literal(str(local))} (FORMAT parquet)"
            )
            kinds = dict(connection.execute("SELECT kind, count(*) FROM suspects GROUP BY 1").fetchall())
            examples = connection.execute(
                "SELECT kind, key, planned, found FROM suspects QUALIFY row_number() OVER (PARTITION BY kind ORDER BY key) "
                f"<= {EXAMPLES} ORDER BY kind, key"
            ).fetchall()
        names = ("missing", "different", "extra", "unverified")
        facts = {"compared": compared - unverified, **{n: kinds.get(n, 0) for n in names}, "reread": reread}
        artifact = run.folder.publish(local, f"proof/{phase.id}/p{partition:03}.parquet", sum(kinds.values()))
        shown = [dict(zip(("kind", "key", "planned", "found"), e, strict=True)) for e in examples]
        manifest = Manifest(
            step=f"verify/{phase.id}", part=f"{partition:03}", files=(artifact,), facts={**facts, "examples": shown}
        )
        run.folder.seal(manifest)
    return facts


def _relate(
    connection: duckdb.DuckDBPyConnection, run: Run, target: Target, phase: Phase, partition: int, scratch: Path
) -> None:
    """`expected`: what the plans so far say, without conflicts; `known`: every key that any plan accounts for;
    `found`: what was read back."""
    columns = ", ".join(duck.identifier(f.name) for f in arrow_schema(target.table))
    plans = [run.folder.fetch(planned(run, p, partition), scratch) for p in accumulated(run.migration, phase)]
    paths = ", ".join(duck.literal(str(p)) for p in plans)
    alone = [c["key"] for p in accumulated(run.migration, phase) for c in run.ledger.conflicts(run.id, p.id, partition)]
    connection.register("_alone", pa.table({"key": pa.array(alone, pa.string())}))
    connection.execute(
        f"CREATE TEMP VIEW expected AS SELECT {KEY}, {columns} FROM read_parquet([{paths}]) ANTI JOIN _alone a ON {KEY} = a.key"
    )
    made = run.folder.manifests("transform", run.partitions)
    should = [
        file
        for p in run.migration.phases
        if p.target == target.id
        for file in files_of(run, made, f"should/{p.id}", partition, scratch)
    ]
    duck.relation(connection, "_should", should, pa.schema([pa.field(KEY, pa.string())]))
    extra = files_of(run, run.folder.manifests("plan", run.partitions), f"extra/{target.id}", None, scratch)
    duck.relation(connection, "_extra_known", extra, source_schema(target.table))
    connection.execute(f"CREATE TEMP VIEW known AS SELECT {KEY} FROM _should UNION ALL SELECT {KEY} FROM _extra_known")
    back = run.folder.manifests(f"read_back/{phase.id}", run.segments)
    files = files_of(run, back, f"read_back/{phase.id}-{target.id}", partition, scratch)
    duck.relation(connection, "found", files, source_schema(target.table))


def _suspects(target: Target) -> str:
    """`suspects`: every row that is not as planned."""
    return f"""
        CREATE TEMP TABLE suspects AS
        SELECT CASE WHEN f.{KEY} IS NULL THEN 'missing' ELSE 'different' END AS kind, e.{KEY} AS key,
            CAST(to_json({struct(target, "e")}) AS VARCHAR) AS planned,
            CASE WHEN f.{KEY} IS NOT NULL THEN CAST(to_json({struct(target, "f")}) AS VARCHAR) END AS found
        FROM expected e LEFT JOIN found f ON e.{KEY} = f.{KEY}
        WHERE f.{KEY} IS NULL OR {differs(target, "e", "f")}
        UNION ALL
        SELECT 'extra', f.{KEY}, NULL, CAST(to_json({struct(target, "f")}) AS VARCHAR) FROM found f ANTI JOIN known k ON f.{KEY} = k.{KEY}
    """


def _read_again(connection: duckdb.DuckDBPyConnection, run: Run, target: Target) -> int:
    """Look again at rows that are missing or different, and forget those that are right by now; rows that could not
    be read become `unverified`, and their number is returned."""
    store = run.store_of(target.table)
    keys = ", ".join(f"e.{duck.identifier(c)}" for c in target.table.key)
    for pause in REREAD_AFTER:
        if not duck.count(connection, "SELECT count(*) FROM suspects WHERE kind IN ('missing', 'different')"):
            return 0
        time.sleep(pause)
        query = (
            f"SELECT {keys} FROM expected e JOIN suspects s ON e.{KEY} = s.key AND s.kind IN ('missing', 'different')"
        )
        wanted = connection.execute(query).to_arrow_table()
        unread: list[str] = []
        for start in range(0, wanted.num_rows, REREAD_ROWS):
            part = wanted.slice(start, REREAD_ROWS)
            connection.register("_part", part)
            asked = f"(SELECT {key_text(target.table.key)} AS key FROM _part)"
            try:
                connection.register("_now", store.get(target.table, part))
            except StoreUnavailableError as error:
                log.warning("%s rows of %s could not be read again: %s", f"{part.num_rows:,}", target.table.name, error)
                unread += [row[0] for row in connection.execute(f"FROM {asked}").fetchall()]
                continue
            connection.execute(f"""
                CREATE OR REPLACE TEMP TABLE _seen AS
                SELECT e.{KEY} AS key, n.{KEY} IS NULL AS missing, {differs(target, "e", "n")} AS wrong,
                    CASE WHEN n.{KEY} IS NOT NULL THEN CAST(to_json({struct(target, "n")}) AS VARCHAR) END AS found
                FROM expected e JOIN {asked} a ON e.{KEY} = a.key
                LEFT JOIN (SELECT *, {key_text(target.table.key)} AS {KEY} FROM _now) n ON e.{KEY} = n.{KEY}
            """)
            connection.execute(
                "DELETE FROM suspects WHERE kind <> 'extra' AND key IN (SELECT key FROM _seen WHERE NOT missing AND NOT wrong)"
            )
            connection.execute(
                "UPDATE suspects SET kind = CASE WHEN s.missing THEN 'missing' ELSE 'different' END, found = s.found "
                "FROM _seen s WHERE suspects.kind <> 'extra' AND suspects.key = s.key"
            )
    if not unread:
        return 0
    connection.register("_unread", pa.table({"key": pa.array(unread, pa.string())}))
    connection.execute(
        "UPDATE suspects SET kind = 'unverified' WHERE kind <> 'extra' AND key IN (SELECT key FROM _unread)"
    )
    return len(unread)


def proof(run: Run, phase: Phase) -> dict[str, Any] | None:
    """What verifying the phase gave, over all partitions; None if it has not been verified whole."""
    manifests = run.folder.manifests(f"verify/{phase.id}")
    if len(manifests) != run.partitions:
        return None
    names = ("compared", "missing", "different", "extra", "unverified", "reread")
    total: dict[str, Any] = {name: sum(m.facts[name] for m in manifests) for name in names}
    examples = [e for m in manifests for e in m.facts["examples"]]
    return {
        "phase": phase.id,
        "target_table": run.migration.target(phase.target).table.name,
        **total,
        "passed": not (total["missing"] or total["different"] or total["unverified"]),
        "examples": sorted(examples, key=lambda e: (e["kind"], e["key"]))[:EXAMPLES],
    }
