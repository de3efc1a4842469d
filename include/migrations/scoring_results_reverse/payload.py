"""A payload taken apart: the columns of the four legacy tables as text, every digit kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from include.trueup.errors import UnreadableValueError
from include.trueup.rows.values import canonical_number, json_text, json_value

PROFILE = ("type_code", "base_func", "creative_func", "overlay")
_TIMES = ("created_at", "updated_at")


class _NoPayloadError(Exception):
    """Why it is none, in words."""


def exploded(session_id: str | None, payload: str | None) -> str | None:
    """What the legacy tables hold of a payload (JSON), as a JSON object: `profile` (`more`: its members that are not named here,
    JSON or null), `types`, `functions`, `state` (null where there is none), each column a text or null; or `fault`, why it is no
    payload of that session, in words."""
    try:
        return json_text(_exploded(session_id, json_value(payload or "null")))
    except (_NoPayloadError, UnreadableValueError) as error:
        return json_text({"fault": str(error)})


def _exploded(session_id: str | None, payload: Any) -> dict[str, Any]:
    whole = _object(payload, "the payload")
    profile, state = _object(whole.get("profile"), "profile"), _object(whole.get("state", {}), "state")
    if _object(whole.get("session"), "session").get("id") != session_id:
        raise _NoPayloadError("session.id is not that of its row")
    version = _text(whole.get("results_version"), "results_version")
    if version is None or profile.get("results_version", version) != version or whole.get("version") != version:
        raise _NoPayloadError("version, results_version and profile.results_version are not one text")
    types: list[dict[str, Any]] = [
        {
            "type_code": _code(row, "type_code"),
            "fit": _number(row.get("fit"), "fit"),
            "share": _number(row.get("share"), "share"),
            "rank": _integer(row.get("rank"), "rank"),
        }
        for row in _rows(whole.get("types"), "types")
    ]
    functions: list[dict[str, Any]] = [
        {
            "func_code": _code(row, "func_code"),
            "strength": _number(row.get("strength"), "strength"),
            "dimension": _integer(row.get("dimension"), "dimension"),
        }
        for row in _rows(whole.get("functions", []), "functions")
    ]
    if not types:
        raise _NoPayloadError("it has no types")
    _once((row["type_code"] for row in types), "types")
    _once((row["func_code"] for row in functions), "functions")
    named = {*PROFILE, *_TIMES, "session_id", "confidence", "results_version"}
    more = {name: value for name, value in profile.items() if name not in named and value is not None}
    columns = {name: _text(profile.get(name), f"profile.{name}") for name in PROFILE}
    confidence = _number(profile.get("confidence"), "profile.confidence")
    blocks = state.get("blocks")
    return {
        "profile": {
            **columns,
            "confidence": confidence,
            "results_version": version,
            "more": json_text(more) if more else None,
        },
        "types": types,
        "functions": functions,
        "state": {
            "overlay_band": _text(state.get("overlay_band"), "state.overlay_band"),
            "effective_confidence": _number(state.get("effective_confidence"), "state.effective_confidence"),
            "blocks": None if blocks is None else json_text(blocks),
        }
        if state
        else None,
    }


def _object(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _NoPayloadError(f"{what} is no object")
    return value


def _rows(value: Any, what: str) -> list[Mapping[str, Any]]:
    if not isinstance(value, list):
        raise _NoPayloadError(f"{what} is no list")
    return [_object(row, f"a row of {what}") for row in value]


def _text(value: Any, what: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise _NoPayloadError(f"{what} is no text")
    return value


def _code(row: Mapping[str, Any], name: str) -> str:
    if (code := _text(row.get(name), name)) is None:
        raise _NoPayloadError(f"a row has no {name}")
    return code


def _number(value: Any, what: str) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool | str | list | dict):
        raise _NoPayloadError(f"{what} is no number")
    return canonical_number(str(value))


def _integer(value: Any, what: str) -> str | None:
    number = _number(value, what)
    if number is not None and ("." in number or abs(int(number)) >= 2**31):
        raise _NoPayloadError(f"{what} is no whole number that PostgreSQL's integer holds")
    return number


def _once(codes: Iterable[str], what: str) -> None:
    listed = [*codes]
    if len({*listed}) < len(listed):
        raise _NoPayloadError(f"{what} has a code twice")
