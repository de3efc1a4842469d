"""What a declaration gives a transform beside rows: constants and functions, each held to what SQL can take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..errors import DeclarationError
from .names import check_columns


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
