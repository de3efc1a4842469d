"""What a gate found, as it is published and read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

Severity = Literal["critical", "warning", "info"]


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What became of one expectation over all frames.

    `rule` is the `rule` of the expectation's `meta`, else its type. `unexpected` is how many rows broke it (None where
    it judges no single rows, and then `observed` says what was found). `examples` are at most 20 of those rows: the
    key and the columns that were checked, as text. `error` says why it could not be judged; it then never passed.
    """

    rule: str
    description: str
    severity: Severity
    passed: bool
    observed: str | None
    unexpected: int | None
    examples: tuple[Mapping[str, str], ...]
    error: str | None


@dataclass(frozen=True, kw_only=True)
class GateResult:
    """What a gate found over `rows` rows, of the `output` that it judged (of its phase's first where it judged the phase;
    None: of the run). `errors` are the reasons why the gate could not be judged, in words; with
    any of them it never passed. `critical_failures` counts the critical expectations that did not pass."""

    gate: str
    output: Annotated[str | None, Field(alias="phase")]  # its name in the files of a run, since the first release
    rows: int
    passed: bool
    critical_failures: int
    expectations: tuple[Expected, ...]
    errors: tuple[str, ...]
