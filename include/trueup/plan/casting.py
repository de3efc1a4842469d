"""From what a transform gives to the type that the target declares, and nothing lost on the way unseen: DuckDB's own casts
drop a date's time, a time's zone, digits of a text, round a fraction to a whole number, and take `1e400` for infinity.
Numbers and JSON, which a transform may write in any notation, are brought into canonical form; a value that has none is
null, and its row has a fault, which makes a reject of the source row."""

from __future__ import annotations

from collections.abc import Mapping

from ..declare.migration import Target, Type
from ..declare.names import EXTRA, MISTYPED, own
from ..errors import DeclarationError
from ..rows import duck, forms
from .inputs import SQL, cast

_LOSES: dict[Type, tuple[str, str]] = {
    Type.DATE: ("TIMESTAMP", "its time of day: CAST it to DATE in the transform, if that is meant"),
    Type.DATETIME: (
        "TIMESTAMP WITH TIME ZONE",
        "its time zone: say which one is meant (at AT TIME ZONE 'UTC'), or declare Type.TIMESTAMP",
    ),
}
"""What DuckDB's types begin with that lose something in the declared type, and what."""
_DATE = r"[0-9]+-[0-9]{1,2}-[0-9]{1,2}( \(BC\))?"
_TEXTS = {
    Type.DATE: rf"{_DATE}|-?infinity",
    Type.DATETIME: rf"{_DATE}([T ][0-9]{{1,2}}:[0-9]{{2}}(:[0-9]{{2}}([.][0-9]{{1,6}})?)?)?|-?infinity",
}
"""The texts that are values of the type, whole."""

_KNOWN = {
    Type.DATE: ("DATE '0001-01-01'", "DATE '9999-12-31'"),
    Type.DATETIME: ("TIMESTAMP '0001-01-01 00:00:00'", "TIMESTAMP '9999-12-31 23:59:59.999999'"),
    Type.TIMESTAMP: ("TIMESTAMPTZ '0001-01-01 00:00:00+00'", "TIMESTAMPTZ '9999-12-31 23:59:59.999999+00'"),
}
"""The first and last that Python and pandas know."""
_WHOLE = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"})
"""DuckDB's types whose every value is an INTEGER."""
_NO_FORM = duck.literal(forms.NO_FORM)
_WHY = f"substr({{}}, {len(forms.NO_FORM) + 1})"


def columns(target: Target, made: Mapping[str, str], dynamodb: bool) -> tuple[str, str, str]:
    """SQL over what a transform gives, of the types `made`: the values of `target`'s columns, `_extra` and `_mistyped`
    (an inner and an outer select list), and the fault of a row, null where it has none. `dynamodb`: JSON is DynamoDB's."""
    inner, outer, faults = [], [], []
    types = {**target.table.columns, EXTRA: Type.JSON, MISTYPED: Type.JSON}
    for name, type_ in types.items():
        column, made_type = duck.identifier(name), made.get(name)
        outer.append(column)
        if made_type is None:
            inner.append(f"CAST(NULL AS {SQL[type_]}) AS {column}")
        elif type_ in (Type.NUMBER, Type.JSON):
            form = forms.NUMBER if type_ is Type.NUMBER else (forms.DYNAMODB_JSON if dynamodb else forms.ANY_JSON)
            inner.append(f"{form}(CAST({column} AS VARCHAR)) AS {column}")
            outer[-1] = f"CASE WHEN NOT starts_with({column}, {_NO_FORM}) THEN {column} END AS {column}"
            faults.append(_fault(name, f"starts_with({column}, {_NO_FORM})", _WHY.format(column)))
        elif type_ is Type.INTEGER and made_type not in _WHOLE:
            raw = own(f"text_{len(inner)}")
            inner.append(f"{forms.NUMBER}(CAST({column} AS VARCHAR)) AS {raw}")
            value = f"CASE WHEN regexp_full_match({raw}, '-?[0-9]+') THEN TRY_CAST({raw} AS BIGINT) END"
            outer[-1] = f"{value} AS {column}"
            no_form = f"starts_with({raw}, {_NO_FORM})"
            why = f"CASE WHEN {no_form} THEN {_WHY.format(raw)} ELSE {raw} || ' is not a whole number of 64 bits' END"
            faults.append(_fault(name, f"{raw} IS NOT NULL AND ({value}) IS NULL", why))
        else:
            inner.append(whole(name, type_, made_type))
    return ", ".join(inner), ", ".join(outer), f"coalesce({', '.join([*faults, 'CAST(NULL AS VARCHAR)'])})"


def _fault(name: str, condition: str, message: str) -> str:
    return f"CASE WHEN {condition} THEN {duck.literal(f'column {name!r}: ')} || {message} END"


def refuse_lossy(target: Target, view: str, types: Mapping[str, str]) -> None:
    """Raise `DeclarationError` where a column of the view is of a type (`types`, DuckDB's) that loses something in the
    declared one."""
    for name, type_ in target.table.columns.items():
        begins, what = _LOSES.get(type_, ("", ""))
        if begins and types.get(name, "").startswith(begins):
            raise DeclarationError(
                f"target {target.id!r}: column {name!r} of the transform's {view} is {types[name]}, but Type.{type_.name} is"
                f" declared, which would lose {what}"
            )


def whole(column: str, type_: Type, given: str) -> str:
    """SQL: the column, of its type in DuckDB; an error where it is text of which the type would lose something."""
    value, name = cast(column, type_), duck.identifier(column)
    if given != "VARCHAR":
        return value
    error = f"error({duck.literal(f'column {column!r}: no Type.{type_.name} is ')} || {name})"
    if type_ in _TEXTS:
        fits = f"{name} IS NULL OR regexp_full_match({name}, {duck.literal(_TEXTS[type_])})"
    elif type_ is Type.FLOAT:
        fits = f"coalesce(NOT isinf(CAST({name} AS DOUBLE)), true) OR contains(lower({name}), 'inf')"
    else:
        return value
    return f"CASE WHEN {fits} THEN {value.removesuffix(f' AS {name}')} ELSE {error} END AS {name}"


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
