"""The cost of a transform, said and approved before it runs: what is approved is the hash of all that is paid for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import duckdb

from ..declare.cost import Cost
from ..errors import ApprovalError, ArtifactError, DeclarationError
from ..ledger import ApprovalRow
from ..ledger import Part as Try
from ..ledger.decisions import Decision
from ..rows import duck
from ..run import CostRecord, Mode, Run, StepName
from .inputs import relate

_MODULUS = 1 << 256
_FIGURES = "SELECT name, CAST(value AS BIGINT) FROM figures"
_PAID = "SELECT sha256(CAST(to_json(p) AS VARCHAR)) FROM paid p"


def estimate(run: Run) -> tuple[CostRecord, Try]:
    """Find out what the run's transform would cost, and publish it; it, and which try of the step that was.

    Raises `DeclarationError` when the scripts do not run or do not define what they must."""
    cost = _declared(run)
    figures: dict[str, int] = {}
    paid = total = 0
    with run.part(StepName.APPROVE_COST) as part:
        for partition in range(run.partitions):
            with run.session(alone=True) as session:
                relate(session, run, partition)
                with _asking(cost):
                    _run_scripts(session.connection, cost)
                    for name, value in session.connection.execute(_FIGURES).fetchall():
                        figures[name] = figures.get(name, 0) + (value or 0)
                    for batch in session.connection.sql(_PAID).to_arrow_reader(20_480):
                        paid += batch.num_rows
                        # added up, so that it does not depend on the order, nor on how the rows are split
                        total += sum(int(text, 16) for text in batch.column(0).to_pylist())
        record = CostRecord(
            sha256=hashlib.sha256(f"{run.migration.id}:{paid}:{total % _MODULUS:064x}".encode()).hexdigest(),
            created_at=run.effects.now().isoformat(timespec="seconds"),
            paid=paid,
            figures=figures,
            words=dict(cost.words(figures, run.options.params)),
            snapshot=_snapshot(run),
        )
        run.files.write_cost(record)
    return record, part.this


def check(connection: duckdb.DuckDBPyConnection, cost: Cost) -> None:
    """Run the scripts over what there is, and ask what they must define. Raises as `estimate`."""
    with _asking(cost):
        _run_scripts(connection, cost)
        for view, query in (("figures", _FIGURES), ("paid", _PAID)):
            try:
                connection.execute(query).fetchall()
            except duckdb.CatalogException:
                names = " and ".join(script.name for script in cost.scripts)
                raise DeclarationError(
                    f"cost: {names} makes no view {view!r}: CREATE VIEW {view} AS SELECT …"
                ) from None


def _run_scripts(connection: duckdb.DuckDBPyConnection, cost: Cost) -> None:
    for script in cost.scripts:
        connection.execute(script.read_text(encoding="utf-8"))


@contextmanager
def _asking(cost: Cost) -> Iterator[None]:
    try:
        yield
    except duck.OF_NO_SCRIPT:
        raise
    except duckdb.Error as error:
        scripts = " and ".join(script.name for script in cost.scripts)
        raise DeclarationError(f"cost: {scripts} does not run: {error}") from error


def asks(run: Run, record: CostRecord) -> bool:
    """Whether a person is to be asked: where there is something to pay for, and the run goes on after the estimate."""
    return bool(run.options.approval and record.paid and run.options.mode is not Mode.PLAN)


def approved_already(run: Run, record: CostRecord, by: Try) -> ApprovalRow | None:
    """A person's approval of the same cost in this run, which this try has estimated again since. Raises `StatusError` where there is
    a newer one."""
    decision = run.ledger.approvals.of(run.id, record.sha256)
    if decision is None or decision.decision != "approved":
        return None
    run.ledger.approvals.cost_asked(run.id, record.sha256, by)  # and about no other one any more
    run.ledger.leases.answered(run.id, record.sha256)
    return decision


def wait(run: Run, record: CostRecord, by: Try) -> None:
    """Note that a person is asked about what this try has estimated, and keep the run's place meanwhile. Raises `StatusError` where
    there is a newer one."""
    run.ledger.approvals.cost_asked(run.id, record.sha256, by)
    if run.options.mode is Mode.APPLY:
        run.ledger.leases.wait(run.id, run.effects.now() + timedelta(hours=run.options.plan_max_age), record.sha256)


def approve(run: Run, by: str | None = None, comment: str | None = None, *, shown: str | None = None) -> str:
    """Enter a person's approval of the cost that was shown (None: the one last asked about); of a run that asks nobody, that it
    was waived. Its hash.

    Raises `ApprovalError` where another cost was shown than the run's."""
    record = _estimated(run)
    seen = shown or run.ledger.entered(run.id).asked_sha256
    if asks(run, record) and seen != record.sha256:
        raise ApprovalError(
            f"the cost of run {run.id} is {record.sha256}, and the one that was shown is {seen or 'none'}: it was estimated again "
            "in between, so nothing is approved; clear the task approve_cost, which asks about it as it is now"
        )
    decision: Decision = "approved" if asks(run, record) else "waived"
    reason = comment or (None if record.paid else "there is nothing to pay for")
    run.ledger.approvals.decide(run.id, record.sha256, decision, by=by, comment=reason)
    run.ledger.leases.answered(run.id, record.sha256)
    return record.sha256


def reject(run: Run, by: str | None, comment: str | None) -> None:
    """Enter a person's rejection, and raise it as an `ApprovalError`."""
    run.ledger.approvals.decide(run.id, _estimated(run).sha256, "rejected", by=by, comment=comment)
    reason = f": {comment}" if comment else ""
    raise ApprovalError(f"{by or 'somebody'} rejected the cost{reason}; nothing was computed, and nothing written")


def waive(run: Run) -> str:
    """Estimate the cost of a run that asks nobody, and enter that it was waived; in mode plan, that is all. Its hash. Raises
    `ApprovalError` for a run that asks."""
    record, _ = estimate(run)
    if asks(run, record):
        raise ApprovalError(
            "this run needs an approval of its cost, and nobody here can be asked: trigger it in Airflow"
        )
    return record.sha256 if run.options.mode is Mode.PLAN else approve(run)


def require(run: Run) -> None:
    """Before the transform: raise `ApprovalError` unless its cost was estimated from this snapshot, and approved or waived."""
    if run.migration.cost is None:
        return
    record = run.files.cost
    if record is None or record.snapshot != _snapshot(run):
        raise ApprovalError(
            f"the cost of run {run.id} was not estimated from the snapshot that it has now, so nothing is computed: clear the task "
            "approve_cost, or trigger the DAG again"
        )
    approval = run.ledger.approvals.of(run.id, record.sha256)
    if approval is None or approval.decision == "rejected":
        how = "is not approved" if approval is None else "was rejected"
        raise ApprovalError(
            f"the cost of run {run.id} ({record.sha256}) {how}, so nothing is computed: clear the task approve_cost, or trigger the "
            "DAG again"
        )


def _declared(run: Run) -> Cost:
    assert run.migration.cost is not None, "the step is there only where there is a cost"
    return run.migration.cost


def _estimated(run: Run) -> CostRecord:
    record = run.files.cost
    if record is None:
        raise ArtifactError(f"the cost of run {run.id} was not estimated: clear the task approve_cost")
    return record


def _snapshot(run: Run) -> str:
    """A hash over the files of the run's snapshot."""
    files = sorted(file.sha256 for manifest in run.manifests(StepName.SNAPSHOT) for file in manifest.files)
    return hashlib.sha256("\n".join(files).encode()).hexdigest()
