"""From what a transform gives to the type that the target declares, and nothing lost on the way unseen: DuckDB's own casts
drop a date's time, a time's zone, digits of a text, round a fraction to a whole number, take 2 for true and `1e400` for
infinity. Types of which no value has a place in the declared one are refused, by `make check` too. Of the others each value
is brought into the declared type, numbers and JSON of any notation into canonical form; a value that has no place there is
null, and its row has a fault, which makes a reject of the source row."""

from __future__ import annotations

from collections.abc import Mapping

from ..declare.migration import Type
from ..declare.names import EXTRA, MISTYPED, own
from ..errors import DeclarationError
from ..rows import duck, forms
from ..rows.values import NO_ZERO
from .duck_types import SQL, cast

_KINDS = {
    "text": ("VARCHAR", "JSON", "UUID", "ENUM("),
    "whole": ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT", "BIGNUM"),
    "fraction": ("DECIMAL(", "DOUBLE", "FLOAT"),
    "instant": ("TIMESTAMP WITH TIME ZONE",),
    "datetime": ("TIMESTAMP",),
    "date": ("DATE",),
    "boolean": ("BOOLEAN",),
    "bytes": ("BLOB",),
    "nested": ("STRUCT(", "MAP("),
    "null": ('"NULL"',),
}  # fmt: skip
"""Kinds of DuckDB's types, by what their names begin with; the first that fits counts."""
_TAKES = {
    Type.NUMBER: {"text", "whole", "fraction"},
    Type.INTEGER: {"text", "whole", "fraction"},
    Type.FLOAT: {"text", "whole", "fraction"},
    Type.BOOLEAN: {"text", "whole", "boolean"},
    Type.TIMESTAMP: {"text", "date", "datetime", "instant"},
    Type.DATETIME: {"text", "date", "datetime"},
    Type.DATE: {"text", "date"},
    Type.JSON: {"text", "whole", "fraction", "boolean", "nested"},
    Type.BINARY: {"bytes"},
}
"""The kinds of which a type takes values: those that are its own; TEXT takes whatever is not bytes."""
_MEANT = {
    (Type.DATE, "datetime"): "would lose its time of day: CAST it to DATE in the transform, if that is meant",
    (Type.DATE, "instant"): "would lose its time of day: CAST it to DATE in the transform, if that is meant",
    (Type.DATETIME, "instant"): "would lose its time zone: say which one is meant (at AT TIME ZONE 'UTC'), or declare Type.TIMESTAMP",
    (Type.TEXT, "bytes"): "takes text: say which one is meant, base64(x), hex(x) or decode(x), or declare Type.BINARY",
    (Type.BINARY, "text"): "takes bytes: say which are meant, encode(x), from_base64(x) or unhex(x), or declare Type.TEXT",
    (Type.JSON, "date"): "takes JSON: say to_json(x)",
    (Type.JSON, "datetime"): "takes JSON: say to_json(x)",
    (Type.JSON, "instant"): "takes JSON: say to_json(x)",
}  # fmt: skip
"""Of types that are refused, why, and what to say instead."""

_DATE = r"[0-9]+-[0-9]{1,2}-[0-9]{1,2}( \(BC\))?"
_TIME = r"[T ][0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6}0*)?)?"
_ZONE = r"Z|[+-][0-9]{2}(:?[0-9]{2}(:[0-9]{2})?)?| [A-Za-z_+-]+(/[A-Za-z_+-]+)*"
_TEXTS = {
    Type.DATE: rf"{_DATE}|-?infinity",
    Type.DATETIME: rf"{_DATE}({_TIME})?|-?infinity",
    Type.TIMESTAMP: rf"{_DATE}({_TIME} ?({_ZONE})?)?|-?infinity",
    Type.BOOLEAN: r"(?i)true|false|t|f|yes|no|y|n|1|0",
}
"""The texts that are values of the type, whole."""
_NO = {
    Type.DATE: "is not a date, as 2024-02-29 is",
    Type.DATETIME: "is not a date and time of no time zone, as 2024-02-29 12:00:00.123456 is",
    Type.TIMESTAMP: "is not an instant, as 2024-02-29T12:00:00.123456Z is",
    Type.BOOLEAN: "is neither true nor false",
}
"""What is said of a value that has no place in the type."""
_SHOWN = 100
"""Characters of a value that a message shows."""

_KNOWN = {
    Type.DATE: ("DATE '0001-01-01'", "DATE '9999-12-31'"),
    Type.DATETIME: ("TIMESTAMP '0001-01-01 00:00:00'", "TIMESTAMP '9999-12-31 23:59:59.999999'"),
    Type.TIMESTAMP: ("TIMESTAMPTZ '0001-01-01 00:00:00+00'", "TIMESTAMPTZ '9999-12-31 23:59:59.999999+00'"),
}
"""The first and last that Python and pandas know."""
_OF_64_BITS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"})
"""DuckDB's types whose every value is an INTEGER."""
_NO_FORM = duck.literal(forms.NO_FORM)
_WHY = f"substr({{}}, {len(forms.NO_FORM) + 1})"


def columns(declared: Mapping[str, Type], made: Mapping[str, str], dynamodb: bool) -> tuple[str, str, str]:
    """SQL over what a transform gives, of the types `made`: the values of the `declared` columns, `_extra` and `_mistyped`
    (an inner and an outer select list), and the fault of a row, null where it has none. `dynamodb`: JSON is DynamoDB's."""
    inner: list[str] = []
    outer: list[str] = []
    faults: list[str] = []
    types = {**declared, EXTRA: Type.JSON, MISTYPED: Type.JSON}
    for name, type_ in types.items():
        given, value, wrong, why = _one(name, type_, made.get(name, '"NULL"'), own(f"text_{len(inner)}"), dynamodb)
        inner.append(given)
        outer.append(f"{value} AS {duck.identifier(name)}")
        if wrong:
            faults.append(_fault(name, wrong, why))
    return ", ".join(inner), ", ".join(outer), f"coalesce({', '.join([*faults, 'CAST(NULL AS VARCHAR)'])})"


