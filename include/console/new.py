"""`make new ID=people FROM=crm_postgres:customers TO=people`: the files of a migration, written from the catalogues of its two
tables. What has no source column of its name is left to be filled, and no rename is guessed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..trueup.declare import Type
from ..trueup.declare.defaults import id_of, title_of
from ..trueup.declare.names import EXTRA, MISTYPED, check_columns, check_id
from ..trueup.errors import OptionsError
from ..trueup.stores import Catalogue, Known
from .creating import create_script, foreign_keys, in_sql, on_one_line
from .in_place import changes, check_key, is_same
from .pairing import Place as Place
from .pairing import carried, check_writable, like, not_carried, readable, relation_id, to_write
from .pairing import named as named
from .problem import TO_FILL
from .sampling import sample_rows
from .texts import DAG, declared, fires, own_test, tuple_of
from .texts import Written as Written


def write(root: Path, written: Written) -> None:
    """Write the files. Raises `OptionsError` where one is there already, and writes none."""
    if present := [path for path in written.files if (root / path).exists()]:
        raise OptionsError(
            f"{', '.join(present)}: there already, and nothing was written. Choose another ID, or remove them"
        )
    for path, text in written.files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


def files(
    id: str,
    source: tuple[Place, Catalogue],
    target: tuple[Place, Catalogue | None],
    *,
    key: tuple[str, ...] = (),
    owned: tuple[str, ...] = (),
) -> Written:
    """The files of a migration from one table to another; where that is not there, it is to be made like the first. `key`: the columns that
    tell the source's rows apart, where it has no key of its own. `owned`: where both are the same table, the columns that change.
    Raises `DeclarationError` for a bad id and for names that cannot be declared, `OptionsError` for a table whose rows
    cannot be told apart, or cannot be written."""
    check_id("migration", id)
    (came_from, legacy), (goes_to, existing) = source, target
    if is_same(came_from, goes_to):
        check_key(legacy, key)
        return changes(id, came_from, legacy, owned)
    if owned:
        raise OptionsError(
            f"OWNED names columns that change where they are, and {goes_to.table} is another table than {came_from.table}: leave OWNED"
            " out, or name the same table twice"
        )
    legacy = readable(legacy, key)
    if existing is not None:
        check_writable(existing)
    made_like = like(goes_to, legacy)
    new = to_write(existing or made_like, legacy)
    for each in (legacy, new):
        check_columns(f"table {each.name!r}", [c.name for c in carried(each)])
    ids = relation_id(came_from.table, "source"), relation_id(goes_to.table, "target")
    if ids[0] == ids[1]:
        ids = f"legacy_{ids[0]}", ids[1]
    lines, left = _rows(legacy, new, _json_between(came_from, goes_to))
    whole = came_from.is_dynamodb and goes_to.is_dynamodb
    if whole:  # whatever an item has besides, and whatever is of another type in it
        lines += [f"    {EXTRA},", f"    {MISTYPED},"]
    else:
        left += not_carried(legacy)
    folder, rows = f"include/migrations/{id}", sample_rows(legacy, new)
    # one like a table of DynamoDB has no types of PostgreSQL: it is made from its declaration
    create = existing is None and not came_from.is_dynamodb and not goes_to.is_dynamodb
    keys = foreign_keys(made_like) if create else ""
    made = {
        f"{folder}/__init__.py": f'"""{title_of(id)}."""\n',
        f"{folder}/migration.py": _migration(id, ids, (came_from, legacy), (goes_to, new), create=create, whole=whole),
        f"{folder}/rows.sql": _script(ids[0], lines),
        f"{folder}/README.md": _readme(id, source, target, keys=bool(keys)),
        f"dags/{id}.py": DAG.format(id=id),
        f"tests/migrations/test_{id}.py": own_test(id, ids[0], rows),
    }
    if create:
        made[f"{folder}/create.sql"] = create_script(made_like, rows)
    if keys:
        made[f"{folder}/foreign_keys.sql"] = keys
    given, wanted = ({c.name: c for c in carried(each)} for each in (legacy, new))
    nulls = tuple(name for name, c in wanted.items() if name not in given and not c.not_null)
    return Written(
        files=made, left=tuple(left), nulls=nulls, unread=tuple(name for name in given if name not in wanted)
    )


def _json_between(came_from: Place, goes_to: Place) -> str:
    """The function that makes JSON of the one store that of the other; '' where both write it in the same way."""
    if came_from.is_dynamodb == goes_to.is_dynamodb:
        return ""
    return "json_from_dynamodb" if came_from.is_dynamodb else "json_to_dynamodb"


def _rows(legacy: Catalogue, new: Catalogue, json_between: str) -> tuple[list[str], list[str]]:
    """The columns of `rows`, each a line, and what is left to fill."""
    given = {c.name: c for c in carried(legacy)}
    lines, left = [], []
    for column in new.columns:
        name = in_sql(column.name)
        if column.type is None:
            continue
        if column.name in given:
            value = _made_of(name, given[column.name], column, json_between)
            lines.append(f"    {value},{_rejecting(legacy, given[column.name], column)}")
        elif column.not_null:
            lines.append(
                f"    {TO_FILL} AS {name}, -- never null, and {on_one_line(legacy.name)} has no column of that name"
            )
            left.append(f"rows.sql: what {column.name} of {new.name} is made from")
        else:
            lines.append(f"    NULL AS {name}, -- {on_one_line(legacy.name)} has no column of that name")
    return lines, left


def _made_of(name: str, given: Known, column: Known, json_between: str) -> str:
    """What the column is made from: the source's column of that name."""
    if json_between and given.type is column.type is Type.JSON:
        return f"{json_between}({name}) AS {name}"
    if given.exact == "real" and column.type is not Type.FLOAT:  # else 9.8 would be 9.800000190734863 there
        return f"from_real({name}) AS {name}"
    return name


