"""Connections of type aws, by Airflow's hook: what its extras do to DynamoDB's client, roles, and tokens of RDS.

Tokens are signed without a network. STS is a small server that gives a role, or does not; no request goes to AWS."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from include.embedded import postgres
from include.trueup.errors import StoreRejectedError, StoreUnavailableError
from include.trueup.stores.postgres import PostgresStore
from tests.harness import new_database, run_sql

ROLE = "arn:aws:iam::123456789012:role/mover"
SECRET = "wJalrXUtnFEMI/K7MDENG"
ONCE = {"retries": {"total_max_attempts": 1}}
Give = Callable[..., None]


@pytest.fixture
def give(monkeypatch: pytest.MonkeyPatch, airflow_database: None) -> Give:
    """Give Airflow a connection, its fields first: `give("x_dynamodb", "aws", extra={"region_name": "eu-west-1"})`."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    def give(id: str, kind: str, **fields: Any) -> None:
        monkeypatch.setenv(f"AIRFLOW_CONN_{id.upper()}", json.dumps({"conn_type": kind, **fields}))

    return give


class Sts:
    """Asked for a role, it gives `key`, or answers with `status`; `asked` has the requests."""

    def __init__(self) -> None:
        self.status, self.key, self.asked = 200, "ASIAROLE", list[dict[str, str]]()
        self.endpoint = ""


@contextmanager
def serving(sts: Sts) -> Iterator[Sts]:
    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            sts.asked.append({name: values[0] for name, values in parse_qs(body).items()})
            action = sts.asked[-1]["Action"]
            until = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
            given = (
                f"<{action}Response xmlns='https://sts.amazonaws.com/doc/2011-06-15/'><{action}Result><Credentials>"
                f"<AccessKeyId>{sts.key}</AccessKeyId><SecretAccessKey>of the role</SecretAccessKey>"
                f"<SessionToken>of the session</SessionToken><Expiration>{until}</Expiration></Credentials>"
                f"</{action}Result></{action}Response>"
            )
            refused = (
                "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not for you</Message></Error></ErrorResponse>"
            )
            self.send_response(sts.status)
            self.end_headers()
            self.wfile.write((given if sts.status == 200 else refused).encode())

        def log_message(self, *_: Any) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sts.endpoint = f"http://127.0.0.1:{server.server_port}"
        yield sts
        server.shutdown()


@pytest.fixture
def sts() -> Iterator[Sts]:
    """An STS of this machine."""
    with serving(Sts()) as given:
        yield given


def client_of(id: str = "x_dynamodb") -> Any:
    from include.trueup.stores.dynamodb import DynamoDBStore
    from trueup_airflow import connections

    store = connections.open_store(id)
    assert isinstance(store, DynamoDBStore)
    return store.client


