"""Declarations made at random, each with one thing wrong: every one is refused, and what is right is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.console.check import problems
from include.trueup.declare import Migration, Phase, Source, Table, Target
from include.trueup.errors import DeclarationError

NAMES = st.lists(
    st.text("abcdefgh_", min_size=1, max_size=6).filter(lambda name: not name.startswith("_")),
    min_size=2,
    max_size=5,
    unique=True,
)
TYPES = st.sampled_from(
    ["text", "number", "integer", "float", "boolean", "timestamp", "datetime", "date", "json", "binary"]
)


@st.composite
def declarations(draw: st.DrawFn) -> dict[str, Any]:
    """The parts of a declaration that is all right: one table into another, column by column."""
    names = draw(NAMES)
    return {
        "columns": {"id": "text", **{name: draw(TYPES) for name in names}},
        "key": ("id",),
        "partition_by": ("id",),
        "window": None,
        "required": tuple(draw(st.sets(st.sampled_from(names)))),
        "source": "old",
        "target": "new",
        "select": ", ".join(f'"{name}"' for name in ["id", *names]),
        "from": "old",
        "source_key": "_key",
    }


def declare(folder: Path, parts: dict[str, Any]) -> Migration:
    (folder / "rows.sql").write_text(
        f"CREATE VIEW rows AS SELECT {parts['select']}, {parts['source_key']} AS _source FROM {parts['from']}"
    )
    old, new = (
        Table(
            name=name, connection="c_postgres", key=parts["key"], columns=parts["columns"], required=parts["required"]
        )
        for name in ("old", "new")
    )
    return Migration(
        id="made",
        owner="tests",
        sources=(Source(table=old, partition_by=parts["partition_by"], window=parts["window"]),),
        targets=(Target(table=new),),
        phases=(Phase(source=parts["source"], target=parts["target"], transform=folder / "rows.sql"),),
    )


def _first(parts: dict[str, Any], types: tuple[str, ...]) -> str:
    return next((name for name, type_ in parts["columns"].items() if type_ in types), "nothing there")


WRONG: dict[str, Callable[[dict[str, Any]], Any]] = {
    "key": lambda p: ("nothing",),
    "partition_by": lambda p: ("nothing",),
    "window": lambda p: _first(p, ("number", "integer", "float", "boolean", "json", "binary")),
    "required": lambda p: ("nothing",),
    "source": lambda p: "older",
    "target": lambda p: "newer",
    "columns": lambda p: {**p["columns"], "more": "varchar"},
    "select": lambda p: ", ".join(p["select"].split(", ")[:-1]),
    "from": lambda p: "elsewhere",
    "source_key": lambda p: "nothing",
}
"""What may be wrong, and how."""


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(parts=declarations(), wrong=st.sampled_from([*WRONG]))
def test_one_thing_wrong_is_refused(
    tmp_path_factory: pytest.TempPathFactory, parts: dict[str, Any], wrong: str
) -> None:
    folder = tmp_path_factory.mktemp("made")
    try:
        found = problems(declare(folder, parts | {wrong: WRONG[wrong](parts)}), folder)
    except DeclarationError:
        return
    assert found, f"{wrong} = {WRONG[wrong](parts)!r} was accepted"


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(parts=declarations())
def test_what_is_right_is_not_refused(tmp_path_factory: pytest.TempPathFactory, parts: dict[str, Any]) -> None:
    folder = tmp_path_factory.mktemp("made")
    assert problems(declare(folder, parts), folder) == []
