"""What a migration asks for before its switch is turned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import DeclarationError
from .names import check_id


@dataclass(frozen=True, kw_only=True)
class Shadow:
    """The comparison of the old way and the new that the switch of a migration needs on the way forward: the id of the
    `comparison`, which is that of its DAG. What differs is in the way of a turn; but where there is a `known` code, not what
    has a key that the proven run reported in a finding of that code."""

    comparison: str
    known: str | None = None


@dataclass(frozen=True, kw_only=True)
class WayBack:
    """The `migration` that brings the old shape up to date. Once the switch has been `new`, when only the new shape was
    written, it is turned from `dual` to `legacy` only on the proof of a run of that migration which was planned since."""

    migration: str


@dataclass(frozen=True, kw_only=True)
class Guard:
    """What is counted, when the switch is to be turned forward to the state `to`, in the store behind `connection`: more than the
    param `param` of the cutover (`most`, where nobody says another number) refuse the turn. `count` gets the store, writes
    nothing, and gives how many there are, with the keys of a few."""

    to: str
    param: str
    title: str
    description: str
    connection: str
    count: Callable[[Any], tuple[int, tuple[str, ...]]]
    most: int = 0

    def __post_init__(self) -> None:
        check_id("param", self.param)
        if self.to not in ("dual", "new"):
            raise DeclarationError(
                f"guard {self.param!r}: it is for a turn forward, to dual or new, not to {self.to!r}"
            )
