"""What must hold in the databases beside the rows before a plan may be applied."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Breach:
    """What does not hold: a `code`, the `table` that it is about, and in words what is to be done."""

    code: str
    table: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Precondition:
    """Looked at when the plan is judged, in every mode: `check` gets the store behind `connection` and the values of the
    migration's params as text (None: none was chosen), writes nothing, and gives what does not hold. Each breach fails the gate,
    and is a finding of the run."""

    connection: str
    check: Callable[[Any, Mapping[str, str | None]], tuple[Breach, ...]]
