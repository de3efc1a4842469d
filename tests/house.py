"""`python -m tests.house` prints the rooms of include/trueup from its imports: on which floor each is, and where its arrows
lead. A room is a folder, or a file of the top; an arrow says that something in one imports something in the other, wherever
in a file the import stands; a room's floor is above all to which its arrows lead. `testing`, for the tests of authors, stands
outside: it looks into the rooms, and nobody in them may look at it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
HOUSE = "include.trueup"
OUTSIDE = "testing"


@cache
def imports(file: Path) -> tuple[str, ...]:
    """Absolute names of everything that the file imports, wherever in it. A file is read once."""
    return tuple(_imports(file))


def _imports(file: Path) -> Iterator[str]:
    package = file.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) + "." if node.level else ""
            module = f"{base}{node.module}" if node.module else base.rstrip(".")
            yield from (f"{module}.{alias.name}" for alias in node.names)


def room_of(name: str) -> str | None:
    """The room of a module of the house, by its absolute name; None of anything else."""
    inside = name.removeprefix(f"{HOUSE}.")
    return None if inside == name or not inside else inside.split(".")[0]


def house() -> dict[str, set[str]]:
    """Every room, and the rooms to which its arrows lead."""
    top = ROOT / HOUSE.replace(".", "/")
    files = [p for p in top.rglob("*.py") if p != top / "__init__.py" and p.relative_to(top).parts[0] != OUTSIDE]
    arrows: dict[str, set[str]] = {}
    for file in files:
        room = file.relative_to(top).parts[0].removesuffix(".py")
        there = {found for name in imports(file) if (found := room_of(name)) is not None}
        arrows.setdefault(room, set()).update(there - {room})
    return {room: to & arrows.keys() for room, to in sorted(arrows.items())}


def floors(arrows: dict[str, set[str]]) -> dict[str, int]:
    """The floor of each room. Raises `ValueError` where arrows lead in a circle, with the way."""

    @cache
    def floor(room: str, way: tuple[str, ...] = ()) -> int:
        if room in way:
            raise ValueError(f"a circle: {' -> '.join([*way[way.index(room) :], room])}")
        return 1 + max((floor(below, (*way, room)) for below in arrows[room]), default=0)

    return {room: floor(room) for room in arrows}


def main() -> None:
    """Print the house."""
    arrows = house()
    at = floors(arrows)
    print(f"{len(arrows)} rooms, {max(at.values())} floors, {sum(map(len, arrows.values()))} arrows, no circle")
    for room in sorted(arrows, key=lambda room: (-at[room], room)):
        print(f"{at[room]:>2}  {room:<10} {' '.join(sorted(arrows[room], key=lambda other: (-at[other], other)))}")


if __name__ == "__main__":
    main()
