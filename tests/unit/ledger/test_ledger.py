"""The ledger, on a real PostgreSQL."""

from __future__ import annotations

import multiprocessing
import os
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import psutil
import pytest
import sqlalchemy as sa

from include.embedded import postgres
from include.trueup.errors import OptionsError, StatusError, StoreUnavailableError, TargetHeldError
from include.trueup.ledger import ConflictRow, Ledger, Status, lease_seconds, this_process
from include.trueup.ledger.status import TRANSITIONS
from include.trueup.ledger.tables import leases
from include.trueup.stores import Conflict, Outcome, Refused, effects
from tests.harness import new_database


def begin(ledger: Ledger, run_id: str) -> None:
    ledger.begin(run_id, migration_id="m", dag_id="m", triggered_by="ada", options={})


def test_upgrade_twice_and_at_once(postgres_server: postgres.Server) -> None:
    empty = new_database(postgres_server)

    def upgrade() -> None:
        try:
            Ledger(empty).upgrade()
        except Exception as error:
            failed.append(error)

    failed: list[Exception] = []
    threads = [threading.Thread(target=upgrade) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    begin(Ledger(empty), "r")


def test_a_ledger_of_a_newer_version_begins_no_run_and_goes_on(ledger_uri: str) -> None:
    """Some workers are still of the version before, in the middle of a run."""
    ledger = Ledger(ledger_uri)
    begin(ledger, "r")
    with ledger._begin() as connection:
        connection.execute(sa.text("UPDATE trueup.ledger_version SET version_num = 'ledger_9999'"))
    with pytest.raises(OptionsError, match=r"newer version of Trueup than this one \(.*ledger_9999"):
        ledger.upgrade()
    ledger.ensure()
    ledger.move("r", Status.FAILED, "test")


def _with_status(ledger: Ledger, run_id: str, status: Status) -> None:
    begin(ledger, run_id)
    if status is Status.ROLLED_BACK:
        ledger.move(run_id, Status.PROVEN, "test")
    if status is not Status.RUNNING:
        ledger.move(run_id, status, "test")


@pytest.mark.parametrize("was", list(Status))
@pytest.mark.parametrize("to", list(Status))
def test_every_transition_that_is_not_listed_is_refused(ledger: Ledger, was: Status, to: Status) -> None:
    _with_status(ledger, "r", was)
    if to in TRANSITIONS[was]:
        ledger.move("r", to, "test")
        assert ledger.entered("r").status == to
    else:
        with pytest.raises(StatusError, match=f"run r is {was} and may not become {to}"):
            ledger.move("r", to, "test")
        assert ledger.entered("r").status == was


def test_a_proven_run_cannot_begin_again(ledger: Ledger) -> None:
    begin(ledger, "r")
    ledger.move("r", Status.PROVEN, "all gates passed")
    with pytest.raises(StatusError, match="start another run"):
        begin(ledger, "r")


def test_a_step_notes_its_error_and_its_tries(ledger: Ledger) -> None:
    begin(ledger, "r")
    with pytest.raises(ValueError, match="bad"), ledger.step("r", "plan", "3"):
        raise ValueError("bad")
    (step,) = ledger.steps("r")
    assert (step.error, step.error_class, step.tries) == ("bad", "ValueError", 1)
    assert step.ended_at is not None
    with ledger.step("r", "plan", "3"):
        (step,) = ledger.steps("r")
        assert step.ended_at is None
    (step,) = ledger.steps("r")
    assert (step.error, step.tries) == (None, 2)


def test_a_batch_counts_once_however_often_it_is_entered(ledger: Ledger) -> None:
    begin(ledger, "r")
    alone = Conflict(key="k", reason="it was changed", found="{}")
    for _ in range(2):
        ledger.wrote("r", "links", 0, 0, 10, Outcome(written=9, conflicts=[alone], retries=2))
    ledger.wrote("r", "links", 1, 0, 5, Outcome(written=5))
    assert ledger.written("r", "links", 0) == {0}
    total = ledger.applied("r")["links"]
    assert (total.batches, total.rows, total.written, total.conflicts, total.retries) == (2, 15, 14, 1, 2)
    assert ledger.applied("r", "links", 1)["links"].rows == 5
    assert ledger.conflicts("r") == [ConflictRow(output="links", key="k", reason="it was changed", found="{}")]
    assert ledger.conflicts("r", "links", 1) == []


def test_a_text_with_the_character_nul_is_kept_as_it_is(ledger: Ledger) -> None:
    """DynamoDB has it in keys and values, and PostgreSQL in no text."""
    begin(ledger, "r")
    keys = ["a\0b", "a\\0b", "\0\0", "\x10", "\x100\x101\0"]
    alone = [Conflict(key=key, reason=f"it is {key}", found=key) for key in keys]
    refused = [Refused(key=key, reason=f"it is {key}", constraint=None) for key in keys]
    ledger.wrote("r", "links", 0, 0, 10, Outcome(conflicts=alone, refused=refused))
    assert [(row.key, row.reason, row.found) for row in ledger.conflicts("r")] == [(k, f"it is {k}", k) for k in keys]
    assert [(row.key, row.reason) for row in ledger.refused("r")] == [(k, f"it is {k}") for k in keys]
    with pytest.raises(ValueError, match="of row"), ledger.step("r", "plan", "3"):
        raise ValueError("of row a\0b")
    (step,) = ledger.steps("r")
    assert step.error == "of row a\\0b"
    ledger.move("r", Status.FAILED, "of row a\0b")


def test_the_second_run_is_refused_and_told_who_holds_the_target(ledger: Ledger) -> None:
    begin(ledger, "first")
    begin(ledger, "second")
    ledger.leases.take("first", ["a", "b"])
    with pytest.raises(
        TargetHeldError, match=r"run first holds b since .* run second wrote nothing.*expire \(in \d+ s"
    ):
        ledger.leases.take("second", ["b", "c"])
    ledger.leases.take("first", ["a"])
    ledger.leases.take("second", ["c"])
    ledger.leases.release("first")
    ledger.leases.take("second", ["a", "b"])


def _expire(ledger: Ledger) -> None:
    with ledger._engine.begin() as connection:
        connection.execute(leases.update().values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))


