"""What a declaration gives beside rows: to a transform constants and functions, to an application settings; each held to what it can be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..errors import DeclarationError
from .names import check_columns, one_of


def check_constants(constants: Mapping[str, Sequence[Mapping[str, str | None]]]) -> None:
    """Raise `DeclarationError` for rows of other columns than the first, and values that are no text."""
    for name, rows in constants.items():
        for row in rows[:1]:
            check_columns(f"constant {name!r}", row, reserved=())
        for row in rows:
            if {*row} != {*rows[0]}:
                raise DeclarationError(
                    f"constant {name!r}: row {dict(row)} does not have the columns {[*rows[0]]} of the first"
                )
            for value in row.values():
                _check_text(name, value)


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str | None):
        raise DeclarationError(
            f"constant {name!r}: {value!r} is neither a text nor None; write it as text, and cast it in SQL"
        )


def check_functions(functions: Mapping[str, Callable[..., str | None]]) -> None:
    """Raise `DeclarationError` for what cannot be called."""
    for name, function in functions.items():
        if not callable(function):
            raise DeclarationError(f"function {name!r} is {function!r}, which is not a function")


def check_settings(what: str, settings: Mapping[str, Mapping[str, str | bool]], states: Sequence[str]) -> None:
    """Raise `DeclarationError` for settings of other states than these, and for states that do not name the same settings."""
    if unknown := sorted({*settings} - {*states}):
        raise DeclarationError(f"{what}: settings of a state {unknown[0]!r}; {one_of(unknown[0], states)}")
    every = {name for given in settings.values() for name in given}
    lacking = {state: sorted(every - {*settings.get(state, {})}) for state in states}
    if words := [f"{state} lacks {' and '.join(names)}" for state, names in lacking.items() if names]:
        raise DeclarationError(
            f"{what}: settings must name the same settings for each of {', '.join(states)}; {', '.join(words)}"
        )
    if settings and {*settings} != {*states}:
        raise DeclarationError(f"{what}: settings must be said for each of {', '.join(states)}")
