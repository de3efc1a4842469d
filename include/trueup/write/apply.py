"""Apply: a resumable walk through the plan.

The plan's rows to add, to change and to remove, in the plan's order, in batches of a fixed size. A batch is written, then entered
in the ledger; so a batch may be written twice, never not at all, and writing is idempotent. A walk that was killed
skips the batches that the ledger has. Of a phase with two targets, a batch is of units: what one source row makes of
both, written in one transaction (`write/units.py`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pyarrow as pa

from ..declare.migration import Phase, Target
from ..declare.names import BEFORE, VERB
from ..plan import set_off
from ..plan.files import ADD, REMOVE, WRITTEN, plan_schema, planned
from ..rows import duck
from ..run import REAL, Effects, Run, StepName
from ..stores import Outcome, Store, arrow_schema
from ..stores.effects import Until
from . import approval, tables_there, units
from .units import Batch

log = logging.getLogger(__name__)

PARALLEL_PARTITIONS = 4
"""How many partitions are applied at once at most; each gets an equal share of the run's write rate."""
PROGRESS_SECONDS = 10


def create_tables(run: Run) -> dict[str, bool]:
    """Make the targets that are not there yet, and the others ready; whether each was made, by target."""
    created_tables = {}
    with run.part(StepName.CREATE_TABLES) as part:
        approval.check_age(run)
        approval.require(run, StepName.CREATE_TABLES)
        with run.writing(part):
            for target in run.migration.targets:
                store = run.store_of(target.table)
                created_tables[target.id] = store.create(target.table)
                tables_there.enter_created(run, target)
                if target.prepare is not None:
                    store.script(_settings(run, store) + Path(target.prepare).read_text(encoding="utf-8"))
    return created_tables


def _settings(run: Run, store: Store) -> str:
    """What a script sees of the migration's params, in PostgreSQL: each is the setting `trueup.<id>` of its transaction."""
    if store.kind != "postgres":
        return ""
    chosen = {p.id: run.options.params.get(p.id, p.default) for p in run.migration.params}
    given = {id: "" if value is None else str(value).replace("'", "''") for id, value in chosen.items()}
    return "".join(f"SELECT set_config('trueup.{id}', '{value}', true);\n" for id, value in given.items())


def finish(run: Run, phase: Phase) -> None:
    """Run what the phase declares to be done once it has passed its gate."""
    if not phase.finish:
        return
    with run.part(StepName.FINISH, phase=phase) as part:
        approval.require(run, StepName.FINISH, phase.id)
        with run.writing(part):
            for script in phase.finish:
                store = run.store_of(run.migration.target(phase.target).table)
                store.script(script.read_text(encoding="utf-8"))


def apply(run: Run, phase: Phase, partition: int) -> dict[str, int]:
    """Write what the plan of one phase says for one partition; rows written, rows left alone as conflicts, and rows that
    the store refused, in batches of this call and of the interrupted ones before it.

    Raises `TargetHeldError` when another run holds the target, `StoreUnavailableError` after retries (what is written
    is entered, and the next call goes on behind it), `StoreRejectedError` for what the store will not have done at all.
    """
    target = run.migration.target(phase.target)
    store = run.store_of(target.table)
    with run.part(StepName.APPLY, partition, phase=phase) as part, ExitStack() as stack:
        approval.require(run, StepName.APPLY, phase.id)
        fence = stack.enter_context(run.writing(part))
        done, plan = run.ledger.written(run.id, phase.id, partition), run.ledger.present_plan(run.id)
        watch = set_off.watch(run, target.table.connection)
        pace = Pace(run.options.write_rate and run.options.write_rate / PARALLEL_PARTITIONS, run.effects)

        def write(number: int, rows: int, send: Callable[[], dict[str, Outcome]]) -> int:
            pace.wait(rows)
            fence.check()
            # the phase's own output last: a walk that is tried again looks for that
            with fence.active(), watch.active():  # this thread is one of several that write
                outcomes = send()
            outcomes = {name: set_off.settled(run, name, outcome) for name, outcome in outcomes.items()}
            for output, outcome in reversed(outcomes.items()):
                all_rows = outcome.written + len(outcome.conflicts) + len(outcome.refused)
                run.ledger.wrote(run.id, output, partition, number, all_rows, outcome, plan)
            return rows

        numbered = batches(run, phase, partition) if not phase.together else units.batches(run, phase, partition)
        pending = (batch for batch in numbered if batch[0] not in done)
        _walk(pending, write, store.writers, f"{phase.id}, partition {partition}", run.effects)
    applied = [a for o in phase.outputs for a in run.ledger.applied(run.id, o.name, partition).values()]
    return {name: sum(getattr(each, name) for each in applied) for name in ("rows", "written", "conflicts", "refused")}


