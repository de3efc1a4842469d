"""The parts of the files of a migration that are alike whatever it does: the declaration of a table, the DAG file, the test."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from ..trueup.declare.defaults import title_of
from ..trueup.stores import Catalogue
from .creating import on_one_line
from .pairing import Place, carried


@dataclass(frozen=True, kw_only=True)
class Written:
    """The files of a migration, by their paths in the project, and what is left to its author, in words; `nulls`: columns of the
    target that are null so far, `unread`: columns of the source that are brought nowhere."""

    files: dict[str, str]
    left: tuple[str, ...]
    nulls: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


def declared(name: str, place: Place, catalogue: Catalogue) -> str:
    """The declaration of a table, its columns by type, each type on a line; what was seen of them in comments."""
    columns = carried(catalogue)
    lines = [f"{name} = Table(", f"    name={quoted(place.table)},", f"    connection={quoted(place.connection)},"]
    lines += [f"    key={tuple_of(catalogue.key)},", "    columns=columns("]
    order = {type_: n for n, type_ in enumerate(dict.fromkeys(c.type for c in columns))}
    for type_, same in groupby(sorted(columns, key=lambda c: order[c.type]), key=lambda c: c.type):
        names = [c.name for c in same]
        listed = tuple_of(names) if any(each.split() != [each] for each in names) else quoted(" ".join(names))
        lines.append(f"        {type_}={listed},")
    lines.append("    ),")
    required = tuple(c.name for c in columns if c.not_null and c.name not in catalogue.key)
    if required:
        lines.append(f"    required={tuple_of(required)},")
    lines.append(")")
    if catalogue.looked_at:
        seldom = [
            f"{on_one_line(c.name)} in {c.share:.0%} ({c.exact})"
            for c in catalogue.columns
            if c.share < 1 or " or " in c.exact
        ]
        lines.append(f"# Of {catalogue.looked_at} items: {', '.join(seldom) or 'each has all of these'}.")
    none = [f"{on_one_line(c.name)} ({on_one_line(c.exact)})" for c in catalogue.columns if c.type is None]
    if none:
        lines.append(f"# Not declared, since no type carries it: {', '.join(none)}.")
    return "\n".join(lines) + "\n"


def fires(table: str, existing: Catalogue) -> str:
    """What a README says of the triggers of a table that is there and will be written; '' where it has none."""
    if not existing.triggers:
        return ""
    return (
        f"\n## Triggers\n\n{table} has these, and they fire for every row that a run writes, and that a rollback takes back. What they"
        " make of a row is compared with the plan; what they do to other rows is noted as the run's own. Name the columns that"
        " they set in `Target(sets=…)`.\n\n" + "".join(f"- {on_one_line(each)}\n" for each in existing.triggers)
    )


DAG = '''"""Airflow DAGs for include/migrations/{id}."""

from include.migrations.{id}.migration import migration
from trueup_airflow.dag import build_dag, build_rollback

dag = build_dag(migration)
rollback = build_rollback(migration)
'''


def own_test(id: str, source: str, given: Sequence[Mapping[str, str]]) -> str:
    """A test with three rows: that they are accounted for and pass the suites; what they become is its author's to say."""
    rows = ["{" + ", ".join(f"{quoted(name)}: {value}" for name, value in row.items()) + "}," for row in given]
    listed = "\n".join(f"    {row}" for row in rows)
    return (
        f'"""What {title_of(id)} makes of three rows, and the way there and back."""\n\n'
        f"from include.migrations.{id}.migration import migration\n\nROWS = [\n{listed}\n]\n\n\n"
        "def test_three_rows(check) -> None:\n"
        f'    made = check(migration, rows={{"{source}": ROWS}}, rejects={{}})\n'
        "    (rows,) = made.rows.values()\n    assert len(rows) == len(ROWS)\n\n\n"
        "def test_there_and_back(there_and_back) -> None:\n"
        f'    there_and_back(migration, rows={{"{source}": ROWS}})\n'
    )


def quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def tuple_of(values: Sequence[str]) -> str:
    return f"({', '.join(map(quoted, values))}{',' if len(values) == 1 else ''})"
