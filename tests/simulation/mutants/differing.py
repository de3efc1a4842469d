"""In which histories a mutant would do otherwise than the engine. A history of the engine as it is tells so for all mutants at
once: what each puts in the place of something is asked as well, where asking changes nothing, or it is looked at what the engine's
own gave. Only where a mutant would do otherwise can it be found, so nothing else is played of it."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial, wraps
from string import Template
from typing import Any
from weakref import WeakKeyDictionary

import pytest

from include.trueup.prove import budgets
from include.trueup.stores.dynamodb.items import canonical_item

from ..world import World

Mutant = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True, kw_only=True)
class Call:
    """Something that a mutant replaces was called: with what, what the engine's own gave or raised, what the mutant's would give
    (asked only if need be), and the world it was in."""

    given: tuple[Any, ...]
    gave: Any
    raised: Exception | None
    others: Callable[[], tuple[Any, bool]]
    world: World | None


Differs = Callable[[Call], bool]


def reached(_: Call) -> bool:
    """It is another as soon as it is called."""
    return True


def never(_: Call) -> bool:
    """Alone it is no other."""
    return False


def asked(call: Call) -> bool:
    """It is asked, too, which changes nothing: it answers otherwise, or raises where the other does not."""
    gave, raised = call.others()
    return (call.raised is not None) != raised or (not raised and bool(gave != call.gave))


def refuses(call: Call) -> bool:
    """The engine's own raises."""
    return call.raised is not None


def says(call: Call) -> bool:
    """The engine's own raises, or gives something."""
    return call.raised is not None or call.gave is not None


def _left(call: Call) -> bool:
    """The store left rows alone, or was refused some."""
    return call.raised is not None or bool(call.gave)


def _refused(call: Call) -> bool:
    return call.gave is not None and bool(call.gave.refused)


def _changed(call: Call) -> bool:
    """An item is not as it was when planned."""
    _, row, raw = call.given
    return raw is not None and canonical_item(raw) != row.before


def _older_ended(call: Call) -> bool:
    return any(session.ended is not None for session in call.given[0].database.open)


def _mistyped(call: Call) -> bool:
    return call.world is None or any(row[-1] is not None for row in call.world.oracle.source.values())


_ROWS: WeakKeyDictionary[World, dict[str, set[str]]] = WeakKeyDictionary()


def _other_rows(call: Call) -> bool:
    """The run has had a plan of other rows."""
    if call.world is None or call.gave is None:
        return False
    known = _ROWS.setdefault(call.world, {}).setdefault(call.given[0].id, set())
    known.add(repr(call.gave["rows"]))
    return len(known) > 1


def _over(call: Call, figure: str, limit: str) -> bool:
    """The figure of the plan is over what the run allows."""
    most = float(budgets._limits(call.given[0]).get(limit, 0))
    return call.gave is not None and bool(call.gave[figure] > most)


def _others_wrote(call: Call) -> bool:
    return call.world is None or any(not change.run and change.point > 0 for change in call.world.oracle.changes)


def _refusing(call: Call) -> bool:
    return call.world is None or call.world.setup.unique


def _windows(call: Call) -> bool:
    return call.world is None or call.world.setup.windows


def _second(call: Call) -> bool:
    return call.world is None or call.world.setup.second


def _later_unproven(call: Call) -> bool:
    """A phase after the first is proven otherwise than that one would say."""
    run, phase = call.given
    return bool(phase is not run.migration.phases[0] and any(not each.passed for each in call.gave or ()))


def _held_by_another(call: Call) -> bool:
    if call.world is None:
        return True
    with call.world.looking():
        held = call.world.places.ledger.leases.present()
    return any(lease.run_id != call.given[0].id for lease in held)


def _given_up(call: Call) -> bool:
    return call.raised is None


def _other_files(call: Call) -> bool:
    if call.world is None or call.raised is not None:
        return True
    with call.world.looking():
        return bool(call.gave != call.given[0].ledger.entered(call.given[0].id).plan_files_sha256)


