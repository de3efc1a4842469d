"""How mutants put something in the place of something. What the engine does there it does still, since a mutant that had fewer
effects would play another history from there on; its answer is another."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from string import Template
from typing import Any

import pytest

from include.trueup.errors import TrueupError
from include.trueup.rows.statements import Statements

Patch = pytest.MonkeyPatch


def unheard(real: Callable[..., Any]) -> Callable[..., None]:
    """It is done, and whatever it raises or gives counts for nothing."""

    @wraps(real)
    def other(*given: Any, **more: Any) -> None:
        with suppress(TrueupError):
            real(*given, **more)

    return other


def ignore(patch: Patch, owner: Any, *names: str) -> None:
    """What these say is ignored."""
    for name in names:
        patch.setattr(owner, name, unheard(getattr(owner, name)))


def swap(patch: Patch, statements: Statements, name: str, old: str, new: str) -> None:
    """Other SQL for a part of a statement."""
    text = statements._statements[name].template
    assert old in text, f"{name} has no {old!r}"
    patch.setitem(statements._statements, name, Template(text.replace(old, new)))
