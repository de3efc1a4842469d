"""What a target does by itself, and whether it can be written as planned: looked at before anybody is asked, noted in
`run.json`, and looked at again before anything is written."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from ..declare.migration import Phase, Target
from ..declare.names import EXTRA
from ..errors import SourceError
from ..rows import duck
from ..run import Extra, Mode, Proof, Referring, Run, SelfReference, TargetFacts
from ..stores import Description, Limits, arrow_schema
from .files import differ, differs

TOGETHER_ROWS = 100_000
"""How many rows that refer to each other are written in one transaction."""
TRIGGERS, SETS = "target_has_triggers", "target_sets"
"""Codes of the warnings about what a target does by itself."""


def refuse_unwritable(run: Run, what: str, target: Target, description: Description) -> None:
    """Raise `SourceError` for a target that the run could not write, or from which it would remove more than its rows.

    Where the migration owns columns only it may never add a row, so what only stands in the way of adding is left to the
    store, which refuses such a row by name."""
    if run.options.mode is not Mode.APPLY:
        return
    written = target.table.columns if target.owned is None else target.owned
    wrong = [*description.unwritable, *(description.unaddable if target.owned is None else ())]
    wrong += [
        f"column {name!r} is GENERATED, so it cannot be written: leave it out of the columns, or name it in Target.sets"
        for name in description.generated
        if name in written
    ]
    changing = [p for p in run.migration.phases if target.id in {o.target for o in p.outputs}]
    scripts = any(t.create or t.prepare for t in run.migration.targets) or any(p.finish for p in run.migration.phases)
    changes = run.undoes is None and any(p.replaces or not p.keeps_existing for p in changing)
    if target.owned is not None and changes and not scripts:  # which may disable the trigger before a row is written
        wrong += [
            f"{does} sets {name!r} in every row that is changed, which no plan has: say sets=({name!r},) in the Target"
            + f" of {target.table.name}, and leave it out of owned" * (name in target.owned)
            for name, does in description.stamps.items()
            if name not in target.sets
        ]
    if wrong:
        raise SourceError(f"{what} cannot be written: {'; '.join(wrong)}")
    if description.differences and run.undoes is None:
        raise SourceError(f"{what} is not as declared: {'; '.join(description.differences)}")
    if run.undoes is None and run.options.extra is Extra.REMOVE and run.options.window is None:
        refuse_irremovable(run, what, description)


def refuse_irremovable(run: Run, what: str, description: Description) -> None:
    """Raise `SourceError` for a target whose rows cannot be removed, or not without others that refer to them.

    Foreign keys of the migration's own targets are let through: a row that is referred to is left alone then."""
    if description.irremovable:
        raise SourceError(f"{what}: no row can be removed from it: {'; '.join(description.irremovable)}")
    ours = {plain_name(target.table.name) for target in run.migration.targets}
    taking = [
        reference
        for reference in description.references
        if reference.takes_along
        and reference.name not in run.options.cascade_to
        and (reference.own or reference.table not in ours)
    ]
    if taking:
        listed = "; ".join(f"{r.name} (ON DELETE {r.takes_along})" for r in taking)
        raise SourceError(
            f"{what}: rows of other tables would be deleted or emptied along with the rows that are removed, "
            f"by {listed}. Make it NO ACTION temporarily, so that rows which others refer to stay; or, if those "
            f"are to go too, name it in cascade_to: {', '.join(r.name for r in taking)}"
        )


def plain_name(name: str) -> str:
    """A table's name with its schema."""
    return name if "." in name else f"public.{name}"


def facts(descriptions: Mapping[str, Description]) -> dict[str, TargetFacts]:
    """What preflight notes of the targets that are there, by id."""
    return {
        id: TargetFacts(
            identity=each.identity,
            indexes=each.indexes,
            sets=each.sets,
            triggers=each.triggers,
            fills=each.fills,
            limits=each.limits,
            unique=each.unique,
            references=tuple(Referring(name=r.name, table=r.table) for r in each.references),
            refers_to_itself=tuple(
                SelfReference(name=r.constraint, columns=r.columns, refers_to=r.refers_to)
                for r in each.references
                if r.own
            ),
        )
        for id, each in descriptions.items()
    }


def facts_of(run: Run, target: Target) -> TargetFacts:
    """What preflight found of a target; empty for one that was not there, and for runs of the first release."""
    return run.files.start.targets.get(target.id) or TargetFacts()


