"""What authors declared with the first release's keywords is taken, warned about at their line, and means the same."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from include.trueup import model
from include.trueup.declare import Migration, Output, Phase, Source, Table, Target, Type
from include.trueup.errors import DeclarationError

COLUMNS = {"id": Type.TEXT, "stamp": Type.TEXT}
SHARED: dict[str, Any] = {"name": "t", "connection": "c", "key": ("id",), "columns": COLUMNS}


def suite() -> list[Any]:
    return []


def other() -> list[Any]:
    return []


@contextmanager
def deprecated(*named: str) -> Iterator[None]:
    """Each of these keywords is warned about, at a line of this file."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    assert [w.category for w in caught] == [DeprecationWarning] * len(named)
    assert {w.filename for w in caught} == {__file__}
    for name in named:
        assert any(f"({name}=…) is deprecated" in str(w.message) for w in caught), name


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (path := tmp_path / "a.sql").write_text("SELECT 1")
    return path


def phase(script: Path, **more: Any) -> Phase:
    return Phase(id="copy", title="Copy", source="s", transform=script, **more)


def test_a_phase_with_a_second_target_and_scripts(script: Path) -> None:
    with deprecated("also", "suite_also", "after"):
        old = phase(script, target="a", also="b", suite=suite, suite_also=other, after=(script,))
    assert old == phase(
        script,
        outputs=(
            Output(target="a", suite=suite),
            Output(target="b", suite=other, view="rows_also", name="copy-also"),
        ),
        finish=(script,),
    )
    assert [(o.name, o.view, o.target) for o in old.outputs] == [
        ("copy", "rows", "a"),
        ("copy-also", "rows_also", "b"),
    ]
    with deprecated("also"):
        one = phase(script, target="a", suite=suite, also=None)
    assert one == phase(script, target="a", suite=suite)
    assert not one.together


def test_scripts_and_columns_of_a_table_that_are_the_targets_now(script: Path) -> None:
    with deprecated("create_sql", "added"):
        table = Table(**SHARED, create_sql=script, added=("stamp",))  # type: ignore[call-arg]
    with deprecated("before"):
        old = Target(id="t", table=table, before=script, undo=script)  # type: ignore[call-arg]
    new = Target(id="t", table=Table(**SHARED), create=script, prepare=script, undo=script, adds=("stamp",))
    assert old == new
    assert (new.table.create, new.table.adds) == (script, ("stamp",))
    assert replace(new, owned=("stamp",)).table.adds == ("stamp",)


def test_a_migration_that_says_what_it_partitions_by(script: Path) -> None:
    target = Target(id="t", table=Table(**SHARED), owned=("stamp",), prepare=script, adds=("stamp",))
    known: dict[str, Any] = {"id": "m", "title": "M", "owner": "o", "doc": "", "targets": (target,), "suite": suite}
    sources = (Source(id="s", table=Table(**SHARED), partition_by=("id",)),)
    known |= {"sources": sources, "phases": (phase(script, target="t", suite=suite),)}
    with deprecated("partition_by"):
        old = model.Migration(**known, partition_by=("id",))  # type: ignore[call-arg]
    assert old == Migration(**known)
    # the source is the target's table, before its script has added the column
    assert old.source("s").table == target.table
    assert old.read_with(target) == old.source("s")


def test_a_phase_of_one_target_stays_so_when_it_is_replaced(script: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = replace(phase(script, target="a", suite=suite), id="again", target="b", suite=other)
        two = replace(phase(script, outputs=(Output(target="a", suite=suite), Output(target="b"))), title="Two")
    assert made.outputs == (Output(name="again", view="rows", target="b", suite=other),)
    assert [(o.name, o.view) for o in two.outputs] == [("copy", "rows"), ("copy-b", "rows_b")]
    assert (two.target, two.suite, two.together) == ("a", suite, True)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"target": "b", "outputs": (Output(target="a", suite=suite),)}, "either target and suite, or outputs"),
        ({"suite": other, "outputs": (Output(target="a", suite=suite),)}, "either target and suite, or outputs"),
        ({}, "give it a target"),
        ({"outputs": (Output(target="a", suite=suite, name="b"),)}, "its first output is called as it is"),
        ({"outputs": (Output(target="a", suite=suite), Output(target="b", name="b"))}, "begins with 'copy-'"),
        ({"outputs": (Output(target="a", suite=suite, view="made"),)}, "or begin it with rows_"),
        ({"outputs": (Output(target="a", suite=suite), Output(target="b", view="rows"))}, "have the same view"),
        ({"outputs": (Output(target="a", suite=suite), *[Output(target="b")] * 2)}, "have the same name"),
    ],
)
def test_outputs_that_contradict_are_refused(script: Path, more: dict[str, Any], said: str) -> None:
    with pytest.raises(DeclarationError, match=said):
        phase(script, **more)


def test_a_relation_of_a_views_name_is_refused(script: Path) -> None:
    targets = tuple(Target(id=id, table=Table(**{**SHARED, "name": id})) for id in ("a", "b"))
    known: dict[str, Any] = {"id": "m", "title": "M", "owner": "o", "doc": "", "targets": targets, "suite": suite}
    known["phases"] = (phase(script, outputs=(Output(target="a", suite=suite), Output(target="b"))),)
    with pytest.raises(DeclarationError, match="'rows_b' is the name of a relation of Trueup's own"):
        Migration(**known, sources=(Source(id="rows_b", table=Table(**SHARED), partition_by=("id",)),))
