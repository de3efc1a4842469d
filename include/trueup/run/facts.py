"""What a part of a step hands on in its manifest, besides its files, with its form in JSON.

The forms are those of the first release, since a later run and a rollback read manifests of earlier ones: flat, each
thing under its own name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import JsonValue, TypeAdapter

from ..errors import ArtifactError
from ..steps import StepName
from .files import REST_FILES
from .records import Example, to_values
from .run import Run
from .workspace import Manifest

_SOURCE, _DIGEST, _STUCK, _NOT_UNIQUE, _DRIFT = "source:", "digest/", "irremovable/", "not_unique/", "drift_checked"
_CODE = "made_by"
_REST = REST_FILES.of("")


@dataclass(frozen=True, kw_only=True)
class Fates:
    """What became of a phase's source rows in one partition: `source_rows`, of which the transform `skipped` some (by rule),
    `rejected` some, and for some there is nothing to do (`kept`); the rest it made rows of. `unaccounted`: those with no
    fate, or with two; `astray`: the first of them, in words. `figures`: what the script counts beside rows."""

    source_rows: int
    skipped: Mapping[str, int] = field(default_factory=dict)
    rejected: int = 0
    kept: int = 0
    unaccounted: int = 0
    figures: Mapping[str, int] = field(default_factory=dict)
    astray: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What a source holds that nobody reads: rows by `undeclared` attribute, and values by column that are `unread`."""

    undeclared: Mapping[str, int] = field(default_factory=dict)
    unread: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Transformed:
    """Of one partition: what became of each phase's source rows, by which `code` (its hash), and what sources hold beside, where
    there is any."""

    phases: Mapping[str, Fates]
    sources: Mapping[str, Beside] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, JsonValue]:
        """As JSON values: of a phase by its id, of a source by `source:` and its id."""
        sources = {f"{_SOURCE}{id}": to_values(each) for id, each in self.sources.items()}
        code = {id: {_CODE: each} for id, each in self.code.items()}
        return {**sources, **{id: {**to_values(each), **code.get(id, {})} for id, each in self.phases.items()}}

    @classmethod
    def from_json(cls, values: Mapping[str, JsonValue]) -> Transformed:
        """The opposite of `to_json`."""
        return cls(
            phases={id: _read(Fates, each) for id, each in values.items() if not id.startswith(_SOURCE)},
            sources={id: _read(Beside, each) for id, each in _below(values, _SOURCE)},
            code={id: str(each[_CODE]) for id, each in values.items() if isinstance(each, Mapping) and _CODE in each},
        )


@dataclass(frozen=True, kw_only=True)
class Digest:
    """What a plan says of an output: `sum` (hexadecimal, see `plan/hashing.py`), and the rows of each verb that writes."""

    sum: str
    add: int
    change: int
    remove: int


@dataclass(frozen=True, kw_only=True)
class StuckRow:
    """A row that is to be removed, and the reason why the store would leave it alone."""

    key: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Stuck:
    """How many rows are to be removed that the store would leave alone, and the first of them."""

    rows: int = 0
    examples: tuple[StuckRow, ...] = ()


@dataclass(frozen=True, kw_only=True)
class OutputPlan:
    """Of an output: rows by verb; the `digest` of those that write (None: by the first release); those that are `stuck`."""

    verbs: Mapping[str, int]
    digest: Digest | None = None
    stuck: Stuck = field(default_factory=Stuck)


@dataclass(frozen=True, kw_only=True)
class TargetPlan:
    """Of a target's rows: those that nothing accounts for (`rest`), of which some are `extra`; and those that are there and
    that earlier runs added, or that belong to rows that the run gives (`owned`)."""

    rest: int
    extra: int
    owned: int = 0


