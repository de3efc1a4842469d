"""The sample's dirty rows: every case that the contract names, a few of each, with ids that say what they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

from .sample_rows import (
    ACTUALS,
    KPIS,
    LINKS,
    MILESTONES,
    NULL,
    PEOPLE,
    READINGS,
    Changes,
    Item,
    actual,
    boolean,
    kpi,
    link,
    milestone,
    n,
    person,
    reading,
    s,
)

Rows = Iterator[tuple[str, Item]]
"""Table name and row."""

DATA: dict[str, tuple[Callable[[str, str, str, Changes], Item], str, str]] = {
    MILESTONES: (milestone, "milestone_date", "target_value"),
    ACTUALS: (actual, "measurement_date", "actual_value"),
    READINGS: (reading, "reading_date", "value"),
}
"""Of each table that becomes kpi-data: how its row is made, its date and its value."""

HOSTILE = (
    "<script>alert('hello')</script>",
    '"><img src=x onerror=alert(1)>',
    "'; DROP TABLE findings; --",
    "\u202egnp.txet\u202c",
    "{{ 7 * 7 }} ${jndi:x} %s",
    "tab\tnew line\nbell\x07unit\x1f\u2028\\u001F \\ \"quoted\" 'so' `and` so",
    "ünïcödé 数 😀 e\u0301 \u212b",
)
LEGAL_DATES = (
    "20240229",
    "2024-366",
    "2025-W01-2",
    "2024-02-29T24:00:00",
    "2024-02-29T23:59:59,9999999Z",
    "2024-02-29T23:59:59.123456789012345-09:30",
    "0001-01-01T00:00:00+14:00",
)
ILLEGAL_DATES = (
    "",
    "soon",
    "31/12/2024",
    "2025-02-30",
    "2025-366",
    "2025-W53-1",
    "2025-01-02 03:04:05",
    "infinity",
)
NUMBERS = (
    "99999999999999999999999999999999999999",
    "-0.00000000000000000000000000000000000001",
    "1.50",
    "1.5",
    "1.51",
    "1.0000000000000000000000000000000000001",
    "9.9999999999999999999999999999999999999E+125",
    "1E-130",
    "-0",
)
EVERY_TYPE: Changes = {
    "x_string": s(HOSTILE[5]),
    "x_number": n("1.50"),
    "x_binary": {"B": "AAECA/8="},
    "x_boolean": boolean(True),
    "x_null": NULL,
    "x_list": {"L": [s(""), n("38000000000000000000000000000000000001"), NULL, {"L": []}]},
    "x_map": {"M": {"b": n("2.0"), "a": {"M": {"deep": {"SS": ["z", "a"]}, "nothing": NULL}}, "c": s("")}},
    "x_strings": {"SS": ["b", "a"]},
    "x_numbers": {"NS": ["3", "1.10", "-2"]},
    "x_binaries": {"BS": ["/w==", "AA=="]},
    'dots.and "quotes" and 😀': s("named oddly"),
}


def dirty(block: int) -> Rows:
    """The dirty rows of one block of the sample. Tenants, and the ids of rows and KPIs, are the block's own."""
    tenant, other = f"dirty-tenant-{block}", f"other-tenant-{block}"
    of_two_tenants = (_people, _collisions, _unlinked)
    of_one = (_keys, _types, _dates, _numbers, _unknown, _texts, _order)
    for table, row in chain(*(cases(tenant, other) for cases in of_two_tenants), *(cases(tenant) for cases in of_one)):
        own = {name: s(f"{row[name]['S']}~{block}") for name in ("id", "kpi_id") if row.get(name, {}).get("S")}
        yield table, row | own


def _owned(kpi_id: str, tenant: str, *links: Changes) -> Rows:
    """A KPI, and a link to it for each of the changes (one ordinary link where there are none)."""
    yield KPIS, kpi(kpi_id, tenant, "user-of-nobody")
    for number, changes in enumerate(links or ({},)):
        yield LINKS, link(f"link-{number}-{kpi_id}-{tenant[:5]}", tenant, kpi_id, changes)


def _each(name: str, tenant: str, kpi_id: str, changes: Changes) -> Rows:
    """A row of each table that becomes kpi-data."""
    for table, (make, _, _) in DATA.items():
        yield table, make(f"{name}-{table[16:]}", tenant, kpi_id, changes)


