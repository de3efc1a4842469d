"""A number that lost digits on its way through a double makes its row a reject, wherever that was; what is carried whole does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from include.trueup.declare import Derived, Migration, Phase, Source, Table, Target, columns
from include.trueup.declare.cost import Cost
from include.trueup.testing import check, make

LONG = "0.33333333333333333333"
DOCUMENT = f'{{"list":[1,{LONG}],"name":"x","price":{LONG}}}'
ROW = {"id": "a", "document": DOCUMENT, "price": LONG, "note": DOCUMENT}
ROWS = """CREATE VIEW rows AS
SELECT id, {document} AS document, {price} AS price, {ratio} AS ratio, {note} AS note, _key AS _source
FROM orders;"""
NOTHING = dict.fromkeys(("document", "price", "ratio", "note"), "NULL")

LOST = {
    "an arrow": "document -> '$.price'",
    "an arrow to text": "document ->> 'price'",
    "json_extract": "json_extract(document, '$.list')",
    "json_extract of several": "json_extract(document, ['$.list', '$.price'])",
    "json_extract_string": "json_extract_string(document, '$.price')",
    "json_value": "json_value(document, '$.price')",
    "the whole by json()": "json(document)",
    "json_object": "json_object('p', price::JSON)",
    "json_array": "json_array(1, document::JSON)",
    "to_json of a struct": "to_json({'d': document::JSON})",
    "a struct as JSON": "({'d': document::JSON})::JSON",
    "json_merge_patch": """json_merge_patch(document, '{"more":1}')""",
    "json_set": "json_set(document, '$.more', '1'::JSON)",
    "json_remove": "json_remove(document, '$.name')",
    "json_pretty": "json_pretty(document)",
    "json_group_array": "(SELECT json_group_array(o.price::JSON) FROM orders o WHERE o.id = orders.id)",
    "json_transform": """json_transform(document, '{"price":"VARCHAR"}').price""",
    "from_json": """from_json(document, '{"price":"JSON"}').price""",
    "a list of a cast": "(document->'list')::VARCHAR[]",
    "a struct of a cast": "(document::JSON::STRUCT(list JSON, name VARCHAR, price VARCHAR)).price",
    "a variant": "document::JSON::VARIANT",
    "json_each": "(SELECT max(value) FROM json_each(document) WHERE key = 'price')",
    "a member by its name": "(document::JSON).price",
    "computed from what lost digits": "(document ->> 'price')::DECIMAL(38, 20) * 3",
    "beside what is carried": """'{"whole":' || document || ',"part":' || (document->>'price') || '}'""",
    "of a text": "note -> '$.price'",
    "a double written as text": "price::DOUBLE",
    "null in its place": "CASE WHEN price::DOUBLE > 0.3333333333333333 THEN 'dear' END",
    "a list of texts": "[price::DOUBLE::VARCHAR]",
}
"""Expressions of which digits get lost."""
KEPT = {
    "the document": "document",
    "the number": "price",
    "the text": "note",
    "a name out of the document": "document ->> 'name'",
    "whether there is a member": "CASE WHEN (document -> 'price') IS NULL THEN 'no' ELSE 'yes' END",
    "a text that is put together": """'{"price":' || price || ',"name":' || (document->'name') || '}'""",
    "json_at": "json_at(document, '$.list[1]')",
    "json_at of more": "json_at(document, '$.list')",
    "decimals": "price::DECIMAL(38, 20) * 3",
    "JSON of a decimal": "json_object('p', price::DECIMAL(38, 20))",
    "a rounded decimal": "round(price::DECIMAL(38, 20), 2)",
    "a rounded double": "round((document ->> 'price')::DOUBLE, 2)",
    "a comparison with null": "CASE WHEN price::DOUBLE > 0.3 THEN 'dear' END",
    "a comparison": "CASE WHEN (document->>'price')::DOUBLE > 0.3 THEN 'dear' ELSE 'cheap' END",
    "without a member": "json_without(document, ['name'])",
    "a length": "length(price)",
    "a count": "json_array_length(document, '$.list')",
    "keys": "json_keys(document)",
    "a hash of the text": "md5(document)",
    "a part of the text": 'regexp_extract(document, \'"name":"(.*?)"\', 1)',
}
"""Expressions of which none do."""
BEHIND = {
    "a view and a query": "CREATE VIEW made AS WITH m AS (SELECT *, document->>'price' AS p FROM orders) FROM m; ",
    "a macro": "CREATE MACRO price_of(d) AS d->>'price'; CREATE VIEW made AS SELECT *, price_of(document) AS p FROM orders; ",
    "a table": "CREATE TABLE made AS SELECT *, document->>'price' AS p FROM orders; ",
}


def migration(folder: Path, rows: str | Callable[..., Any], **more: Any) -> Migration:
    script = folder / "rows.sql"
    if isinstance(rows, str):
        script.write_text(rows)
    old = Table(
        name="orders",
        connection="c_postgres",
        key=("id",),
        columns=columns(text="id note", json="document", number="price"),
    )
    new = Table(
        name="new",
        connection="c_postgres",
        key=("id",),
        columns=columns(text="id note", json="document", number="price", float="ratio"),
    )
    return Migration(
        id="m", owner="o", sources=(Source(table=old),), targets=(Target(table=new, **more),),
        phases=(Phase(source="orders", target="new", transform=script if isinstance(rows, str) else rows),),
    )  # fmt: skip


def codes(declared: Migration, rows: dict[str, list[dict[str, Any]]]) -> dict[tuple[str, str], str]:
    made = make(declared, rows)
    assert made.broken == []
    return made.codes("reject")


def test_digits_that_get_lost_make_their_row_a_reject_and_no_others(tmp_path: Path) -> None:
    cases = " ".join(f"WHEN '{name}' THEN ({sql})::VARCHAR" for name, sql in (LOST | KEPT).items())
    declared = migration(tmp_path, ROWS.format(**{**NOTHING, "note": f"CASE split_part(id, ':', 1) {cases} END"}))
    held = {"document": '{"list":[1.5],"name":"x","price":33.333333333333336}', "price": "0.1", "note": '{"price":1}'}
    rows = [row for name in LOST | KEPT for row in ({**ROW, "id": name}, {**held, "id": f"{name}:held"})]
    assert {key for _, key in codes(declared, {"orders": rows})} == {*LOST}


@pytest.mark.parametrize("note", [f"+{LONG}", LONG[1:], f"-{LONG[1:]}"])
def test_in_texts_that_are_numbers_in_another_notation_than_json_has(note: str, tmp_path: Path) -> None:
    by_row = {"a": "note::DOUBLE::VARCHAR", "b": "note", "c": "note::DECIMAL(38, 20)::VARCHAR"}
    cases = " ".join(f"WHEN '{id}' THEN {value}" for id, value in by_row.items())
    script = ROWS.format(**{**NOTHING, "note": f"CASE id {cases} END"})
    rows = {"orders": [{"id": id, "note": note} for id in "abc"]}
    assert codes(migration(tmp_path, script), rows) == {("orders", "a"): "digits_lost"}


@pytest.mark.parametrize("column", ["document", "price"])
def test_in_columns_of_json_and_of_numbers(column: str, tmp_path: Path) -> None:
    script = ROWS.format(**{**NOTHING, column: "CASE id WHEN 'a' THEN document->>'price' ELSE price END"})
    rows = {"orders": [ROW, {**ROW, "id": "b"}]}
    assert codes(migration(tmp_path, script), rows) == {("orders", "a"): "digits_lost"}


def test_a_double_is_meant_in_a_float_and_where_the_transform_gives_one(tmp_path: Path) -> None:
    meant = {**NOTHING, "ratio": "(document ->> 'price')::DOUBLE", "price": "price::DOUBLE", "document": "document"}
    check(migration(tmp_path, ROWS.format(**meant)), rows={"orders": [ROW]}, rejects={})


def test_truths_and_dates_are_looked_at_and_lists_of_doubles_are_meant(tmp_path: Path) -> None:
    """A document that is a list of doubles means them; whether a price is above the next double does not."""
    base = migration(tmp_path, ROWS.format(**NOTHING))
    table = replace(base.targets[0].table, columns=columns(text="id", json="document", boolean="dear", date="day"))
    cases = {
        "a": "[price::DOUBLE] AS document, false AS dear, NULL AS day",
        "b": "NULL::DOUBLE[] AS document, price::DOUBLE > 0.3333333333333333::DOUBLE AS dear, NULL AS day",
        "c": "NULL::DOUBLE[] AS document, false AS dear, CASE WHEN price::DOUBLE > 0.3333333333333333::DOUBLE "
        "THEN DATE '2026-01-01' ELSE DATE '2026-01-02' END AS day",
    }
    rows = (f"SELECT id, {sql}, _key AS _source FROM orders WHERE id = '{id}'" for id, sql in cases.items())
    (tmp_path / "rows.sql").write_text(f"CREATE VIEW rows AS {' UNION ALL '.join(rows)}")
    declared = replace(base, targets=(Target(table=table),))
    found = codes(declared, {"orders": [{**ROW, "id": id} for id in cases]})
    assert found == {("orders", "b"): "digits_lost", ("orders", "c"): "digits_lost"}


def test_an_instant_of_seconds_is_coarser_than_their_double(tmp_path: Path) -> None:
    """DuckDB's `to_timestamp` takes a double; of ten instants some are of another microsecond with the next one."""
    base = migration(tmp_path, ROWS.format(**NOTHING))
    at = "to_timestamp(price::DOUBLE) AS at"
    (tmp_path / "rows.sql").write_text(f"CREATE VIEW rows AS SELECT id, {at}, _key AS _source FROM orders")
    table = replace(base.targets[0].table, columns=columns(text="id", timestamp="at"))
    rows = [{"id": str(n), "price": f"1700000000.{100_000_000 + n * 7_654_321}"} for n in range(10)]
    assert codes(replace(base, targets=(Target(table=table),)), {"orders": rows}) == {}


