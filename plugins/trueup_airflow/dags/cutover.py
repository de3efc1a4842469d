"""A migration's DAG to cut over, `<id>_cutover`: the only way to turn its switch.

preflight → approve → turn
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import DAG, Context, Param, dag, get_current_context, task, timezone
from pydantic import JsonValue  # Airflow evaluates the annotations of a task

from include.trueup.errors import ApprovalError, DeclarationError, TerminalError
from include.trueup.steps import APPROVE

from .. import connections
from . import place
from .approval import Approval, kept, run_page
from .builder import RETRIES

if TYPE_CHECKING:
    from include.trueup.cutover.turning import Turning
    from include.trueup.declare.migration import Migration
    from include.trueup.ledger import SwitchState

log = logging.getLogger(__name__)

ASKED = "asked"
"""The XCom of the task approve that says what was asked."""
STATES = {
    "next": "One step on: legacy → dual → new",
    "dual": "Dual: both shapes are written and can be read",
    "new": "New: only the new shape counts",
    "legacy": "Legacy: the old shape counts",
}
DOC = """
Turns the switch of `{id}`, which tells the application where to read and write; nothing else turns it. On the way
forward (legacy → dual → new) the last run must be proven, of whole tables, complete, recent, and of the tables that are still
there; where the migration has a shadow comparison, one must have been made since, over everything, with no difference that is
not known. The way back is open, but for its last step where the migration declares what must be proven before that. Who turned
it, when and why is in the journal. To undo a cutover, trigger this DAG with the state before.
"""


def build_cutover(migration: Migration) -> DAG:
    """The DAG that turns the migration's switch. Raises `DeclarationError` for a migration without settings: a switch that
    nobody reads turns nothing."""
    if not migration.settings:
        raise DeclarationError(
            f"migration {migration.id!r} declares no settings, so there is no switch to turn: give Migration.settings, or leave"
            " build_cutover out of its DAG file"
        )

    @dag(
        dag_id=f"{migration.id}_cutover",
        dag_display_name=f"Cut over: {migration.title}",
        description=f"Turn the switch of {migration.id}",
        doc_md=place.document(DOC.format(id=migration.id)),
        schedule=None,
        catchup=False,
        max_active_runs=1,
        params={**params(), **_limits(migration)},
        default_args={"owner": migration.owner, **RETRIES},
        tags=["trueup", "cutover"],
        render_template_as_native_obj=True,
    )
    def build() -> None:
        @task
        def preflight() -> dict[str, JsonValue]:
            """See that the switch may be turned: there is a complete and recent proof of the current plan and of these tables."""
            from include.trueup.cutover import turning
            from include.trueup.run import to_values

            ledger, asked = connections.ledger(), get_current_context()["params"]
            ledger.upgrade()
            with _noted("preflight"):
                to = turning.aim(ledger, migration.id, asked["to"], _id())
                return to_values(_checked(migration, to, asked))

        @task
        def turn(seen: dict[str, JsonValue] | None, decision: dict[str, str | None] | None) -> str:
            """Check once more, turn the switch, and enter it in the journal."""
            from include.trueup.cutover import turning
            from include.trueup.ledger import SwitchState
            from include.trueup.run.records import from_values

            context, id = get_current_context(), _id()
            if seen is None or decision is None:
                raise _not_done(APPROVE if seen else "preflight", "nobody has approved the turn")
            checked = from_values(turning.Turning, seen)
            ledger, workspace = connections.ledger(), connections.workspace()
            way_back = migration.way_back if checked.to == SwitchState.LEGACY else None
            of = way_back.migration if way_back else migration.id
            # before it is looked at: what is done since is seen when it is turned
            known = of, ledger.switches.known(of)
            with _noted("turn"):
                turning.refuse_unseen(context["ti"].xcom_pull(task_ids=APPROVE, key=ASKED), checked)
                if id not in {turned.run_id for turned in ledger.switches.turns(migration.id)}:
                    # a turn or a run may have come between, while it waited for approval; a turn from another state is another
                    now = _checked(migration, SwitchState(checked.to), context["params"])
                    checked = replace(now, was=checked.was)
                why, by = ". ".join(filter(None, (kept(context["params"]["why"]), decision["comment"]))), decision["by"]
                sentence = turning.turn(
                    ledger, workspace, migration.id, checked, by=by, why=why, run_id=id, known=known
                )
            log.info("%s", sentence)
            return sentence

        checked = preflight()
        decision = CutoverApproval(task_id=APPROVE, migration_id=migration.id)
        turned = turn(checked, decision.output)  # type: ignore[arg-type]  # XComs, as Airflow passes them
        checked >> decision >> turned

    return build()


def _id() -> str:
    """The current run's id in the ledger."""
    from include.trueup.run import run_id

    dag_run = get_current_context()["dag_run"]
    return run_id(dag_run.dag_id, dag_run.run_id)


