"""In which batch a planned row is written: as `apply` and `units` number them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb

from ..declare.migration import Phase
from ..declare.names import KEY, NUMBER, SOURCE_KEY, VERB
from ..plan.files import WRITTEN
from ..rows import duck


def batch_of(
    connection: duckdb.DuckDBPyConnection,
    phase: Phase,
    batch_rows: Mapping[str, int],
    plans: Mapping[str, Path],
    output: str,
    number: int,
) -> int | None:
    """The number of the batch that row `number` of an output's plan is in, among those of its partition; None where there
    is nothing to be written for it. `plans` are the partition's plans of all outputs of the phase, `batch_rows` what the
    run's preflight chose, by target (`Start.batch_rows`)."""
    rows = f"({duck.numbered([plans[output]])})"
    ((verb,),) = connection.execute(f"SELECT {VERB} FROM {rows} WHERE {NUMBER} = {number}").fetchall()
    if verb not in WRITTEN:
        return None
    if len(phase.outputs) > 1:
        return _unit_of(connection, phase, plans, output, number) // max(
            1, min(batch_rows[each.target] for each in phase.outputs) // len(phase.outputs)
        )
    counted = connection.execute(
        f"SELECT {VERB}, count(*), count(*) FILTER ({NUMBER} < {number}) FROM {rows} GROUP BY 1"
    ).fetchall()
    size = batch_rows[phase.outputs[0].target]
    every = {each: total for each, total, _ in counted}
    before = sum(-(-every.get(each, 0) // size) for each in WRITTEN[: WRITTEN.index(verb)])
    return before + {each: earlier for each, _, earlier in counted}[verb] // size


def _unit_of(
    connection: duckdb.DuckDBPyConnection, phase: Phase, plans: Mapping[str, Path], output: str, number: int
) -> int:
    def made_by(name: str) -> str:
        return f"coalesce({SOURCE_KEY}, {duck.literal(name)} || ' ' || {KEY})"

    mine = f"(SELECT {made_by(output)} FROM ({duck.numbered([plans[output]])}) WHERE {NUMBER} = {number})"
    every = " UNION ALL ".join(
        f"SELECT {made_by(each.name)} AS unit FROM ({duck.numbered([plans[each.name]])}) WHERE {VERB} IN {WRITTEN}"
        for each in phase.outputs
    )
    return duck.count(connection, f"SELECT count(DISTINCT unit) FROM ({every}) WHERE unit < {mine}")
