"""DynamoDB's limits, as SQL: which canonical rows it would not hold. `sizes.py` has what SQL has no words for."""

from __future__ import annotations

from ...declare.migration import Table, Type
from ...declare.names import EXTRA, MISTYPED, ROW_ID
from ...rows.dynamodb_sizes import FRACTION_ZEROS, INTEGER_DIGITS, NUMBER_DIGITS

ITEM_BYTES = 400 * 1024
HASH_BYTES = 2048
RANGE_BYTES = 1024


def unwritable(table: Table, rows: str) -> str:
    """A DuckDB query over the relation `rows` for (`ROW_ID`, `message`) of each row that DynamoDB would refuse.

    An item's size is what it takes at least (`sizes.py`), so that no row that fits is named. Needs a connection of
    `duck.connect`.
    """
    size = _size(table, exact=True)
    too_large = f"({_size(table, exact=False)}) > {ITEM_BYTES} AND ({size}) > {ITEM_BYTES}"
    takes = f"'the row takes ' || ({size}) || ' bytes or more, DynamoDB holds {ITEM_BYTES} a row'"
    cases = [
        *_key_cases("key", table.key, table, required=True),
        *(case for index in table.indexes for case in _key_cases(f"key of index {index.name!r}", index.key, table)),
        *(case for name, type_ in table.columns.items() if type_ is Type.NUMBER for case in _number_cases(name)),
        _extra_case(table),
        *(_fault_case(name, _nested(type_)) for name, type_ in _documents(table).items()),
        (too_large, takes),
    ]
    branches = "\n        ".join(f"WHEN {condition} THEN {message}" for condition, message in cases)
    return (
        f"SELECT {ROW_ID}, message FROM (\n    SELECT {ROW_ID}, CASE\n        {branches}\n    END AS message\n"
        f"    FROM {rows}\n) WHERE message IS NOT NULL"
    )


def _documents(table: Table) -> dict[str, Type | None]:
    """The columns of JSON text, None those whose members are attributes of the item itself."""
    declared = {name: type_ for name, type_ in table.columns.items() if type_ is Type.JSON}
    return {**declared, EXTRA: None, MISTYPED: None}


def _nested(type_: Type | None) -> str:
    return "true" if type_ is Type.JSON else "false"


def _fault_case(name: str, nested: str) -> tuple[str, str]:
    """SQL condition and message for a document that holds what DynamoDB does not take, at any depth."""
    fault = f"dynamodb_fault({_column(name)}, {nested})"
    condition = f"CASE WHEN {_column(name)} IS NULL THEN false ELSE {fault} IS NOT NULL END"
    return condition, f"{_text(f'{name!r} ')} || {fault}"


def _column(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _bytes(name: str, type_: Type) -> str:
    """SQL for the bytes of a scalar column's value, null where it is null."""
    column = _column(name)
    match type_:
        case Type.NUMBER:
            return f"({_digits(name)} + 1) // 2 + 1"
        case Type.BOOLEAN:
            return f"CASE WHEN {column} IS NULL THEN NULL ELSE 1 END"
        case Type.BINARY:
            return f"octet_length({column})"
        case _:
            return f"strlen({column})"


def _size(table: Table, *, exact: bool) -> str:
    """SQL for the bytes of an item: names and values of the attributes that are there. Of a document, at least (`exact`);
    or at most, which is cheap and enough for nearly every row: DynamoDB JSON is longer than what it stands for, each
    value carries at least 8 bytes of notation."""
    documents = _documents(table)
    sizes = {name: _bytes(name, type_) for name, type_ in table.columns.items() if name not in documents}
    for name, type_ in documents.items():
        column = _column(name)
        sizes[name] = f"dynamodb_bytes({column}, {_nested(type_)})" if exact else f"strlen({column}) + 3"
    names = {name: len(name.encode()) if name in table.columns else 0 for name in sizes}
    return " + ".join(f"coalesce({names[name]} + {size}, 0)" for name, size in sizes.items())


def _digits(name: str) -> str:
    """SQL for the significant digits of a canonical number."""
    return f"length(trim(replace(ltrim({_column(name)}, '-'), '.', ''), '0'))"


def _key_cases(what: str, key: tuple[str, ...], table: Table, required: bool = False) -> list[tuple[str, str]]:
    """Pairs of SQL condition and message for a key: missing, empty, too large, of another type."""
    cases = []
    for name, limit in zip(key, (HASH_BYTES, RANGE_BYTES), strict=False):
        column, named = _column(name), f"{name!r}, {what},"
        other_type = (
            f"CASE WHEN {MISTYPED} IS NULL THEN false ELSE list_contains(json_keys({MISTYPED}), {_text(name)}) END"
        )
        cases.append((other_type, _text(f"{named} is of another type")))
        if required:
            cases.append((f"{column} IS NULL", _text(f"{named} is missing")))
        if table.columns[name] in (Type.TEXT, Type.BINARY):
            size = _bytes(name, table.columns[name])
            cases.append((f"{size} = 0", _text(f"{named} is empty")))
            cases.append((f"{size} > {limit}", f"{_text(f'{named} has ')} || {size} || ' bytes, {limit} are allowed'"))
    return cases


def _number_cases(name: str) -> list[tuple[str, str]]:
    """Pairs of SQL condition and message for a number: what it may not be."""
    column = _column(name)
    whole, fraction = f"split_part(ltrim({column}, '-'), '.', 1)", f"split_part({column}, '.', 2)"
    zeros = f"length({fraction}) - length(ltrim({fraction}, '0')) > {FRACTION_ZEROS}"
    small = f"({column} LIKE '0.%' OR {column} LIKE '-0.%')"
    return [
        (
            f"NOT regexp_full_match({column}, '-?[0-9]+(\\.[0-9]+)?')",
            _text(f"{name!r} is not a plain decimal number"),
        ),
        (
            f"length({column}) > {NUMBER_DIGITS} AND {_digits(name)} > {NUMBER_DIGITS}",
            f"{_text(f'{name!r} has ')} || {_digits(name)} || ' significant digits, {NUMBER_DIGITS} are allowed'",
        ),
        (
            f"length({column}) > {INTEGER_DIGITS} AND (length({whole}) > {INTEGER_DIGITS} OR {small} AND {zeros})",
            _text(f"{name!r} is beyond the numbers that DynamoDB holds (1E-130 to 9.99E+125)"),
        ),
    ]


def _extra_case(table: Table) -> tuple[str, str]:
    """A declared column may not also be an undeclared attribute: the item would have it twice."""
    declared = "[" + ", ".join(map(_text, table.columns)) + "]"
    twice = f"list_intersect(json_keys({EXTRA}), {declared})"
    return (
        f"CASE WHEN {EXTRA} IS NULL THEN false ELSE len({twice}) > 0 END",
        f"'declared columns are among the undeclared attributes of _extra: ' || array_to_string({twice}, ', ')",
    )
