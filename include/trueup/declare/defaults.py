"""What a declaration need not say: ids, titles, and where its scripts lie.

Every default can be said aloud: an id is the table's name, a title is the id in words, a script lies beside the module
that declares.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from ..errors import DeclarationError
from .names import one_of
from .table import Type

_HERE = str(Path(__file__).parent)


def columns(**by_type: str | Iterable[str]) -> dict[str, Type]:
    """Columns by their types: `columns(text="id name", number="amount")`. A text is split at its blanks; a column with a
    blank in its name stands in a list. Raises `DeclarationError` for a type that there is not, or a column named twice."""
    made: dict[str, Type] = {}
    for type_, names in by_type.items():
        if type_ not in {*Type}:
            raise DeclarationError(f"columns: there is no type {type_!r}; the types are {', '.join(Type)}")
        for name in names.split() if isinstance(names, str) else names:
            if isinstance(names, str) and name.endswith(","):
                raise DeclarationError(
                    f"columns: {name!r} ends with a comma; names are separated by blanks: {type_}='id name'"
                )
            if name in made:
                raise DeclarationError(f"columns: {name!r} is named twice, as {made[name]} and as {type_}")
            made[name] = Type(type_)
    return made


def id_of(table: str) -> str:
    """The id that a table's name gives: `sales.order-lines` is `order_lines`."""
    return re.sub(r"[^a-z0-9]+", "_", table.rpartition(".")[2].strip('"').lower()).strip("_")


def title_of(id: str) -> str:
    """An id in words: `order_lines` is `Order lines`."""
    return id.replace("_", " ").capitalize()


def beside(path: Path | str) -> Path:
    """The path as it was given, a relative one from the folder of the module that declares."""
    return folder() / path


def check_script(what: str, path: Path) -> None:
    """Raise `DeclarationError` where the script of `what` is not there."""
    if not path.is_file():
        scripts = (each.name for each in path.parent.glob(f"*{path.suffix}"))
        raise DeclarationError(f"{what}: there is no script {path}; {one_of(path.name, scripts)}")


def readme() -> str:
    """The README.md beside the module that declares; empty where there is none."""
    path = beside("README.md")
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def folder() -> Path:
    """The folder of the module that is declaring now: the first caller that is not of this package, nor made by
    `dataclasses`."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        file = frame.f_code.co_filename
        if not file.startswith(("<", _HERE)) and not file.endswith("/dataclasses.py"):
            return Path(file).parent
        frame = frame.f_back
    return Path.cwd()
