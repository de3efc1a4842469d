"""What the histories are to have met: errors, transitions of runs, turns of the switch, what becomes of leases, verbs, and all
that may happen between two effects."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from traceback import walk_tb

from include.trueup import errors
from include.trueup.ledger.status import TRANSITIONS, TURNS
from include.trueup.plan.files import VERBS

from . import refusals
from .history import OF_THEMES, WEIGHTS
from .lies import LIES

_KINDS = ("TrueupError", "TerminalError", "TransientError")
NOT_HERE = {
    "DeclarationError": "the declaration of the world is sound",
    "OptionsError": "what is asked for is allowed",
    "MemoryLimitError": "rows are few",
    "UnreadableValueError": "no value is without a canonical form",
}
"""Errors that the world has no way to."""
ERRORS = tuple(name for name in vars(errors) if name.endswith("Error") and name not in (*NOT_HERE, *_KINDS))
OF_SETUPS = ("write unfit", "write no number", "backfill", "day", "insert", "keep open")
"""What happens only where the setup has it (`history.more`)."""


def classes(error: BaseException) -> list[str]:
    """What classes of the tree of errors it is of."""
    return [each.__name__ for each in type(error).__mro__ if each.__name__ in ERRORS or each.__name__ in NOT_HERE]


def refused_by(error: BaseException) -> str:
    """The function of the engine that raised it, with its module: `leases.enter`."""
    frames = [frame for frame, _ in walk_tb(error.__traceback__) if "/include/trueup/" in frame.f_code.co_filename]
    if not frames:
        return "none"
    return f"{refusals.module(Path(frames[-1].f_code.co_filename))}.{frames[-1].f_code.co_name}"


WANTED = (
    *(f"error {name}" for name in ERRORS),
    *(f"run {was or 'none'} -> {to}" for was, ways in TRANSITIONS.items() for to in sorted(ways) if was != to),
    *(f"switch {was} -> {to}" for was, ways in TURNS.items() for to in sorted(ways)),
    *("lease taken", "lease writes", "lease taken over", "lease waits"),
    *(f"verb {verb}" for verb in VERBS),
    *(f"event {what}" for what in (*WEIGHTS, *OF_THEMES, *OF_SETUPS)),
    *(f"lie {name}" for name in LIES),
)


def wanted() -> list[str]:
    """What is to be met."""
    return [*WANTED, *(f"refusal {name}" for name in refusals.refusals() if name not in refusals.NOT_HERE)]


def table(met: Mapping[str, int]) -> str:
    """How often each was met, and which was not."""
    every, no_way = wanted(), {**NOT_HERE, **refusals.NOT_HERE}
    lines = [f"{met[name]:>8}  {name}" for name in every if met.get(name)]
    missed = [name for name in every if not met.get(name)]
    others = sorted(name for name in met if name.startswith("refusal ") and name not in every)
    lines += [f"met, too: {', '.join(f'{name} {met[name]}' for name in others)}"] if others else []
    lines += [f"not met: {', '.join(missed)}"] if missed else ["everything was met"]
    lines += [f"cannot be met: {', '.join(f'{name} ({why})' for name, why in no_way.items())}"]
    return "\n".join(lines)