@contextmanager
def _noted(step: str, by: str | None = None) -> Iterator[None]:
    """Note in the run's folder why it is refused, where the block says so."""
    from include.trueup.cutover import turning
    from include.trueup.run import Refusal

    try:
        yield
    except TerminalError as error:
        now = timezone.utcnow().isoformat(timespec="seconds")
        asked = str(get_current_context()["params"]["to"])
        refusal = Refusal(step=step, reason=str(error), at=now, to=asked, by=by)
        turning.refused(connections.workspace(), _id(), refusal)
        raise


def _checked(migration: Migration, to: SwitchState, asked: Mapping[str, JsonValue]) -> Turning:
    from include.trueup.cutover import guards, turning

    ledger, workspace = connections.ledger(), connections.workspace()
    turning_checked = turning.preflight(
        ledger, workspace, migration.id, to, _number(asked["proof_max_age"]), migration.shadow, migration.way_back
    )
    limits = {each.param: int(_number(asked[each.param])) for each in migration.guards}
    turning.refuse_other_tables(workspace, migration, turning_checked, connections.store, _declared)
    if not turning_checked.back:
        counted = guards.guard(migration.guards, to, limits, connections.store)
        log.info("counted: %s", counted)
    log.info("%s", turning_checked)
    return turning_checked


def _declared(migration_id: str) -> Migration:
    """The declaration of the migration of a way back, which brings rows."""
    from include.project import load_migration

    return cast("Migration", load_migration(migration_id))


class CutoverApproval(Approval):
    """Asks whether the switch is to be turned."""

    def __init__(self, *, migration_id: str, **kwargs: Any) -> None:
        super().__init__(subject=f"Turn the switch of {migration_id}?", **kwargs)
        self._migration_id = migration_id

    def question(self, context: Context) -> str | None:
        """What would be turned, and on what proof. Raises `ApprovalError` where no preflight has said it."""
        from include.trueup.cutover import turning
        from include.trueup.run.records import from_values

        seen = context["ti"].xcom_pull(task_ids="preflight")
        if seen is None:
            raise _not_done("preflight", "the task preflight has not said what would be turned")
        with _noted(APPROVE):
            turning.refuse_again(connections.ledger(), self._migration_id, _id())
        if not context["params"]["approval"]:
            return None
        checked = from_values(turning.Turning, seen)
        context["ti"].xcom_push(key=ASKED, value=turning.in_words(checked))
        proof = "It is the way back, and needs no proof."
        if checked.proof_run_id:
            proof = (
                f"Proof: {checked.compared or 0:,} rows compared, all as they should be, {checked.proven_at}, "
                f"run `{checked.proof_run_id}`."
            )
        if checked.shadow_run_id:
            known = (
                f"{checked.shadow_known:,} differ, as that run reported" if checked.shadow_known else "no difference"
            )
            proof += f"\n\nShadow comparison: {checked.shadow_compared or 0:,} compared, {known}, run `{checked.shadow_run_id}`."
        return (
            f"{place.in_words(None)}**{checked.was} → {checked.to}**\n\n{proof}\n\nWhy: {_escaped(context['params']['why'])}\n\n"
            f"[This run]({run_page(context)})"
        )

    def approved(self, by: str | None, comment: str | None, shown: str | None) -> Any:  # noqa: ARG002  no plan is shown
        """Who decided, and with what comment."""
        return {"by": by, "comment": comment}

    def rejected(self, by: str | None, comment: str | None) -> None:
        """Raises `ApprovalError`."""
        reason = f": {comment}" if comment else ""
        with _noted(APPROVE, by):
            raise ApprovalError(f"{by or 'somebody'} rejected the cutover{reason}; the switch is unchanged")


def _not_done(task_id: str, missing: str) -> ApprovalError:
    return ApprovalError(
        f"{missing}: a task that is marked as done in Airflow was not done here, so the switch is unchanged; clear {task_id}, or "
        "trigger the DAG again"
    )


def _escaped(text: str) -> str:
    """A person's words as Markdown that shows them as they are."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>()#+-.!|~" else c for c in text)


def _number(asked: JsonValue) -> float:
    return float(str(asked))


def _limits(migration: Migration) -> dict[str, Param]:
    """The params of the migration's guards."""
    return {
        each.param: Param(each.most, type="integer", minimum=0, title=each.title, description=each.description)
        for each in migration.guards
    }


def params() -> dict[str, Param]:
    """The params, in the order of the form."""
    return {
        "to": Param(
            "next",
            enum=list(STATES),
            values_display=STATES,
            title="To",
            description=f"What to turn the switch to. {place.installation()}",
        ),
        # no default: a reason that nobody gave is none
        "why": Param(
            type="string",
            minLength=1,
            maxLength=2000,
            pattern=r"[\s\S]*\S[\s\S]*",  # of the whole text, as browsers have it
            title="Why",
            description="The reason, for the journal: what was looked at, and who agreed.",
        ),
        "approval": Param(
            True,
            type="boolean",
            title="A person approves",
            description="The run waits until somebody approves or rejects it.",
        ),
        "proof_max_age": Param(
            24,
            type="number",
            exclusiveMinimum=0,
            maximum=720,
            title="Proof's age limit (hours)",
            description="On the way forward: an older proof does not count: prove the target again first.",
        ),
    }
