"""What a proven run has left in its folder: it stays, but for what was under way when the run was proven."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from include.trueup.stores import RELIED_SECONDS

if TYPE_CHECKING:
    from .seen import Seen
    from .twins import Effect


class Evidence:
    """What each process of a run that is proven has published or removed since that was known for long. The report is judged
    by what it says."""

    def __init__(self) -> None:
        self._late: dict[tuple[str, str], list[str]] = {}

    def saw(self, process: str, run: str, seen: Seen | None, now: float, effect: Effect) -> None:
        """An effect begins, or has ended."""
        if effect.place != "workspace" or effect.when != "before" or effect.kind not in ("publish", "remove"):
            return
        if seen is None or seen.proven_since is None or now <= seen.proven_since + RELIED_SECONDS:
            return
        if "/report" not in process and effect.target.startswith(f"runs/{run}/"):
            self._late.setdefault((run, process), []).append(effect.target)

    def broken(self) -> Iterator[str]:
        """What is not as it was; one file of each process was under way."""
        for (run, process), files in self._late.items():
            if len(files) > 1:
                yield f"{run} was proven, and {process} left or removed {', '.join(files)}"
