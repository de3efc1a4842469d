"""What an application reads of a KPI: its links, each with its targets and actuals; from the legacy tables, by the
migration's own rules, or from the new ones, as the setting `kpi_linking.read_from` says.

A row is a dictionary of plain values, its numbers exact decimals; null attributes are left out.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any, Literal

from include.migrations.plain import plain_row
from include.trueup.errors import StoreUnavailableError
from include.trueup.rows import duck

from . import legacy
from .legacy import KINDS, Item, Legacy, text, without_nulls
from .migration import KPIS, LINKS, NEW_DATA, NEW_LINKS, PEOPLE

if TYPE_CHECKING:
    from include.trueup.stores.dynamodb import DynamoDBStore

ReadFrom = Literal["legacy", "new"]
Row = dict[str, Any]
_BATCH = 100
"""Keys that DynamoDB gives at once."""
_scanning = threading.Lock()


class KpiNotFoundError(Exception):
    """The tenant has neither the KPI nor a link of it."""


class ScanUnderWayError(StoreUnavailableError):
    """A legacy table without an index is being scanned for another request of this process; ask again later."""


def get_kpi(store: DynamoDBStore, tenant_id: str, kpi_id: str, read_from: ReadFrom = "legacy") -> Row:
    """`kpi` (None where only links are left) and `links`: the primary one first, then by display order and id; each with
    its own columns, `targets` and `actuals`, by date and id.

    Legacy tables are read by an index on `kpi_id` where they have one, else by a filtered scan; of requests that scan there
    is one at a time. Raises `KpiNotFoundError`, `ScanUnderWayError`.
    """
    kpi = next((row for row in _get(store, KPIS.name, [kpi_id]) if text(row, "tenant_id") == tenant_id), None)
    links, figures = (_new if read_from == "new" else _legacy)(store, tenant_id, kpi_id, kpi)
    if (answered := answer(kpi, links, figures)) is None:
        raise KpiNotFoundError(f"tenant {tenant_id!r} has no KPI {kpi_id!r}, and no link of one")
    return answered


def answer(kpi: Item | None, links: Sequence[Item], figures: Sequence[Item]) -> Row | None:
    """What `get_kpi` gives of a KPI with these links, in their order, and their figures; None of nothing."""
    if kpi is None and not links:
        return None
    return {"kpi": None if kpi is None else plain_row(kpi), "links": [_link(link, figures) for link in links]}


def _link(link: Item, figures: Sequence[Item]) -> Row:
    own = sorted(
        (plain_row(f) for f in figures if f["kpi_link_id"] == link["id"]), key=lambda f: (f["post_date"], f["id"])
    )
    by_category = {of: [f for f in own if f["data_category"] == of] for of in ("Target", "Actual")}
    return {**plain_row(link), "targets": by_category["Target"], "actuals": by_category["Actual"]}


def _new(store: DynamoDBStore, tenant_id: str, kpi_id: str, _kpi: Item | None) -> tuple[list[Item], list[Item]]:
    rows = _query(store, NEW_LINKS.name, "kpi_id-index", "kpi_id", kpi_id)
    links = sorted((link for link in rows if text(link, "tenant_id") == tenant_id), key=legacy.place)
    of_links = (_query(store, NEW_DATA.name, "kpi_link_id-index", "kpi_link_id", link["id"]["S"]) for link in links)
    return links, [figure for figures in of_links for figure in figures if text(figure, "tenant_id") == tenant_id]


def _legacy(store: DynamoDBStore, tenant_id: str, kpi_id: str, kpi: Item | None) -> tuple[list[Item], list[Item]]:
    with ExitStack() as request:
        read = _Reader(store, tenant_id, kpi_id, request)
        rows = read.of_kpi(LINKS.name)
        users = {user for user in (text(kpi or {}, "owner_id"), *(text(row, "created_by") for row in rows)) if user}
        figures = {kind.table.name: read.of_kpi(kind.table.name) for kind in KINDS} if rows else {}
        people = read.people(users) if rows else []
    rows_of_kpi = Legacy(kpi=kpi, people=people, links=rows, figures=figures, held=dict(_held(store, figures)))
    links = legacy.links(rows_of_kpi)
    return list(links), list(legacy.figures(rows_of_kpi, links, dated))


def _held(store: DynamoDBStore, figures: Mapping[str, Sequence[Item]]) -> Iterator[tuple[str, Set[str]]]:
    """Rule 4: of each table, the ids of these rows that an earlier one holds too, whoever's they are there."""
    earlier: list[str] = []
    for name, rows in figures.items():
        ids = [row["id"]["S"] for row in rows]
        yield name, {row["id"]["S"] for table in earlier for row in _get(store, table, ids, "id")}
        earlier.append(name)