@pytest.mark.parametrize("source", ["_key", "id", "price"])
def test_a_key_may_have_such_a_number(source: str, tmp_path: Path) -> None:
    """Rows of a neighbour belong to the source row of the number, whichever column says which that is."""
    base = migration(tmp_path, ROWS.format(**{**NOTHING, "price": "price"}).replace("_key", source))
    key = "price" if source == "price" else "id"
    (of,) = base.sources
    declared = replace(base, sources=(replace(of, table=replace(of.table, key=(key,))),))
    ids = ("0.33333333333333333333", "20240101123456789.1", "20240101123456789.2", "1.5")
    rows = [{**ROW, "id": id, "price": id} for id in ids]
    made = make(declared, {"orders": rows})
    assert (made.codes("reject"), made.counts["new"]["unaccounted"]) == ({}, 0)
    lossy = ROWS.format(**{**NOTHING, "price": "price", "note": "document->>'price'"}).replace("_key", source)
    (tmp_path / "rows.sql").write_text(lossy)
    assert {key for _, key in make(declared, {"orders": rows}).codes("reject")} == {*ids}


def test_a_row_without_a_source_keeps_its_own_message(tmp_path: Path) -> None:
    declared = migration(tmp_path, ROWS.format(**NOTHING).replace("_key AS _source", "NULL AS _source"))
    made = make(declared, {"orders": [ROW]})
    assert "digits_lost" not in {finding.code for finding in made.findings}
    assert made.broken


