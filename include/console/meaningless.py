"""What SQL takes and no author can mean: rows that are others each time, comparisons that never hold, columns that say nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb

from ..trueup.declare.migration import Derived, Source
from ..trueup.declare.names import KEY, SOURCE_KEY, fold, one_of
from .sql_tree import columns, is_null, nodes, place, selects

_ORDERED = {"row_number", "ntile", "first_value", "last_value", "nth_value", "lag", "lead", "first", "last", "nth"}
_ONE_OF_MANY = {"first", "last", "arbitrary", "string_agg", "group_concat", "listagg"}
_LISTS = {"list", "array_agg", "json_group_array"}
_OF_NO_ORDER = re.compile(
    r"(list|array)_(sort|reverse_sort|unique|contains|has|has_any|has_all|min|max|length)|len|unnest"
)
"""Functions to which the order of a list is nothing."""
_NEVER = {
    *("COMPARE_EQUAL", "COMPARE_NOTEQUAL", "COMPARE_LESSTHAN", "COMPARE_GREATERTHAN"),
    *("COMPARE_LESSTHANOREQUALTO", "COMPARE_GREATERTHANOREQUALTO"),
}
_ROUNDS = {
    "json_object",
    "json_array",
    "to_json",
    "json_quote",
    "json_group_array",
    "json_group_object",
    "json_merge_patch",
}
"""Functions that read what JSON they are given as DuckDB does, a fraction as a double."""
_HANDS_ON = {"list_value", "struct_pack", "row", "list", "array_agg"}
"""Functions of which JSON comes out as it went in."""
_AGAIN = "a plan that is made again of the same rows may be another"


def meaningless(parsed: Mapping[str, Any], params: Sequence[str] = ()) -> Iterator[tuple[int, str]]:
    """What a query cannot mean, each with its place; `params`: the ids of those that there are."""
    asked = {
        id(each["subquery"]["node"]) for each in nodes(parsed) if each.get("subquery_type") in ("EXISTS", "NOT_EXISTS")
    }
    harmless = {
        id(each["expression"])
        for node in nodes(parsed)
        if node.get("class") == "FUNCTION" and _OF_NO_ORDER.fullmatch(node["function_name"])
        for each in node["arguments"]
    }
    for node in nodes(parsed):
        if "modifiers" in node and id(node) not in asked:
            yield from _unordered(node)
        if node.get("sample"):
            yield 0, f"a sample has other rows each time, so {_AGAIN}; leave it out"
        if node.get("class") == "WINDOW" and node["function_name"] in _ORDERED and not _orders(node):
            yield (
                place(node),
                f"{node['function_name']}() without ORDER BY goes by no order, so {_AGAIN}; say one: OVER (… ORDER BY …)",
            )
        if node.get("class") == "FUNCTION":
            yield from _of_function(node, sorted_later=id(node) in harmless)
        if node.get("type") == "SELECT_NODE":
            yield from _of_params(node, params)
        if (
            node.get("class") == "COMPARISON"
            and node["type"] in _NEVER
            and any(map(is_null, (node["left"], node["right"])))
        ):
            yield (
                place(node),
                "nothing is equal to NULL, and nothing is not, so this never holds; write IS NULL or IS NOT NULL",
            )


def _of_params(select: Mapping[str, Any], params: Sequence[str]) -> Iterator[tuple[int, str]]:
    """The value of a param that there is not, which is null: `SELECT value FROM params WHERE id = 'mni'`."""
    where = select.get("where_clause") or {}
    if fold((select.get("from_table") or {}).get("table_name", "")) != "params" or where.get("type") != "COMPARE_EQUAL":
        return
    given = [each for each in (where["left"], where["right"]) if each.get("class") == "CONSTANT"]
    named = [each for each in (where["left"], where["right"]) if each.get("column_names", [""])[-1] == "id"]
    for each in given if named else ():
        if each["literal"]["kind"] == "STRING" and each["literal"]["text"] not in params:
            yield (
                place(each),
                f"there is no param {each['literal']['text']!r}; {one_of(each['literal']['text'], params)}",
            )


def _unordered(query: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    kinds = {each["type"]: each for each in query["modifiers"]}
    below = query.get("from_table") or {}
    ordered = below.get("type") == "SUBQUERY" and any(
        each["type"] == "ORDER_MODIFIER" for each in below["subquery"]["node"].get("modifiers", ())
    )
    if "ORDER_MODIFIER" in kinds or ordered:
        return
    if (limit := kinds.get("LIMIT_MODIFIER")) is not None:
        at = next((place(each) for each in (limit.get("limit"), limit.get("offset")) if each), 0)
        yield at, f"LIMIT without ORDER BY takes any rows, so {_AGAIN}; say which: ORDER BY … LIMIT …"
    distinct = kinds.get("DISTINCT_MODIFIER") or {}
    if distinct.get("distinct_on_targets"):
        at = place(distinct["distinct_on_targets"][0])
        yield at, f"DISTINCT ON without ORDER BY takes any row, so {_AGAIN}; say which: ORDER BY …"


def _of_function(node: Mapping[str, Any], *, sorted_later: bool) -> Iterator[tuple[int, str]]:
    name, given = node["function_name"], [each["expression"] for each in node["arguments"]]
    by_order = name in _ONE_OF_MANY or (name in _LISTS and not sorted_later)
    if by_order and not _orders(node.get("order_bys") or {}):
        remedy = "to_json(list(… ORDER BY …))" if name == "json_group_array" else f"{name}(… ORDER BY …)"
        yield place(node), f"{name}() without ORDER BY goes by no order, so {_AGAIN}; say one: {remedy}"
    for each in _json(given) if name in _ROUNDS else ():
        yield (
            place(each),
            (
                f"{name}() takes a number of JSON for a double where it has a fraction, and digits after the 15th may be others; put the"
                " text together, with every digit (docs/how-to/documents.md)"
            ),
        )
    if name.endswith("like_escape") and (fault := _pattern(given[1:])):
        yield place(node), fault
    if name in ("/", "//", "%") and len(given) == 2 and _zero(given[1]):
        yield place(node), f"{name} 0 gives no number; DuckDB makes null of it"


def _json(tree: object) -> Iterator[Mapping[str, Any]]:
    """What is read as JSON in it and stays JSON: `CAST(x AS JSON)`."""
    if not isinstance(tree, dict):
        for each in tree if isinstance(tree, list) else ():
            yield from _json(each)
    elif tree.get("class") == "CAST" and fold((tree.get("type_expr") or {}).get("type_name", "")) == "json":
        if tree["child"].get("class") != "CONSTANT":
            yield tree
    elif tree.get("class") != "FUNCTION" or tree["function_name"] in _HANDS_ON:
        for each in tree.values():
            yield from _json(each)


def _pattern(given: Sequence[Mapping[str, Any]]) -> str | None:
    """What DuckDB says of a pattern with an ESCAPE that it refuses at the first row."""
    texts = [each["literal"]["text"] for each in given if each.get("class") == "CONSTANT"]
    if len(texts) != 2:
        return None
    try:
        duckdb.execute("SELECT $1 LIKE $2 ESCAPE $3", [texts[0].replace(texts[1], "") + "?", *texts]).fetchall()
    except duckdb.Error as error:
        why = str(error).splitlines()[0].partition(": ")[2]
        return f"LIKE {texts[0]!r} ESCAPE {texts[1]!r}: {why}: the first row would end the run"
    return None


def _orders(node: Mapping[str, Any]) -> bool:
    return bool(node.get("orders") or node.get("arg_orders"))


def _zero(expression: Mapping[str, Any]) -> bool:
    if expression.get("class") != "CONSTANT" or expression["literal"]["kind"] not in ("INTEGER", "DECIMAL", "DOUBLE"):
        return False
    try:
        return float(expression["literal"]["text"]) == 0
    except ValueError:
        return False


def saying_nothing(
    parsed: Mapping[str, Any], *, view: str, key: Sequence[str], drivers: Sequence[Source | Derived]
) -> Iterator[tuple[int, str]]:
    """Columns of `findings`, or of a view of rows with that key, that cannot be right; each with its place. `drivers`: of the
    phases that the script is of."""
    needed = ("code", "severity") if view == "findings" else key
    for statement in parsed.get("statements", []):
        for name in needed:
            for _, expression in columns(statement["node"], fold(name)):
                if is_null(expression):
                    yield place(expression), f"{name} is null in every row of {view}; say which it is"
        for select in selects(statement["node"]) if view != "findings" else ():
            yield from _quoted(select, drivers)
        for select, expression in columns(statement["node"], SOURCE_KEY):
            what = _no_source(select, expression, view, drivers)
            if what is not None:
                yield place(expression), f"{what}; _source is the key of the source row: {KEY} AS {SOURCE_KEY}"


def _quoted(select: Mapping[str, Any], drivers: Sequence[Source | Derived]) -> Iterator[tuple[int, str]]:
    """Columns of the source in the quotes of a text, of which the query gives nothing else."""
    items = nodes(select["select_list"])
    read = {fold(each["column_names"][-1]) for each in items if each.get("class") == "COLUMN_REF"}
    names = {fold(name) for driver in drivers for name in driver.columns} - read
    for item in select["select_list"]:
        if (
            item.get("class") == "CONSTANT"
            and item["literal"]["kind"] == "STRING"
            and fold(item["literal"]["text"]) in names
        ):
            name = item["literal"]["text"]
            yield place(item), f'{name!r} is a text, the same in every row; the column is written {name}, or "{name}"'


def _no_source(
    select: Mapping[str, Any], expression: Mapping[str, Any], view: str, drivers: Sequence[Source | Derived]
) -> str | None:
    if expression.get("class") == "CONSTANT" and (view != "findings" or not is_null(expression)):
        return f"_source is the same in every row of {view}"
    table = select.get("from_table") or {}
    if expression.get("class") != "COLUMN_REF" or table.get("type") != "BASE_TABLE":
        return None
    name = fold(expression["column_names"][-1])
    for driver in drivers:
        known = {fold(each) for each in driver.columns} - {fold(each) for each in driver.key}
        if fold(table["table_name"]) == fold(driver.id) and name in known:
            return f"{expression['column_names'][-1]} is not the key of {driver.id}, which is {', '.join(driver.key)}"
    return None
