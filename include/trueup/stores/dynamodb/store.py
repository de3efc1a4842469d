"""The DynamoDB store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
import duckdb
import orjson
import pyarrow as pa
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ...declare.migration import Table
from ...errors import StoreRejectedError
from ...rows.dynamodb_values import canonical_text
from .. import Advanced, Catalogue, Conflict, Description, Fence, Limits, Outcome, Refused, Share, key_text
from ..effects import REAL, Effects
from ..location import Location
from . import place, tables
from .expressions import Request, removal
from .items import Item, Layout, canonical_item, without_nulls
from .limits import unwritable as sizes_unwritable
from .pages import Pages
from .settle import GONE, TOO_WIDE, Left, settle
from .together import Row, settle_together
from .wire import Wire, translated
from .writes import Writer, key_bytes

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PAGE_ITEMS = 2_000
"""Items a Scan asks for at most: some engines have no limit of their own. DynamoDB ends a page at 1 MB."""


class DynamoDBStore:
    """DynamoDB tables behind the `Store` protocol, over a ready boto3 client.

    The client's endpoint, region, credentials, retries, timeouts and connection pool are used as they are.
    """

    kind = "dynamodb"
    one_state = False
    batch_rows = 500
    writers = 4

    def __init__(self, client: DynamoDBClient, effects: Effects = REAL) -> None:
        self.client = client
        """The boto3 client that the store was made with."""
        self._wire = Wire(client, effects)
        self._writer = Writer(self._wire, connections=self._wire.connections)

    def end_older(self, fence: Fence) -> bool:  # noqa: ARG002 - whatever it is, nothing can be ended
        """False: DynamoDB has no sessions that could be ended. What one request may do that is under way, or stopped
        between the question and the sending, is not held up."""
        return False

    def identity(self, table: Table) -> str:
        """Account, region and name of the table, as DynamoDB says itself."""
        return place.place_of(self._wire, table)

    def locate(self, table: Table) -> Location:
        """The endpoint, with region and account as DynamoDB says itself."""
        return place.located(self._wire, table)

    def server(self) -> str:
        """Nothing: there is one service in a region."""
        return ""

    def describe(self, table: Table) -> Description | None:
        """The table as it is, or None. `estimated_rows` is up to six hours old."""
        Layout(table)  # what DynamoDB has no type for is refused in the preflight, too
        return tables.describe(self._wire, table)

    def catalogue(self, name: str) -> Catalogue | None:
        """The table, its attributes as the first items of a scan have them, or None."""
        return tables.catalogue(self._wire, name)

    def tables(self) -> list[str]:
        """The names of all tables of the account and region, sorted."""
        return tables.names(self._wire)

    def create(self, table: Table) -> bool:
        """Make the table and its indexes (on demand, protected from deletion, with point-in-time recovery where the
        endpoint has it) and wait until all are active; False if it was there already."""
        Layout(table)  # a declaration that DynamoDB has no type for is refused before anything is made
        return tables.create(self._wire, table)

    def read(self, table: Table, segment: int, segments: int) -> Iterator[pa.RecordBatch]:
        """Every row of one segment of a parallel scan, a page a batch; the next page is fetched meanwhile."""
        layout = Layout(table)
        request: Request = {"TableName": table.name, "ConsistentRead": True, "Limit": PAGE_ITEMS}
        if segments > 1:
            request |= {"Segment": segment, "TotalSegments": segments}

        pages = Pages(layout)

        def page(start: Item | None) -> tuple[pa.RecordBatch, Item | None]:
            body = request if start is None else {**request, "ExclusiveStartKey": start}
            return self._wire.call_parsed("Scan", table.name, orjson.dumps(body), pages.rows)

        with self._wire.effects.workers(1, "trueup-scan") as ahead:
            following: Future[tuple[pa.RecordBatch, Item | None]] | None = ahead.submit(page, None)
            while following is not None:
                rows, start = following.result()
                following = ahead.submit(page, start) if start else None
                if rows.num_rows:
                    yield rows

    def get(self, table: Table, keys: pa.Table) -> pa.Table:
        """The rows with these keys, consistently read, in any order."""
        layout = Layout(table)
        items = self._writer.fetch(layout, layout.encode(keys))
        return pa.Table.from_batches([layout.decode(items)], schema=layout.schema)

    def add(self, table: Table, rows: pa.Table) -> Outcome:
        """Write rows that must not exist yet. One that exists and is equal counts as written, else it is a conflict."""
        layout, outcome = Layout(table), Outcome()
        items = layout.encode(rows, nulls=True)
        present, refused = self._writer.insert(layout, items, outcome)
        left = Left(refused=refused)
        if present:
            keys = [layout.key(items[position]) for position in present]
            current = {
                key_bytes(layout, item): canonical_item(item)
                for item in self._writer.fetch_there(layout, keys, outcome)
            }
            left.conflicts = {
                position: (GONE if now is None else "a row with this key is there, with other content", now)
                for position in present
                if (now := current.get(key_bytes(layout, items[position]))) != without_nulls(items[position])
            }
        return _concluded(outcome, table, rows, left)

    def change(
        self,
        table: Table,
        rows: pa.Table,
        before: pa.Table,
        *,
        cascade_to: Sequence[str] = (),  # noqa: ARG002 - nothing refers to rows
    ) -> Outcome:
        """Bring rows from `before` to their new content, each only if it still is as before."""
        layout, outcome = Layout(table), Outcome()
        after: list[Item | None] = [*layout.encode(rows, nulls=True)]
        left = settle(self._writer, layout, layout.encode(before), after, outcome)
        return _concluded(outcome, table, rows, left)

    def together(self, shares: Sequence[Share]) -> list[Outcome]:
        """Write each unit's rows in one `TransactWriteItems`, or none of them. At most 100 rows a unit."""
        units: dict[int, list[Row]] = defaultdict(list)
        for number, share in enumerate(shares):
            layout = Layout(share.table)
            before = layout.encode(share.before)
            for position, after in enumerate(layout.encode(share.rows, nulls=True)):
                earlier = before[position] if all(name in before[position] for name in share.table.key) else None
                to = None if share.gone[position] else without_nulls(after)
                row = Row(share=number, position=position, layout=layout, before=earlier, after=to, item=after)
                units[share.units[position]].append(row)
        counted = Outcome()
        left = settle_together(self._writer, units.values(), len(shares), counted)
        outcomes = [Outcome() for _ in shares]
        outcomes[0].retries = counted.retries
        return [
            _concluded(outcome, share.table, share.rows, alone)
            for outcome, share, alone in zip(outcomes, shares, left, strict=True)
        ]

    def uncreatable(self, table: Table) -> tuple[str, ...]:  # noqa: ARG002 - only trying tells
        """Nothing: whether a table may be made is known when it is."""
        return ()

    def stuck(
        self,
        table: Table,
        rows: pa.Table,
        *,
        cascade_to: Sequence[str] = (),  # noqa: ARG002 - nothing refers to rows
    ) -> dict[str, str]:
        """Rows of more attributes than one condition holds."""
        items = Layout(table).encode(rows, nulls=True)
        wide = [n for n, item in enumerate(items) if removal(table, item, by_leaf=False) is None]
        return dict.fromkeys(_key_texts(table, rows, wide).values(), TOO_WIDE)

    def advance(self, table: Table) -> list[Advanced]:  # noqa: ARG002
        """Nothing: there are no sequences."""
        return []

    def remove(
        self,
        table: Table,
        rows: pa.Table,
        *,
        cascade_to: Sequence[str] = (),  # noqa: ARG002 - nothing refers to rows
    ) -> Outcome:
        """Delete rows, each only if it still is as given; an absent row counts as done."""
        layout, outcome = Layout(table), Outcome()
        left = settle(self._writer, layout, layout.encode(rows), [None] * rows.num_rows, outcome)
        return _concluded(outcome, table, rows, left)

    @contextmanager
    def reading(self) -> Iterator[DynamoDBStore]:
        """DynamoDB has no state of several tables, or of a table that is read for a while: the store as it is."""
        yield self

    @contextmanager
    def connect(self) -> Iterator[DynamoDBClient]:
        """The boto3 client, for what is not part of a plan, such as what a service does. Raises `StoreUnavailableError` or
        `StoreRejectedError` for errors of boto3 in the block."""
        try:
            yield self.client
        except (BotoCoreError, ClientError) as error:
            raise translated(error, place=self._wire.endpoint) from error

    def script(self, text: str) -> None:
        """DynamoDB has no scripts: raises `StoreRejectedError`."""
        raise StoreRejectedError(f"DynamoDB runs no scripts; it was given one that begins {text[:80]!r}")

    def unwritable(self, table: Table, rows: str, limits: Limits | None = None) -> str:  # noqa: ARG002 - its own are known
        """A DuckDB query for the rows that DynamoDB would refuse: keys, sizes, numbers."""
        Layout(table)
        return sizes_unwritable(table, rows)


