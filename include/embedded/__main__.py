"""What the Makefile calls: `python -m include.embedded up | down | demo <id> | sample <id> | run <dag id> <conf> |
new <id> <from> <to> <key> <owned> | try <id> <rows> <whole> | psql <connection> | dynamodb <connection> <table> <file> <key> |
data-docs <run id>`; <id> is a migration's, or `all`."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType

from .. import project
from ..trueup.errors import OptionsError, TrueupError
from . import connections, in_process, samples, stack
from .home import ROLES, Home
from .psql import psql
from .settings import connection_variable
from .stack import Stack


def main(arguments: list[str]) -> int:
    """Do what the command line asks; the exit status."""
    name, *given = arguments or [""]
    count, command = _COMMANDS.get(name, (-1, None))
    if command is None or len(given) != count:
        print(__doc__, file=sys.stderr)
        return 2
    os.umask(0o077)  # rows, logs and reports are for whoever runs this, and nobody else
    for caught in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(caught, _end)
    try:
        return command(Home.of(os.environ), *given)
    except TrueupError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, OptionsError) else 1
    except KeyboardInterrupt:
        return 130


def up(home: Home) -> int:
    """Start the stack, with the connections of all migrations, and leave it running."""
    needed: set[str] = set()
    for migration_id in project.migration_ids():
        try:
            needed |= connections.needed(migration_id)
        except Exception as error:  # noqa: BLE001 - whatever its module raises: a broken migration breaks only itself
            say(f"Migration {migration_id!r} is broken, so its connections are not set up: {error}")
    running = stack.start(home, os.environ, connections.not_given(needed, os.environ), say)
    if not running.started_here:
        say("The stack is up already.")
    _tell(home, running)
    say("`make sample` fills the embedded stores with dirty legacy tables to try it on; `make down` stops it.")
    return 0


def down(home: Home) -> int:
    """Stop everything that runs for this home."""
    say(stack.stop(home))
    return 0


def fill_sample(home: Home, chosen: str) -> int:
    """Fill the sample of one migration, or of all, into the embedded stores, and nothing else."""
    samples.sample(home, os.environ, chosen, say)
    say("The samples are in the embedded stores. `make up` starts Airflow, to trigger a migration over them.")
    return 0


def run_demo(home: Home, chosen: str) -> int:
    """Run the demo of one migration, or of all. At a terminal the stack then stays up until Ctrl-C; a stack that was up
    before stays up anyway."""
    from .demo import Demo  # with what reads reports, which no other command has to wait for

    demo = Demo.of(project.migration_ids() if chosen == "all" else [chosen])
    conn_ids = demo.samples.conn_ids
    for conn_id in sorted(conn_ids - connections.not_given(conn_ids, os.environ)):
        say(f"{connection_variable(conn_id)} is set, but the demo uses an embedded store in its place.")
    running = stack.start(home, os.environ, conn_ids, say)
    try:
        passed = demo.run(home, running, os.environ, say)
        if not running.started_here:
            _tell(home, running)
        elif sys.stdin.isatty() and sys.stdout.isatty():
            _tell(home, running)
            say("It stays up: look around, or trigger another run. Ctrl-C stops everything.")
            _wait_for_interrupt()
    finally:
        if running.started_here:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C would leave half of it running
            say("Stopping …")
            stack.stop(home)
    return 0 if passed else 1


def _items(home: Home, *given: str) -> int:
    from .items import items  # with what a store needs, which no other command has to wait for

    return items(home, os.environ, *given)


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def _tell(home: Home, running: Stack) -> None:
    say(f"\nAirflow's UI: {running.url}   users: {', '.join(f'{user} ({role})' for user, role in ROLES.items())}")
    say(f"Their passwords: {home.passwords_file}")
    say(f"Logs: {home.logs}")


def _wait_for_interrupt() -> None:
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        say("")


def _end(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)


_COMMANDS: dict[str, tuple[int, Callable[..., int]]] = {
    "up": (0, up),
    "down": (0, down),
    "demo": (1, run_demo),
    "sample": (1, fill_sample),
    "run": (2, lambda home, dag_id, conf: in_process.run(home, os.environ, dag_id, conf or "{}")),
    "new": (5, lambda home, *given: in_process.new(home, os.environ, *given)),
    "check": (1, lambda home, id: in_process.check(home, os.environ, id)),
    "data-docs": (1, lambda home, run_id: in_process.data_docs(home, os.environ, run_id)),
    "dynamodb": (4, _items),
    "psql": (1, lambda home, conn_id: psql(home, os.environ, conn_id)),
    "try": (3, lambda home, *given: in_process.try_rows(home, os.environ, *given)),
}
"""What may be asked for: how many arguments it has, and what does it."""

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
