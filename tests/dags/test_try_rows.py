"""`make try` opens the stores of sources and targets."""

from __future__ import annotations

import pytest

from examples.dynamodb_to_postgres.migration import migration
from trueup_airflow.process import try_rows


def test_a_target_behind_another_connection_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[dict[str, str], bool]] = []

    def shown(_: object, stores: dict[str, str], __: int, *, whole: bool) -> list[str]:
        given.append((stores, whole))
        return []

    monkeypatch.setattr(try_rows, "load_migration", lambda _: migration)
    monkeypatch.setattr(try_rows, "open_store", lambda conn_id: conn_id)
    monkeypatch.setattr(try_rows, "try_out", shown)
    assert [try_rows.main(migration.id, "3", whole) for whole in ("", "1")] == [0, 0]
    assert [(set(stores), whole) for stores, whole in given] == [
        ({"shop_dynamodb", "shop_postgres"}, whole) for whole in (False, True)
    ]
