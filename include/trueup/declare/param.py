"""What a person may choose for a run of one migration: Param.

Imported from `migration`, as everything that a declaration is written with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ..errors import DeclarationError
from .names import check_id, one_of

_PYTHON: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}
"""Types of a param, by what its values are in Python."""


@dataclass(frozen=True, kw_only=True)
class Param:
    """A field of the trigger form, in addition to the common ones. `type` is JSON
    Schema's. `choices` are the values allowed (any, if there are none); with `optional`, none may be chosen. A number
    has a `minimum` and a `maximum`, both inclusive."""

    id: str
    title: str
    description: str
    type: Literal["string", "integer", "number", "boolean"]
    default: str | int | float | bool | None = None
    choices: tuple[str | int | float, ...] = ()
    optional: bool = False
    minimum: float | None = None
    maximum: float | None = None

    def __post_init__(self) -> None:
        check_id("param", self.id)
        if self.type in ("integer", "number") and not self.choices and (self.minimum is None or self.maximum is None):
            raise DeclarationError(f"param {self.id!r}: a number needs a minimum and a maximum")
        if self.default is None and not self.optional:
            raise DeclarationError(f"param {self.id!r}: give it a default, or make it optional")
        if self.type not in _PYTHON:
            raise DeclarationError(f"param {self.id!r}: there is no type {self.type!r}; {one_of(self.type, _PYTHON)}")
        if self.default is not None:
            self._check_default(self.default)

    def _check_default(self, default: str | int | float | bool) -> None:
        what = f"param {self.id!r}: its default {default!r}"
        if not isinstance(default, _PYTHON[self.type]) or isinstance(default, bool) != (self.type == "boolean"):
            raise DeclarationError(f"{what} is no {self.type}")
        if self.choices and default not in self.choices:
            raise DeclarationError(f"{what} is not among its choices; {one_of(str(default), map(str, self.choices))}")
        least, most = self.minimum, self.maximum
        if isinstance(default, int | float) and (
            (least is not None and default < least) or (most is not None and default > most)
        ):
            raise DeclarationError(f"{what} is not between {least} and {most}")
