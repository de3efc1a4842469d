"""What a gate found, as it is published and read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field, JsonValue

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
class Native:
    """What Great Expectations itself would write: the `suite`, and the `results` of its expectations over all frames, each in
    the JSON of its `version`. `loaded_at` is when it took the last frame (None: there was none)."""

    suite: Mapping[str, JsonValue]
    results: tuple[Mapping[str, JsonValue], ...]
    version: str
    loaded_at: str | None


@dataclass(frozen=True, kw_only=True)
class GateResult:
    """What a gate found over `rows` rows, of the `output` that it judged (of its phase's first where it judged the phase;
    None: of the run). `errors` are the reasons why the gate could not be judged, in words; with
    any of them it never passed. `critical_failures` counts the critical expectations that did not pass. `native` is the same
    in the form of Great Expectations, which is published in files of its own; None as it is read back, and where there was
    no suite to be judged."""

    gate: str
    output: Annotated[str | None, Field(alias="phase")]  # its name in the files of a run, since the first release
    rows: int
    passed: bool
    critical_failures: int
    expectations: tuple[Expected, ...]
    errors: tuple[str, ...]
    native: Annotated[Native | None, Field(exclude=True)] = field(default=None, compare=False, repr=False)

    def documents(self, suite: str, run_id: str) -> tuple[dict[str, JsonValue], dict[str, JsonValue]] | None:
        """The suite, by this name, and its validation in that run, as Great Expectations writes them; None where there are
        none. A validation succeeds if every expectation does, warnings too, and the gate was passed."""
        if self.native is None:
            return None
        held = sum(bool(result["success"]) for result in self.native.results)
        count = len(self.native.results)
        meta: dict[str, JsonValue] = {
            "great_expectations_version": self.native.version,
            "run_id": {"run_name": run_id, "run_time": self.native.loaded_at},
            "validation_time": self.native.loaded_at,
            "batch_spec": {"data_asset_name": self.output or self.gate, "rows": self.rows},
            "batch_markers": {"ge_load_time": self.native.loaded_at},
            "active_batch_definition": {
                "datasource_name": "trueup",
                "data_connector_name": "fluent",
                "data_asset_name": self.output or self.gate,
                "batch_identifiers": {"run": run_id},
            },
            "trueup": {"gate": self.gate, "output": self.output, "passed": self.passed, "errors": [*self.errors]},
        }
        return {**self.native.suite, "name": suite}, {
            "success": held == count and self.passed,
            "results": [{**result} for result in self.native.results],
            "suite_name": suite,
            "suite_parameters": {},
            "statistics": {
                "evaluated_expectations": count,
                "successful_expectations": held,
                "unsuccessful_expectations": count - held,
                "success_percent": held / count * 100 if count else None,
            },
            "meta": meta,
            "id": None,
        }