def _one(name: str, type_: Type, made: str, raw: str, dynamodb: bool) -> tuple[str, str, str, str]:
    """SQL of a column that is made of the type `made`: what is taken of it, its value from that, and whether it is at fault, and
    why ('' where it never is). `raw`: a name for its text."""
    column, kind = duck.identifier(name), _kind(made)
    if kind == "null":
        return f"CAST(NULL AS {SQL[type_]}) AS {column}", column, "", ""
    if made == "JSON" and type_ is Type.TEXT:  # which DuckDB does not always write as JSON (`values.NO_ZERO`)
        return cast(name, type_), column, f"NOT json_valid({column})", duck.literal(f"no JSON: {NO_ZERO}")
    if _is_its_own(type_, made):
        return cast(name, type_), column, "", ""
    no_form, why = f"starts_with({raw}, {_NO_FORM})", _WHY.format(raw)
    text = f"{column} ->> '$'" if made == "JSON" and type_ not in (Type.NUMBER, Type.INTEGER, Type.JSON) else column
    if type_ in (Type.NUMBER, Type.JSON, Type.FLOAT, Type.INTEGER):
        form = {Type.FLOAT: forms.FLOAT, Type.JSON: forms.DYNAMODB_JSON if dynamodb else forms.ANY_JSON}
        text = f"to_json({text})" if kind == "nested" else text
        given = f"{form.get(type_, forms.NUMBER)}(CAST({text} AS VARCHAR)) AS {raw}"
        if type_ is not Type.INTEGER:
            return given, f"CAST(CASE WHEN NOT {no_form} THEN {raw} END AS {SQL[type_]})", no_form, why
        value = f"CASE WHEN regexp_full_match({raw}, '-?[0-9]+') THEN TRY_CAST({raw} AS BIGINT) END"
        why = f"CASE WHEN {no_form} THEN {why} ELSE {raw} || ' is not a whole number of 64 bits' END"
        return given, value, f"{raw} IS NOT NULL AND ({value}) IS NULL", why
    value = (
        f"CASE WHEN regexp_full_match({raw}, {duck.literal(_TEXTS[type_])}) THEN TRY_CAST({raw} AS {SQL[type_]}) END"
    )
    why = f"{duck.literal(chr(39))} || left({raw}, {_SHOWN}) || {duck.literal(chr(39) + ' ' + _NO[type_])}"
    return f"CAST({text} AS VARCHAR) AS {raw}", value, f"{raw} IS NOT NULL AND ({value}) IS NULL", why


def _is_its_own(type_: Type, made: str) -> bool:
    """Whether every value of the type that was made is one of the declared type, as it is."""
    if type_ is Type.INTEGER:
        return made in _OF_64_BITS
    if type_ is Type.FLOAT:
        return made in ("DOUBLE", "FLOAT")
    own_type = "TIMESTAMP WITH TIME ZONE" if type_ is Type.TIMESTAMP else SQL[type_]
    return type_ is Type.TEXT or (type_ not in (Type.NUMBER, Type.JSON) and made == own_type)


def _kind(made: str) -> str:
    """Of what kind a type of DuckDB's is; '' where it is none of those that a declared type takes."""
    if made.endswith("]"):
        return "nested"
    return next((kind for kind, begins in _KINDS.items() if made.startswith(begins)), "")


def _fault(name: str, condition: str, message: str) -> str:
    return f"CASE WHEN {condition} THEN {duck.literal(f'column {name!r}: ')} || {message} END"


def refuse_lossy(what: str, declared: Mapping[str, Type], gives: str, types: Mapping[str, str]) -> None:
    """Raise `DeclarationError` where a column is given of a type (`types`, DuckDB's) of which no value has a place in the
    declared one, or that loses something there; `gives`: what gives it, in words."""
    for name, type_ in declared.items():
        kind = _kind(types.get(name, '"NULL"'))
        if kind == "null" or (kind in _TAKES.get(type_, {kind}) and (type_, kind) not in _MEANT):
            continue
        why = _MEANT.get(
            (type_, kind), "takes none of its values: say in the transform what is meant, or declare another type"
        )
        raise DeclarationError(
            f"{what}: column {name!r} of {gives} is {types[name]}, but Type.{type_.name} is declared, which {why}"
        )


def in_suites(column: str, type_: Type) -> str:
    """SQL: the column as a suite sees it: pandas has no year below 1 or above 9999, so a date or time beyond is the
    first, or the last, that it knows."""
    name = duck.identifier(column)
    if type_ not in _KNOWN:
        return name
    first, last = _KNOWN[type_]
    return f"CASE WHEN {name} IS NOT NULL THEN least(greatest({name}, {first}), {last}) END AS {name}"


def strict_json(relation: str, columns: Mapping[str, Type]) -> str:
    """SQL: the relation with columns of these types, so that `to_json` of a row is JSON, which has neither NaN nor
    infinity: they are text there."""
    names = [duck.identifier(name) for name, type_ in columns.items() if type_ is Type.FLOAT]
    if not names:
        return relation
    values = (f"CASE WHEN isfinite({n}) THEN to_json({n}) ELSE to_json(CAST({n} AS VARCHAR)) END AS {n}" for n in names)
    return f"(SELECT * REPLACE ({', '.join(values)}) FROM {relation})"