def _people(tenant: str, other: str) -> Rows:
    """Rule 1: owners, links' makers, people; and everything that could join across tenants."""
    yield PEOPLE, person("person-b", tenant, "user-of-two")
    yield PEOPLE, person("person-a", tenant, "user-of-two")
    yield PEOPLE, person("person-0", other, "user-of-two")
    yield PEOPLE, person("person-far", other, "user-far")
    yield PEOPLE, person("person-maker", tenant, "user-maker")
    yield PEOPLE, person("person-of-the-empty-user", tenant, "")
    yield PEOPLE, person("person-mistyped", tenant, None) | {"linked_user_id": n(7)}
    yield KPIS, kpi("kpi-owner-is-two", tenant, "user-of-two")
    yield KPIS, kpi("kpi-owner-is-far", tenant, "user-far")
    yield KPIS, kpi("kpi-without-owner", tenant, None)
    yield KPIS, kpi("kpi-owner-empty", tenant, "")
    yield KPIS, kpi("kpi-owner-null", tenant, None) | {"owner_id": NULL}
    yield KPIS, kpi("kpi-owner-mistyped", tenant, None) | {"owner_id": n(7)}
    yield KPIS, kpi("kpi-of-other-tenant", other, "user-far")
    yield KPIS, kpi("kpi-two-elsewhere", other, "user-of-two")
    yield LINKS, link("link-two-elsewhere", other, "kpi-two-elsewhere")
    owners = "owner-is-two owner-is-far without-owner owner-empty owner-null owner-mistyped of-other-tenant gone"
    for name in owners.split():
        yield LINKS, link(f"link-{name}", tenant, f"kpi-{name}", {"created_by": s("user-maker")})
        yield from _each(f"on-{name}", tenant, f"kpi-{name}", {})
    yield LINKS, link("link-by-two", tenant, "kpi-gone", {"created_by": s("user-of-two"), "is_primary": boolean(False)})
    yield LINKS, link("link-by-nobody", tenant, "kpi-gone", {"created_by": None, "is_primary": NULL})


def _keys(tenant: str) -> Rows:
    """Rule 8, missing_key."""
    yield from _owned("kpi-for-keys", tenant)
    missing: dict[str, Changes] = {
        "no-kpi": {"kpi_id": None},
        "null-kpi": {"kpi_id": NULL},
        "empty-kpi": {"kpi_id": s("")},
        "no-tenant": {"tenant_id": None},
        "empty-tenant": {"tenant_id": s("")},
        "no-tenant-and-bad-type": {"tenant_id": NULL, "kpi_id": n(5), "created_at": n(1)},
    }
    for name, changes in missing.items():
        yield LINKS, link(f"link-{name}", tenant, "kpi-for-keys", changes)
        yield from _each(name, tenant, "kpi-for-keys", changes)


def _types(tenant: str) -> Rows:
    """Rule 8, bad_type: every named attribute of every type that it could wrongly be, in turn."""
    yield from _owned("kpi-for-types", tenant)
    wrong = {
        "S": s("12"),
        "N": n(12),
        "BOOL": boolean(True),
        "B": {"B": "AA=="},
        "M": {"M": {}},
        "L": {"L": []},
        "SS": {"SS": ["x"]},
    }
    for table, make in ((LINKS, link), *((table, make) for table, (make, _, _) in DATA.items())):
        ordinary = make("", tenant, "kpi-for-types", {})
        for number, (name, value) in enumerate(attribute for attribute in ordinary.items() if attribute[0] != "id"):
            kinds = [kind for kind in wrong if kind not in value]
            kind = kinds[number % len(kinds)]
            yield table, make(f"{name}-as-{kind}-{table[16:]}", tenant, "kpi-for-types", {name: wrong[kind]})
    yield ACTUALS, actual("bad-type-of-optional", tenant, "kpi-for-types", {"auto_adjustment_applied": s("true")})
    yield (
        READINGS,
        reading("bad-type-and-bad-date", tenant, "kpi-for-types", {"value": s("1"), "reading_date": s("soon")}),
    )


def _dates(tenant: str) -> Rows:
    """Rule 8, bad_date, and odd dates that are none."""
    yield from _owned("kpi-for-dates", tenant)
    for table, (make, date, _) in DATA.items():
        for number, text in enumerate(LEGAL_DATES):
            yield table, make(f"legal-date-{number}-{table[16:]}", tenant, "kpi-for-dates", {date: s(text)})
        for number, text in enumerate(ILLEGAL_DATES):
            yield table, make(f"bad-date-{number}-{table[16:]}", tenant, "kpi-for-dates", {date: s(text)})
        yield table, make(f"no-date-{table[16:]}", tenant, "kpi-for-dates", {date: None})
        yield table, make(f"null-date-unlinked-{table[16:]}", tenant, "kpi-unlinked", {date: NULL})


def _numbers(tenant: str) -> Rows:
    """Numbers that a float would spoil, in every number attribute."""
    for number, digits in enumerate(NUMBERS):
        exact = n(digits)
        yield from _owned(
            f"kpi-number-{number}", tenant, {"threshold_pct": exact, "weight": exact, "display_order": exact}
        )
        for table, (make, _, value) in DATA.items():
            more = {"confidence_level": exact} if table == MILESTONES else {"original_value": exact}
            yield table, make(f"number-{number}-{table[16:]}", tenant, f"kpi-number-{number}", {value: exact, **more})
    yield from _each("no-value", tenant, "kpi-number-0", {value: None for _, _, value in DATA.values()})


