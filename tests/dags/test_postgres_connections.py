"""Connections of type postgres, by Airflow's hook: their fields and extras, tokens, and secrets that nobody sees."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from include.embedded import postgres
from include.trueup.declare.migration import Table, Type
from include.trueup.errors import StoreRejectedError
from include.trueup.schema import clone, describe
from include.trueup.stores.postgres import PostgresStore
from tests.harness import new_database, run_sql

Connect = Callable[..., None]
CORE = "ub4dor-Zebra"
PASSWORD = f"p'a\\s\"s w%20:@/?#&={{}}$é\n{CORE}\t "
THING = Table(name="thing", connection="x_postgres", key=("id",), columns={"id": Type.INTEGER})


@pytest.fixture(scope="module")
def database(postgres_server: postgres.Server) -> str:
    """A database of which role `hostile` needs its password, and everybody else needs none."""
    uri = new_database(postgres_server)
    run_sql(
        uri,
        "CREATE ROLE hostile LOGIN SUPERUSER",
        "CREATE TABLE thing (id bigint PRIMARY KEY)",
        "ALTER TABLE thing OWNER TO hostile",
    )
    rules = postgres_server.data_dir / "pgdata" / "pg_hba.conf"
    rules.write_text(f"local all hostile scram-sha-256\n{rules.read_text()}")
    run_sql(uri, "SELECT pg_reload_conf()")
    return uri


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch, database: str, postgres_server: postgres.Server) -> Connect:
    """Give Airflow the connection x_postgres to that database: `connect(login="ada", sslmode="require")`."""
    known = {"host", "login", "password", "port", "schema", "conn_type"}
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]

    def give(id: str = "x_postgres", **given: Any) -> None:
        at = {"conn_type": "postgres", "host": str(postgres_server.socket_dir), "login": "postgres", "schema": name}
        fields = at | {field: value for field, value in given.items() if field in known}
        extra = {field: value for field, value in given.items() if field not in known}
        monkeypatch.setenv(f"AIRFLOW_CONN_{id.upper()}", json.dumps({**fields, "extra": extra}))

    give("trueup_ledger")
    return give


@pytest.fixture
def password(database: str) -> Callable[[str], None]:
    """Set the password of role `hostile`."""

    def set_it(text: str) -> None:
        run_sql(database, psycopg.sql.SQL("ALTER ROLE hostile PASSWORD {}").format(text).as_string(None))

    return set_it


def opened() -> PostgresStore:
    from trueup_airflow import connections

    store = connections.open_store("x_postgres")
    assert isinstance(store, PostgresStore)
    return store


def ways_in() -> dict[str, Callable[[], object]]:
    """Every way in which a database is connected to, by the driver that does it."""
    from trueup_airflow import connections

    def sql(query: str = "SELECT count(*) FROM thing") -> object:
        with describe.connected(connections.database("x_postgres"), "look") as connection:
            return connection.execute(sa.text(query)).scalar_one()

    store = opened()
    return {
        "ADBC": lambda: store.describe(THING),
        "psycopg": store.server,
        "SQLAlchemy": sql,
        "the ledger": lambda: connections.ledger().is_upgraded(),
    }


@pytest.fixture(autouse=True)
def forget(airflow_database: None) -> Iterator[None]:
    """Each test has a ledger of its own."""
    from trueup_airflow import connections

    connections.ledger.cache_clear()
    yield
    if connections.ledger.cache_info().currsize:
        connections.ledger().close()
    connections.ledger.cache_clear()


def test_a_password_of_any_characters_is_asked_for_at_each_connect_and_shown_by_nobody(
    connect: Connect, password: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    password(PASSWORD)
    for id in ("x_postgres", "trueup_ledger"):
        connect(id, login="hostile", password=PASSWORD)
    ways, store = ways_in(), opened()
    assert [type(way()) for way in ways.values()]
    said = [repr(store), repr(vars(store))]
    password(f"{PASSWORD}2")
    from trueup_airflow import connections

    connections.ledger().close()  # its sessions, which nobody ends while a password changes
    for way in ways.values():
        with pytest.raises(StoreRejectedError, match="password authentication failed") as refused:
            way()
        said.append(f"{refused.getrepr(showlocals=False)}")
    for id in ("x_postgres", "trueup_ledger"):
        connect(id, login="hostile", password=f"{PASSWORD}2")
    assert [type(way()) for way in ways.values()]
    assert len(said) == 6
    assert CORE not in "".join([*said, caplog.text])


def test_a_login_that_changes_between_two_uses_is_told_to_the_driver_that_is_kept(
    connect: Connect, password: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trueup_airflow import hooks

    asked: list[str] = []
    ask = hooks.postgres_parameters

    def noted(conn_id: str) -> dict[str, str]:
        asked.append(conn_id)
        return ask(conn_id)

    monkeypatch.setattr(hooks, "postgres_parameters", noted)
    connect(login="hostile", password=f"{PASSWORD}0")
    store, drivers = opened(), set()
    for number in range(3):
        # as a token is: the one that was used before is not good any more, and nothing failed in between
        password(f"{PASSWORD}{number}")
        connect(login="hostile", password=f"{PASSWORD}{number}")
        before = len(asked)
        assert store.describe(THING) is not None
        assert asked[before:], "the hook is asked at each connect"
        ((_, made, _),) = store._address._drivers._idle
        drivers.add(id(made))
    assert len(drivers) == 1, "it was the same driver each time"


def test_a_database_in_use_is_copied_with_what_the_hook_says(
    connect: Connect, password: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trueup_airflow import connections

    password(PASSWORD)
    connect(login="hostile", password=PASSWORD, application_name="copies")
    monkeypatch.setenv(clone.PG_BIN, str(postgres._BIN))
    with opened().connect() as used:
        used.execute("SELECT 1")
        with clone.clone_of(connections.database("x_postgres"), "hostile_copy") as (copy, how):
            assert how == "pg_dump"
            with describe.connected(copy, "look") as connection:
                assert connection.exec_driver_sql("SELECT current_database()").scalar_one() == "hostile_copy"
        connect(login="hostile", password=f"not {CORE}")
        with pytest.raises(StoreRejectedError, match="password authentication failed") as refused:
            clone._copy(connections.database("x_postgres"), "hostile_copy", postgres._BIN)
        assert CORE not in str(refused.value)
        connect(login="hostile", password=PASSWORD, sslpassword=CORE)
        with pytest.raises(StoreRejectedError, match="pg_dump cannot be told sslpassword") as refused:
            clone._copy(connections.database("x_postgres"), "hostile_copy", postgres._BIN)
        assert CORE not in str(refused.value)


EXTRAS: dict[str, tuple[dict[str, Any], str, str]] = {
    "application_name": ({"application_name": "mine"}, "current_setting('application_name')", "mine"),
    "options": ({"options": "-c search_path=elsewhere"}, "current_setting('search_path')", "elsewhere"),
    "keepalives": ({"keepalives": 1, "keepalives_idle": 7, "keepalives_count": 2}, "1::text", "1"),
    "tls": (
        {"sslmode": "prefer", "sslcert": "/n", "sslkey": "/n", "sslrootcert": "/n", "sslcrl": "/n"},
        "1::text",
        "1",
    ),
    "gssencmode": ({"gssencmode": "disable", "channel_binding": "prefer"}, "1::text", "1"),
    "client_encoding": ({"client_encoding": "LATIN1"}, "current_setting('client_encoding')", "UTF8"),
    "target_session_attrs": ({"target_session_attrs": "read-write"}, "1::text", "1"),
    "cursor": ({"cursor": "dictcursor"}, "1::text", "1"),
    "sqlalchemy": (
        {"sqlalchemy_scheme": "postgresql+psycopg2", "sqlalchemy_query": {"application_name": "query"}},
        "current_setting('application_name')",
        "query",
    ),
    "unused": ({"iam": False, "redshift": False, "aws_conn_id": "nobody", "azure_conn_id": "nobody"}, "1::text", "1"),
}


@pytest.mark.parametrize("name", EXTRAS)
def test_an_extra_reaches_the_server_by_every_driver(name: str, connect: Connect) -> None:
    extra, query, value = EXTRAS[name]
    for id in ("x_postgres", "trueup_ledger"):
        connect(id, **extra)
    assert seen(query) == {"ADBC": value, "psycopg": value, "SQLAlchemy": value, "the ledger": value}


def seen(query: str) -> dict[str, object]:
    """What a query gives over each driver."""
    from include.trueup.ledger import sessions
    from include.trueup.stores.postgres.session import session
    from trueup_airflow import connections

    store, text = opened(), f"SELECT {query} AS it"
    with session(store._address, doing="look") as by_rows:
        found: dict[str, object] = {"ADBC": by_rows.fetch(text).to_pylist()[0]["it"]}
    with store.connect() as connection:
        found["psycopg"] = connection.execute(text.encode()).fetchall()[0][0]
    with describe.connected(connections.database("x_postgres"), "look") as by_schemas:
        found["SQLAlchemy"] = by_schemas.exec_driver_sql(text).scalar_one()
    with sessions.transaction(connections.ledger()._engine) as by_ledger:
        found["the ledger"] = by_ledger.exec_driver_sql(text).scalar_one()
    return found


def test_what_libpq_is_told_is_what_the_hook_would_tell_it(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    from trueup_airflow.hooks import postgres_parameters

    told: list[dict[str, Any]] = []
    monkeypatch.setattr(psycopg.Connection, "connect", lambda **given: told.append(given))
    monkeypatch.setattr("airflow.providers.postgres.hooks.postgres.register_default_adapters", lambda _: None)
    for extra, _, _ in EXTRAS.values():
        connect(port=5432, password="sec:ret", **{**extra, "cursor": None, "sqlalchemy_query": {}})
        PostgresHook(postgres_conn_id="x_postgres").get_conn()
        assert postgres_parameters("x_postgres") == {name: str(value) for name, value in told[-1].items()}


def test_a_service_says_where_it_is(
    connect: Connect, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = psycopg.conninfo.conninfo_to_dict(database)
    text = "".join(f"{name}={at[name]}\n" for name in ("host", "port", "dbname", "user"))
    (tmp_path / "services").write_text(f"[mine]\n{text}application_name=of_a_service\n")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    for id in ("x_postgres", "trueup_ledger"):
        connect(id, host="", login="", schema="", service="mine")
    named = seen("current_database()::text")
    assert set(named.values()) == {at["dbname"]}
    assert opened()._address.place == "service mine"
    connect(host="", login="", schema="", service="other")
    with pytest.raises(StoreRejectedError, match=r"service other.*definition of service .other. not found"):
        opened().describe(THING)


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"redshift": True, "iam": True}, "redshift in its extra is for Amazon Redshift"),
        ({"redshift-serverless": True}, "redshift-serverless in its extra"),
        ({"cluster-identifier": "c"}, "cluster-identifier in its extra"),
        ({"workgroup-name": "w", "redshift": True}, "redshift, workgroup-name in its extra"),
        ({"sslca": "/tmp/ca.pem", "mistake": 1}, "mistake, sslca: no parameter of a PostgreSQL connection"),
        ({"cursor": "realdictcursor"}, "realdictcursor is not supported"),
        ({"iam": True, "aws_conn_id": "nobody"}, "AWS gives nothing for it: You must specify a region"),
        ({"iam": True, "azure_conn_id": "nobody"}, "nobody"),
    ],
)
def test_what_cannot_be_is_refused_by_name(
    extra: dict[str, Any], said: str, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    connect(**extra)
    with pytest.raises(StoreRejectedError, match=f"x_postgres.*{said}"):
        opened()