def _rejecting(legacy: Catalogue, given: Known, column: Known) -> str:
    """As a comment, which rows become rejects because of the column, for its author to have a rule for them."""
    table, reasons = on_one_line(legacy.name), []
    if given.type is Type.TEXT and column.type not in (Type.TEXT, Type.BINARY):
        reasons.append(f"a text in {table} that is no {column.type}")
    if column.not_null and not given.not_null and given.name not in legacy.key:
        reasons.append("a null")
    return f" -- {' or '.join(reasons)} rejects its row" if reasons else ""


def _script(source: str, lines: Sequence[str]) -> str:
    return "\n".join(["CREATE VIEW rows AS", "SELECT", *lines, "    _key AS _source", f"FROM {in_sql(source)};", ""])


def _migration(
    id: str,
    ids: tuple[str, str],
    source: tuple[Place, Catalogue],
    target: tuple[Place, Catalogue],
    *,
    create: bool,
    whole: bool,
) -> str:
    left_out = [c.name for c in source[1].columns if c.type is None]
    extra = ", carries_extra=True" if whole else f", ignores={tuple_of(left_out)}" if left_out else ""
    named = [
        f'id="{ids[n]}", ' if ids[n] != id_of(place.table) else "" for n, (place, _) in enumerate((source, target))
    ]
    does = ""
    if target[1].triggers:
        does = (
            f"# It has {on_one_line(', '.join(target[1].triggers))}. Columns that they set to something else than\n# the source has belong"
            " in sets=(…) of its Target, and out of its columns and required.\n"
        )
    empty = ""
    if source[1].empty:
        empty = (
            f"  # {on_one_line(source[1].name)} had no row when this was written; take it out where it is to have some"
        )
    return (
        f'"""{title_of(id)}: {on_one_line(source[0].table)} into {on_one_line(target[0].table)}."""\n\n'
        "from include.trueup.declare import Migration, Phase, Source, Table, Target, columns\n\n"
        f"{declared('SOURCE', *source)}{declared('TARGET', *target)}{does}\n"
        "migration = Migration(\n"
        f'    id="{id}",\n'
        '    owner="data",\n'
        f"    sources=(Source({named[0]}table=SOURCE{extra}),),\n"
        f"    targets=(Target({named[1]}table=TARGET{', create=' + chr(34) + 'create.sql' + chr(34) if create else ''}),),\n"
        f'    phases=(Phase(source="{ids[0]}", target="{ids[1]}", transform="rows.sql"'
        f"{', allow_empty=True' if empty else ''}),),{empty}\n"
        ")\n"
    )


def _readme(id: str, source: tuple[Place, Catalogue], target: tuple[Place, Catalogue | None], *, keys: bool) -> str:
    (came_from, legacy), (goes_to, existing) = source, target
    of, into = on_one_line(came_from.table), on_one_line(goes_to.table)
    text = (
        f"# {title_of(id)}\n\nBrings {of} ({came_from.connection}) into {into} ({goes_to.connection}).\n\n"
        f"`make check ID={id}` says what is left to do, `rows.sql` has the rules; then trigger the DAG `{id}`.\n"
    )
    if keys:
        text += (
            '\n`foreign_keys.sql` adds each foreign key whose table is there. `Phase(finish=("foreign_keys.sql",))` runs it when the rows'
            " are there; where a row refers to none, PostgreSQL says which, and the run fails.\n"
        )
    if existing is not None:
        text += fires(into, existing)
    elif legacy.triggers:
        text += (
            f"\n## Triggers\n\n{of} has these. {into} is made without them, so none fires during the run; what they have done to its"
            " rows is brought as it is. Where new rows need them, make them once the application writes there.\n\n"
            + "".join(f"- {on_one_line(each)}\n" for each in legacy.triggers)
        )
    return text
