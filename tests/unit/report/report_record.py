"""A report from its facts as they stand in `report.json`, without a look at them: any part may be missing or out to harm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from include.trueup.report import render
from include.trueup.report import view as views
from include.trueup.report.shown import View
from include.trueup.run.reported import Report


def report_of(facts: Mapping[str, Any]) -> Report:
    report: Report = _made(Report, facts)
    return report


def html(facts: Mapping[str, Any]) -> str:
    return render.html(report_of(facts))


def markdown(facts: Mapping[str, Any]) -> str:
    return render.markdown(report_of(facts))


def view(facts: Mapping[str, Any]) -> View:
    return views.view(report_of(facts))


def _made(kind: Any, value: Any) -> Any:
    if get_origin(kind) is Annotated:
        return _made(get_args(kind)[0], value)
    if get_origin(kind) in (Union, UnionType):
        some = next((one for one in get_args(kind) if one is not NoneType), kind)
        return None if value is None else _made(some, value)
    if get_origin(kind) is tuple:
        return tuple(_made(get_args(kind)[0], each) for each in value)
    if not is_dataclass(kind):
        return value
    make: Any = kind
    hints, given = get_type_hints(kind, include_extras=True), {}
    for field in fields(kind):
        hint = hints[field.name]
        alias = next((a.alias for a in get_args(hint)[1:] if hasattr(a, "alias")), None)
        found = value.get(alias or field.name)
        if found is not None:
            given[field.name] = _made(hint, found)
        elif NoneType in get_args(hint) or NoneType in get_args(next(iter(get_args(hint)), None)):
            given[field.name] = None
    return make(**given)
