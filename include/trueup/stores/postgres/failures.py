"""What an error of PostgreSQL means: worth another try, or not, and what to do about it."""

from __future__ import annotations

import re

import adbc_driver_manager as adbc
import psycopg

from ...errors import StoreRejectedError, StoreUnavailableError
from ..parameters import is_refusal

_TRANSIENT_CLASSES = (
    "08",
    "40",
    "53",
    "57P",
)  # connection, serialization and deadlock, resources, shutdown and start-up
_TRANSIENT = frozenset({"55P03", "25P03"})  # lock_timeout, idle_in_transaction_session_timeout
_DISK_FULL = "53100"
_FUNCTION = re.compile(r"PL/\w+ function (\S+?)\(")
_NO_PARTITION = re.compile(r"no partition of relation \"(.*)\" found for row")
_STILL_REFERRED_TO = "update or delete on table"
_NOT_FILLED = re.compile(r"materialized view \"(.*)\" has not been populated")
_DRIVER_PREFIX = re.compile(r"^([A-Z_]+: )?(\[libpq\] )?")
_ADVICE = {
    "22": "A planned value does not fit its column: fix the transform, or reject such rows in it.",
    "23502": "Fill that column in the transform, or give it a default in the database.",
    "23503": "Write the rows that are referred to in an earlier phase, or reject such rows in the transform.",
    "23505": "Another row has the same value in a unique index, or still has it: fix the transform, reject "
    "one of the two in it, or free the value in an earlier run.",
    "23": "A planned row breaks a constraint of the table: fix the transform, or reject such rows in it.",
    "25006": "Either the server is a standby (give the connection the primary's address), or "
    "default_transaction_read_only is on for the role or the database: somebody wants nothing to be "
    "written; ask who set it.",
    "28": "Check user and password of the connection.",
    "3D000": "Check the database name of the connection.",
    "42501": "Grant the connection's role the right to do this.",
    "42": "The table is not what the migration declares: compare the two.",
    "53100": "Make room on the database server, then run again.",
    "54": "The row is too large for PostgreSQL, or its key for an index: reject such rows in the transform.",
    "57014": "Somebody cancelled the statement: ask who and why, then run again.",
}


def translated(
    error: adbc.Error | psycopg.Error | OSError, *, place: str, doing: str
) -> StoreUnavailableError | StoreRejectedError:
    """The error as Trueup's own. The message has the server's own sentence, never the statement nor the connection."""
    sqlstate = getattr(error, "sqlstate", None) or ""
    message = _message(error)
    if _transient(error, sqlstate, message):
        return StoreUnavailableError(f"{place}: could not {doing}: {message}{_code(sqlstate)}.")
    if sqlstate == "42501" and "row-level security" in message:
        subject = "Connect as a role that is not subject to the policies (BYPASSRLS): they would hide rows."
        return StoreRejectedError(f"{place}: could not {doing}: {message}{_code(sqlstate)}. {subject}")
    return StoreRejectedError(f"{place}: could not {doing}: {message}{_code(sqlstate)}. {_advice(sqlstate, message)}")


def _advice(sqlstate: str, message: str) -> str:
    if partitioned := _NO_PARTITION.search(message):
        return (
            f"Make the partition of {partitioned[1]} that takes such rows (CREATE TABLE … PARTITION OF {partitioned[1]} …), or a"
            " DEFAULT one, or reject them in the transform."
        )
    if unfilled := _NOT_FILLED.search(message):
        return f"Fill it first: REFRESH MATERIALIZED VIEW {unfilled[1]}."
    if sqlstate == "23503" and _STILL_REFERRED_TO in message:
        return "Rows of another table still refer to it: they have to go first, or to refer to another row."
    advice = next((_ADVICE[code] for code in (sqlstate, sqlstate[:2]) if code in _ADVICE), None)
    return advice or (
        "Appendix A of PostgreSQL's manual explains the SQLSTATE." if sqlstate else "Check the connection."
    )


# What goes wrong with the connection, the request or the server as a whole, and not with a row of it.
_NOT_OF_A_ROW = (
    "08",
    "0A",
    "0B",
    "25",
    "26",
    "28",
    "2D",
    "34",
    "3B",
    "3D",
    "3F",
    "40",
    "42",
    "53",
    "55",
    "57",
    "58",
    "F0",
    "XX",
)
_POLICY = "row-level security policy"


def refusal(error: adbc.Error) -> tuple[str, str | None] | None:
    """Why the server took offence at a row (a broken constraint, a value that does not fit, what a trigger raised), and
    the name of what it broke; None where the error is not about rows, so that another row would meet it, too."""
    sqlstate, message = error.sqlstate or "", _message(error)
    of_no_row = not sqlstate or (sqlstate.startswith("54") and sqlstate != "54000")
    if of_no_row or (sqlstate.startswith(_NOT_OF_A_ROW) and _POLICY not in message):
        return None
    details = {_text(name): _text(value) for name, value in error.details or ()}
    name = details.get("PG_DIAG_CONSTRAINT_NAME")
    if name is None and (column := details.get("PG_DIAG_COLUMN_NAME")):
        name = f"column {column}"
    if name is None and (function := _FUNCTION.search(details.get("PG_DIAG_CONTEXT", ""))):
        name = f"function {function[1]}"
    if name is None and _POLICY in message:
        name = "row-level security"
    return f"{message}{_code(sqlstate)}. {_advice(sqlstate, message)}", name


def _transient(error: adbc.Error | psycopg.Error | OSError, sqlstate: str, message: str) -> bool:
    if sqlstate:
        return sqlstate != _DISK_FULL and (sqlstate.startswith(_TRANSIENT_CLASSES) or sqlstate in _TRANSIENT)
    if isinstance(error, psycopg.Error):
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) and not is_refusal(message)
    if isinstance(error, adbc.Error):
        return error.status_code is adbc.AdbcStatusCode.IO and not is_refusal(message)
    # A stream of rows broke; Arrow passes on the text alone. The server's "ERROR" is about a row or the request, except
    # on a standby whose primary has removed rows that are being read; a "FATAL", or silence, is about the connection.
    return "ERROR:" not in message or "conflict with recovery" in message


def _message(error: adbc.Error | psycopg.Error | OSError) -> str:
    details = {_text(name): value for name, value in getattr(error, "details", None) or ()}
    primary, detail = details.get("PG_DIAG_MESSAGE_PRIMARY"), details.get("PG_DIAG_MESSAGE_DETAIL")
    if isinstance(error, psycopg.Error):
        primary, detail = error.diag.message_primary, error.diag.message_detail
    message = _text(primary) if primary else _DRIVER_PREFIX.sub("", str(error))
    # The detail of a broken constraint or a missing partition names the key; other details may hold a whole row.
    if detail and _text(detail).startswith(("Key ", "Partition key ")):
        message = f"{message} {_text(detail)}"
    return " ".join(message.split()).rstrip(".?")


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _code(sqlstate: str) -> str:
    return f" (SQLSTATE {sqlstate})" if sqlstate else ""
