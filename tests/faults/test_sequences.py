"""A sequence that is advanced while applications take values of it never goes backwards."""

from __future__ import annotations

import pytest

from include.embedded import postgres
from include.trueup.declare import Table, columns
from include.trueup.stores.postgres import sequences
from tests.small import Database

PERSONS = Table(name="persons", connection="target", key=("id",), columns=columns(integer="id"))


@pytest.mark.parametrize("by", [1, -3])
@pytest.mark.parametrize("far", [6, 100_000], ids=["near", "far"])
def test_values_that_applications_take_meanwhile_are_not_given_twice(
    postgres_server: postgres.Server, monkeypatch: pytest.MonkeyPatch, far: int, by: int
) -> None:
    database, sign = Database(postgres_server, 0), by // abs(by)
    database.sql(
        f"CREATE TABLE persons (id bigint GENERATED ALWAYS AS IDENTITY (INCREMENT {by}) PRIMARY KEY)",
        f"INSERT INTO persons OVERRIDING SYSTEM VALUE VALUES ({far * sign})",
    )
    is_behind = sequences._is_behind
    looks: list[dict[str, int | bool | None]] = []

    def application(state: dict[str, int | bool | None]) -> bool:
        if not looks:  # between the look at the sequence and what is done about it
            database.sql(f"SELECT setval('persons_id_seq', {far * 3 * sign})")
        looks.append(state)
        return is_behind(state)

    monkeypatch.setattr(sequences, "_is_behind", application)
    (advanced,) = database.store.advance(PERSONS)
    assert len(looks) == 2
    assert advanced.holds
    ((value,),) = database.sql("INSERT INTO persons DEFAULT VALUES RETURNING id")
    assert value * sign > far * 3


@pytest.mark.parametrize("by", [1, 7, -3])
@pytest.mark.parametrize("far", [1, 6, 100_000])
def test_the_next_value_is_beyond_what_is_there(postgres_server: postgres.Server, far: int, by: int) -> None:
    database, sign = Database(postgres_server, 0), by // abs(by)
    database.sql(
        f"CREATE TABLE persons (id bigint GENERATED ALWAYS AS IDENTITY (INCREMENT {by}) PRIMARY KEY)",
        f"INSERT INTO persons OVERRIDING SYSTEM VALUE VALUES ({far * sign})",
    )
    (advanced,) = database.store.advance(PERSONS)
    assert advanced.holds
    ((value,),) = database.sql("INSERT INTO persons DEFAULT VALUES RETURNING id")
    assert value * sign > far
