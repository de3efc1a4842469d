"""What a migration counts in the databases before a turn of its switch: each count has a limit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ..declare.migration import Guard
from ..errors import ProofError
from ..ledger import SwitchState
from ..stores import Store


def guard(
    guards: Iterable[Guard], to: SwitchState, limits: Mapping[str, int], resolve: Callable[[str], Store]
) -> dict[str, int]:
    """What the guards of a turn to `to` count in the databases now, by param. `limits`: how many are allowed, by param;
    `resolve` gives the store behind a connection. Raises `ProofError` where there are more."""
    counted = {}
    for each in guards:
        if each.to != to:
            continue
        rows, few = each.count(resolve(each.connection))
        most = limits.get(each.param, each.most)
        if rows > most:
            named = f": {', '.join(few)}{' …' if rows > len(few) else ''}" if few else ""
            raise ProofError(
                f"the switch is not turned to {to}: {each.title[:1].lower()}{each.title[1:]}: {rows:,}{named}; {each.param} allows"
                f" {most:,}. {each.description}"
            )
        counted[each.param] = rows
    return counted