@pytest.mark.parametrize("rates", [LONG, "1.5"])
@pytest.mark.parametrize("why", ["it costs something", "it fails"])
def test_what_is_not_known_of_another_relation_rejects_every_row(why: str, rates: str, tmp_path: Path) -> None:
    (tmp_path / "cost.sql").write_text(
        "CREATE VIEW figures AS SELECT 'a' AS name, 1 AS value; CREATE VIEW paid AS SELECT 1"
    )
    failing = (
        "(SELECT any_value(document) FROM orders) || (SELECT id FROM rates WHERE price::DOUBLE > 0.3333333333333333)"
    )
    base = migration(tmp_path, ROWS.format(**{**NOTHING, "document": "document", "note": failing}))
    (source,) = base.sources
    rows = {"orders": [{"id": "a", "price": "1"}], "rates": [{"id": "x", "price": rates}, {"id": "y", "price": "0.1"}]}
    declared = replace(base, sources=(source, Source(table=replace(source.table, name="rates"), partition_by=None)))
    if why == "it costs something":
        declared = replace(declared, cost=Cost(scripts=(tmp_path / "cost.sql",), words=lambda figures, params: {}))
    else:
        rows["rates"].append({"id": "z", "price": "0.4"})
        if rates != LONG:
            rows["rates"].pop(0)
    made = make(declared, rows)
    assert made.codes("reject") == ({("orders", "a"): "digits_lost"} if rates == LONG else {})
    if rates == LONG:
        assert "rates has a number with more digits than a double holds" in made.findings[0].message


@pytest.mark.parametrize("case", BEHIND)
def test_it_is_seen_behind_whatever_there_is(case: str, tmp_path: Path) -> None:
    text = BEHIND[case] + ROWS.format(**{**NOTHING, "price": "p"}).replace("FROM orders", "FROM made")
    assert codes(migration(tmp_path, text), {"orders": [ROW]}) == {("orders", "a"): "digits_lost"}


def test_the_message_names_column_number_and_path(tmp_path: Path) -> None:
    declared = migration(tmp_path, ROWS.format(**{**NOTHING, "price": "document->'list'->>1"}))
    row = {**ROW, "price": "1", "note": None, "document": f'{{"a":1.5,"list":[1,{LONG}]}}'}
    (finding,) = make(declared, {"orders": [row]}).findings
    assert finding.message.startswith(
        f"column 'price' has 0.3333333333333333 of {LONG} (column 'document' at $.list[1] of orders), which went through a double: "
        "json_at(document, '$.list[1]') takes it out"
    )
    assert finding.message.endswith("name the column in Target(rounds=…)")


