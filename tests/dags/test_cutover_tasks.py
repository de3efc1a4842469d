"""Tasks of a cutover that somebody clears, or marks as done; and proofs of what was planned long ago."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import ParamValidationError

from include.embedded import postgres
from include.trueup.errors import ApprovalError, GateError, ProofError, StatusError
from tests.dags import states
from tests.harness import run_sql
from trueup_airflow.dags.approval import kept
from trueup_airflow.dags.cutover import params

LATER = (
    "UPDATE trueup.runs SET planned_at = planned_at - interval '3 days', started_at = started_at - interval '3 days'"
)


@pytest.fixture
def small(
    postgres_server: postgres.Server, ledger_template: str, tmp_path: Path, airflow_database: None
) -> Iterator[states.Small]:
    made = states.Small(postgres_server, tmp_path / "place", ledger_template)
    with states.connected(made.place, store=lambda _: made.database.store):
        yield made


def test_tasks_that_are_marked_or_cleared_turn_nothing_and_ask_nobody(small: states.Small) -> None:
    small.all(small.forward("proof"))
    turn, switches = small.cutover("a"), small.place.ledger.switches
    turn.do("preflight")
    with pytest.raises(
        ApprovalError, match=r"nobody has approved the turn: a task that is marked as done.*clear approve"
    ):
        turn.do("turn")
    with pytest.raises(ApprovalError, match="clear preflight"):
        small.cutover("marked").do("turn")
    assert switches.last("small") is None
    small.all(turn)
    with pytest.raises(StatusError, match="and turns it once"):
        turn.do("approve")
    assert len(turn.asked) == 1
    turn.returned["approve"] = {"by": "bob", "comment": "again"}
    turn.do("turn")
    record = small.place.workspace.run("small_cutover--a").read_json("cutover.json")
    last = switches.last("small")
    assert last is not None
    assert (record["by"], record["why"]) == (last.turned_by, last.why) == ("ada", "as agreed")


def test_a_proof_of_what_was_planned_long_ago_turns_no_switch(small: states.Small) -> None:
    """A run failed; its last tasks are cleared days later, and prove what was read of the sources then."""
    small.all(small.forward("a"))
    old = small.forward("b", mode="verify")
    for id in old.order[: old.order.index("copy.read_back")]:
        old.do(id)
    small.database.sql("CREATE TABLE away AS TABLE persons", "TRUNCATE persons")
    failed = old.do_from("copy.read_back")
    assert failed is not None
    assert isinstance(failed[1], GateError)
    run_sql(small.place.uris[0], LATER)
    small.database.sql("INSERT INTO persons TABLE away", "UPDATE people SET name = 'Other'")
    assert old.do_from("copy.read_back") is None
    with pytest.raises(ProofError, match=r"is of a plan that was made 72.0 hours ago.*the limit is 48"):
        small.cutover("turn").do("preflight")
    small.cutover("turn", proof_max_age=72).do("preflight")


@pytest.mark.parametrize(
    ("given", "is_kept"), [(None, None), (" \n", None), ("a\0b \ud800", "a\ufffdb ?"), ("x" * 3_000, "x" * 2_000)]
)
def test_what_somebody_writes_is_kept_as_postgresql_can(given: Any, is_kept: str | None) -> None:
    assert kept(given) == is_kept


def test_a_reason_of_blanks_is_none() -> None:
    why = params()["why"]
    with pytest.raises(ParamValidationError):
        why.resolve(" ")
    for reason in ("proven twice", "proven\ntwice"):
        assert why.resolve(reason) == reason
        assert re.fullmatch(why.schema["pattern"], reason)  # as a browser holds it against what is in a field
