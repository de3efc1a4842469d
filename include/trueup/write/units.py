"""The walk of a phase with two targets: in units, each what one source row makes of both, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

import duckdb
import pyarrow as pa

from ..declare.migration import Phase, Table
from ..declare.names import BEFORE, KEY, MADE_BY, SOURCE_KEY, UNIT, VERB
from ..plan.files import REMOVE, WRITTEN, plan_schema, planned
from ..rows import duck
from ..run import Run
from ..stores import Outcome, Share, arrow_schema

Batch = tuple[int, int, partial[dict[str, Outcome]]]
"""Number, rows, and what writes it: the outcome by output, the phase's own first."""


def batches(run: Run, phase: Phase, partition: int) -> Iterator[Batch]:
    """The batches of a partition's plan, in the order of source keys: of each source row of which there is something to
    add, to change or to remove, that; the same batches under the same numbers at every call."""
    sizes = run.files.start.batch_rows
    size = max(1, min(sizes[output.target] for output in phase.outputs) // len(phase.outputs))
    with run.session() as session:
        connection = session.connection
        for output in phase.outputs:
            files = session.fetch([planned(run, output.name, partition)])
            plan = duck.parquet(files, plan_schema(run.migration.target(output.target)))
            connection.execute(
                f"CREATE TEMP VIEW to_{output.view} AS SELECT *, "
                # a row that no source row makes is a unit of its own
                f"coalesce({SOURCE_KEY}, {duck.literal(output.name)} || ' ' || {KEY}) AS {MADE_BY} "
                f"FROM ({plan}) WHERE {VERB} IN {WRITTEN}"
            )
        sources = " UNION ".join(f"SELECT {MADE_BY} FROM to_{output.view}" for output in phase.outputs)
        connection.execute(
            f"CREATE TEMP TABLE units AS SELECT {MADE_BY}, row_number() OVER (ORDER BY {MADE_BY}) - 1 AS {UNIT} "
            f"FROM ({sources})"
        )
        for output in phase.outputs:
            connection.execute(
                f"CREATE TEMP TABLE numbered_{output.view} AS SELECT * FROM to_{output.view} "
                f"JOIN units USING ({MADE_BY}) ORDER BY {UNIT}, {KEY}"
            )
        units = duck.count(connection, "SELECT count(*) FROM units")
        for number, start in enumerate(range(0, units, size)):
            shares = {
                output.name: replace(
                    _share(connection, output.view, run.migration.target(output.target).table, start, size),
                    cascade_to=run.options.cascade_to,
                )
                for output in phase.outputs
            }
            rows = sum(share.rows.num_rows for share in shares.values())
            yield number, rows, partial(_write, run, phase, shares)


def _share(connection: duckdb.DuckDBPyConnection, view: str, table: Table, start: int, size: int) -> Share:
    schema = arrow_schema(table)
    rows = connection.sql(
        f"SELECT * FROM numbered_{view} WHERE {UNIT} >= {start} AND {UNIT} < {start + size} ORDER BY {UNIT}, {KEY}"
    ).to_arrow_table()
    before = rows[BEFORE].combine_chunks()
    was = pa.Table.from_arrays(before.flatten(), names=[field.name for field in before.type])
    return Share(
        table=table,
        rows=rows.select(schema.names).cast(schema),
        before=was.select(schema.names).cast(schema),
        units=tuple(rows[UNIT].to_pylist()),
        gone=tuple(verb == REMOVE for verb in rows[VERB].to_pylist()),
    )


def _write(run: Run, phase: Phase, shares: Mapping[str, Share]) -> dict[str, Outcome]:
    store = run.store_of(run.migration.target(phase.target).table)
    return dict(zip(shares, store.together(list(shares.values())), strict=True))
