"""The second phase that some migrations have (`Setup.second`): of each person that the first one plans it makes a label, in another
table. A label has the key of its person under another letter, so that a key says by itself which table it is of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .databases import Row

if TYPE_CHECKING:
    from .airflow import DagRun
    from .seen import Change

PHASE = "label"
TABLE = "labels"


def label_of(person: str) -> str:
    """The key of a person's label."""
    return f"q{person[1:]}"


def person_of(key: str) -> str:
    """The key of the person that a row of a target is about."""
    return f"p{key[1:]}"


def table_of(key: str) -> str:
    """The target that a row lies in."""
    return TABLE if key[:1] == "q" else "persons"


def label(person: Row | None) -> Row | None:
    """The label that a person should have, said without the migration."""
    return None if person is None else (label_of(person[0]), f"of {person[1]}", str(len(person[1])), None, None)


def alone(runs: list[DagRun], changes: list[Change], target: dict[str, Row]) -> Iterator[str]:
    """What is wrong with the last change, of a run, by which a label stands without its person, where nobody else made it so: phases
    go in their order, and backwards where a run is rolled back."""
    change, changes = changes[-1], changes[:-1]
    by = next(each for each in runs if each.id == change.run)
    undone = by.current().undoes
    person, label = person_of(change.key), label_of(change.key)
    alone = change.key == label and change.old is None and person not in target
    if (
        alone and undone is None and not by.world.setup.unique
    ):  # else a person may be left alone, by another of its name
        before = [each for each in changes if each.key == person]
        if not before or before[-1].run == change.run:
            yield f"{change.process} wrote {label} before {person}"
    if change.key == person and change.new is None and undone is not None and label in target:
        before = [each for each in changes if each.key == label]
        if before and before[-1].run == undone:
            yield f"{change.process} took {person} back before {label}"
