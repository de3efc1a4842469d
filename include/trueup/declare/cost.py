"""What a transform costs before anything is planned: Cost.

Imported from `migration`, as everything that a declaration is written with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from ..errors import DeclarationError

Words = Callable[[Mapping[str, int], Mapping[str, JsonValue]], Mapping[str, str]]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """That a transform costs time or money, and how much is said before it runs: a person is asked about it first, and a run in
    mode plan ends there. `scripts` are DuckDB scripts that run in their order and see what a transform sees, a partition at a
    time. They define two views: `paid`, a row for each thing that is paid for, whose columns (all but its order) are what an
    approval is bound to; and `figures` (`name`, `value`, a whole number), summed over all partitions. `words` says them, given
    the figures and what was chosen of `Migration.params`: by name, such as time and price."""

    scripts: tuple[Path, ...]
    words: Words

    def __post_init__(self) -> None:
        for path in self.scripts:
            if not path.is_file():
                raise DeclarationError(f"cost: there is no script {path}")
