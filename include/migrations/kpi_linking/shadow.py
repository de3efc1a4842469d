"""The shadow comparison: KPIs as the legacy tables give them beside those of the new tables.

Every table is scanned once into files of the scratch folder; DuckDB sorts them by KPI, so that memory holds the rows of one
KPI at a time.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.migrations.differences import differences
from include.trueup.cutover.comparison import Compared, Comparison
from include.trueup.declare.migration import Param

from . import legacy
from .legacy import KINDS, Item, Legacy, text, without_nulls
from .migration import KPIS, LINKS, NEW_DATA, NEW_LINKS, PEOPLE

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from include.trueup.stores.dynamodb import DynamoDBStore

log = logging.getLogger(__name__)

MOST, LONGEST = 10_000, 2_000
"""Differences after which the comparison ends, and characters of a value that are told."""
_ROWS, _AT_ONCE = 2_000, 100_000
"""Rows that are handed on, and that are sorted, at once."""
_LEGACY = (*(kind.table.name for kind in KINDS),)
_OF_KPI = (KPIS.name, LINKS.name, *_LEGACY, NEW_LINKS.name)
_FIGURES = f"place BETWEEN 2 AND {len(_LEGACY) + 1}"
_SHARED_IDS = f"""
-- rule 4: ids that several tables hold, with the first of them, whoever's it is there
CREATE TEMP TABLE shared AS
SELECT id, min(place) AS place FROM scanned WHERE {_FIGURES} GROUP BY id HAVING count(*) > 1
"""
_ROWS_OF_KPIS = f"""
SELECT s.tenant, s.kpi, s.place, coalesce(f.place < s.place, false) AS held, s.id, s.item
FROM scanned s LEFT JOIN shared f ON f.id = s.id AND {_FIGURES.replace("place", "s.place")}
WHERE s.item IS NOT NULL
UNION ALL
SELECT l.tenant, l.kpi, {len(_OF_KPI)}, false, d.id, d.item
FROM data d JOIN scanned l ON l.place = {len(_OF_KPI) - 1} AND l.id = d.named AND l.tenant = d.tenant AND l.item IS NOT NULL
UNION ALL
SELECT u.tenant, u.kpi, {len(_OF_KPI) + 1}, false, p.id, p.item
FROM people p JOIN (
    SELECT DISTINCT tenant, kpi, named FROM scanned WHERE place IN (0, 1) AND item IS NOT NULL AND named IS NOT NULL
) u ON u.tenant = p.tenant AND u.named = p.named
"""


def compare(store: DynamoDBStore, asked: Mapping[str, Any]) -> Compared:
    """Read `asked["share"]` (0 to 1) of the KPIs both ways; each table is scanned once.

    A difference has `key` (tenant and KPI), `path` (where in the answer of `get_kpi`; empty where a way has none at all),
    `new` and `legacy` (JSON text, cut; None for what is not there). After `MOST` of them it ends, and is not `whole`.
    """
    from include.trueup.rows import duck

    from .serving import answer, dated

    share = float(asked["share"])
    result = Compared(whole=share >= 1)
    with tempfile.TemporaryDirectory(prefix="trueup-shadow-") as folder, duck.connect(Path(folder)) as connection:
        rows = _scan_into(connection, Path(folder), store, lambda kpi: _place(kpi) < share)
        for key, stored, links, figures in _each(connection, Path(folder), -(-rows // _AT_ONCE)):
            theirs = legacy.links(stored)
            ways = answer(stored.kpi, links, figures), answer(stored.kpi, theirs, legacy.figures(stored, theirs, dated))
            if ways == (None, None):
                continue
            result.compared += 1
            for path, new, old in differences(*ways):
                result.differences.append({"key": "/".join(key), "path": path, "new": _cut(new), "legacy": _cut(old)})
            if len(result.differences) >= MOST:
                log.warning("%s differences: the rest of the KPIs is not compared", f"{len(result.differences):,}")
                result.whole = False
                break
    result.differences.sort(key=lambda each: str(each["key"]))
    return result


def _scan_into(
    connection: duckdb.DuckDBPyConnection, folder: Path, store: DynamoDBStore, chosen: Callable[[tuple[str, str]], bool]
) -> int:
    """Make the relations `scanned` (what names a KPI, by the place of its table in `_OF_KPI`), `data` and `people`. A row
    that is of no chosen KPI has no `item`; `named`: the user, or the link, that a row names. Returns how many rows."""
    from include.trueup.rows import duck

    named = {
        KPIS.name: "owner_id",
        LINKS.name: "created_by",
        NEW_DATA.name: "kpi_link_id",
        PEOPLE.name: "linked_user_id",
    }

    def rows(table: str) -> Iterator[tuple[str | None, ...]]:
        own = "id" if table == KPIS.name else "kpi_id"
        for row in _scan(store, table):
            tenant_id, kpi_id = text(row, "tenant_id"), text(row, own)
            wanted = tenant_id is not None
            if table in _OF_KPI:
                wanted = tenant_id is not None and kpi_id is not None and chosen((tenant_id, kpi_id))
            if wanted or table in _LEGACY:
                content = json.dumps(row, default=_base64) if wanted else None
                yield tenant_id, kpi_id, row["id"]["S"], text(row, named.get(table, "")), content

    files: list[Path] = []
    written = 0
    for table in (*_OF_KPI, NEW_DATA.name, PEOPLE.name):
        files.append(folder / f"{len(files)}.parquet")
        written += _write(connection, files[-1], rows(table))
    scanned = (
        f"SELECT {place} AS place, * FROM ({duck.parquet([file], None)})" for place, file in enumerate(files[:-2])
    )
    connection.execute(f"CREATE VIEW scanned AS {' UNION ALL '.join(scanned)}")
    for name, file in zip(("data", "people"), files[-2:], strict=True):
        duck.relation(connection, name, [file], None)
    return written


def _write(connection: duckdb.DuckDBPyConnection, path: Path, rows: Iterator[tuple[str | None, ...]]) -> int:
    import pyarrow as pa

    from include.trueup.rows import duck

    schema = pa.schema([(name, pa.string()) for name in ("tenant", "kpi", "id", "named", "item")])

    def batches() -> Iterator[pa.RecordBatch]:
        some: list[tuple[str | None, ...]] = []
        for row in rows:
            some.append(row)
            if len(some) == _ROWS:
                yield pa.record_batch([*map(pa.array, zip(*some, strict=True), [pa.string()] * 5)], schema=schema)
                some = []
        if some:
            yield pa.record_batch([*map(pa.array, zip(*some, strict=True), [pa.string()] * 5)], schema=schema)

    with duck.own_errors() as watched:
        reader = pa.RecordBatchReader.from_batches(schema, watched(batches()))
        connection.register("given", reader)
        written = duck.write(connection, "FROM given", path)
        connection.unregister("given")
        return written


def _each(
    connection: duckdb.DuckDBPyConnection, folder: Path, parts: int
) -> Iterator[tuple[tuple[str, str], Legacy, list[Item], list[Item]]]:
    """Each KPI: its legacy rows, its new links in their order, and its new figures."""
    every = (tuple(row.values()) for batch in _sorted(connection, folder, parts) for row in batch.to_pylist())
    for key, rows in groupby(every, key=itemgetter(0, 1)):
        by_place: dict[int, list[Item]] = {place: [] for place in range(len(_OF_KPI) + 2)}
        held: dict[str, set[str]] = {name: set() for name in _LEGACY}
        for _, _, place, is_held, id, content in rows:
            by_place[place].append(json.loads(content, object_hook=_with_bytes))
            if is_held:
                held[_OF_KPI[place]].add(id)
        stored = Legacy(
            kpi=next(iter(by_place[0]), None),
            people=by_place[len(_OF_KPI) + 1],
            links=by_place[1],
            figures={name: by_place[place] for place, name in enumerate(_LEGACY, 2)},
            held=held,
        )
        yield key, stored, sorted(by_place[len(_OF_KPI) - 1], key=legacy.place), by_place[len(_OF_KPI)]


def _sorted(connection: duckdb.DuckDBPyConnection, folder: Path, parts: int) -> Iterator[pa.RecordBatch]:
    """The rows of KPIs, those of each together: what is more than fits in memory is parted by KPI first."""
    from include.trueup.rows import duck

    connection.execute(_SHARED_IDS)
    queries = [_ROWS_OF_KPIS]
    if parts > 1:
        connection.execute("SET preserve_insertion_order = false")
        parted = f"SELECT *, {duck.partition(('tenant', 'kpi'), parts)} AS part FROM ({_ROWS_OF_KPIS})"
        duck.write(connection, parted, folder / "parted", ", PARTITION_BY (part)")
        folders = sorted((folder / "parted").glob("part=*"))
        queries = [duck.parquet(sorted(part.glob("*.parquet")), None) for part in folders]
    for query in queries:
        yield from connection.sql(f"FROM ({query}) ORDER BY tenant, kpi, place, id").to_arrow_reader(_ROWS)


def _scan(store: DynamoDBStore, table: str) -> Iterator[Item]:
    pages = store.client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return (without_nulls(item) for page in pages for item in page["Items"])


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _with_bytes(value: dict[str, Any]) -> dict[str, Any]:
    """Binary values as boto3 has them; an attribute of that name has a type in it, no text."""
    match value:
        case {"B": str(content), **rest} if not rest:
            return {"B": base64.b64decode(content)}
        case {"BS": list(contents), **rest} if not rest:
            return {"BS": [base64.b64decode(content) for content in contents]}
    return value


def _cut(value: str | None) -> str | None:
    return value if value is None or len(value) <= LONGEST else f"{value[:LONGEST]}…"


def _place(kpi: tuple[str, str]) -> float:
    """From 0 to 1, the same each time, so that a larger share looks at all that a smaller one did."""
    digest = hashlib.sha256("\0".join(kpi).encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


comparison = Comparison(
    id="kpi_linking_shadow",
    migration="kpi_linking",
    title="KPI linking: shadow comparison",
    owner="purposepath",
    doc=(Path(__file__).parent / "SHADOW.md").read_text(encoding="utf-8"),
    connection="kpi_dynamodb",
    compare=compare,  # type: ignore[arg-type]  # a store behind that connection is a DynamoDBStore
    params=(
        Param(
            id="share",
            title="Share of the KPIs",
            description="How much of all KPIs is read both ways. 1 is every KPI.",
            type="number",
            default=1.0,
            minimum=0,
            maximum=1,
        ),
    ),
)