def limits(run: Run, target: Target) -> Limits:
    """What the target's columns can hold, as far as a transform gives their values: nothing is known of a table that was
    not there."""
    all_limits = facts_of(run, target).limits
    names = target.table.columns if target.owned is None else target.owned
    return Limits(
        columns={name: type_ for name, type_ in all_limits.columns.items() if name in names},
        not_null=tuple(name for name in all_limits.not_null if name in names),
    )


def added_differs(run: Run, target: Target, one: str, other: str) -> str:
    """SQL: whether two rows differ, of which one is planned to be added, leaving out undeclared columns that the table itself
    gives values in such a row (`Description.fills`)."""
    fills = facts_of(run, target).fills
    if not fills:
        return differs(target, one, other)
    names = ", ".join(map(duck.literal, fills))
    extras = (f"json_without({row}.{EXTRA}, [{names}])" for row in (one, other))
    declared = [field.name for field in arrow_schema(target.table) if field.name != EXTRA]
    return f"({differ(target, declared, one, other)} OR {' IS DISTINCT FROM '.join(extras)})"


def batch_rows(run: Run, target: Target, description: Description | None) -> int:
    """How many rows of a target go into one transaction. Rows of a table that refers to itself go together, as far as
    memory allows: which of them has to be there first, only all of them together can say."""
    usual = run.store_of(target.table).batch_rows
    script = target.table.create
    if description is not None:
        refers = any(reference.own for reference in description.references)
    elif script is not None:
        name = re.escape(target.table.name.rpartition(".")[2].strip('"'))
        refers = re.search(rf'REFERENCES\s+(\S+\.)?"?{name}\b', script.read_text(encoding="utf-8"), re.I) is not None
    else:
        refers = False
    return max(usual, TOGETHER_ROWS) if refers else usual


def warnings(run: Run, phase: Phase, partition: int) -> list[str]:
    """DuckDB queries for what a target does by itself, reported once, with the first phase that writes it (key: the table)."""
    if partition != 0:
        return []
    earlier = run.migration.phases[: run.migration.phases.index(phase)]
    before = {output.target for each in earlier for output in each.outputs}
    conflicts = []
    for target in {o.target: run.migration.target(o.target) for o in phase.outputs if o.target not in before}.values():
        noted, name = facts_of(run, target), target.table.name
        own_ones = tuple(f"trigger {trigger} (" for trigger in target.triggers)
        if triggers := [trigger for trigger in noted.triggers if not trigger.startswith(own_ones)]:
            message = (
                f"{name} has {', '.join(triggers)}: what they make of a row that is written is compared with the plan"
            )
            conflicts.append((name, TRIGGERS, f"{message}, except the columns that Target.sets names"))
        if noted.sets:
            listed = ", ".join(f"{column} ({why})" for column, why in sorted(noted.sets.items()))
            conflicts.append(
                (name, SETS, f"{name} fills columns by itself, which are not written, compared or put back: {listed}")
            )
    return [
        f"SELECT {duck.literal(key)} AS key, 'warning' AS severity, '{code}' AS code, {duck.literal(message)} AS message"
        for key, code, message in conflicts
    ]


def altered(run: Run, phase: Phase, proofs: Sequence[Proof]) -> list[str]:
    """In which columns rows differ from the plan, and the triggers of the table that may have made it so."""
    messages = []
    for output, proof_of in zip(phase.outputs, proofs, strict=True):
        target = run.migration.target(output.target)
        columns: dict[str, str] = {}
        for example in proof_of.of("different"):
            if example.planned and example.found:
                planned_row, found_row = json.loads(example.planned), json.loads(example.found)
                for name in planned_row:
                    if planned_row[name] != found_row.get(name):
                        columns.setdefault(name, example.key)
        if columns:
            listed = ", ".join(f"{name!r} (row {key!r})" for name, key in sorted(columns.items()))
            does = facts_of(run, target).triggers
            why = f"; it has {', '.join(does)}: name in Target.sets the columns that they set" if does else ""
            messages.append(f"rows of {target.table.name} differ from the plan in column {listed}{why}")
    return messages


def all_triggers(run: Run) -> list[str]:
    """The triggers of the run's targets, with the table."""
    return [f"{each} of {t.table.name}" for t in run.migration.targets for each in facts_of(run, t).triggers]