def _walk(pending: Iterator[Batch], write: Callable[..., int], writers: int, what: str, effects: Effects) -> None:
    """Write the batches, `writers` at a time, holding no more of them in memory; the first error ends the walk, after
    the batches already begun."""
    clock = effects.monotonic
    rows, started, logged = 0, clock(), clock()
    running: list[Future[int]] = []
    with effects.workers(writers, "trueup-write") as pool:
        for batch in pending:
            running.append(pool.submit(write, *batch))
            if len(running) > writers:
                finished, running = pool.wait(running, Until.FIRST)
                rows += sum(f.result() for f in finished)
            if clock() - logged > PROGRESS_SECONDS:
                logged = clock()
                log.info("%s: %s rows written, %s rows/s", what, f"{rows:,}", f"{rows / (logged - started):,.0f}")
        rows += sum(f.result() for f in running)
    log.info("%s: %s rows written in %.1f s", what, f"{rows:,}", clock() - started)


def batches(run: Run, phase: Phase, partition: int) -> Iterator[Batch]:
    """The batches of a partition's plan: first the adds, then the changes, then the removals, each in key order; the same
    batches under the same numbers at every call."""
    target = run.migration.target(phase.target)
    artifact = planned(run, phase.id, partition)
    size = run.files.start.batch_rows[phase.target]
    with run.session() as session:
        plan = duck.parquet(session.fetch([artifact]), plan_schema(target))
        number = 0
        for verb in WRITTEN:
            wanted = f"* EXCLUDE ({BEFORE})" if verb == ADD else "*"
            query = f"SELECT {wanted} FROM ({plan}) WHERE {VERB} = '{verb}'"
            reader = session.connection.sql(query).to_arrow_reader(20_480)
            for rows in _resized(reader, size):
                yield number, rows.num_rows, partial(_write, run, phase, target, verb, rows)
                number += 1


def _resized(reader: pa.RecordBatchReader, size: int) -> Iterator[pa.Table]:
    """The reader's rows in tables of exactly `size` rows, the last one shorter."""
    rest = reader.schema.empty_table()
    for batch in reader:
        rest = pa.concat_tables([rest, pa.Table.from_batches([batch])])
        start = 0
        while rest.num_rows - start >= size:
            yield rest.slice(start, size)
            start += size
        rest = rest.slice(start)
    if rest.num_rows:
        yield rest


def _write(run: Run, phase: Phase, target: Target, verb: str, rows: pa.Table) -> dict[str, Outcome]:
    store = run.store_of(target.table)
    schema = arrow_schema(target.table)
    new = rows.select(schema.names).cast(schema)
    if verb == ADD:
        return {phase.id: store.add(target.table, new)}
    before = pa.Table.from_struct_array(rows[BEFORE].combine_chunks()).select(schema.names).cast(schema)
    if verb == REMOVE:
        return {phase.id: store.remove(target.table, before, cascade_to=run.options.cascade_to)}
    return {phase.id: store.change(target.table, new, before, cascade_to=run.options.cascade_to)}


class Pace:
    """Keeps calls to `rate` rows a second over all threads that share it; None is no limit."""

    def __init__(self, rate: float | None, effects: Effects = REAL) -> None:
        self._rate, self._effects = rate, effects
        self._next = effects.monotonic()
        self._lock = effects.lock()

    def wait(self, rows: int) -> None:
        """Sleep until these rows may be written."""
        if self._rate is None:
            return
        with self._lock:
            now = self._effects.monotonic()
            mine = max(self._next, now)
            self._next = mine + rows / self._rate
        self._effects.sleep(max(0.0, mine - now))
