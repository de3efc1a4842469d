"""What the fields of a declaration are in Python: whatever else was given is said by the field's name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from types import NoneType
from typing import Any

from ..errors import DeclarationError

_KINDS: dict[object, tuple[tuple[type, ...], str]] = {
    "str": ((str,), "a text"),
    "str | None": ((str, NoneType), "a text"),
    "bool": ((bool,), "True or False"),
    "int": ((int,), "a whole number"),
}
"""What is taken, and its name, by a field's annotation."""
_SEVERAL = ("tuple[str, ...]", "tuple[str, ...] | None")


def check_kinds(what: str, declared: Any) -> None:
    """Raise `DeclarationError` for a field of a dataclass that holds what its annotation does not say."""
    for field in fields(declared):
        given = getattr(declared, field.name)
        kinds, name = _KINDS.get(field.type, ((), ""))
        if kinds and not isinstance(given, kinds):
            raise DeclarationError(f"{what}: {field.name} is {given!r}, but it is {name}")
        if field.type in _SEVERAL and isinstance(given, Sequence):
            for each in given:
                if not isinstance(each, str):
                    raise DeclarationError(f"{what}: {field.name} has {each!r} in it, but it is texts")
