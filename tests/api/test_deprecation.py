"""What is done about calls of version 1: a warning once per client and day, in bounded memory, and a count over all processes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from include.trueup.errors import StoreUnavailableError
from include.trueup.ledger import Ledger

from .conftest import Client


@pytest.fixture
def once(airflow_database: None) -> Any:
    from trueup_airflow.api.deprecation import Once

    return Once


def test_a_client_is_new_once_a_day(once: Any) -> None:
    day = [date(2026, 11, 20)]
    seen = once(today=lambda: day[0])
    assert [seen.new(name) for name in "aabab"] == [True, False, True, False, False]
    day[0] = date(2026, 11, 21)
    assert [seen.new(name) for name in "aab"] == [True, False, True]


def test_no_more_clients_are_remembered_than_may_be(once: Any) -> None:
    seen = once(most=3)
    assert [seen.new(str(n)) for n in range(100)] == [True] * 100
    assert len(seen._seen) == 3
    assert seen.new("99") is False
    assert seen.new("0") is True


def test_of_many_threads_one_is_told_that_a_client_is_new(once: Any) -> None:
    seen = once()
    with ThreadPoolExecutor(16) as pool:
        told = list(pool.map(lambda n: seen.new(str(n % 50)), range(5_000)))
    assert sum(told) == 50


@pytest.fixture
def recorder(airflow_database: None) -> Any:
    """Makes a recorder, as each process has one; its own thread enters nothing in the time of a test."""
    from trueup_airflow.api.usage import Recorder

    return lambda ledger, **more: Recorder(lambda: ledger, seconds=3600, **more)


ROUTE = "GET /v1/results/{session_id}"


def test_calls_are_summed_over_processes(recorder: Any, ledger: Ledger) -> None:
    one, other = recorder(ledger), recorder(ledger)
    for each, client in ((one, "vera"), (one, "vera"), (other, "vera"), (other, "ursula")):
        each.count(ROUTE, client)
    assert ledger.usage.of([ROUTE]) == []
    assert one.enter()
    assert other.enter()
    assert other.enter()  # nothing is entered twice
    found = ledger.usage.of([ROUTE, "GET /v1/nothing"])
    assert [(row.client, row.calls) for row in found] == [("ursula", 1), ("vera", 3)]
    assert found[1].first_at < found[1].last_at


def test_what_the_ledger_does_not_take_stays_counted(
    recorder: Any, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    recording = recorder(ledger, most=2)
    for client in ("a", "b", "c", "d", "c"):
        recording.count(ROUTE, client)

    def down(_: Any) -> None:
        raise StoreUnavailableError("the ledger did not answer")

    for method in ("is_upgraded", "ledger"):
        with monkeypatch.context() as patch:
            if method == "is_upgraded":
                patch.setattr(ledger, method, lambda: False)  # one of an earlier release
            else:
                patch.setattr(ledger.usage, "add", down)
            recording.count(ROUTE, "a")
            assert not recording.enter()
    assert "the ledger did not answer" in caplog.text
    assert recording.enter()
    # two clients are counted apart, the others as one
    assert {row.client: row.calls for row in ledger.usage.of([ROUTE])} == {"a": 3, "b": 1, "(others)": 3}


def test_where_there_is_no_ledger_that_is_said_once_and_not_at_the_end(
    airflow_database: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from trueup_airflow import connections
    from trueup_airflow.api import entering, metrics, usage

    monkeypatch.delenv("AIRFLOW_CONN_TRUEUP_LEDGER", raising=False)
    connections.ledger.cache_clear()
    monkeypatch.setattr(entering, "_reported", set())
    counts = {"a": 0}
    monkeypatch.setattr(metrics, "counted", lambda: {"x": (SimpleNamespace(as_dict=lambda: dict(counts)), ("a",))})
    recording, sums = usage.Recorder(lambda: connections.ledger(), seconds=3600), metrics.Sums()
    sums.enter()
    caplog.clear()
    recording.enter(leaving=True)
    sums.leave()
    assert caplog.messages == [], "nothing was counted"
    counts["a"] = 2
    recording.count(ROUTE, "vera")
    recording.enter(leaving=True)
    sums.leave()
    assert caplog.messages == []
    entering._reported.clear()
    for _ in range(2):
        assert not recording.enter()
        assert sums.enter() == {"a": 2}
    assert [message.split(":")[0] for message in caplog.messages] == [
        "calls of deprecated routes",
        "counters of the services' routes",
    ]
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
    assert all("define the connection trueup_ledger" in message for message in caplog.messages)
    assert [row.calls for row in recording.counted()] == [1]


def test_who_called_what_how_often_and_when_last(
    viewer: Any, signed_in: Client, results: str, turn: Callable[[str, str], None], ledger: Ledger
) -> None:
    url = "/trueup/api/v2/deprecations"
    unknown = "/trueup/api/v1/results/00000000-0000-0000-0000-000000000000"
    assert {viewer.get(unknown).status_code for _ in range(3)} == {404}
    assert signed_in("ursula", "user").get(unknown).status_code == 404
    assert viewer.get("/trueup/api/v1/results/none").status_code == 422  # these did not reach it
    assert signed_in("nobody", None).get(unknown).status_code == 403
    said = viewer.get(url).json()
    assert said["next_cursor"] is None
    found = {each["route"]: each for each in said["deprecations"]}
    assert list(found) == sorted(found)
    assert {each["successor"] for each in found.values()} == {route.replace("/v1/", "/v2/") for route in found}
    asked = found.pop(ROUTE)
    assert (asked["calls"], asked["sunset"], asked["more_clients"]) == (4, "2027-11-30T00:00:00Z", 0)
    assert [(each["client"], each["calls"]) for each in asked["clients"]] == [("ursula", 1), ("vera", 3)]
    assert asked["last_called_at"] == asked["clients"][0]["last_called_at"]
    assert {(each["calls"], each["last_called_at"]) for each in found.values()} == {(0, None)}

    # by pages
    names: list[str] = []
    cursor = None
    while cursor is not None or not names:
        page = viewer.get(url, params={"limit": 1, **({"cursor": cursor} if cursor else {})}).json()
        names += [each["route"] for each in page["deprecations"]]
        cursor = page["next_cursor"]
    assert names == sorted([ROUTE, *found])
    for wrong in ({"limit": 0}, {"limit": 101}, {"cursor": "x"}, {"cursor": "W10"}):
        assert viewer.get(url, params=wrong).status_code == 422
    assert signed_in("nobody", None).get(url).status_code == 403
    assert signed_in().get(url).status_code == 401