def _collisions(tenant: str, other: str) -> Rows:
    """Rule 4: one id in two or three tables, also where the earlier row is rejected or another tenant's."""
    yield from _owned("kpi-collides", tenant, {"display_order": n(10)}, {"display_order": n(9)})
    yield LINKS, link("link-kpi-collides-other", other, "kpi-collides")
    for number in range(3):
        for table in DATA:
            yield table, DATA[table][0](f"in-all-three-{number}", tenant, "kpi-collides", {})
        yield MILESTONES, milestone(f"in-one-and-two-{number}", tenant, "kpi-collides")
        yield ACTUALS, actual(f"in-one-and-two-{number}", other, "kpi-collides")
        yield ACTUALS, actual(f"in-two-and-three-{number}", tenant, "kpi-collides")
        yield READINGS, reading(f"in-two-and-three-{number}", other if number else tenant, "kpi-collides")
        yield MILESTONES, milestone(f"in-one-and-three-{number}", tenant, "kpi-collides")
        yield READINGS, reading(f"in-one-and-three-{number}", other, "kpi-collides")
    yield MILESTONES, milestone("held-by-a-reject", tenant, "kpi-collides", {"milestone_date": s("soon")})
    yield ACTUALS, actual("held-by-a-reject", tenant, "kpi-collides")
    yield MILESTONES, milestone("rejected-itself", tenant, "kpi-collides")
    yield ACTUALS, actual("rejected-itself", tenant, "kpi-unlinked")
    yield READINGS, reading("rejected-itself", tenant, "kpi-collides", {"is_adjusted": s("no")})


def _unlinked(tenant: str, other: str) -> Rows:
    """Rule 3: no link at all, only another tenant's, or only one that is rejected itself."""
    yield from _owned("kpi-linked-elsewhere", other)
    yield from _owned("kpi-with-rejected-link", tenant, {"weight": s("heavy"), "x_never_reported": s("")})
    for name in ("unlinked", "linked-elsewhere", "with-rejected-link"):
        yield from _each(name, tenant, f"kpi-{name}", {})


def _unknown(tenant: str) -> Rows:
    """Rule 9: unknown attributes of every type, some with names that the new tables use."""
    clash = {
        "person_id": s("somebody"),
        "strategy_id": n("1.50"),
        "legacy_extra": {"M": {"legacy_extra": s("inner")}},
        "zeta": s(HOSTILE[5]),
    }
    yield from _owned("kpi-unknown", tenant, EVERY_TYPE, clash, {"legacy_extra": s("alone")}, {"strategy_id": NULL})
    yield from _each("every-type", tenant, "kpi-unknown", EVERY_TYPE)
    yield from _each(
        "clash",
        tenant,
        "kpi-unknown",
        {**clash, "data_category": s("Target"), "kpi_link_id": s("mine"), "_source": s("mine")},
    )
    yield from _each("unknown-but-rejected", tenant, "kpi-unlinked", {"x_never_reported": s("")})


def _texts(tenant: str) -> Rows:
    """Text that breaks pages, queries and files, in values, keys and attribute names; and empty text."""
    for text in HOSTILE:
        yield from _owned(
            f"kpi {text}", tenant, {"link_type": s(text), "goal_id": s(text), "updated_by": s(text), text: s(text)}
        )
        yield (
            MILESTONES,
            milestone(f"hostile {text}", tenant, f"kpi {text}", {"label": s(text), "rationale": s(text), text: n(1)}),
        )
        yield (
            ACTUALS,
            actual(f"hostile {text}", tenant, f"kpi {text}", {"override_comment": s(text), "recorded_by": s(text)}),
        )
        yield READINGS, reading(f"hostile {text}", tenant, f"kpi {text}", {"reading_date": s(text)})
    empty = dict.fromkeys(
        ("label", "rationale", "override_comment", "data_source", "adjustment_reason", "source", "updated_by"), s("")
    )
    yield from _owned(
        "kpi-empty", tenant, {"link_type": s(""), "updated_at": s("")}, {"link_type": None, "goal_id": NULL}
    )
    yield from _each("empty", tenant, "kpi-empty", empty)
    yield from _each(
        "nulls",
        tenant,
        "kpi-empty",
        dict.fromkeys(empty, NULL) | {"created_by": NULL, "recorded_by": None, "entered_by": NULL},
    )


def _order(tenant: str) -> Rows:
    """Rule 2: which link is the first, where the order of text, floats or nulls would say otherwise."""
    no, yes = boolean(False), boolean(True)
    big = "1000000000000000000000000000000000000"
    orders: dict[str, tuple[Changes, ...]] = {
        "ten-nine": ({"display_order": n(10)}, {"display_order": n(9)}),
        "primary": ({"display_order": n(1), "is_primary": no}, {"display_order": n(5), "is_primary": yes}),
        "negative": ({"display_order": n("-1")}, {"display_order": n("-1.5")}, {"display_order": n(0)}),
        "digits": ({"display_order": n(big + "2")}, {"display_order": n(big + "1")}),
        "null-order": ({"display_order": None}, {"display_order": n(99)}),
        "null-primary": ({"is_primary": None}, {"is_primary": no, "display_order": n(0)}),
        "tie": ({"display_order": n("1.0")}, {"display_order": n(1)}),
    }
    for name, links in orders.items():
        yield from _owned(f"kpi-order-{name}", tenant, *links)
        yield from _each(f"order-{name}", tenant, f"kpi-order-{name}", {})
