"""Comparisons: two ways of answering the same question, asked side by side, while a migration is under way.

Imports nothing heavy, so that a DAG file may.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..declare.migration import Param

if TYPE_CHECKING:
    from pydantic import JsonValue

    from ..stores import Store


@dataclass(kw_only=True)
class Compared:
    """What a comparison found: how many were `compared`, and the `differences`, each as JSON values with the `key` of
    what differs and what each way gave. `whole`: it looked at everything, not at a share."""

    compared: int = 0
    differences: list[dict[str, JsonValue]] = field(default_factory=list)
    whole: bool = True


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The declaration of a comparison: a DAG of its id. `compare` gets the store behind `connection` and the values of
    the `params`, by id; it writes nothing. What it finds is entered in the ledger for the `migration` whose switch asks for it
    (`Migration.shadow`); empty: for none."""

    id: str
    title: str
    owner: str
    doc: str
    connection: str
    compare: Callable[[Store, Mapping[str, JsonValue]], Compared]
    params: tuple[Param, ...] = ()
    migration: str = ""
