"""A KPI as the legacy tables had it, made of the answer that `serving.get_kpi` gives: the form of version 1.

A figure that was written once for each link is one row again, under its legacy id; one that came since the migration has
no legacy table, and stands with the milestones (a target) or the actuals under its own id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .legacy import KINDS, Kind
from .migration import ACTUALS, MILESTONES

Row = dict[str, Any]
_NEW = ("person_id", "strategy_id", "targets", "actuals")
"""Members of a link that legacy links do not have."""
_NAMES = {kind.table.name: kind.table.name.removeprefix("purposepath-kpi-") for kind in KINDS}
_OF_CATEGORY = {"Target": MILESTONES.name, "Actual": ACTUALS.name}


def as_legacy(answer: Mapping[str, Any]) -> Row:
    """`kpi`, `links`, `milestones`, `actuals` and `readings`: rows with the attributes of the legacy tables; links in the
    order of the answer, figures by date and id."""
    tables: dict[str, dict[str, Row]] = {name: {} for name in _NAMES}
    for link in answer["links"]:
        for table, row in _figures(link):
            tables[table].setdefault(row["id"], row)
    dates = {kind.table.name: kind.date for kind in KINDS}
    figures = {
        _NAMES[table]: sorted(rows.values(), key=lambda row, date=dates[table]: (row[date], row["id"]))  # type: ignore[misc]
        for table, rows in tables.items()
    }
    return {"kpi": answer["kpi"], "links": [_link(link) for link in answer["links"]], **figures}


def _link(link: Mapping[str, Any]) -> Row:
    row = {name: value for name, value in link.items() if name not in _NEW}
    taken = row.get("legacy_extra")
    if isinstance(taken, dict) and any(name in taken for name in _NEW):
        # attributes whose names mean something new, as the legacy link had them
        del row["legacy_extra"]
        row |= taken
    return row


def _figures(link: Mapping[str, Any]) -> Iterator[tuple[str, Row]]:
    kinds = {kind.table.name: kind for kind in KINDS}
    for figure in (*link["targets"], *link["actuals"]):
        table = figure.get("legacy_table") or _OF_CATEGORY[figure["data_category"]]
        if table in kinds:
            yield table, _figure(kinds[table], figure, link)


def _figure(kind: Kind, figure: Mapping[str, Any], link: Mapping[str, Any]) -> Row:
    own = {"id": figure.get("legacy_id") or figure["id"], "tenant_id": figure["tenant_id"], "kpi_id": link["kpi_id"]}
    named = {old: figure[new] for new, old in kind.named.items() if new in figure}
    return {**figure.get("legacy_extra", {}), **named, **own}
