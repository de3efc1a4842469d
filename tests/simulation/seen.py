"""What the oracle notes: who writes, what became another, what a plan says, and what is known of a run."""

from __future__ import annotations

from dataclasses import dataclass, field

from include.trueup.plan.files import WRITTEN

from .databases import Row
from .second import table_of


@dataclass(frozen=True, kw_only=True)
class Writer:
    """Who writes: a process, and which fibre of it; for which run of the engine (empty: an application). `approved`: the plan that
    was approved then. `late`: its request was under way while other things happened. `numbers`: of its fence, by what they are
    on. `asked`: when the fibre asked the ledger something last."""

    process: str
    fibre: int = 0
    run: str = ""
    approved: Plan | None = None
    late: bool = False
    numbers: dict[int, int] = field(default_factory=dict)
    asked: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Passed:
    """A process went on, after it had seen to it that nobody older writes any more: the numbers by which others are older."""

    point: int
    at: float
    process: str
    numbers: dict[int, int]


@dataclass(frozen=True, kw_only=True)
class Change(Writer):
    """A row of the target that became another, or a request that left it as it was. `held` and `status`: which run had the right
    to write then, by the ledger, and how the run of the engine stood."""

    point: int
    at: float
    key: str
    old: Row | None
    new: Row | None
    held: str | None = None
    status: str | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a plan says: verb, row before and new row, by key; under its hash. `sure`: its files were those that passed the gate
    under that hash when they were looked at."""

    sha256: str | None
    rows: dict[str, tuple[str, Row | None, Row | None]]
    point: int
    at: float
    sure: bool = False

    @property
    def written(self) -> dict[str, tuple[str, Row | None, Row | None]]:
        """Of these rows those that it is to write. It has the same name whatever rows stay."""
        return {key: row for key, row in self.rows.items() if row[0] in WRITTEN}


@dataclass(kw_only=True)
class Seen:
    """What is known of a run: the states of source and target that it may have read for its plan, and those of the target that
    its proof may have read, with the table; the plans that were judged by the gate, shown, approved; and those to
    which a person said yes, as days of its range, too (`ranged`).
    `hidden`: keys that the store left out of an answer to it; `misread`: since the run
    first began. `every`: all states of the source that it ever read; `most`: rows that the target had when it read it;
    `reused`: the run by whose snapshot it goes; `led`: where it found its source, by try, but failed ones; `blind`: its target was
    not there when it began, so that it could not know what that does not take."""

    began: int
    sources: list[dict[str, Row]] = field(default_factory=list)
    targets: list[dict[str, Row]] = field(default_factory=list)
    proofs: list[tuple[str, dict[str, Row]]] = field(default_factory=list)
    gated: list[Plan] = field(default_factory=list)
    shown: Plan | None = None
    approved: list[Plan] = field(default_factory=list)
    answered: list[Plan] = field(default_factory=list)
    ranged: list[Plan] = field(default_factory=list)
    every: list[dict[str, Row]] = field(default_factory=list)
    most: int = 0
    reused: str | None = None
    led: dict[str, str] = field(default_factory=dict)
    blind: bool = False
    report: bytes | None = None
    proven_at: int | None = None
    proven_since: float | None = None
    read_at: int | None = None
    last_read_at: int | None = None
    hidden: set[str] = field(default_factory=set)
    misread: set[str] = field(default_factory=set)

    def read(self, key: str) -> list[Row | None]:
        """What its proof may have found of a row, each time that it read the row's table."""
        return [state.get(key) for table, state in self.proofs if table == table_of(key)]

    def named(self, sha256: str | None) -> Plan | None:
        """The last plan with this hash that was judged by the gate."""
        return next((plan for plan in self.gated[::-1] if sha256 is not None and plan.sha256 == sha256), None)


def short(row: Row | None) -> str:
    """A row in a line of the log."""
    return "-" if row is None else "|".join(str(v) for v in row[1:3])
