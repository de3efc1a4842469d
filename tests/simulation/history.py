"""A history: what there was at the beginning, and what happened between two effects. From a seed it is drawn; as it is written
down it is done again, or with parts of it left out."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from random import Random
from typing import Any

from .themes import CALM, LATER, OFTEN, THEMES

KINDS = ("postgres", "dynamodb")
TRIGGERS = ("alters", "touches", "drops")
PAUSES = (1.0, 7.0, 35.0, 75.0, 400.0)


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What there is at the beginning: rows of the source and the target (those that are there before any run), the kind of
    the target's store, and how runs are asked for. `referred`: what a foreign key of another table does where a row of the
    target is deleted (empty: there is none). `keen`: where what happens does so most often, as a part of a task's name or of
    an effect's. `unfit`: the source gets values that no column of the target holds, and the target such as a rollback could
    not put back.
    `windows`: rows lie in one of three days, by the text that they have for a name, and there are backfills. `ranged`: one
    approval is for all days of a backfill, which are planned first.
    `numbered`: the target's `amount` is an identity column, from which applications take numbers.
    `trigger`: what a trigger of the target does to some rows that are written: it `alters` them, `touches` another row, or
    `drops` them without a word (empty: there is none). `held_open`: applications keep transactions open that have written.
    `second`: the migration has a second phase, which makes of what the first one plans the rows of another table (`second.py`).
    `keenness`: how much more often it happens where it is `keen`. `theme`: what it is about (`themes.py`; empty: nothing in
    particular). `hasty`: only the first run waits for a person."""

    kind: str = "postgres"
    rows: int = 5
    nameless: int = 0
    there: int = 0
    partitions: int = 1
    batch_rows: int = 2
    unique: bool = False
    approval: bool = True
    extra: str = "report"
    answer_seconds: float = 20.0
    rate: float = 0.02
    late: int = 0
    retries: int = 3
    keen: str = ""
    only: tuple[str, ...] = ()
    referred: str = ""
    unfit: bool = False
    windows: bool = False
    numbered: bool = False
    trigger: str = ""
    held_open: bool = False
    keenness: float = 6.0
    theme: str = ""
    hasty: bool = False
    ranged: bool = False
    second: bool = False


@dataclass(frozen=True, kw_only=True)
class Event:
    """What happens at a point: `what`, with the numbers that choose to which row, task or run."""

    what: str
    a: int = 0
    b: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class History:
    """The setup, and what happens at which point; at -1, -2, … when all is quiet after the point before."""

    seed: int
    setup: Setup
    events: dict[int, Event] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        events = [[point, asdict(event)] for point, event in sorted(self.events.items())]
        return {"seed": self.seed, "setup": asdict(self.setup), "events": events}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> History:
        """The opposite: what is done is what is written down."""
        events = {point: Event(**event) for point, event in values["events"]}
        return cls(seed=-1, setup=Setup(**values["setup"]), events=events)


WEIGHTS = {
    "switch": 30,
    "pause": 10,
    "kill": 10,
    "error": 8,
    "outage": 3,
    "write source": 8,
    "write target": 8,
    "trigger": 8,
    "roll back": 5,
    "clear": 8,
    "mark": 3,
    "approve": 4,
    "reject": 2,
    "double": 4,
    "deploy": 3,
    "prune": 2,
    "cut over": 4,
    "wait": 3,
    "same id": 2,
    "plan again": 2,
    "write planned": 8,
    "shrink source": 2,
    "hang": 20,
    "force": 5,
    "restore": 2,
    "lie": 12,
}
"""What may happen at a point, and how often beside the others."""
OF_THEMES = {
    "stop": 8,
    "begin again": 4,
    "prune all": 2,
    "order": 8,
    "take back": 8,
    "look back": 8,
    "mark ahead": 8,
    "cut through": 8,
    "next day": 2,
    "lead elsewhere": 8,
}
"""The same, but only where the setup names it."""


REFERRED = ("", "", "", "NO ACTION", "CASCADE")
KEEN = ("", "", "apply", "apply", "approve", "plan", "read_back", "verify", "report", "preflight")


