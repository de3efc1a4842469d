"""Whether a conf fits the params of a DAG: what is wrong of it is said field by field, with what is allowed."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import JsonValue

from include.trueup.declare.names import one_of
from include.trueup.errors import OptionsError

if TYPE_CHECKING:
    from airflow.sdk import DAG

Schema = Mapping[str, JsonValue]
"""The JSON schema of a param."""
_TYPES = {
    "string": "a text", "number": "a number", "integer": "a whole number", "boolean": "true or false", "array": "a list, […]",
    "object": "an object, {…}", "null": "null",
}  # fmt: skip
_FORMATS = {
    "date-time": "a date and time, as 2025-01-31T00:00:00Z",
    "date": "a date, as 2025-01-31",
    "time": "a time, as 12:00:00Z",
}


def check_conf(dag: DAG, conf: Mapping[str, JsonValue]) -> None:
    """Raise `OptionsError` with a line for each field of the conf that the DAG's params do not take."""
    if faults := [*_faults(dag, conf)]:
        raise OptionsError("\n".join(f"CONF does not fit {dag.dag_id}: {each}" for each in faults))


def _faults(dag: DAG, conf: Mapping[str, JsonValue]) -> Iterator[str]:
    from airflow.sdk.exceptions import ParamValidationError

    params = copy.deepcopy(dag.params)
    for name, value in conf.items():
        if name not in params:
            yield f"there is no param {name!r}; {one_of(name, params)}"
            continue
        param = params.get_param(name)
        try:
            param.resolve(value)
            _check_instant(param.schema, value)
        except (ParamValidationError, ValueError):
            given = json.dumps(value, ensure_ascii=False)
            yield f"{name} is {given}; {allowed(param.schema, value)}"
    for name in params.keys() - conf.keys():
        param = params.get_param(name)
        try:
            param.resolve()
        except ParamValidationError:
            yield f"{name} is not given, and has no default; {allowed(param.schema, None)}"


def _check_instant(schema: Schema, value: JsonValue) -> None:
    """Raise `ValueError` for a text that is no instant; JSON schema leaves that to a library that is not there."""
    if schema.get("format") == "date-time" and isinstance(value, str):
        datetime.fromisoformat(value)


def allowed(schema: Schema, value: JsonValue) -> str:
    """In words, what a param takes that has this JSON schema."""
    choices = schema.get("enum")
    if isinstance(choices, list):
        texts = [each for each in choices if isinstance(each, str)]
        if isinstance(value, str) and len(texts) == len(choices):
            return one_of(value, texts)
        return f"it is one of {', '.join(json.dumps(each, ensure_ascii=False) for each in choices)}"
    types = schema.get("type")
    named = [each for each in (types if isinstance(types, list) else [types]) if isinstance(each, str)]
    kinds = sorted(named, key=lambda each: each == "null")
    words = [_kind(each, schema) for each in kinds]
    return f"it is {' or '.join(words)}" if words else f"it has to fit {json.dumps(dict(schema), ensure_ascii=False)}"


def _kind(kind: str, schema: Schema) -> str:
    if kind == "string" and str(schema.get("format")) in _FORMATS:
        return _FORMATS[str(schema["format"])]
    if kind == "string" and "pattern" in schema:
        return f"a text like {schema['pattern']}"
    low, high = schema.get("minimum"), schema.get("maximum")
    bounds = f"{'' if low is None else f' from {low}'}{'' if high is None else f' to {high}'}"
    items = schema.get("items")
    if kind == "array" and isinstance(items, dict) and isinstance(of := items.get("type"), str):
        return f"{_TYPES[kind]} of which each is {_TYPES.get(of, of)}"
    return _TYPES.get(kind, kind) + (bounds if kind in ("number", "integer") else "")