class _Reader:
    """Reads the legacy rows of one KPI for one request, which is alone from its first scan on until `request` ends."""

    def __init__(self, store: DynamoDBStore, tenant_id: str, kpi_id: str, request: ExitStack) -> None:
        self._store, self._tenant_id, self._kpi_id = store, tenant_id, kpi_id
        self._request, self._scans = request, False

    def of_kpi(self, table: str) -> list[Item]:
        """The table's rows of the KPI, of its tenant."""
        return self._matching(table, "kpi_id", [self._kpi_id])

    def people(self, users: Set[str]) -> list[Item]:
        """The people of the tenant who are one of these users."""
        return self._matching(PEOPLE.name, "linked_user_id", sorted(users)) if users else []

    def _matching(self, table: str, attribute: str, values: Sequence[str]) -> list[Item]:
        index = _index(self._store, table, attribute)
        if index is None:
            if not self._scans:
                self._request.enter_context(_alone())
                self._scans = True
            rows = _scan(self._store, table, self._tenant_id, attribute, values)
        else:
            rows = [row for value in values for row in _query(self._store, table, index, attribute, value)]
        return [row for row in rows if text(row, "tenant_id") == self._tenant_id]


def _index(store: DynamoDBStore, table: str, attribute: str) -> str | None:
    """The name of an index with all attributes and this one as its hash key."""
    described = store.client.describe_table(TableName=table)["Table"]
    for index in described.get("GlobalSecondaryIndexes", []):
        hashed = [key["AttributeName"] for key in index["KeySchema"] if key["KeyType"] == "HASH"]
        whole = index.get("Projection", {}).get("ProjectionType") == "ALL" and len(index["KeySchema"]) == 1
        if hashed == [attribute] and whole and index.get("IndexStatus", "ACTIVE") == "ACTIVE":
            return index["IndexName"]
    return None


def _query(store: DynamoDBStore, table: str, index: str, attribute: str, value: str) -> list[Item]:
    pages = store.client.get_paginator("query").paginate(
        TableName=table,
        IndexName=index,
        KeyConditionExpression="#a = :v",
        ExpressionAttributeNames={"#a": attribute},
        ExpressionAttributeValues={":v": {"S": value}},
    )
    return [without_nulls(item) for page in pages for item in page["Items"]]


@contextmanager
def _alone() -> Iterator[None]:
    if not _scanning.acquire(blocking=False):
        raise ScanUnderWayError("a legacy table is being scanned for another request; ask again in a few seconds")
    try:
        yield
    finally:
        _scanning.release()


def _scan(store: DynamoDBStore, table: str, tenant_id: str, attribute: str, values: Sequence[str]) -> list[Item]:
    """The table's rows of the tenant with one of these values; no index of it has them."""
    items: list[Item] = []
    for some in _batches(values):
        named = {f":v{n}": {"S": value} for n, value in enumerate(some)}
        pages = store.client.get_paginator("scan").paginate(
            TableName=table,
            ConsistentRead=True,
            FilterExpression=f"tenant_id = :t AND #a IN ({', '.join(named)})",
            ExpressionAttributeNames={"#a": attribute},
            ExpressionAttributeValues={":t": {"S": tenant_id}, **named},
        )
        items += [without_nulls(item) for page in pages for item in page["Items"]]
    return items


def _get(store: DynamoDBStore, table: str, ids: Sequence[str], only: str | None = None) -> list[Item]:
    """The table's rows of these ids; `only`: that attribute alone."""
    items: list[Item] = []
    projected: dict[str, str] = {} if only is None else {"ProjectionExpression": only}
    for some in _batches(ids):
        asked: Any = {table: {"Keys": [{"id": {"S": id}} for id in some], "ConsistentRead": True, **projected}}
        while asked:
            answer = store.client.batch_get_item(RequestItems=asked)
            items += [without_nulls(item) for item in answer["Responses"].get(table, [])]
            asked = answer.get("UnprocessedKeys")
    return items


def _batches(values: Sequence[str]) -> Iterable[Sequence[str]]:
    return (values[n : n + _BATCH] for n in range(0, len(values), _BATCH))


_dates, _opened = threading.Lock(), ExitStack()


@cache
def _macros() -> Any:
    """A connection with the engine's macros, for as long as the process lives: what a date is, is said there."""
    return _opened.enter_context(duck.connect(Path(gettempdir())))


def dated(texts: list[str]) -> Set[str]:
    """Those of the texts that are ISO 8601 dates or timestamps."""
    with _dates:
        dates = _macros().execute(
            "SELECT t FROM (SELECT unnest(?::VARCHAR[]) AS t) WHERE iso_instant(t) IS NOT NULL", [texts]
        )
        return {one for (one,) in dates.fetchall()}
