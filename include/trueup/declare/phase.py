"""What a migration does with one source: Phase, and its Outputs, one of each target.

Imported from `migration`, as everything that a declaration is written with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DeclarationError
from . import pure
from .defaults import beside, check_script, title_of
from .former import takes_former
from .kinds import check_kinds
from .names import check_id, check_tuple

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.expectations import Expectation

SuiteFactory = Callable[[], "list[Expectation]"]
TransformFunction = Callable[..., "Mapping[str, pd.DataFrame]"]


@dataclass(frozen=True, kw_only=True)
class Output:
    """Rows of one target that a phase makes: the target's id, the `view` of the transform that gives them, and the `suite`
    of expectations on them, beside those that every table gets (`gate.suites.rows`).

    `parent`: columns of the target, partitioned by them, that are the key of a row of the phase's first target. The rows of each
    such row are a set, which is replaced whole: those that are there and that the transform gives no more are removed, within the
    budget `max_remove_share`, whatever the param `extra` says.

    Its `name` is that of its files, and of its batches in the ledger. Of a phase's first output it is the phase's id, of
    another it begins with the id and `-`. Unless given, a further output of target `t` is called `<phase>-t`, and its view
    `rows_t`.
    """

    target: str
    suite: SuiteFactory | None = None
    view: str = ""
    name: str = ""
    parent: tuple[str, ...] = ()


class _OneOutput(tuple[Output, ...]):
    """The outputs of a phase that was declared with `target` and `suite`: `replace` makes them again from these."""


def _outputs_of(given: dict[str, Any]) -> dict[str, Any]:
    """Keywords of a phase without `also`, `suite_also` and `after`."""
    keywords = {"finish" if name == "after" else name: value for name, value in given.items()}
    also, suite = keywords.pop("also", None), keywords.pop("suite_also", None)
    if also is None:
        return keywords
    first = Output(target=keywords.pop("target"), suite=keywords.pop("suite"))
    second = Output(target=also, suite=suite, view="rows_also", name=f"{keywords['id']}-also")
    return {**keywords, "outputs": (first, second)}


@takes_former(
    {
        "also": "name both targets with outputs=(Output(target=…, suite=…), Output(target=…, suite=…, view=…))",
        "suite_also": "it is the suite of the second of outputs=(Output(…), Output(…))",
        "after": "it is finish now",
    },
    _outputs_of,
)
@dataclass(frozen=True, kw_only=True)
class Phase:
    """One source table brought into one target table, or into several.

    `source` is the id of the source (or derived relation) whose rows this phase accounts for, `target` the id of the
    target it writes; its own `id` is the target's, and its title the id in words, unless given. `suite` gives expectations
    on the planned rows, beside those that every table gets (`gate.suites.rows`). `transform` is a DuckDB script, or several that
    run in their order. It sees, as relations, every source (this partition; look-ups whole), every derived and shared
    relation, and under each target's id the rows that earlier phases planned for it. A relative path lies beside the module
    that declares. It must define `rows`, and what it says of rows besides stands in `findings`:

    - `rows`: the target's columns, `_source`, and (optionally) `_extra` and `_mistyped`: one row per target row that
      should be; columns of the target that the migration does not own may be left out;
    - `findings`: `_source`, `key`, `severity`, `code`, `message`. Severity `reject`: the source row is put in
      quarantine; `warning`: it is written, and reported; `keep`: there is nothing to do for it; `skip`: it is left out
      by the rule that `code` names. The last two are counted, not reported.

    It may define a third, `figures` (`name`, `value`, a whole number): what else the plan is to say, such as what it
    will cost; summed over all partitions.

    Every source's relation has `_key` (its key as text), `_extra` (JSON: columns that are not declared) and `_mistyped`
    (JSON: values that do not fit the declared type, which are null in their column). Such a value must be read: carried
    in `_extra` or `_mistyped` of `rows`, read by its name, or named in a finding; else the row is a reject of the
    engine's own, `unread_value`.

    It may be a function instead of a script: of the relations that its parameters name, each an Arrow-backed pandas frame of
    this partition, a dict of frames by the names of these views. It is pure, of a module, and called twice
    (`plan/functions.py`, docs/python-transforms.md).

    Every source row must appear in `rows`, or have one of reject, keep and skip in `findings`; the engine counts, and a
    row that does neither, or both, fails the gate. The macro `in_window(instant)` says whether the run is about an
    instant; without a window it is about every row.

    A phase with several targets says `outputs` instead of `target` and `suite`: what one source row makes of all of them
    is written in one transaction, so these rows must lie in one partition. `keeps_existing`: a target row that exists is
    never changed, and where it is not what the transform gives, a warning with this code is reported; `replaces` excepts
    those that have, in each of its columns, one of the values that it names (canonical text): they are changed. `allow_empty`
    says that a run may plan no row here at all (otherwise a suite over zero rows fails). `expected_skips` are rules (codes
    of findings of severity `skip`) that may leave out any number of rows; what other rules leave out is within the run's
    budget (`Options.max_skip_share`). `finish` are scripts run against the first target's store, each in a transaction of
    its own (or, where its first line is `-- trueup: no transaction`, its one statement in none), when the phase has passed its
    gate; they must be safe to run again.
    """

    id: str = ""
    title: str = ""
    source: str
    target: str = ""
    transform: Path | str | tuple[Path | str, ...] | TransformFunction
    suite: SuiteFactory | None = None
    outputs: tuple[Output, ...] = ()
    keeps_existing: str | None = None
    replaces: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    allow_empty: bool = False
    expected_skips: tuple[str, ...] = ()
    finish: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        id = self.id or (self.outputs[0].target if self.outputs else self.target)
        for name, value in {
            "id": id,
            "title": self.title or title_of(id),
            "transform": self.transform if callable(self.transform) else _beside(self.transform),
            "finish": _beside(tuple(self.finish)),
        }.items():
            object.__setattr__(self, name, value)
        check_id("phase", self.id)
        check_kinds(f"phase {self.id!r}", self)
        check_tuple(f"phase {self.id!r}: expected_skips", self.expected_skips)
        for suite in (self.suite, *(output.suite for output in self.outputs)):
            if suite is not None and not callable(suite):
                raise DeclarationError(
                    f"phase {self.id!r}: suite is {suite!r}; give the function itself, which makes the list, without calling it"
                )
        if self.function is not None:
            pure.check(self.id, self.function)
        for path in (*self.scripts, *self.finish):
            check_script(f"phase {self.id!r}", path)
        if self.replaces and self.keeps_existing is None:
            raise DeclarationError(f"phase {self.id!r}: replaces is an exception to keeps_existing, which is not given")
        self._name_outputs()

    def _name_outputs(self) -> None:
        if not self.outputs or isinstance(self.outputs, _OneOutput):
            outputs: tuple[Output, ...] = _OneOutput([Output(target=self.target, suite=self.suite)])
        elif (self.target and self.target != self.outputs[0].target) or self.suite not in (None, self.outputs[0].suite):
            raise DeclarationError(f"phase {self.id!r}: say either target and suite, or outputs, which has both")
        else:
            outputs = self.outputs
        named = [_named(self.id, output, first=n == 0) for n, output in enumerate(outputs)]
        for what, names in (("name", {o.name for o in named}), ("view", {o.view for o in named})):
            if len(names) < len(named):
                raise DeclarationError(f"phase {self.id!r}: two of its outputs have the same {what}; give each its own")
        if not named[0].target:
            raise DeclarationError(f"phase {self.id!r}: give it a target")
        values = {"outputs": type(outputs)(named), "target": named[0].target, "suite": named[0].suite}
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def function(self) -> TransformFunction | None:
        """The function that `transform` is; None where it is scripts."""
        return self.transform if callable(self.transform) else None

    @property
    def code(self) -> tuple[Path, ...]:
        """The files of `transform`: its scripts, or those of its function."""
        return self.scripts if self.function is None else pure.files(self.function)

    @property
    def scripts(self) -> tuple[Path, ...]:
        """The scripts of `transform`; none where it is a function."""
        if callable(self.transform):
            return ()
        return tuple(map(Path, self.transform if isinstance(self.transform, tuple) else (self.transform,)))

    @property
    def together(self) -> bool:
        """Whether what one source row makes is of several targets, and so is written in one transaction."""
        return len(self.outputs) > 1


def _beside(scripts: Any) -> Any:
    """Each script where it lies; what is no script as it is."""
    if isinstance(scripts, tuple | list):
        return tuple(map(_beside, scripts))
    return beside(scripts) if isinstance(scripts, str | Path) else scripts


def _named(phase: str, output: Output, *, first: bool) -> Output:
    """The output with its name and view. Raises `DeclarationError` where it may not have those that are given."""
    name = output.name or (phase if first else f"{phase}-{output.target}")
    view = output.view or ("rows" if first else f"rows_{output.target}")
    if (name != phase) if first else not name.startswith(f"{phase}-"):
        form = (
            "its first output is called as it is" if first else f"the name of a further output begins with '{phase}-'"
        )
        raise DeclarationError(f"phase {phase!r}: an output cannot be called {name!r}; {form}")
    if view != "rows" and not view.startswith("rows_"):
        raise DeclarationError(
            f"phase {phase!r}: view {view!r} of output {name!r}: call it rows, or begin it with rows_"
        )
    check_id("view", view)
    return replace(output, name=name, view=view)