@dataclass(frozen=True, kw_only=True)
class PartPlan:
    """Of one partition: each output's plan, by its name, and each target's, by its id; the source rows that the plan itself
    rejects, by phase (`not_unique`); and whether drift could be detected (None: there was no run before)."""

    outputs: Mapping[str, OutputPlan]
    targets: Mapping[str, TargetPlan]
    not_unique: Mapping[str, int] = field(default_factory=dict)
    drift_checked: bool | None = None

    def to_json(self) -> dict[str, JsonValue]:
        """As JSON values: an output's rows by its name, all else by a word and the name."""
        values: dict[str, JsonValue] = {_DRIFT: self.drift_checked}
        for name, output in self.outputs.items():
            values[name] = dict(output.verbs)
            values[f"{_STUCK}{name}"] = to_values(output.stuck)
            if output.digest is not None:
                values[f"{_DIGEST}{name}"] = to_values(output.digest)
        values |= {f"{_REST}{id}": to_values(target) for id, target in self.targets.items()}
        values |= {f"{_NOT_UNIQUE}{id}": rows for id, rows in self.not_unique.items()}
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, JsonValue]) -> PartPlan:
        """The opposite of `to_json`."""
        digests, stuck = dict(_below(values, _DIGEST)), dict(_below(values, _STUCK))
        outputs = {
            name: OutputPlan(
                verbs=_read(dict[str, int], each),
                digest=_read(Digest, digests[name]) if name in digests else None,
                stuck=_read(Stuck, stuck[name]) if name in stuck else Stuck(),
            )
            for name, each in values.items()
            if "/" not in name and name != _DRIFT
        }
        return cls(
            outputs=outputs,
            targets={id: _read(TargetPlan, each) for id, each in _below(values, _REST)},
            not_unique={id: _read(int, each) for id, each in _below(values, _NOT_UNIQUE)},
            drift_checked=_read(bool, values[_DRIFT]) if values.get(_DRIFT) is not None else None,
        )


@dataclass(frozen=True, kw_only=True)
class Verified:
    """Of one partition of an output, in target rows: those `compared` (they were expected to be as planned, and were read);
    those that are `missing`, `different`, `unverified`, `left_alone`, `moved_on` or `extra` (no plan knows them); those that
    were `reread`; those that the plan means to keep (`to_keep`), and how many of these are `gone`. `examples` of each kind."""

    compared: int = 0
    missing: int = 0
    different: int = 0
    unverified: int = 0
    left_alone: int = 0
    moved_on: int = 0
    extra: int = 0
    reread: int = 0
    to_keep: int = 0
    gone: int = 0
    examples: tuple[Example, ...] = ()


def transformed(run: Run) -> list[Transformed]:
    """What the transform handed on, by partition. Raises `ArtifactError` where a part is missing."""
    return [Transformed.from_json(manifest.facts) for manifest in run.manifests(StepName.TRANSFORM)]


def planned(run: Run) -> list[PartPlan]:
    """What the plan handed on, by partition. Raises `ArtifactError` where a part is missing."""
    return [PartPlan.from_json(manifest.facts) for manifest in run.manifests(StepName.PLAN)]


def verified(facts: Mapping[str, JsonValue], output: str) -> Verified:
    """What verifying one partition handed on of an output."""
    return _read(Verified, facts[output])


def handled(manifest: Manifest) -> int:
    """Rows that a part of a step has dealt with: read, carried over, planned or compared, whichever the step does."""
    step = manifest.step.partition("/")[0]
    if step == StepName.TRANSFORM:
        return sum(fates.source_rows for fates in Transformed.from_json(manifest.facts).phases.values())
    if step == StepName.PLAN:
        return sum(sum(each.verbs.values()) for each in PartPlan.from_json(manifest.facts).outputs.values())
    if step == StepName.VERIFY:
        return sum(_read(Verified, each).compared for each in manifest.facts.values())
    return sum(file.rows or 0 for file in manifest.files)


_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}


def _read(kind: Any, values: JsonValue) -> Any:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    try:
        return _ADAPTERS[kind].validate_python(values)
    except ValueError as error:
        raise ArtifactError(f"a manifest says what nobody reads: {error}; run the step that made it again") from error


def _below(values: Mapping[str, JsonValue], beginning: str) -> list[tuple[str, JsonValue]]:
    return [(name.removeprefix(beginning), each) for name, each in values.items() if name.startswith(beginning)]