def client(
    *,
    endpoint_url: str | None,
    region_name: str,
    aws_access_key_id: str | None,
    aws_secret_access_key: str | None,
    aws_session_token: str | None = None,
    config_kwargs: dict[str, Any] | None = None,
) -> DynamoDBClient:
    """A boto3 DynamoDB client, for use without Airflow. `config_kwargs` go to botocore's `Config`."""
    return boto3.client(
        "dynamodb",
        endpoint_url=endpoint_url,
        region_name=region_name,
        aws_access_key_id=aws_access_key_id,
        aws_secret_access_key=aws_secret_access_key,
        aws_session_token=aws_session_token,
        config=Config(**(config_kwargs or {})),
    )


def _concluded(outcome: Outcome, table: Table, rows: pa.Table, left: Left) -> Outcome:
    """The outcome of a batch of which these rows were not written."""
    outcome.written = rows.num_rows - len(left.conflicts) - len(left.refused)
    keys = _key_texts(table, rows, [*left.conflicts, *left.refused])
    outcome.conflicts = [
        Conflict(key=keys[position], reason=reason, found=None if item is None else canonical_text(item))
        for position, (reason, item) in left.conflicts.items()
    ]
    outcome.refused = [Refused(key=keys[position], reason=reason) for position, reason in left.refused.items()]
    return outcome


def _key_texts(table: Table, rows: pa.Table, positions: list[int]) -> dict[int, str]:
    """The keys of the rows at these positions, as text."""
    if not positions:
        return {}
    with duckdb.connect() as connection:
        keys = connection.from_arrow(rows.take(positions)).project(key_text(table.key)).fetchall()
    return {position: key for position, (key,) in zip(positions, keys, strict=True)}
