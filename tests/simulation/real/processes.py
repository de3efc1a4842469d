"""Tries of tasks as processes of the operating system, each driven by the fibre that stands for it in the schedule."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import import_module
from multiprocessing.connection import Connection, Listener, wait
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from include.trueup.errors import StoreUnavailableError, TrueupError
from include.trueup.stores.effects import Effects

from ..scheduling import Fibre, KilledError, Process, Schedule
from ..tries import Said
from ..twins import Effect, LaterError
from ..twins.hook import LieError

if TYPE_CHECKING:
    from .servers import Servers

PROJECT = Path(__file__).parents[3]
Go = tuple[bool, float, Any]
"""What a child's thread is told: whether it meets an error, the time, and the error, or what it asked for."""


@dataclass
class Doing:
    """What a child's thread does: its effect, whether its answer is to be held, and whether its end is told already. `idle_until`:
    when the server ends the transaction that it has open, unless it does something."""

    effect: Effect | None = None
    awaited: bool = False
    told: bool = False
    idle_until: float | None = None


class DiedError(Exception):
    """A child ended without a word, and nobody had killed it."""


class Nursery:
    """The process that children are forked from, and the socket on which they ask."""

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="trueup-real-")
        self.address = f"{self._folder.name}/parent"
        self._listener = Listener(self.address, backlog=64)
        self._met: dict[tuple[int, int], tuple[Connection, int]] = {}
        self._gone: set[int] = set()
        self._tokens = 0
        command = [sys.executable, "-m", "tests.simulation.real.trying", self.address]
        self._process = subprocess.Popen(command, cwd=PROJECT, env={**os.environ, "PYTHONPATH": ":".join(sys.path)})
        self._asking, _ = self.meet(-1, 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._asking.close()
        self._process.wait(20)
        self._listener.close()
        self._folder.cleanup()

    def fork(self) -> tuple[int, Connection, int]:
        """A child: what it is called here, the connection of its first thread, and its process id."""
        self._tokens += 1
        self._asking.send(self._tokens)
        return self._tokens, *self.meet(self._tokens, 0)

    def meet(self, token: int, number: int) -> tuple[Connection, int]:
        """The connection of a child's thread, once it has come, and the child's process id."""
        while (token, number) not in self._met:
            channel = self._listener.accept()
            token_met, number_met, pid = channel.recv()
            if token_met in self._gone:
                channel.close()
            else:
                self._met[token_met, number_met] = channel, pid
        return self._met.pop((token, number))

    def forget(self, token: int) -> None:
        """A child is gone: of its threads none is met any more."""
        self._gone.add(token)
        for known in [each for each in self._met if each[0] == token]:
            self._met.pop(known)[0].close()


class Child:
    """A try's process, which does as the schedule says. Its sessions are known by the name `known`; by which `numbers` each of its
    threads writes it has told."""

    def __init__(
        self, servers: Servers, schedule: Schedule, process: Process, effects: Effects, hook: Callable[[Effect], None]
    ) -> None:
        self.known = f"try-{id(self)}"
        self.numbers: dict[int, dict[int, int]] = {}
        self._servers, self._schedule, self._process = servers, schedule, process
        self._effects, self._hook = effects, hook
        self._true: list[int] = []
        self._fibres: dict[int, Fibre] = {}
        self._channels: list[Connection] = []
        self._threads: list[Doing] = []
        self._ended = self._stopped = False

    def carry(self, task: object) -> Said:
        """Have the task done, in the fibre that asks for it. Raises what the engine raised."""
        self._token, channel, self._pid = self._servers.nursery.fork()
        try:
            said: Said = self._drive(0, channel, task)
            return said
        finally:
            self.end()

    def end(self) -> None:
        """The process is killed, if it has not ended, and its sessions are gone."""
        killed, self._ended = not self._ended, True
        if killed:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
                self._servers.killed += 1
        for channel in self._channels:
            channel.close()
        self._servers.nursery.forget(self._token)
        if killed:
            self._servers.end_sessions(self.known)

    def end_idle(self) -> None:
        """The server ends a transaction that was open and idle for too long, by the time of the schedule."""
        for doing in self._threads:
            if doing.idle_until is not None and doing.idle_until <= self._schedule.now:
                doing.idle_until = None
                self._servers.end_sessions(self.known, "source", "target")

    def stop(self) -> None:
        """The process is stopped until it is to go on."""
        if not self._stopped:
            self._stopped = True
            self._servers.stopped += 1
            os.kill(self._pid, signal.SIGSTOP)

    def _beside(self, number: int) -> None:
        if self._ended:
            return
        try:
            self._drive(number, self._servers.nursery.meet(self._token, number)[0], None)
        except KilledError:
            self.end()
            raise

    def _drive(self, number: int, channel: Connection, given: object) -> Any:
        """A thread of the child goes on and on, until it has ended."""
        self._channels.append(channel)
        go: Go = (False, self._schedule.now, given)
        doing = Doing()
        self._threads.append(doing)
        while (said := self._ask(channel, go, doing)) is not None:
            match said:
                case ("over",):
                    return None
                case ("said", result):
                    self._ended = True
                    return result
                case ("raised", module, name, text, held_by):
                    self._ended = True
                    raise _rebuilt(module, name, text, held_by)
                case ("effect", effect, idle, by):
                    self.numbers[self._schedule.present_number] = by
                    lost, answer = self._effect(effect, idle, doing)
                case ("commit", effect, idle, by):
                    self.numbers[self._schedule.present_number] = by
                    doing.effect = effect
                    lost, answer = self._effect(replace(effect, kind="commit"), idle, doing)
                case _:
                    lost, answer = False, self._answer(number, said)
            go = (lost, self._schedule.now, answer)
        return None

    def _answer(self, number: int, said: Any) -> Any:
        """What a thread asks for is done; what it is told."""
        match said:
            case ("sleep", seconds):
                self._schedule.sleep(seconds)
            case ("until",):
                self._schedule.until(lambda: number in self._true)
            case ("begin", thread, seconds):
                fibre = self._schedule.begin(lambda: self._beside(thread), self._process)
                fibre.wakes_at = self._schedule.now + seconds if seconds else 0.0
                self._fibres[thread] = fibre
            case ("wake", thread):
                self._fibres[thread].wakes_at = 0.0
            case ("unique",):
                return self._effects.unique()
        return None

    def _ask(self, channel: Connection, go: Go, doing: Doing) -> Any:
        """Have a thread go on, until it says something; None: its process has ended."""
        if self._ended:
            return None
        self._go_on()
        held = self._servers.held
        held.waited(doing.effect.place if doing.effect and doing.awaited else None)
        try:
            channel.send(go)
            while held.reader in wait([channel, held.reader]):
                held.decide(lambda: self._answered(doing))
            said, self._true = channel.recv()
        except (EOFError, ConnectionError):
            self._ended = True
            raise DiedError(f"{self._process.name} (process {self._pid}) ended without a word") from None
        finally:
            self._servers.mend()
        return said

    def _go_on(self) -> None:
        if self._stopped and not self._ended:
            self._stopped = False
            os.kill(self._pid, signal.SIGCONT)

    def _effect(self, effect: Effect, idle: float | None, doing: Doing) -> tuple[bool, Any]:
        """An effect begins, or has ended. One that is not to get through is cut off by the proxy; of one whose answer a proxy holds
        the end was told when it did (`_answered`)."""
        doing.awaited = False
        if effect.when == "after" and doing.told:
            doing.told = False
            return False, None
        doing.told = False
        doing.effect = effect if effect.kind != "commit" else doing.effect
        doing.idle_until = None if idle is None else self._schedule.now + idle
        try:
            self._hook(effect)
        except StoreUnavailableError as error:
            if effect.when == "before" and effect.kind != "commit" and effect.place != "workspace":
                self._servers.cut(effect.place, self.known)
                return False, None
            return True, error
        except LieError as lie:
            return self._lie(lie, effect, doing)
        except TrueupError as error:
            return True, error
        doing.awaited = effect.when == "before" and (effect.kind == "commit" or _is_request(effect))
        return False, None

    def _lie(self, lie: LieError, effect: Effect, doing: Doing) -> tuple[bool, Any]:
        """The proxy answers falsely; of PostgreSQL, the child's store does."""
        if not _is_request(effect):
            return True, lie
        self._servers.lie = lie
        doing.awaited = not isinstance(lie, LaterError)
        if isinstance(lie, LaterError):
            lie.later(self._servers.send_kept)
        return False, None

    def _answered(self, doing: Doing) -> bool:
        """What the child asked for is done, and it does not know it yet: whether it will."""
        assert doing.effect is not None
        doing.awaited, doing.told, doing.idle_until = False, True, None
        try:
            self._hook(replace(doing.effect, when="after"))
        except StoreUnavailableError:
            doing.told = False
            return False
        except KilledError:
            self.end()
            raise
        finally:
            self._go_on()
        return True


def _is_request(effect: Effect) -> bool:
    """Whether it is one request, or one transaction, of which an answer comes."""
    return effect.place == "ledger" or effect.kind[0].isupper()


def _rebuilt(module: str, name: str, text: str, held_by: str | None) -> Exception:
    kind = getattr(import_module(module), name)
    made: Exception = kind.__new__(kind)
    Exception.__init__(made, text)
    made.__dict__["held_by"] = held_by
    return made
