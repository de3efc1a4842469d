"""The shadow comparison: KPIs as the legacy tables give them beside those of the new tables."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.migrations.differences import differences
from include.trueup.cutover.comparison import Compared, Comparison
from include.trueup.declare.migration import Param

from . import legacy
from .legacy import KINDS, Item, Legacy, text, without_nulls
from .migration import KPIS, LINKS, NEW_DATA, NEW_LINKS, PEOPLE

if TYPE_CHECKING:
    from include.trueup.stores.dynamodb import DynamoDBStore

Kpi = tuple[str, str]
"""Tenant and KPI."""


def compare(store: DynamoDBStore, asked: Mapping[str, Any]) -> Compared:
    """Read `asked["share"]` (0 to 1) of the KPIs both ways; each table is scanned once.

    A difference has `key` (tenant and KPI), `path` (where in the answer of `get_kpi`; empty where a way has none at all),
    `new` and `legacy` (JSON text, None for what is not there).
    """
    from .serving import answer, dated

    def chosen(kpi: Kpi) -> bool:
        return _place(kpi) < float(asked["share"])

    result = Compared(whole=float(asked["share"]) >= 1)
    kpis = {key: rows[0] for key, rows in _by_kpi(store, KPIS.name, "id", chosen).items()}
    new_links = _by_kpi(store, NEW_LINKS.name, "kpi_id", chosen)
    new_figures = defaultdict(list)
    for figure in _scan(store, NEW_DATA.name):
        new_figures[text(figure, "kpi_link_id")].append(figure)
    for key, found in _legacy(store, kpis, chosen):
        links = sorted(new_links.pop(key, []), key=legacy.place)
        figures = [f for link in links for f in new_figures[text(link, "id")] if text(f, "tenant_id") == key[0]]
        theirs = legacy.links(found)
        ways = answer(found.kpi, links, figures), answer(found.kpi, theirs, legacy.figures(found, theirs, dated))
        if ways == (None, None):
            continue
        result.compared += 1
        for path, new, old in differences(*ways):
            result.differences.append({"key": "/".join(key), "path": path, "new": new, "legacy": old})
    for key, links in sorted(new_links.items()):
        result.compared += 1
        result.differences.append({"key": "/".join(key), "path": "links", "new": f"{len(links)} links", "legacy": None})
    return result


def _legacy(
    store: DynamoDBStore, kpis: Mapping[Kpi, Item], chosen: Callable[[Kpi], bool]
) -> Iterator[tuple[Kpi, Legacy]]:
    """The legacy rows of every KPI that has one, or a link."""
    links = _by_kpi(store, LINKS.name, "kpi_id", chosen)
    people: dict[str | None, list[Item]] = defaultdict(list)
    for person in _scan(store, PEOPLE.name):
        people[text(person, "tenant_id")].append(person)
    rows, ids = {}, {}
    for kind in KINDS:
        every = [*_scan(store, kind.table.name)]
        ids[kind.table.name] = {row["id"]["S"] for row in every}
        rows[kind.table.name] = _grouped(every, "kpi_id", chosen)
    names = [*ids]
    held = {name: set().union(*(ids[earlier] for earlier in names[:n])) for n, name in enumerate(names)}
    for key in sorted({*kpis, *links}):
        yield (
            key,
            Legacy(
                kpi=kpis.get(key),
                people=people[key[0]],
                links=links.get(key, []),
                figures={name: rows[name].get(key, []) for name in names},
                held=held,
            ),
        )


def _by_kpi(store: DynamoDBStore, table: str, named: str, chosen: Callable[[Kpi], bool]) -> dict[Kpi, list[Item]]:
    return _grouped(_scan(store, table), named, chosen)


def _grouped(rows: Iterator[Item] | list[Item], named: str, chosen: Callable[[Kpi], bool]) -> dict[Kpi, list[Item]]:
    """The rows of chosen KPIs, by KPI; those that name no tenant or KPI are of none."""
    found: dict[Kpi, list[Item]] = defaultdict(list)
    for row in rows:
        tenant_id, kpi_id = text(row, "tenant_id"), text(row, named)
        if tenant_id is not None and kpi_id is not None and chosen((tenant_id, kpi_id)):
            found[tenant_id, kpi_id].append(row)
    return found


def _scan(store: DynamoDBStore, table: str) -> Iterator[Item]:
    pages = store.client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return (without_nulls(item) for page in pages for item in page["Items"])


def _place(kpi: Kpi) -> float:
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
