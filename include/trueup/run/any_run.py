"""What a run on rows and a run on schemas have in common."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol, Self

from ..ledger import Ledger
from ..steps import Direction, Over, Step
from ..stores import Fence
from ..stores.effects import Effects
from .files import Files
from .options import Options, SchemaOptions
from .workspace import RunFolder


class Declared(Protocol):
    """A migration, of rows or of schemas."""

    @property
    def id(self) -> str:
        """Its id."""


class AnyRun(Protocol):
    """A run, on rows or on schemas."""

    @property
    def migration(self) -> Declared:
        """What it is a run of."""

    @property
    def id(self) -> str:
        """The run's id in the ledger."""

    @property
    def dag_id(self) -> str:
        """The DAG that it is a run of."""

    @property
    def airflow_run_id(self) -> str | None:
        """What Airflow calls it, if it is one of Airflow's."""

    @property
    def options(self) -> Options | SchemaOptions:
        """What it was asked to do."""

    @property
    def ledger(self) -> Ledger:
        """Where its status, steps and approvals are entered."""

    @property
    def folder(self) -> RunFolder:
        """Where its files are."""

    @property
    def files(self) -> Files:
        """The same, by what they are."""

    @property
    def effects(self) -> Effects:
        """Clocks, waiting and chance."""

    @property
    def holder(self) -> str | None:
        """The process that is the whole run, if one is."""

    @property
    def attempt(self) -> int | None:
        """How often the run had begun when this was read of it; None: it is not known."""

    @property
    def direction(self) -> Direction:
        """What runs of its kind do differently."""

    @property
    def steps(self) -> list[Step]:
        """Every step between preflight and report, in order."""

    def numbered(self, over: Over) -> Sequence[int | str]:
        """The parts that its steps are done for: numbers of segments or partitions, ids of databases; 0 of the run itself."""

    def parts(self, step: Step) -> Sequence[int | str]:
        """Those that a step is done for."""

    @property
    def begun_to_write(self) -> bool:
        """Whether anything may have been written since the run last began."""

    @property
    def held_targets(self) -> list[str]:
        """What the run's leases are on."""

    def holding(self) -> AbstractContextManager[Fence]:
        """Keep the run's place on every target while the block runs."""

    def end_older(self, fence: Fence) -> None:
        """See that nothing is written any more by an older lease on a target."""

    def chosen(self) -> Self:
        """The run with what its preflight chose; itself, if it has not been through it."""
