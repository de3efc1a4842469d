"""How stores lie. What may be answered falsely depends on what was asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from include.trueup.errors import StoreRejectedError, StoreUnavailableError

from .history import Event
from .twins import (
    Effect,
    HalfError,
    HiddenError,
    LaterError,
    StaleError,
    ThrottledError,
    UnprocessedError,
)

LIES = {
    "slow": "it takes long, and nothing else does",
    "unanswered": "it was done, and no answer comes",
    "refused": "it is refused, this once, as where a right was taken away",
    "hidden": "a row is left out of what is read",
    "throttled": "DynamoDB has no room for it just now",
    "stale": "DynamoDB reads what was before the last write, unless the read is to be consistent",
    "unprocessed": "DynamoDB does a part of a batch, and says so",
    "half": "DynamoDB does a part of a batch, and no answer comes",
    "later": "no answer comes, and DynamoDB does it later",
}
_READ = ("hidden", "hidden", "refused", "slow")
_READS = {
    "read": _READ,
    "get": _READ,
    "Scan": (*_READ, "throttled", "stale"),
    "BatchGetItem": (*_READ, "throttled", "stale", "unprocessed"),
}
_WRITES = {
    **dict.fromkeys(("add", "change", "remove"), ("refused", "slow")),
    "BatchExecuteStatement": ("refused", "slow", "throttled", "unprocessed", "half", "half", "later"),
    **dict.fromkeys(("PutItem", "UpdateItem", "DeleteItem"), ("refused", "slow", "throttled", "later", "later")),
    "commit": ("slow",),
}
Later = Callable[[Callable[[], object]], None]


@dataclass(frozen=True, kw_only=True)
class Lie:
    """What the engine is told in place of the truth (`raised`; None: nothing), and for how long it waits."""

    name: str
    raised: Exception | None = None
    seconds: float = 0.0


def is_about(event: Event, effect: Effect) -> bool:
    """Whether a lie is about such an effect: of the target's store a read, or a write."""
    when = "after" if event.a % 5 == 0 else "before"
    return effect.place == "store" and effect.when == when and effect.kind in (_WRITES if event.b % 3 else _READS)


def lie(effect: Effect, event: Event, later: Later) -> Lie:
    """The lie about an effect that the event's numbers choose. `later` has work done when its time has come."""
    ways = ({**_READS, **_WRITES})[effect.kind] if effect.when == "before" else ("slow", "unanswered")
    name = ways[event.a % len(ways)]
    return Lie(name=name, raised=_raised(name, effect, event, later), seconds=event.seconds if name == "slow" else 0.0)


def _raised(name: str, effect: Effect, event: Event, later: Later) -> Exception | None:
    match name:
        case "unanswered":
            return StoreUnavailableError(f"no answer to {effect.kind}")
        case "refused" if effect.kind[0].isupper():
            return ThrottledError("AccessDenied")
        case "refused":
            return StoreRejectedError(f"permission denied for table {effect.target} (SQLSTATE 42501)")
        case "hidden":
            return HiddenError(f"p{event.b % 9:02}")
        case "throttled":
            return ThrottledError()
        case "stale":
            return StaleError()
        case "unprocessed":
            return UnprocessedError(event.b % 2)
        case "half":
            return HalfError(event.b % 3)
        case "later":
            return LaterError(later)
    return None
