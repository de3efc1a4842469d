"""The oracle: it sees every effect, knows by itself what should be, and after a history judges each law (`laws.py`)."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import sqlalchemy as sa

from include.trueup.declare.names import BEFORE, KEY, VERB
from include.trueup.errors import TrueupError
from include.trueup.ledger import Status
from include.trueup.ledger.tables import leases
from include.trueup.plan.files import WRITTEN
from include.trueup.plan.hashing import files_hash
from include.trueup.run import Run
from include.trueup.run.artifacts import sha256_of
from include.trueup.run.files import PLAN_FILES, REPORT
from include.trueup.steps import StepName

from . import accounts, right, second
from .databases import Row
from .declared import COLUMNS, FAULTS, day
from .evidence import Evidence
from .lies import Lie
from .seen import Change as Change
from .seen import Passed as Passed
from .seen import Plan as Plan
from .seen import Seen as Seen
from .seen import Writer as Writer
from .seen import short
from .twins import Effect, HiddenError

if TYPE_CHECKING:
    from .airflow import DagRun
    from .scheduling import Process
    from .world import World

NAMES = (*COLUMNS, "_extra", "_mistyped")
TARGET = "persons"
READS = ("snapshot", "read", "get", "Scan", "BatchGetItem")
WRITES = ("add", "change", "remove", "BatchExecuteStatement", "PutItem", "UpdateItem", "DeleteItem")


class Oracle:
    """Sees every effect."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.changes: list[Change] = []
        self.runs: dict[str, Seen] = {}
        self.errors: list[tuple[str, str, str]] = []
        self.unasked: list[str] = []
        self.not_done: list[str] = []
        self.pruned: dict[tuple[str, str], int] = {}
        self.unknown: list[str] = []
        self.outside: list[str] = []
        self.advanced: dict[str, int] = {}
        self.taken_again: list[str] = []
        self.unnamed: list[str] = []
        self.early: list[str] = []
        self.turns: list[tuple[str, str, str | None, str]] = []
        self.evidence = Evidence()
        self.vain: list[Change] = []
        """Requests that were to write, and changed no row."""
        self.passed: list[Passed] = []
        """When a process first went on after it had seen to it that nobody older writes any more; and when a run first read
        the target under a lease."""
        self._ending: dict[str, dict[int, int]] = {}
        self._reading: set[int] = set()
        self._asked: dict[int, float] = {}
        self.verbs, self.effects = Counter[str](), Counter[str]()
        self.target: dict[str, Row] = {}
        self.source: dict[str, Row] = {}
        self.orders: dict[str, Row] = {}
        self.referred, self.taken = set[str](), list[str]()
        self._digest = hashlib.sha256()
        self.log: list[str] = []

    # ── what happens ─────────────────────────────────────────────────────────────────────────────────────────────

    def saw(self, effect: Effect) -> None:
        """An effect begins, or has ended."""
        schedule = self.world.schedule
        process = schedule.present.process
        line = f"{schedule.points:>5} {schedule.now:>9.2f} {process.name:<34} {effect.when:<6} {effect.place} {effect.kind} {effect.target}"
        self.log.append(line)
        self._digest.update(line.encode())
        self.effects[f"{effect.place} {effect.kind}"] += 1
        if effect.place == "ledger" and effect.when == "after":
            self._asked[schedule.present.number] = schedule.now
        self.evidence.saw(process.name, process.run, self.runs.get(process.run), schedule.now, effect)
        if effect.place not in ("store", "source"):
            return
        done = self._compare(writer := self._present())
        if effect.kind in WRITES and effect.when == "after" and effect.place == "store" and process.run and not done:
            row = self.target.get(key := ", ".join(effect.keys) or effect.target)
            self.vain.append(self._change(writer, key, row, row))
        if (effect.kind, effect.when) == ("advance", "after"):
            self._advanced(process)
        if effect.kind == "end older":
            if effect.when == "after":
                self._ending[process.name] = dict(effect.numbers)
        elif process.name in self._ending:
            self._goes_on(process.name, self._ending.pop(process.name))
        if process.run:
            self._read(process.name, process.run, effect)

    def _goes_on(self, process: str, by: dict[int, int]) -> None:
        schedule = self.world.schedule
        self.passed.append(Passed(point=schedule.points, at=schedule.now, process=process, numbers=by))

    def _by_lease(self, process: str, run: str) -> None:
        """The run reads the target for its plan; by a lease, if it has one."""
        with self.world.looking(), self.world.places.ledger._begin() as connection:
            mine = (leases.c.run_id == run, leases.c.ended_at.is_(None))
            found = connection.execute(sa.select(leases.c.target, leases.c.epoch).where(*mine)).all()
        for target, epoch in found:
            if epoch not in self._reading:
                self._reading.add(epoch)
                self._goes_on(process, right.by_lease(target, epoch))

    def _advanced(self, process: Process) -> None:
        """The sequences of the target were brought behind what the run has written."""
        self.advanced[process.run] = self.world.schedule.points
        number = self.world.places.next_number(TARGET)
        if number is None:
            return
        for plan in self.seen(process.run).approved[-1:]:
            for key, (verb, _, new) in plan.rows.items():
                written = (
                    second.table_of(key) == TARGET
                    and verb in ("add", "change", "keep")
                    and new is not None
                    and self.target.get(key) == new
                )
                if written and new is not None and int(new[2] or 0) >= number:
                    self.taken_again.append(f"{process.name}: {key} has {new[2]}, and the next number is {number}")

    def _read(self, process: str, run: str, effect: Effect) -> None:
        seen = self.seen(run)
        if "/snapshot" in process and effect.kind in READS:
            if effect.place == "store":
                self._by_lease(process, run)
            at, source = self.world.places.source_of(process)
            if effect.place == "source":
                seen.led[process] = at
            if [source] != seen.sources[-1:]:
                seen.sources.append(dict(source))
                seen.every.append(seen.sources[-1])
            if not seen.targets or seen.targets[-1] != self.target:
                seen.targets.append(dict(self.target))
                seen.most = max(seen.most, len(self.target))
        if (".read_back" in process or ".verify" in process) and effect.kind in READS and seen.proven_at is None:
            of = second.TABLE if f"/{second.PHASE}." in process else TARGET
            seen.proofs.append((of, {key: row for key, row in self.target.items() if second.table_of(key) == of}))
            seen.read_at = seen.read_at or self.world.schedule.points
            seen.last_read_at = self.world.schedule.points

    def told(self, lie: Lie, effect: Effect) -> None:
        """An effect is answered falsely."""
        name = self.world.schedule.present.process.name
        self.log.append(f"{self.world.schedule.points:>5} {name:<44} lie    {lie.name} {lie.seconds or ''}")
        if isinstance(lie.raised, HiddenError) and effect.place == "store":
            seen = self.seen(self.world.schedule.present.process.run)
            seen.hidden |= lie.raised.keys
            seen.misread |= lie.raised.keys

    def sent(self) -> Writer:
        """Who sends a request that is done later."""
        return replace(self._present(), late=True)

    def arrives(self, writer: Writer, work: Callable[[], object]) -> None:
        """A request is done that was under way."""
        self._compare(Writer(process="?"))
        work()
        self._compare(writer)

    def _present(self) -> Writer:
        fibre = self.world.schedule.present
        run = fibre.process.run
        approved = next(iter(self.runs[run].approved[::-1]), None) if run in self.runs else None
        by = self.world.places.numbers()
        asked = self._asked.get(fibre.number, 0.0)
        return Writer(
            process=fibre.process.name, fibre=fibre.number, run=run, approved=approved, numbers=by, asked=asked
        )

    def _compare(self, writer: Writer) -> bool:
        """What changed in the target since the last look was done by the process that runs. Whether anything did."""
        now, done = self.world.places.held(), False
        if now != self.target:
            done = True
            for key in sorted({*now, *self.target}):
                old, new = self.target.get(key), now.get(key)
                if old != new:
                    self._changed(writer, key, old, new)
                    if writer.run and self.world.setup.second:
                        with self.world.looking():
                            self.early += second.alone(self.world.runs, self.changes, now)
            self.target = now
        orders = self.world.places.rows("orders") if self.world.setup.referred else {}
        if writer.run and (gone := sorted({*self.orders} - {*orders})):
            self.taken.append(f"{writer.process} took {', '.join(gone)} of orders along")
        self.orders = orders
        source = self.world.places.rows("people")
        if source != self.source:
            self.errors.append(("source", writer.run, f"{writer.process} changed the source"))
            self.source = source
        return done

    def _changed(self, writer: Writer, key: str, old: Row | None, new: Row | None) -> None:
        schedule = self.world.schedule
        late = "late" if writer.late else ""
        line = f"{schedule.points:>5} {schedule.now:>9.2f} {writer.process:<34} {late:<6} {key}: {short(old)} -> {short(new)}"
        self.log.append(line)
        self._digest.update(line.encode())
        self.changes.append(self._change(writer, key, old, new))

    def _change(self, writer: Writer, key: str, old: Row | None, new: Row | None) -> Change:
        held = status = None
        if writer.run:
            with self.world.looking():
                ledger = self.world.places.ledger
                held = next((lease.run_id for lease in ledger.leases.present() if lease.writes), None)
                row = ledger.run(writer.run)
                status = None if row is None else str(row.status)
        schedule = self.world.schedule
        return Change(
            **vars(writer), point=schedule.points, at=schedule.now, key=key, old=old, new=new, held=held, status=status
        )

    def application(
        self, table: str, key: str, row: tuple[str | None, str | None] | None, mistyped: str | None = None
    ) -> None:
        """An application writes a row, or deletes it, as soon as nobody holds it; `mistyped`: values that are not of the declared
        type, as JSON."""
        self._compare(Writer(process="?"))
        if not self.world.places.put(table, key, None if row is None else (key, *row, None, mistyped)):
            self.world.after(1.0, lambda: self.application(table, key, row, mistyped))
        if table == "people":
            self.source = self.world.places.rows("people")
        else:
            self._compare(Writer(process="application"))

    def does(self, work: Callable[[], bool | None]) -> bool | None:
        """An application does this; what it gives."""
        self._compare(Writer(process="?"))
        done = work()
        self._compare(Writer(process="application"))
        return done

    def inserted(self, key: str, name: str) -> None:
        """An application adds a row whose number the target gives, unless it is there."""
        if not self.does(lambda: self.world.places.insert(TARGET, key, name)):
            self.world.after(1.0, lambda: self.inserted(key, name))

    def ordered(self, key: str, order: Row | None) -> None:
        """An application makes an order refer to a row of the target, if it is there, or deletes the order."""
        if self.world.places.put("orders", key, order):
            self.orders = self.world.places.rows("orders")
            self.referred |= {*self.orders}

    def seen(self, run: str) -> Seen:
        """What is known of a run."""
        if run not in self.runs:
            self.runs[run] = Seen(began=self.world.schedule.points)
        return self.runs[run]

    def begins(self, run: str) -> None:
        """A run begins, or again: what it read before counts for nothing, unless it has ended."""
        seen = self.seen(run)
        if seen.proven_at is not None:
            return
        seen.sources.clear()
        seen.targets.clear()
        seen.proofs.clear()
        seen.read_at = None
        seen.hidden.clear()
        seen.began = self.world.schedule.points
        process = self.world.schedule.present.process.name
        seen.led = {process: self.world.places.source_of(process)[0]}
        with self.world.looking():
            seen.blind = not self.world.places.there(TARGET)

    def plan(self, run: Run, sha256: str | None = None) -> Plan:
        """The plan that lies in the workspace; with this hash, as it passed its gate: another try may have made one since."""
        point, at = self.world.schedule.points, self.world.schedule.now
        if (former := self.seen(run.id).named(sha256)) is not None:
            return replace(former, point=point, at=at)
        rows: dict[str, tuple[str, Row | None, Row | None]] = {}
        with self.world.looking():
            manifests = run.folder.manifests(StepName.PLAN)
            whole = len(manifests) == run.partitions
            for manifest in manifests:
                for artifact in (a for p in run.migration.phases for a in PLAN_FILES.among([manifest], p.id)):
                    path = self.world.folder / "workspace" / "runs" / run.id / artifact.path
                    its_own = path.exists() and sha256_of(path) == artifact.sha256  # and not of a try that died since
                    whole = whole and its_own
                    for each in pq.ParquetFile(path).read().to_pylist() if its_own else ():
                        before = each[BEFORE]
                        old = None if before is None else tuple(before[n] for n in NAMES)
                        new = None if each[VERB] == "remove" else tuple(each[n] for n in NAMES)
                        rows[each[KEY]] = (each[VERB], old, new)
            entered = run.ledger.run(run.id)
            sure = whole and entered is not None and files_hash(run) == entered.plan_files_sha256
        sha256 = entered.plan_sha256 if entered else None
        if not whole and (former := self.seen(run.id).named(sha256)) is not None:  # another try is making it again
            rows = former.rows
        self.verbs.update(verb for verb, _, _ in rows.values())
        return Plan(sha256=sha256, rows=rows, point=point, at=at, sure=sure)

    def gated(self, run: Run) -> None:
        """The plan has passed its gate."""
        self.seen(run.id).gated.append(self.plan(run))
        with self.world.looking():
            self.seen(run.id).reused = run.files.start.snapshot_of
        self._in_window(run)
        with self.world.looking():
            baseline, options = run.files.start.baseline, run.options
            if run.undoes is not None or baseline is None or options.overwrite_drift or options.allow_lost_baseline:
                return
            gone, left = self.pruned.get((baseline.run, "baseline")), run.workspace.run(baseline.run)
            there = baseline.attempt is not None or left.folders("baseline") or left.names("baseline")
            if gone is not None and gone < self.seen(run.id).began and not there:
                self.unknown.append(f"{run.id} passed its gate, and what {baseline.run} had written was not known")

    def sources_of(self, run: str) -> list[dict[str, Row]]:
        """The states of the source that a run's plan may be of."""
        seen = self.seen(run)
        return seen.sources if seen.reused is None else self.seen(seen.reused).every

    def _in_window(self, run: Run) -> None:
        """A run with a window writes no row outside of it, and removes none."""
        if run.options.window is None or run.undoes is not None:
            return
        plan, mine = self.seen(run.id).gated[-1], run.options.window.start.day
        for key, (verb, _, _) in plan.rows.items():
            inside = any(day(state.get(second.person_of(key))) == mine for state in self.sources_of(run.id))
            if verb == "remove" or (verb in WRITTEN and not inside):
                self.outside.append(f"{run.id} is about day {mine}, and is to {verb} {key}")

    def asked(self, dag_run: DagRun, plan: Plan) -> None:
        """A person is shown the plan."""
        self.seen(dag_run.id).shown = plan

    def approved(self, dag_run: DagRun, plan: Plan) -> None:
        """The plan is approved. One that is gone by now, since the run has begun again, counts for nothing."""
        if plan.sha256 is not None:
            self.seen(dag_run.id).approved.append(plan)

    def approved_before(self, dag_run: DagRun, plan: Plan) -> None:
        """The engine says that a person has approved this plan before it was made again."""
        self.approved(dag_run, plan)
        yes = [*self.seen(dag_run.id).answered, *(each for seen in self.runs.values() for each in seen.ranged)]
        if plan.sha256 is not None and all(plan.written != each.written for each in yes):
            self.unasked.append(f"{dag_run.id}: a plan counts as approved to which nobody has said yes")

    def reported(self, dag_run: DagRun) -> None:
        """The run has a report."""
        with self.world.looking():
            row = self.world.places.ledger.run(dag_run.id)
            seen = self.seen(dag_run.id)
            if row is not None and row.status == Status.PROVEN and seen.proven_at is None:
                seen.proven_at, seen.proven_since = self.world.schedule.points, self.world.schedule.now
                seen.report = dag_run.given.files.reported(REPORT)
                self.not_done += accounts.not_done(dag_run.current(), row.plan_sha256)

    def turned(self, to: str, checked: Any) -> None:
        """The switch was turned: on which proof, and which other run wrote last since that began to read."""
        proof = checked.proof_run_id
        read_at = (self.seen(proof).read_at if proof else None) or 0
        since = (c.run for c in self.changes[::-1] if c.run not in ("", proof) and c.point > read_at)
        self.turns.append((checked.was, to, proof, next(since, "")))

    def met(self, error: Exception, run: str, where: str) -> None:
        """An error came out of the engine; one that is not of its own tree is a fault."""
        said = str(error).replace(str(self.world.folder), "")[:300]  # the folder is another in each process
        line = f"{self.world.schedule.points:>5} {self.world.schedule.now:>9.2f} {run}/{where}: {type(error).__name__}: {said}"
        self.log.append(line)
        self._digest.update(line.encode())
        if run in self.runs and self.world.schedule.in_process:
            self.runs[run].led.pop(self.world.schedule.present.process.name, None)
        if self.world.setup.trigger and any(words in str(error) for words in FAULTS):
            self.unnamed += accounts.unnamed(self.world, error, run)
        if not isinstance(error, TrueupError):
            self.errors.append(("error", run, f"{where}: {type(error).__name__}: {error}"))

    def digest(self) -> str:
        """A hash of all that happened."""
        return self._digest.hexdigest()
