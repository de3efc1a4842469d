"""What libpq is told, and what it says when it lets nobody in."""

from __future__ import annotations

import pytest

from include.trueup.errors import StoreRejectedError
from include.trueup.stores.parameters import asking, conninfo, is_refusal, named, parameters, place_of, secrets


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ('FATAL:  password authentication failed for user "ada"', True),
        ('FATAL:  PAM authentication failed for user "ada"', True),
        ("SSL error: certificate verify failed", True),
        ("server does not support SSL, but SSL was required", True),
        ("SSL error: tlsv13 alert certificate required", True),
        ('invalid sslmode value: "requires"', True),
        ('definition of service "x" not found', True),
        ("SSL connection has been closed unexpectedly", False),
        ("consuming input failed: SSL SYSCALL error: EOF detected", False),
        ("Connection refused. Is the server running on that host and accepting TCP/IP connections?", False),
    ],
)
def test_a_connection_that_breaks_is_tried_again_and_one_that_is_refused_is_not(said: str, refused: bool) -> None:
    assert is_refusal(said) is refused


def test_a_place_names_neither_user_nor_password(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGPORT", "PGUSER", "PGDATABASE"):
        monkeypatch.delenv(name, raising=False)
    ask = asking("postgresql://ada:s3cret@db.example.com/orders?sslpassword=s4cret")
    assert place_of(ask()) == "db.example.com:5432/orders"
    assert place_of(named(ask, "other")()) == "db.example.com:5432/other"
    assert place_of({"service": "mine", "password": "s3cret"}) == "service mine"
    assert place_of({"service": "mine", "dbname": "other"}) == "service mine/other"
    assert secrets(ask()) == {"password": "s3cret", "sslpassword": "s4cret"}


def test_what_is_empty_is_not_said_and_what_libpq_does_not_know_is_refused_by_its_name() -> None:
    assert parameters({"host": "", "port": 5432, "user": None, "keepalives": 1}) == {"port": "5432", "keepalives": "1"}
    assert asking(conninfo({"password": "a'b\\c d"}))() == {"password": "a'b\\c d"}
    with pytest.raises(StoreRejectedError, match="sslca: no parameter of a PostgreSQL connection has this name"):
        parameters({"sslca": "s3cret"})
    with pytest.raises(StoreRejectedError, match="neither a libpq URI") as refused:
        asking("host=db s3cret")
    assert "s3cret" not in str(refused.value)