def test_a_column_that_may_be_rounded_is_named(tmp_path: Path) -> None:
    declared = migration(
        tmp_path, ROWS.format(**{**NOTHING, "document": "document->'$'", "price": "price"}), rounds=("document",)
    )
    check(declared, rows={"orders": [ROW]}, rejects={})


def function(orders: pd.DataFrame) -> dict[str, pd.DataFrame]:
    texts = [json.dumps(json.loads(each)) for each in orders["document"]]
    rows = orders[["id", "price", "note"]].assign(document=texts, ratio=None, _source=orders["_key"])
    return {"rows": rows.astype({"ratio": "double[pyarrow]"})}


def exact(orders: pd.DataFrame) -> dict[str, pd.DataFrame]:
    prices = [str(json.loads(each, parse_float=Decimal)["price"]) for each in orders["document"]]
    rows = orders[["id", "document", "note"]].assign(price=prices, ratio=None, _source=orders["_key"])
    return {"rows": rows.astype({"ratio": "double[pyarrow]"})}


@pytest.mark.parametrize(("transform", "rejects"), [(function, {("orders", "a"): "digits_lost"}), (exact, {})])
def test_of_functions_as_of_scripts(transform: Any, rejects: Any, tmp_path: Path) -> None:
    assert codes(migration(tmp_path, transform), {"orders": [ROW]}) == rejects


def test_of_look_ups_shared_and_derived_relations_and_earlier_phases(tmp_path: Path) -> None:
    (tmp_path / "shared.sql").write_text("SELECT id, document->>'price' AS p FROM rates")
    (tmp_path / "derived.sql").write_text("SELECT id, document->>'price' AS price FROM orders")
    (tmp_path / "second.sql").write_text(
        "CREATE OR REPLACE VIEW rows AS SELECT id, NULL AS document, document->>'price' AS price, 0 AS ratio, NULL AS note, "
        "id AS _source FROM new"
    )
    (tmp_path / "third.sql").write_text(
        "CREATE OR REPLACE VIEW rows AS SELECT id, NULL AS document, price, 0 AS ratio, NULL AS note, _key AS _source FROM d"
    )
    whole = ROWS.format(**{**NOTHING, "document": "document"})
    base = migration(tmp_path, whole)
    (source,), (target,) = base.sources, base.targets
    rates = Source(table=replace(source.table, name="rates"), partition_by=None)
    shared = replace(
        migration(tmp_path, ROWS.format(**{**NOTHING, "price": "(SELECT p FROM s)"})),
        sources=(source, rates),
        shared={"s": tmp_path / "shared.sql"},
    )
    plain = {**ROW, "document": "{}", "price": "1", "note": None}
    assert codes(shared, {"orders": [plain], "rates": [ROW]}) == {("orders", "a"): "digits_lost"}

    other = Target(table=replace(target.table, name="other"))
    (tmp_path / "whole.sql").write_text(whole)
    first = Phase(source="orders", target="new", transform=tmp_path / "whole.sql")
    second = Phase(id="later", source="orders", target="other", transform=tmp_path / "second.sql")
    later = replace(base, targets=(target, other), phases=(first, second))
    made = make(later, {"orders": [ROW]})
    assert [(each.phase, each.code) for each in made.findings] == [("later", "digits_lost")]

    derived = Derived(
        id="d", name="d", columns=columns(text="id", number="price"), key=("id",), query=tmp_path / "derived.sql"
    )
    third = Phase(id="of", source="d", target="other", transform=tmp_path / "third.sql")
    of_derived = replace(base, derived=(derived,), targets=(target, other), phases=(first, third))
    made = make(of_derived, {"orders": [ROW]})
    assert [(each.phase, each.code) for each in made.findings] == [("of", "digits_lost")]


def test_what_costs_something_is_not_run_again_and_its_rows_are_rejected(tmp_path: Path) -> None:
    (tmp_path / "cost.sql").write_text(
        "CREATE VIEW figures AS SELECT 'a' AS name, 1 AS value; CREATE VIEW paid AS SELECT 1"
    )
    declared = replace(
        migration(tmp_path, ROWS.format(**{**NOTHING, "document": "document"})),
        cost=Cost(scripts=(tmp_path / "cost.sql",), words=lambda figures, params: {}),
    )
    made = make(declared, {"orders": [ROW, {"id": "b", "price": "1.5"}, {"id": "c", "note": DOCUMENT}]})
    assert made.codes("reject") == {("orders", "a"): "digits_lost"}
    assert "whether they get lost is not known: its transform costs something" in made.findings[0].message