def setup(random: Random) -> Setup:
    """A beginning."""
    kind, rows = random.choice(KINDS), random.randint(2, 7)
    made = Setup(
        kind=kind,
        rows=rows,
        nameless=random.choice((0, 0, 1)),
        there=random.choice((0, 0, 1, 3)),
        partitions=random.choice((1, 1, 2)),
        batch_rows=random.choice((1, 2, 3)),
        unique=random.random() < 0.15 and kind == "postgres",
        approval=random.random() < 0.5,
        extra=random.choice(("report", "remove", "remove")),
        answer_seconds=random.choice((5.0, 20.0, 90.0)),
        rate=random.choice((0.01, 0.02, 0.04, 0.08)),
        late=random.choice((0, 2, 4, 6)),
        retries=random.choice((0, 1, 3)),
        keen=random.choice(KEEN),
        only=_some(random),
        referred=random.choice(REFERRED) if kind == "postgres" else "",
    )
    # a run that is to remove what others refer to is refused there, whatever happens
    return replace(made, extra="report") if made.referred == "CASCADE" else made


def more(made: Setup, random: Random) -> Setup:
    """What came later, drawn by itself, so that without it a seed's history is what it was."""
    # a table that refers to the target is nothing new unless its rows are written, and others removed
    only = tuple(sorted({*made.only, "write target", "roll back"})) if made.referred and made.only else made.only
    unfit, windows, numbered = (random.random() < share for share in (0.2, 0.2, 0.2))
    numbered = numbered and made.kind == "postgres" and not unfit
    trigger = random.choice(TRIGGERS) if random.random() < 0.2 and made.kind == "postgres" else ""
    keen = {"postgres": "commit", "dynamodb": "BatchExecute"}[made.kind] if random.random() < 0.2 else made.keen
    held_open = random.random() < 0.2 and made.kind == "postgres"
    windows = windows and not unfit
    given: dict[str, Any] = {"numbered": numbered, "trigger": trigger, "keen": keen}
    ranged = random.random() < 0.5 and windows
    second = random.random() < 0.2
    given |= {"ranged": ranged, "held_open": held_open, "second": second}
    return replace(made, only=only, unfit=unfit, windows=windows, **given)


def about(made: Setup, random: Random) -> Setup:
    """Most histories are about something, which is drawn by itself, too."""
    if random.random() < 0.25:
        return made
    made = _with(random.choice([*sorted(THEMES.keys() - {*LATER}), *OFTEN]), made, random)
    if random.random() < 0.05:
        made = _with(random.choice(LATER), made, random)
    if made.kind == "dynamodb":
        made = replace(made, referred="")
    return replace(made, extra="report") if made.referred == "CASCADE" else made


def _with(theme: str, made: Setup, random: Random) -> Setup:
    chosen = {name: random.choice(ways) for name, ways in {**CALM, **THEMES[theme].setup}.items()}
    return replace(made, theme=theme, ranged=False, **chosen)


def _some(random: Random) -> tuple[str, ...]:
    """What happens in this history: often a few kinds of it only, which then meet each other. None: all."""
    if random.random() < 0.4:
        return ()
    return tuple(sorted(random.sample(sorted(WEIGHTS), random.randint(3, 7))))


LATE = (
    "clear",
    "clear",
    "clear",
    "trigger",
    "trigger",
    "roll back",
    "roll back",
    "write source",
    "write target",
    "mark",
    "cut over",
    "prune",
    "shrink source",
    "deploy",
    "force",
    "force",
    "same id",
    "shrink source",
    "cut over",
    "cut over",
    "restore",
)
"""What may happen when all is quiet, before faults stop for good."""


VISITS = (
    *("plan again", "plan again", "plan again", "write source", "write target", "write planned", "approve"),
    *(
        "deploy",
        "trigger",
        "reject",
        "reject",
        "clear",
        "mark",
        "write planned",
        "write planned",
        "shrink source",
        "restore",
    ),
)
"""What may happen while a run waits for a person."""


def event(random: Random, only: tuple[str, ...] = (), *, among: tuple[str, ...] = ()) -> Event:
    """Something that happens: of these kinds (none: of all), or else `among` those as often as they are named."""
    weights = {kind: weight for kind, weight in {**WEIGHTS, **OF_THEMES}.items() if kind in (only or WEIGHTS)}
    (what,) = [random.choice(among)] if among else random.choices([*weights], [*weights.values()])
    return Event(what=what, a=random.randrange(1_000), b=random.randrange(1_000), seconds=random.choice(PAUSES))