def test_an_expired_hold_is_taken_over_and_its_run_interrupted(ledger: Ledger) -> None:
    begin(ledger, "first")
    begin(ledger, "second")
    ledger.leases.take("first", ["a"])
    _expire(ledger)
    ledger.leases.take("second", ["a"])
    assert ledger.entered("first").status == Status.INTERRUPTED
    with pytest.raises(TargetHeldError, match="run second holds a"):
        ledger.leases.take("first", ["a"])


def test_a_hold_lasts_hold_seconds(ledger: Ledger) -> None:
    begin(ledger, "r")
    ledger.leases.take("r", ["a"])
    with ledger._engine.begin() as connection:
        left = connection.execute(sa.select(leases.c.expires_at - sa.func.clock_timestamp())).scalar_one()
    assert lease_seconds() - 5 < left.total_seconds() <= lease_seconds()


def test_the_hold_of_a_run_whose_process_was_killed_is_free_at_once(ledger: Ledger) -> None:
    begin(ledger, "first")
    begin(ledger, "second")
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    me = this_process()
    host = me.rsplit("/", 2)[0]
    holder = f"{host}/{child.pid}/{psutil.Process(child.pid).create_time():.2f}"
    ledger.leases.take("first", ["a"], holder=holder)
    with pytest.raises(TargetHeldError):
        ledger.leases.take("second", ["a"])
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # a zombie: dead, though its parent has not looked yet
    ledger.leases.take("second", ["a"])
    child.wait()
    ledger.leases.take("second", ["a"])


def test_a_hold_by_a_process_of_another_machine_is_respected(ledger: Ledger) -> None:
    begin(ledger, "first")
    begin(ledger, "second")
    ledger.leases.take("first", ["a"], holder="elsewhere/1/1.00")
    with pytest.raises(TargetHeldError):
        ledger.leases.take("second", ["a"])


def test_a_hold_by_a_process_of_another_container_of_this_host_is_respected(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the host's name and kernel, but other processes are seen from there: nobody here knows that it is dead."""
    begin(ledger, "first")
    begin(ledger, "second")
    read = os.readlink
    with monkeypatch.context() as patch:
        patch.setattr(os, "readlink", lambda path: "pid:[1]" if path == "/proc/self/ns/pid" else read(path))
        machine = effects.machine.__wrapped__()
    assert machine != this_process().rsplit("/", 2)[0]
    for holder in (f"{machine}/999999/1.00", f"{socket.gethostname()}/999999/1.00"):  # that of the first release, too
        ledger.leases.take("first", ["a"], holder=holder)
        with pytest.raises(TargetHeldError):
            ledger.leases.take("second", ["a"])


def _race(uri: str, run_id: str, start: object, won: object) -> None:
    start.wait()  # type: ignore[attr-defined]
    try:
        Ledger(uri).leases.take(run_id, ["a", "b"])
        won.put(run_id)  # type: ignore[attr-defined]
    except TargetHeldError:
        won.put(None)  # type: ignore[attr-defined]


def test_of_many_runs_at_once_one_gets_the_hold(ledger: Ledger, ledger_uri: str) -> None:
    context = multiprocessing.get_context("spawn")
    start, won = context.Event(), context.Queue()
    runs = [f"run{n}" for n in range(3)]
    for run_id in runs:
        begin(ledger, run_id)
    racers = [context.Process(target=_race, args=(ledger_uri, run_id, start, won)) for run_id in runs]
    for racer in racers:
        racer.start()
    start.set()
    results = [won.get(timeout=60) for _ in runs]
    for racer in racers:
        racer.join()
    assert sum(r is not None for r in results) == 1


def test_a_ledger_that_is_away_is_a_transient_error_without_its_password() -> None:
    away = Ledger("postgresql://ada:s3cret@127.0.0.1:1/nowhere?connect_timeout=2")
    with pytest.raises(StoreUnavailableError) as caught:
        away.run("r")
    assert "trueup_ledger" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_run_that_is_rolled_back_keeps_the_time_of_its_own_end(ledger: Ledger) -> None:
    _with_status(ledger, "r", Status.PROVEN)
    ended = ledger.entered("r").ended_at
    ledger.move("r", Status.ROLLED_BACK, "test")
    assert ended is not None
    assert ledger.entered("r").ended_at == ended
