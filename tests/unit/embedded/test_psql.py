"""`make psql`: which connections lead to an embedded database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from include.embedded.connections import database_of
from include.embedded.home import Home
from include.embedded.psql import psql
from include.trueup.errors import OptionsError


def test_each_has_a_database_of_its_name() -> None:
    assert [database_of(conn_id) for conn_id in ("crm_postgres", "trueup_ledger")] == ["crm", "trueup"]


@pytest.mark.parametrize("terminal", [True, False])
def test_a_person_is_told_what_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], terminal: bool
) -> None:
    def start(*_: Any, say: Callable[[str], None] | None, **__: Any) -> Any:
        (say or (lambda line: None))("Starting PostgreSQL …")
        raise KeyboardInterrupt

    monkeypatch.setattr("include.embedded.servers.in_use", start)
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    with pytest.raises(KeyboardInterrupt):
        psql(Home(tmp_path), {}, "crm_postgres")
    assert capsys.readouterr().err == "Starting PostgreSQL …\n" * terminal


@pytest.mark.parametrize(
    ("given", "conn_id", "said"),
    [
        ({}, "kpi_dynamodb", "is no connection to PostgreSQL, .*; make dynamodb ON=kpi_dynamodb"),
        ({}, "shop_pg", "did you mean 'shop_postgres'?"),
        ({"AIRFLOW_CONN_CRM_POSTGRES": "postgresql://db"}, "crm_postgres", "AIRFLOW_CONN_CRM_POSTGRES is set"),
    ],
)
def test_no_other_store_is_touched(tmp_path: Path, given: dict[str, str], conn_id: str, said: str) -> None:
    with pytest.raises(OptionsError, match=said):
        psql(Home(tmp_path), given, conn_id)
    assert [*tmp_path.iterdir()] == []