HOW: dict[str, Differs] = {
    **dict.fromkeys(("of", "_status", "_last_plan", "_asked"), asked),
    **dict.fromkeys(("proven", "_check", "renew", "same"), refuses),
    "files_hash": _other_files,
    "exceptions": lambda call: bool(call.gave and call.gave[0]),
    "judge_left_alone": lambda call: any(not each.passed for each in call.gave or ()),
    "held_targets": _held_by_another,
    "kind": _others_wrote,
    "covered": _other_rows,
    "_outlive": reached,
    "_is": asked,
    "_next": _changed,
    **dict.fromkeys(("add", "change", "remove"), _left),
    "end_older": _older_ended,
    "seconds": lambda call: bool(call.gave > 60.0),
    "reject_unread": _mistyped,
    "is_ours": _others_wrote,
    "_marked": lambda call: call.world is None or bool(call.world.setup.trigger),
    "advance": reached,  # to ask the store is an effect, whatever it gives
    "_irreversible": lambda call: bool(call.gave),
    "_reject_rows": lambda call: call.world is None or call.world.setup.unfit,
    "phase_counts": lambda call: any(each.rejected for each in call.gave or ()),
    "rows": lambda call: call.gave is not None and call.gave.num_rows > 0,
}
"""When what is called so would do otherwise. What is not here: where it raises or gives something, if the mutant does not hear of
it (`patching.unheard`), and any other as soon as it is reached."""
OF: dict[tuple[str, str], Differs] = {
    ("review/1", "outcome"): _refused,
    ("review/1", "kind"): _refusing,
    ("review/8", "_figures"): lambda call: _over(call, "baseline_lost", "allow_lost_baseline"),
    ("review/10", "_figures"): lambda call: _over(call, "removed_share", "max_remove_share"),
    ("own/missing is fine", "kind"): reached,
    ("own/begins beside", "end_older"): lambda call: not call.given[1].part and _older_ended(call),
    ("own/lease taken too soon", "_take_from"): refuses,
    ("own/taken over unsaid", "_take_from"): _given_up,
    ("own/outside is written", "rows"): _windows,
    ("own/the end is inside", "in_window"): _windows,
    ("own/the first proof is all", "proof"): _later_unproven,
    ("own/the first phase names the plan", "covered"): lambda call: _second(call) and _other_rows(call),
    ("own/rolled back in their order", "steps"): _second,
    ("own/report written again", "replace"): never,  # of a report that is written once it is as good
}
"""The same of one mutant alone."""


def _how(mutant: str, name: str, other: Any) -> Differs:
    otherwise = says if getattr(other, "__wrapped__", None) is not None else reached  # `unheard` wraps what it does
    return OF.get((mutant, name), HOW.get(name, otherwise))


