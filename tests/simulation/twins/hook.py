"""What a twin tells of each effect, and what whoever listens may do with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

from include.trueup.stores import Fence, present_fence
from include.trueup.stores.postgres.locks import numbers


@dataclass(frozen=True, kw_only=True)
class Effect:
    """Something that the engine does outside of itself: `kind` of it, at which `place` (a store's name, `ledger` or
    `workspace`), to which `target` (a table, a file), and to which rows, by the texts of their `keys`. `when` is `before`
    or `after`. Of `end older`, the `numbers` of the newer writer, by what they are on."""

    kind: str
    place: str
    target: str
    keys: tuple[str, ...] = ()
    when: str = "before"
    numbers: tuple[tuple[int, int], ...] = ()


def ending(place: str, fence: Fence) -> Effect:
    """Whoever has this fence sees that nobody older writes any more."""
    return Effect(kind="end older", place=place, target=fence.part, numbers=tuple(numbers(fence)))


def present_numbers() -> dict[int, int]:
    """By which numbers a store that is called here writes, by what they are on."""
    fence = present_fence()
    return {} if fence is None else dict(numbers(fence))


Hook = Callable[[Effect], None]


def nothing(effect: Effect) -> None:
    """A hook that does nothing."""


class LieError(Exception):
    """What a hook raises `before` an effect for a twin to answer falsely; it never leaves the twin."""


class HiddenError(LieError):
    """The rows of these keys are left out of the answer (`read`, `get`)."""

    def __init__(self, *keys: str) -> None:
        super().__init__(*keys)
        self.keys = frozenset(keys)


class ThrottledError(LieError):
    """A document store's request is refused for now, with this code."""

    def __init__(self, code: str = "ProvisionedThroughputExceeded") -> None:
        super().__init__(code)
        self.code = code


class UnprocessedError(LieError):
    """Of a document store's batch only the first `done` are processed, and the others are named in the answer."""

    def __init__(self, done: int = 0) -> None:
        super().__init__(done)
        self.done = done


class HalfError(LieError):
    """Of a document store's batch only the first `done` are processed, and no answer comes. A batch of a relational store
    is a transaction, and has no half."""

    def __init__(self, done: int = 0) -> None:
        super().__init__(done)
        self.done = done


class LaterError(LieError):
    """A document store's request is done when `later` says, which is given what does it; no answer comes."""

    def __init__(self, later: Callable[[Callable[[], object]], None]) -> None:
        super().__init__()
        self.later = later


class StaleError(LieError):
    """A document store answers a read with what it held before its last write, unless it is asked for a consistent read."""


@dataclass(frozen=True, kw_only=True)
class Doing:
    """An effect of a twin, told before and after."""

    hook: Hook
    effect: Effect

    def before(self) -> LieError | None:
        """Tell that it begins; the lie that it is to be answered with."""
        try:
            self.hook(self.effect)
        except LieError as lie:
            return lie
        return None

    @cached_property
    def _after(self) -> Effect:
        return replace(self.effect, when="after")

    def after(self) -> None:
        """Tell that it is done, and not answered yet."""
        self.hook(self._after)
