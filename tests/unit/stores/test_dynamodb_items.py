"""DynamoDB JSON ⇄ canonical rows, without an engine: notations that engines have put right before one sees them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.trueup.declare.migration import Table, Type
from include.trueup.errors import DeclarationError
from include.trueup.rows.dynamodb_values import canonical_text, canonical_value
from include.trueup.rows.values import canonical_json
from include.trueup.stores.dynamodb import DynamoDBStore, client
from include.trueup.stores.dynamodb.items import Layout, canonical_item
from include.trueup.stores.dynamodb.pages import Pages

COLUMNS = {"id": Type.TEXT, "n": Type.NUMBER, "b": Type.BOOLEAN, "j": Type.JSON, "x": Type.BINARY}
LAYOUT = Layout(Table(name="t", connection="c", key=("id",), columns=COLUMNS))

numbers = st.decimals(allow_nan=False, allow_infinity=False, places=6).map(str) | st.integers().map(str)
scalars: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.text(max_size=6).map(lambda text: {"S": text}),
    numbers.map(lambda number: {"N": number}),
    st.booleans().map(lambda value: {"BOOL": value}),
    st.just({"NULL": True}),
    st.sampled_from(["", "AAE=", "/+8="]).map(lambda text: {"B": text}),
    st.lists(st.text(max_size=3), min_size=1, max_size=3, unique=True).map(lambda members: {"SS": members}),
    st.lists(numbers, min_size=1, max_size=3, unique_by=Decimal).map(lambda members: {"NS": members}),
)


def spaced(value: Any) -> bytes:
    """JSON as some engines write it."""
    return json.dumps(value, ensure_ascii=False).encode()


on_any_machine = settings(deadline=None)
names = st.sampled_from([*COLUMNS, "J", "X", "ID", "z", "é", "it's", "a b"])
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda members: {"L": members}),
        st.dictionaries(names, inner, max_size=3).map(lambda members: {"M": members}),
    ),
    max_leaves=6,
)
items = st.dictionaries(names, values, max_size=8).map(lambda item: {**item, "id": {"S": "1"}})


@on_any_machine
@given(st.lists(items, max_size=5))
def test_nothing_is_lost_between_items_and_rows(batch: list[dict[str, Any]]) -> None:
    decoded = LAYOUT.decode(batch)
    assert decoded.num_rows == len(batch)
    rows = pa.Table.from_batches([decoded])
    assert LAYOUT.encode(rows) == [canonical_item(item) for item in batch]
    every = [{name: canonical_value(value) for name, value in item.items()} for item in batch]
    assert LAYOUT.encode(rows, nulls=True) == every


@on_any_machine
@given(items)
def test_the_text_of_an_item_is_canonical_json(item: dict[str, Any]) -> None:
    text = canonical_text(canonical_item(item))
    assert text == canonical_json(text)


@on_any_machine
@given(items)
def test_notations_that_mean_the_same_are_one(item: dict[str, Any]) -> None:
    assert canonical_item(other_notation(item)) == canonical_item(item)


scalar_items = st.fixed_dictionaries(
    {"id": st.text(max_size=4).map(lambda text: {"S": text})},
    optional={
        "n": numbers.map(lambda number: {"N": number}),
        "b": st.booleans().map(lambda value: {"BOOL": value}),
        "x": st.sampled_from(["", "AAE=", "/+8="]).map(lambda text: {"B": text}),
        "none": st.just({"NULL": True}),
    },
)
keys = st.sampled_from(['{"NULL":true}', "{", '"', "é"])


@on_any_machine
@given(st.lists(scalar_items | items, max_size=5), st.none() | keys, st.sampled_from([orjson.dumps, spaced]))
def test_a_page_is_read_as_its_items_are(batch: list[dict[str, Any]], after: str | None, dump: Any) -> None:
    """The short way for pages that are as declared gives the same as the long one, or is not taken."""
    answer: dict[str, Any] = {"Count": len(batch), "Items": batch}
    if after is not None:
        answer["LastEvaluatedKey"] = {"id": {"S": after}}
    rows, start = Pages(LAYOUT).rows(dump(answer))
    assert rows.equals(LAYOUT.decode(batch))
    assert start == answer.get("LastEvaluatedKey")


def test_a_page_that_is_as_declared_is_read_the_short_way() -> None:
    batch = [
        {"id": {"S": str(n)}, "n": {"N": "1.50"}, "x": {"B": "AAE="}, "b": {"NULL": True}, "j": {"NULL": True}}
        for n in range(3)
    ]
    page = orjson.dumps({"Items": batch, "LastEvaluatedKey": {"id": {"S": "2"}}})
    assert Pages(LAYOUT)._parsed(page) is not None


def other_notation(value: Any) -> Any:
    """The same item with its keys and sets in another order, its numbers written at greater length, and a NULL more."""
    match value:
        case {"N": number}:
            return {"N": f"{Decimal(number):.8f}"}
        case {"NS": members}:
            return {"NS": [f"{Decimal(number):.8f}" for number in reversed(members)]}
        case {"SS": members}:
            return {"SS": members[::-1]}
        case {"M": members}:
            return {"M": {name: other_notation(members[name]) for name in reversed(members)}}
        case {"L": members}:
            return {"L": [other_notation(member) for member in members]}
        case {"id": _}:
            return {"none": {"NULL": True}, **{name: other_notation(value[name]) for name in reversed(value)}}
        case _:
            return value


@pytest.mark.parametrize("notation", ["1.50", "15E-1", "+1.5", "01.5", "1.5000"])
def test_a_column_of_numbers_is_canonical_whatever_the_notation(notation: str) -> None:
    batch = [{"id": {"S": "1"}, "n": {"N": notation}}, {"id": {"S": "2"}}, {"id": {"S": "3"}, "n": {"N": "-0"}}]
    assert LAYOUT.decode(batch).column("n").to_pylist() == ["1.5", None, "0"]
    assert LAYOUT.decode(batch[:1]).column("n").to_pylist() == ["1.5"]


def test_control_characters_are_written_as_the_rows_module_writes_them() -> None:
    text = "".join(map(chr, range(0x20))) + '"\\/\x7f\u2028é☃𝄞'
    assert canonical_text({"S": text}) == json.dumps({"S": text}, ensure_ascii=False, separators=(",", ":"))


@pytest.mark.parametrize("type_", [Type.FLOAT, Type.DATE, Type.DATETIME, Type.INTEGER])
def test_a_type_that_dynamodb_has_not_is_refused_when_the_table_is_described(type_: Type) -> None:
    declared = Table(name="t", connection="c", key=("id",), columns={"id": type_})
    nowhere = client(
        endpoint_url="http://127.0.0.1:1", region_name="none", aws_access_key_id="none", aws_secret_access_key="none"
    )
    with pytest.raises(DeclarationError, match=rf"no Type.{type_.name} \(column 'id'\); it has Type.TEXT"):
        DynamoDBStore(nowhere).describe(declared)