class Probing:
    """In place of pytest's MonkeyPatch: what mutants would patch stays as it is, and is looked at. `differing`: the mutants
    that would have done otherwise since it was last emptied; `seen`: those of which anything was ever reached."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch, self._mutant = patch, ""
        self._at: dict[tuple[int, str], tuple[Any, str, Any, list[tuple[str, Any]]]] = {}
        self._world: World | None = None
        self._asking = False
        self.differing: set[str] = set()
        self.seen: set[tuple[str, str]] = set()

    def watch(self, mutants: dict[str, Mutant]) -> None:
        """Watch what these patch. All say what they would patch before anything is watched."""
        for self._mutant, mutant in mutants.items():
            given: Any = self
            mutant(given)
        begin = World.begin

        def begun(world: World) -> None:
            self._world = world
            begin(world)

        self._patch.setattr(World, "begin", begun)
        for owner, name, real, wanted in self._at.values():
            put = self._patch.setitem if isinstance(owner, MutableMapping) else self._patch.setattr
            put(owner, name, self._watched(name, real, wanted))

    def never(self) -> dict[str, list[str]]:
        """What was never reached, by mutant."""
        every = [(mutant, str(name)) for _, name, _, wanted in self._at.values() for mutant, _ in wanted]
        missed = [each for each in every if each not in self.seen]
        return {mutant: sorted(name for who, name in missed if who == mutant) for mutant, _ in missed}

    def setattr(self, owner: Any, name: str, other: object) -> None:
        """An attribute that the mutant would patch; it has to be there."""
        real = vars(owner)[name] if isinstance(owner, type) else getattr(owner, name)
        self._note(owner, name, real, other)

    def setitem(self, mapping: MutableMapping[Any, Any], name: Any, other: object) -> None:
        """An entry that the mutant would patch; it has to be there."""
        self._note(mapping, name, mapping[name], other)

    def _note(self, owner: Any, name: Any, real: Any, other: Any) -> None:
        if is_dataclass(real) and not isinstance(real, type):
            others: list[tuple[str, Any]] = self._at.setdefault((id(owner), name), (owner, name, real, []))[-1]
            others.append((self._mutant, other))
        elif isinstance(real, Template | frozenset | property) or callable(real):
            self._at.setdefault((id(owner), name), (owner, name, real, []))[-1].append((self._mutant, other))

    # ── watching ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _watched(self, name: str, real: Any, wanted: list[tuple[str, Any]]) -> Any:
        if isinstance(real, property):
            get: Any = real.fget
            return property(self._function(name, get, [(mutant, other.fget) for mutant, other in wanted]))
        if isinstance(real, Template):
            return _Sql(real.template, partial(self._filled, name, wanted))
        if isinstance(real, frozenset):
            return _Ways(real, lambda way: self._way(name, way, real, wanted))
        if is_dataclass(real):
            changed: dict[str, Any] = {}
            for each in fields(real):
                mine: Any = getattr(real, each.name)
                theirs = [(m, getattr(o, each.name)) for m, o in wanted if getattr(o, each.name) is not mine]
                if theirs:
                    changed[each.name] = self._function(each.name, mine, theirs, called=name)
            made: Any = real
            return replace(made, **changed)
        return self._function(name, real, wanted)

    def _function(self, name: str, real: Any, wanted: list[tuple[str, Any]], called: str | None = None) -> Any:
        @wraps(real)
        def watched(*given: Any, **more: Any) -> Any:
            world = self._world

            def look(gave: Any, raised: Exception | None) -> None:
                for mutant, other in wanted:
                    call = Call(
                        given=given,
                        gave=gave,
                        raised=raised,
                        world=world,
                        others=partial(self._ask, other, given, more),
                    )
                    self._found(mutant, called or name, _how(mutant, name, other), call)

            try:
                gave = real(*given, **more)
            except Exception as error:
                look(None, error)
                raise
            look(gave, None)
            return gave

        return watched

    def _ask(self, other: Any, given: tuple[Any, ...], more: dict[str, Any]) -> tuple[Any, bool]:
        assert self._world is not None
        with self._world.looking():
            try:
                return other(*given, **more), False
            except Exception:
                return None, True

    def _filled(self, name: str, wanted: list[tuple[str, Any]]) -> None:
        call = Call(given=(), gave=None, raised=None, others=lambda: (None, False), world=self._world)
        for mutant, _ in wanted:
            self._found(mutant, name, OF.get((mutant, name), HOW.get(name, reached)), call)

    def _way(self, name: str, way: Any, real: frozenset[Any], wanted: list[tuple[str, Any]]) -> None:
        for mutant, other in wanted:
            self.seen.add((mutant, str(name)))
            if (way in real) != (way in other):
                self._found(mutant, name)

    def _found(self, mutant: str, name: str, how: Differs = reached, call: Call | None = None) -> None:
        if self._asking:
            return
        self.seen.add((mutant, str(name)))
        if mutant in self.differing:
            return
        self._asking = True
        try:
            if call is None or how(call):
                self.differing.add(mutant)
        finally:
            self._asking = False


class _Ways(frozenset[Any]):
    """A set that says what it is asked."""

    def __new__(cls, real: frozenset[Any], say: Callable[[Any], object]) -> _Ways:
        made = super().__new__(cls, real)
        made.say = say
        return made

    say: Callable[[Any], object]

    def __contains__(self, wanted: object) -> bool:
        self.say(wanted)
        return super().__contains__(wanted)


class _Sql(Template):
    """A statement that says when it is filled in."""

    def __init__(self, template: str, say: Callable[[], object]) -> None:
        super().__init__(template)
        self._say = say

    def substitute(self, *given: Any, **more: Any) -> str:
        self._say()
        return super().substitute(*given, **more)
