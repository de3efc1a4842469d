"""The warning about version 1: once per client and day, in bounded memory, also from several threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest


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