def test_the_extras_of_a_connection_make_the_client(
    give: Give, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("")
    give(
        "x_dynamodb",
        "aws",
        extra={
            "aws_access_key_id": "AKIAEXTRA",
            "aws_secret_access_key": SECRET,
            "aws_session_token": "for an hour",
            "region_name": "eu-central-1",
            "endpoint_url": "http://everything:1",
            "service_config": {"dynamodb": {"endpoint_url": "http://tables:2"}},
            "verify": str(bundle),
            "config_kwargs": {"retries": {"total_max_attempts": 12}, "max_pool_connections": 7, "read_timeout": 3},
        },
    )
    client = client_of()
    credentials = client._request_signer._credentials.get_frozen_credentials()
    assert tuple(credentials)[:3] == ("AKIAEXTRA", SECRET, "for an hour")
    assert (client.meta.region_name, client.meta.endpoint_url) == ("eu-central-1", "http://tables:2")
    assert client._endpoint.http_session._verify == str(bundle)
    config = client.meta.config
    assert (config.retries["total_max_attempts"], config.max_pool_connections, config.read_timeout) == (12, 7, 3)

    (tmp_path / "credentials").write_text("[mover]\naws_access_key_id = AKIAFILE\naws_secret_access_key = of a file\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    give("x_dynamodb", "aws", extra={"profile_name": "mover", "region_name": "eu-west-1", "verify": False})
    client = client_of()
    assert client._request_signer._credentials.access_key == "AKIAFILE"
    assert client.meta.endpoint_url == "https://dynamodb.eu-west-1.amazonaws.com"
    assert client._endpoint.http_session._verify is False
    give("x_dynamodb", "aws", extra={"region_name": "us-east-1", "config_kwargs": {"use_fips_endpoint": True}})
    assert client_of().meta.endpoint_url == "https://dynamodb-fips.us-east-1.amazonaws.com"


@pytest.mark.parametrize("method", ["assume_role", "assume_role_with_web_identity"])
def test_a_role_is_assumed(method: str, give: Give, sts: Sts, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("of the cluster")
    extra = {
        "region_name": "eu-central-1",
        "role_arn": ROLE,
        "assume_role_method": method,
        "assume_role_kwargs": {"DurationSeconds": 900} if method == "assume_role" else {},
        "assume_role_with_web_identity_federation": "file",
        "assume_role_with_web_identity_token_file": str(tmp_path / "token"),
        "service_config": {"sts": {"endpoint_url": sts.endpoint}},
    }
    give("x_dynamodb", "aws", login="AKIABASE", password=SECRET, extra=extra)
    credentials = client_of()._request_signer._credentials.get_frozen_credentials()
    assert (credentials.access_key, credentials.token) == ("ASIAROLE", "of the session")
    (asked,) = sts.asked
    assert asked["RoleArn"] == ROLE
    assert asked.get("DurationSeconds", "900") == "900"
    assert asked.get("WebIdentityToken", "of the cluster") == "of the cluster"


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [(403, StoreRejectedError, "AccessDenied.*not for you"), (503, StoreUnavailableError, "AWS gives nothing for it")],
)
def test_a_role_that_is_not_given_is_said_without_secrets(
    status: int, error: type[Exception], said: str, give: Give, sts: Sts, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    sts.status = status
    extra = {"role_arn": ROLE, "region_name": "eu-central-1", "config_kwargs": ONCE}
    service = {"service_config": {"sts": {"endpoint_url": sts.endpoint}}}
    give("x_dynamodb", "aws", login="AKIABASE", password=SECRET, extra=extra | service)
    with pytest.raises(error, match=f"connection 'x_dynamodb': .*{said}") as refused:
        client_of()
    assert SECRET not in f"{refused.getrepr(showlocals=False)}{caplog.text}"


def test_a_token_of_rds_is_signed_for_that_user_and_server_and_is_the_password(
    give: Give,
    sts: Sts,
    postgres_server: postgres.Server,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from trueup_airflow import connections, hooks

    caplog.set_level(logging.INFO)
    uri = new_database(postgres_server)
    name = str(psycopg.conninfo.conninfo_to_dict(uri)["dbname"])
    assumed = {
        "role_arn": ROLE,
        "region_name": "eu-central-1",
        "service_config": {"sts": {"endpoint_url": sts.endpoint}},
    }
    give("rds_aws", "aws", login="AKIABASE", password=SECRET, extra=assumed)
    # the host's name is signed; where it is, the extra says
    iam = {"iam": True, "aws_conn_id": "rds_aws", "host": postgres_server.socket_dir}
    give("x_postgres", "postgres", host="db.example.com", login="tokens", schema=name, extra=iam)
    token = hooks.postgres_parameters("x_postgres")["password"]
    signed = urlsplit(f"https://{token}")
    asked = {name: values[0] for name, values in parse_qs(signed.query).items()}
    assert signed.netloc == "db.example.com:5432"
    assert (asked["Action"], asked["DBUser"], asked["X-Amz-Expires"]) == ("connect", "tokens", "900")
    assert asked["X-Amz-Credential"].startswith("ASIAROLE/")
    assert asked["X-Amz-Credential"].endswith("/eu-central-1/rds-db/aws4_request")
    assert asked["X-Amz-Security-Token"] == "of the session"

    # who has it gets in: the server is told the token as that user's password
    run_sql(uri, f"CREATE ROLE tokens LOGIN PASSWORD '{token}'")
    rules = postgres_server.data_dir / "pgdata" / "pg_hba.conf"
    rules.write_text(f"local all tokens scram-sha-256\n{rules.read_text()}")
    run_sql(uri, "SELECT pg_reload_conf()")
    store = connections.open_store("x_postgres")
    assert isinstance(store, PostgresStore)
    with store.connect() as connection:
        assert connection.execute("SELECT session_user").fetchone() == ("tokens",)
    assert len(sts.asked) == 1  # the token is used again for a minute

    sts.key = "ASIALATER"
    monkeypatch.setattr(hooks, "TOKEN_SECONDS", 0)
    assert "ASIALATER" in hooks.postgres_parameters("x_postgres")["password"]
    with pytest.raises(StoreRejectedError, match='authentication failed for user "tokens"') as refused:
        with store.connect():
            pass
    shown = f"{refused.getrepr(showlocals=False)}{caplog.text}{store!r}"
    assert not [secret for secret in (SECRET, token, "of the role", "X-Amz-Signature") if secret in shown]
