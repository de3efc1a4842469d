"""Where a table is, by DynamoDB's own word and not by how its address is spelled."""

from __future__ import annotations

import logging
import socket
from urllib.parse import urlsplit

import orjson

from ...declare.migration import Table
from ...errors import StoreRejectedError
from ..location import Location
from .wire import Wire

log = logging.getLogger(__name__)


def place_of(wire: Wire, table: Table) -> str:
    """`dynamodb://<account>/<region>/<table>`, the account from the ARN of this table or of any other there; an engine
    that is not AWS's has its address in place of the account, since all have the same one."""
    parts = urlsplit(f"//{wire.endpoint.rpartition('/')[0]}")
    region = wire.endpoint.rpartition("/")[2]
    host = parts.hostname or ""
    if not host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws")):
        return f"dynamodb://{_resolved(host)}:{parts.port or ''}/{region}/{table.name}"
    return f"dynamodb://{_account(wire, table) or host}/{region}/{table.name}"


def located(wire: Wire, table: Table) -> Location:
    """Where the tables of this endpoint are: `identity` is that of a table, without its name."""
    address, _, region = wire.endpoint.rpartition("/")
    identity = place_of(wire, table).rpartition("/")[0]
    return Location(identity=identity, address=address, region=region, account=_account(wire, table))


def _account(wire: Wire, table: Table) -> str | None:
    """The account, which needs a table that is there; None where none is, or none may be looked at."""
    try:
        listed = wire.call("ListTables", table.name, orjson.dumps({"Limit": 1}))["TableNames"]
        for name in [table.name, *listed]:
            try:
                description = wire.call("DescribeTable", name, orjson.dumps({"TableName": name}))["Table"]
            except StoreRejectedError:
                continue
            return str(description["TableArn"]).split(":")[4]
    except StoreRejectedError as error:
        log.warning("the AWS account of table %s is not known, so it is known by its endpoint: %s", table.name, error)
    return None


def _resolved(host: str) -> str:
    """The host's address; every name of this machine's own is one."""
    try:
        addresses = sorted({str(each[4][0]) for each in socket.getaddrinfo(host, None)})
    except OSError:
        return host
    return "127.0.0.1" if any(each in ("127.0.0.1", "::1") for each in addresses) else addresses[0]
