"""SQL that carries a guarantee stands in a file beside its module, each statement under a name, with a comment a branch.

    -- name: expected
    SELECT $columns FROM plan WHERE $verb <> 'keep'

`$names` are filled in as they are given: SQL, in which identifiers and literals are quoted already (`duck.identifier`,
`duck.literal`). Values of rows never are: they are joined, or bound. The engine's own columns and aliases
(`declare/names.py`) are there in every file: `$key` is `KEY`, `$is` the alias `IS`.
"""

from __future__ import annotations

import re
from pathlib import Path
from string import Template

from ..declare import names

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
_OWN = {name.lower(): value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)}


class Statements:
    """The statements of `<module>.sql`, by name; `parts` are the same for all of them."""

    def __init__(self, module: str, **parts: str) -> None:
        text = Path(module).with_suffix(".sql").read_text(encoding="utf-8")
        _, *named = _NAME.split(text)
        self._statements = {name: Template(sql.strip()) for name, sql in zip(named[::2], named[1::2], strict=True)}
        self._parts = {**_OWN, **parts}

    def __call__(self, name: str, **parts: str) -> str:
        """The statement of that name, with its parts filled in. Raises `KeyError` for a part that is not given."""
        return self._statements[name].substitute({**self._parts, **parts})

    @property
    def names(self) -> set[str]:
        """The names of the statements."""
        return {*self._statements}

    def parts_of(self, name: str) -> set[str]:
        """The parts that a statement asks for, besides those that are the same for all."""
        named = Template.pattern.findall(self._statements[name].template)
        return {part for escaped, plain, braced, _ in named if (part := plain or braced)} - self._parts.keys()
