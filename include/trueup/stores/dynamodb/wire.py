"""DynamoDB's wire: ready-made JSON requests through botocore's signer and connections, with boto3's retries.

boto3 spends most of its CPU in validating parameters and walking response shapes. Rows that are DynamoDB JSON already
need neither, so this sends the bytes itself and takes the rest (endpoint, credentials and their refresh, signature,
TLS, proxies, timeouts, connection pool, number of attempts) from the client it is given.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import orjson
from botocore.awsrequest import AWSRequest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.exceptions import ConnectionError as UnreachableError

from ...errors import StoreRejectedError, StoreUnavailableError
from .. import Outcome, ask_fence
from ..effects import REAL, Effects

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

logger = logging.getLogger(__name__)
Answer = TypeVar("Answer")

MIN_ATTEMPTS = 8
FIRST_PAUSE_SECONDS = 0.05
MAX_PAUSE_SECONDS = 20.0

TRANSIENT_CODES = frozenset(
    {
        "InternalServerError",
        "LimitExceeded",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingError",
        "TransactionConflict",
        "TransactionInProgress",
    }
)
"""Error codes, without the `Exception` that some of them end with, after which the same request may succeed."""


class RejectedError(StoreRejectedError):
    """A `StoreRejectedError` with DynamoDB's error code, without the `Exception` it may end with."""

    def __init__(self, code: str, message: str, reasons: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.reasons = reasons
        """Of a transaction that was cancelled: a code for each of its actions, `None` for those that could be done."""


class Backoff:
    """How long to wait before the same thing is tried again: exponential with full jitter.

    Each pause is at most 20 s; after `attempts` failures in a row it gives up.
    """

    def __init__(self, attempts: int, effects: Effects = REAL) -> None:
        self._attempts = attempts
        self._effects = effects
        self._failures = 0

    def progress(self) -> None:
        """Something got through: count failures from zero again."""
        self._failures = 0

    def pause(self, operation: str, table: str, message: str) -> None:
        """Wait for the next try. Raises `StoreUnavailableError`, with the store's last `message`, if there is none."""
        self._failures += 1
        if self._failures >= self._attempts:
            raise StoreUnavailableError(
                f"DynamoDB did not complete {operation} on table {table!r} in {self._failures} attempts; it last said: "
                f"{message}. The work done so far is kept; run the same step again when the store has recovered."
            )
        logger.info("%s on table %r is tried again (%d): %s", operation, table, self._failures, message)
        longest = min(MAX_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**self._failures)
        self._effects.sleep(self._effects.uniform(0, longest))


class Wire:
    """Requests to the endpoint of a boto3 DynamoDB client. Safe to use from several threads at once."""

    def __init__(self, client: DynamoDBClient, effects: Effects = REAL) -> None:
        self.effects = effects
        # botocore offers no public way to its signer and connections; both names have been stable for a decade
        inside: Any = client
        self._signer = inside._request_signer
        self._session = inside._endpoint.http_session
        self._url = client.meta.endpoint_url.rstrip("/") + "/"
        self._region = client.meta.region_name
        self.attempts: int = max(MIN_ATTEMPTS, (inside.meta.config.retries or {}).get("total_max_attempts", 0))
        """How often a request is sent at most."""
        self.connections: int = inside.meta.config.max_pool_connections
        """How many requests can be under way at once."""
        self.endpoint = f"{urlsplit(self._url).netloc.rpartition('@')[2]}/{self._region}"
        """Host, port and region: which DynamoDB this is."""

    def backoff(self) -> Backoff:
        """A new `Backoff` with this client's number of attempts."""
        return Backoff(self.attempts, self.effects)

    def call(
        self, operation: str, table: str, body: bytes, outcome: Outcome | None = None, attempts: int | None = None
    ) -> dict[str, Any]:
        """Send a request, again if need be, and return the parsed answer.

        `body` is the request's JSON. Each further try is counted in `outcome.retries`. Raises `RejectedError` for
        what DynamoDB refuses, `StoreUnavailableError` when it throttled, failed or was out of reach `attempts` times.
        """
        answer: dict[str, Any] = self.call_parsed(operation, table, body, orjson.loads, outcome, attempts)
        return answer

    def call_parsed(
        self,
        operation: str,
        table: str,
        body: bytes,
        parse: Callable[[bytes], Answer],
        outcome: Outcome | None = None,
        attempts: int | None = None,
    ) -> Answer:
        """`call` with the answer's bytes parsed by `parse`, which raises `orjson.JSONDecodeError` for what is no JSON."""
        backoff = Backoff(attempts or self.attempts, self.effects)
        while True:
            reason = ""
            ask_fence()
            try:
                status, content, checksum = self._send(operation, body)
            except (NoCredentialsError, PartialCredentialsError) as error:
                raise RejectedError(
                    "NoCredentials",
                    f"no AWS credentials for {operation} on table {table!r}: {error}. Set them on the connection.",
                ) from error
            except BotoCoreError as error:
                reason = f"{type(error).__name__}: {error}"
            else:
                if checksum is not None and zlib.crc32(content) != int(checksum):
                    reason = "an answer whose CRC32 checksum does not match its content"
                elif status == 200:
                    try:
                        return parse(content)
                    except orjson.JSONDecodeError as error:
                        reason = f"an answer that is not JSON: {error}"
                else:
                    code, message = error_of(content)
                    reason = f"HTTP {status} {code}: {message}"
                    if status < 500 and code not in TRANSIENT_CODES:
                        reason = f"DynamoDB refused {operation} on table {table!r}: {code}: {message}"
                        raise RejectedError(code, reason, reasons_of(content))
            backoff.pause(operation, table, reason)
            if outcome is not None:
                outcome.retries += 1

    def _send(self, operation: str, body: bytes) -> tuple[int, bytes, str | None]:
        """Status, body and CRC32 header of the answer to one request."""
        request = AWSRequest(
            method="POST",
            url=self._url,
            headers={
                "Content-Type": "application/x-amz-json-1.0",
                "X-Amz-Target": f"DynamoDB_20120810.{operation}",
                "User-Agent": "trueup",
            },
            data=body,
        )
        # a new instance each time: it carries the credentials as they are now, refreshed where they expire
        self._signer.get_auth_instance("dynamodb", self._region, "v4").add_auth(request)
        response = self._session.send(request.prepare())
        return response.status_code, response.content, response.headers.get("x-amz-crc32")


def translated(error: BotoCoreError | ClientError, *, place: str) -> StoreUnavailableError | StoreRejectedError:
    """An error of boto3 as Trueup's own; boto3 has tried again already. `place`: host, port and region, for the message."""
    message = f"DynamoDB at {place}: {error}"
    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", "").removesuffix("Exception")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        lasting = status < 500 and code not in TRANSIENT_CODES
        return RejectedError(code, message) if lasting else StoreUnavailableError(f"{message} Try again later.")
    if isinstance(error, UnreachableError | HTTPClientError):
        return StoreUnavailableError(f"{message} Try again later.")
    return RejectedError(type(error).__name__, message)


def error_of(content: bytes) -> tuple[str, str]:
    """Code (without namespace and final `Exception`) and message of an error answer's body."""
    try:
        error = orjson.loads(content)
        code = str(error["__type"]).rpartition("#")[2].removesuffix("Exception")
        return code, str(error.get("message") or error.get("Message") or "no message")
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
        return "Unknown", " ".join(content[:200].decode(errors="replace").split())


def reasons_of(content: bytes) -> tuple[str, ...]:
    """The code (without final `Exception`) of each action of a cancelled transaction, from an error answer's body."""
    try:
        reasons = orjson.loads(content)["CancellationReasons"]
        return tuple(str(reason.get("Code")).removesuffix("Exception") for reason in reasons)
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
        return ()
