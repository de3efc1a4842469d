"""Who has the right to write, by the ledger, and who may still believe that it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from include.trueup.errors import StatusError, TargetHeldError, TrueupError
from include.trueup.ledger import GoneOnError, Lease, Ledger, Part, Status, lease_seconds
from include.trueup.ledger.holding import holding
from include.trueup.stores.effects import REAL

APPLY = Part(step="apply/copy", part="0", tries=1)
HASH, OTHER = "1" * 64, "2" * 64


def begin(ledger: Ledger, id: str) -> None:
    ledger.begin(id, migration_id="m", dag_id="m", triggered_by=None, options={})


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


@pytest.fixture
def working(ledger: Ledger, opened: ExitStack) -> Ledger:
    """Run `a` writes to `t`, as the first try of a part."""
    for id in ("a", "b"):
        begin(ledger, id)
    ledger.planned("a", HASH)
    ledger.leases.take("a", ["t"])
    assert opened.enter_context(ledger.step("a", APPLY.step, APPLY.part)) == 1
    return ledger


def enter(ledger: Ledger) -> dict[str, int]:
    return ledger.leases.enter("a", ["t"], right=True, part=APPLY).epochs


def begins_again(ledger: Ledger, _: ExitStack) -> None:
    begin(ledger, "a")


def is_tried_again(ledger: Ledger, opened: ExitStack) -> None:
    ledger.effects = replace(REAL, ended=lambda _: True)  # else it would be waited for
    opened.enter_context(ledger.step("a", APPLY.step, APPLY.part))


def is_planned_again(ledger: Ledger, _: ExitStack) -> None:
    ledger.planned("a", OTHER)


def has_failed(ledger: Ledger, _: ExitStack) -> None:
    ledger.move("a", Status.FAILED, "marked")


def was_taken(ledger: Ledger, _: ExitStack) -> None:
    ledger.leases.release("a")
    ledger.leases.take("b", ["t"])


def goes_on(ledger: Ledger, opened: ExitStack) -> None:
    opened.enter_context(ledger.step("a", APPLY.step, "1"))


@pytest.mark.parametrize(
    ("since", "refused"),
    [(None, None), (begins_again, StatusError), (goes_on, GoneOnError), (is_planned_again, GoneOnError)],
)
def test_a_run_begins_again_from_where_it_was_seen_to_stand(
    working: Ledger,
    opened: ExitStack,
    since: Callable[[Ledger, ExitStack], None] | None,
    refused: type[TrueupError] | None,
) -> None:
    again = partial(working.begin, "a", migration_id="m", dag_id="m", triggered_by=None, options={})
    _, stood = working.run_and_standing("a")
    if since is not None:
        since(working, opened)
    with pytest.raises(refused) if refused else ExitStack():
        assert again(at=stood) == 2
    assert working.entered("a").attempt == (1 if refused is GoneOnError else 2)


def test_a_run_that_was_not_entered_yet_is_not_begun_again(ledger: Ledger) -> None:
    row, stood = ledger.run_and_standing("a")
    assert (row, ledger.begin("a", migration_id="m", dag_id="m", triggered_by=None, options={}, at=stood)) == (None, 1)
    with pytest.raises(StatusError, match="has begun again"):
        ledger.begin("a", migration_id="m", dag_id="m", triggered_by=None, options={}, at=stood)


EVERY = (begins_again, is_tried_again, is_planned_again, has_failed, was_taken)


@pytest.mark.parametrize("loss", EVERY)
def test_the_right_is_confirmed_and_renewed_until_it_is_lost(
    working: Ledger, opened: ExitStack, loss: Callable[[Ledger, ExitStack], None]
) -> None:
    epochs = enter(working)
    confirm = opened.enter_context(working.leases.confirming("a", epochs, APPLY))
    renew = partial(working.leases.renew, "a", epochs, APPLY)
    confirm()
    renew()
    loss(working, opened)
    for ask in (confirm, renew):
        with pytest.raises(TargetHeldError, match="has lost its right to write to t"):
            ask()


@pytest.mark.parametrize("loss", [each for each in EVERY if each is not has_failed])
def test_nobody_gets_the_right_anew_who_was_late_to_ask_for_it(
    working: Ledger, opened: ExitStack, loss: Callable[[Ledger, ExitStack], None]
) -> None:
    loss(working, opened)
    with pytest.raises(TrueupError):
        enter(working)


def test_what_the_ledger_said_is_relied_on_for_as_long_as_is_asked_for(working: Ledger) -> None:
    with holding(working, "a", ["t"], None, right=True, part=APPLY) as fence:
        fence.confirm(60)
        begin(working, "a")
        fence.confirm(60)
        with pytest.raises(TargetHeldError):
            fence.confirm(0)
        with pytest.raises(TargetHeldError):  # by now it is known
            fence.confirm(60)


def test_to_get_the_right_confirms_nothing_yet(working: Ledger) -> None:
    """Whoever is newer may have been there between the beginning of the part and that."""
    with holding(working, "a", ["t"], None, right=True, part=APPLY) as fence:
        begin(working, "a")
        with pytest.raises(TargetHeldError):
            fence.confirm(60)


def test_an_older_writer_is_known_until_it_ends(working: Ledger, opened: ExitStack) -> None:
    mine = enter(working)
    assert not working.leases.older_writer("a", mine)  # itself
    begin(working, "a")
    assert working.leases.older_writer("a", working.leases.take("a", ["t"]))
    assert not working.leases.older_writer("b", working.leases.take("b", ["u"]))  # another target
    working.leases.release("a")
    newer = working.leases.take("b", ["t"])
    assert working.leases.older_writer("b", newer)
    opened.close()
    assert not working.leases.older_writer("b", newer)


def test_an_older_writer_is_none_once_its_process_is_dead_or_its_lease_over(
    working: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(working)
    working.leases.release("a")
    newer = working.leases.take("b", ["t"])
    with monkeypatch.context() as dead:
        dead.setattr(working.leases, "_effects", replace(REAL, ended=lambda _: True))
        assert not working.leases.older_writer("b", newer)
    assert working.leases.older_writer("b", newer)
    monkeypatch.setenv("TRUEUP_LEASE_SECONDS", "0.000001")
    assert not working.leases.older_writer("b", newer)


def elsewhere(ledger: Ledger, sleeps: Callable[[float], None]) -> None:
    """The steps that are under way are another process's; whoever waits for them does this."""
    ledger.effects = replace(REAL, process=lambda: "another/1/2.0", sleep=sleeps)


