"""Airflow's hooks, asked for what leads to a database: every field and extra of a connection that they know works.

They are asked at each connect, and what they say is kept nowhere, so a connection that is changed is seen, and no token is
too old. A token of a cloud alone is used again for a minute: it is good for fifteen, and to sign one takes up to a second.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException
from airflow.sdk.log import mask_secret, redact  # type: ignore[attr-defined]
from botocore.exceptions import BotoCoreError, ClientError

from include.trueup.errors import StoreRejectedError, StoreUnavailableError, TrueupError
from include.trueup.stores.dynamodb.wire import translated
from include.trueup.stores.parameters import parameters

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from pydantic import JsonValue

REDSHIFT = ("redshift", "redshift-serverless", "cluster-identifier", "workgroup-name")
"""Extras of a connection of type postgres that lead to Amazon Redshift."""
TOKEN_SECONDS = 60.0
"""How long a token is used again."""
_OF_PYTHON = ("cursor_factory", "row_factory")
"""What the hook tells psycopg for the rows of its own cursors."""
_OF_HOOKS = (AirflowException, ValueError, TypeError, LookupError, AttributeError, RuntimeError, ImportError, OSError)
"""What the hooks raise by themselves."""
_Login = tuple[str, str, int]
"""User, token and port."""


class _Tokens:
    """The tokens that this process was given in the last minute, by all that they were asked for with."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._given: dict[str, tuple[float, _Login]] = {}

    def last(self, asked: str) -> _Login | None:
        with self._lock:
            now = time.monotonic()
            self._given = {key: each for key, each in self._given.items() if now - each[0] < TOKEN_SECONDS}
            return self._given[asked][1] if asked in self._given else None

    def keep(self, asked: str, login: _Login) -> None:
        with self._lock:
            self._given[asked] = time.monotonic(), login


_tokens = _Tokens()
_seen: set[str] = set()
"""The connections that were there when this process asked for them."""


class _Asked(PostgresHook):
    """The hook, up to where it would connect."""

    def _create_connection(self, conn_args: Any) -> Any:
        return {name: value for name, value in conn_args.items() if name not in _OF_PYTHON}

    def get_iam_token(self, conn: Connection) -> _Login:
        extra = conn.extra_dejson
        asked = repr((conn.host, conn.port, conn.login, extra.get("aws_conn_id"), extra.get("azure_conn_id")))
        login = _tokens.last(asked)
        if login is None:
            login = super().get_iam_token(conn)
            mask_secret(login[1])
            _tokens.keep(asked, login)
        return login


def postgres_parameters(conn_id: str) -> dict[str, str]:
    """What `PostgresHook` would tell libpq now for a connection of type `postgres`, its token signed.

    Raises `StoreRejectedError` where the hook refuses the connection, or libpq does not know an extra, and for the extras
    of Redshift; `StoreUnavailableError` where the connection cannot be looked up again, or who gives a token does not
    answer; Airflow's own error for a connection that was never there."""
    hook = _Asked(postgres_conn_id=conn_id)
    try:
        extra = hook.connection.extra_dejson
    except AirflowNotFoundException as error:  # what Airflow says, too, while its API server does not answer
        if conn_id not in _seen:
            raise
        raise StoreUnavailableError(f"Airflow does not give connection {conn_id!r} any more: {error}") from error
    _seen.add(conn_id)
    if redshift := [name for name in REDSHIFT if extra.get(name)]:
        raise StoreRejectedError(
            f"connection {conn_id!r}: {', '.join(redshift)} in its extra is for Amazon Redshift, which Trueup does not write to: "
            "it keeps no key unique and locks no row. Take it out, or name a database of PostgreSQL"
        )
    with _refused(conn_id):
        given = cast("Mapping[str, JsonValue]", hook.get_conn())
        return parameters({**(extra.get("sqlalchemy_query") or {}), **given})


def dynamodb_client(conn_id: str) -> DynamoDBClient:
    """The boto3 client of a connection of type `aws`, as Airflow's hook makes it: with its credentials, which renew
    themselves where a role is assumed, its region, endpoint and configuration. Not `DynamoDBHook`'s, which is the same
    one made to speak Python's types, where rows would lose digits.

    Raises `StoreRejectedError` where there are no credentials or no region, or the role is not given, and
    `StoreUnavailableError` where who gives it does not answer."""
    with _refused(conn_id):
        return cast("DynamoDBClient", AwsBaseHook(aws_conn_id=conn_id, client_type="dynamodb").get_conn())


@contextmanager
def _refused(conn_id: str) -> Iterator[None]:
    """What a hook raises in the block, as Trueup's own error, with the connection's name and without its secrets."""
    begins = f"connection {conn_id!r}:"
    try:
        yield
    except TrueupError as error:
        raise type(error)(f"{begins} {error}") from None
    except (BotoCoreError, ClientError) as error:
        later = isinstance(translated(error, place=conn_id), StoreUnavailableError)
        message = f"{begins} AWS gives nothing for it: {redact(str(error))}."
        raise (StoreUnavailableError if later else StoreRejectedError)(message) from None
    except _OF_HOOKS as error:  # an extra that the hook does not take, a provider that is not installed
        raise StoreRejectedError(f"{begins} Airflow's hook refuses it: {redact(str(error))}. Correct it.") from None