def refuse(seconds: float) -> None:
    pytest.fail(f"nobody is waited for, and not for {seconds} s")


@pytest.mark.parametrize("step", [APPLY, Part(step="read_back/copy", part="0", tries=1)], ids=lambda part: part.step)
def test_a_step_that_goes_on_is_left_to_itself(working: Ledger, opened: ExitStack, step: Part) -> None:
    if step != APPLY:
        opened.pop_all().close()
        opened.enter_context(working.step("a", step.step, step.part))
    mine = working.leases.enter("a", ["t"], right=step == APPLY, part=step if step == APPLY else None).epochs
    elsewhere(working, lambda _: working.leases.renew("a", mine, step if step == APPLY else None))
    with pytest.raises(GoneOnError, match=f"the step {step.step} of run a is under way"):
        working.outlive("a", lambda *of: of == (step.step, "1"))


def test_a_step_whose_task_has_failed_is_not_waited_for(working: Ledger) -> None:
    enter(working)
    elsewhere(working, refuse)
    working.outlive("a", lambda *of: of == (APPLY.step, APPLY.part))
    working.outlive("b")


def test_a_step_is_waited_for_until_it_ends(working: Ledger, opened: ExitStack) -> None:
    enter(working)
    waited: list[float] = []

    def sleeps(seconds: float) -> None:
        waited.append(seconds)
        opened.close()

    elsewhere(working, sleeps)
    working.outlive("a")
    assert waited == [1.0]


def test_a_step_of_which_nothing_is_heard_or_that_this_process_does_is_not_waited_for(
    working: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(working)
    working.outlive("a")  # this one
    monkeypatch.setenv("TRUEUP_LEASE_SECONDS", "0.000001")
    enter(working)
    elsewhere(working, refuse)
    working.outlive("a")


def is_asked(ledger: Ledger, sha256: str) -> None:
    ledger.planned("a", sha256)
    ledger.approvals.asked("a", sha256)
    ledger.leases.wait("a", datetime.now(UTC) + timedelta(hours=9), sha256)


def is_as_any_other(lease: Lease) -> bool:
    return not lease.waits and lease.expires_at <= datetime.now(UTC) + timedelta(seconds=lease_seconds())


@pytest.mark.parametrize("asked", [None, HASH, OTHER], ids=["nothing", "this plan", "an older plan"])
def test_a_place_is_kept_no_longer_for_a_person_once_the_present_plan_is_approved(
    working: Ledger, asked: str | None
) -> None:
    if asked is not None:
        is_asked(working, asked)
        assert not any(map(is_as_any_other, working.leases.present()))
    working.planned("a", HASH)
    working.leases.answered("a", HASH)
    assert all(map(is_as_any_other, working.leases.present()))


def test_a_place_is_kept_for_a_person_who_is_asked_though_another_plan_is_approved(working: Ledger) -> None:
    is_asked(working, HASH)
    is_asked(working, OTHER)
    working.leases.answered("a", HASH)
    assert not any(map(is_as_any_other, working.leases.present()))


def test_a_place_is_kept_for_a_person_who_is_asked_about_a_cost_though_the_plan_that_was_there_is_approved(
    working: Ledger,
) -> None:
    working.approvals.cost_asked("a", OTHER, APPLY)
    working.leases.wait("a", datetime.now(UTC) + timedelta(hours=9), OTHER)
    working.leases.answered("a", HASH)
    assert not any(map(is_as_any_other, working.leases.present()))
    working.leases.answered("a", OTHER)
    assert all(map(is_as_any_other, working.leases.present()))


def test_who_takes_the_right_has_it_no_longer_than_any_other(working: Ledger) -> None:
    is_asked(working, HASH)
    enter(working)
    assert all(map(is_as_any_other, working.leases.present()))


@pytest.mark.parametrize("again", [False, True], ids=["report", "newer try"])
def test_where_it_is_not_known_how_long_a_lease_lasts_a_step_is_waited_for_as_long_as_by_default(
    working: Ledger, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    waited: list[float] = []

    def dies(seconds: float) -> None:
        waited.append(seconds)
        working.effects = replace(REAL, ended=lambda _: True)

    enter(working)
    monkeypatch.setenv("TRUEUP_LEASE_SECONDS", "soon")
    working.effects = replace(REAL, ended=lambda _: False, process=lambda: "another/1/2.0", sleep=dies)
    if again:
        with working.step("a", APPLY.step, APPLY.part):
            pass
    else:
        working.outlive("a")
    assert waited == [1.0]
