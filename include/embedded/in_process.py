"""`make run`: one run of a DAG in a process of its own, with the connections that the environment gives."""

from __future__ import annotations

import gc
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from ..console import check as checking
from ..console.problem import Problem
from ..project import migration_ids
from ..trueup.declare.names import check_id, one_of
from ..trueup.errors import DeclarationError, OptionsError
from . import connections, metadata, servers, settings
from .dag_ids import check_dag
from .home import PROJECT, Home

_LOOK_SECONDS = 0.5
_OF_A_PROJECT = 0o022
"""The umask of files that are the project's, not a run's."""
_SILENT_SECONDS = 1.0
_QUIET = {"AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"}
"""Where a person reads the answer at a terminal: Airflow tells of each connection that it finds."""
_ELSEWHERE = ("AIRFLOW__SECRETS__BACKEND", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN")
"""Settings of an Airflow that may know connections which no variable gives."""
TABLES_SECONDS = 15
"""How long `make check` waits for the catalogues of tables, after all else is checked."""
MOST_TRIED = 1_000
"""Rows that `make try` shows at most."""
_KEPT = "What it wrote is kept: the same command goes on."


def run(home: Home, given: Mapping[str, str], dag_id: str, conf: str) -> int:
    """Run the DAG once with that conf (JSON); the exit status: 0 if the run passed.

    Embedded stores are started only for connections that the environment does not give. The run is a child process
    (`trueup_airflow.process.one_run`), for Airflow takes over the signals of a process that runs tasks. It dies with this process,
    however that ends, and this one ends with the `make` that started it: nothing goes on writing on its own.
    Raises `OptionsError` if the conf is not a JSON object, for a DAG that no file makes, and for connections that lead nowhere.
    """
    _check(conf)
    check_dag(dag_id, given)
    needed = connections.not_given(connections.needed(dag_id), given)
    connections.check_known(needed, given)
    stores = {
        "need_postgres": connections.needs_postgres(needed),
        "need_dynamodb": connections.needs_dynamodb(needed),
    }
    with servers.in_use(home, given, say=progress, **stores) as running:
        variables = connections.embedded(needed, running)

        def environment_for(metadata_url: str) -> dict[str, str]:
            return settings.environment(home, {**given, **variables}, metadata_url=metadata_url)

        with metadata.private_sqlite(home, environment_for) as url:
            log = home.logs / f"run-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
            log.parent.mkdir(parents=True, exist_ok=True)
            alive, held = os.pipe()
            command = [sys.executable, "-m", "trueup_airflow.process.one_run", dag_id, conf, str(log), str(alive)]
            child = subprocess.Popen(
                command, env=environment_for(url), cwd=PROJECT, stdin=subprocess.DEVNULL, pass_fds=(alive,)
            )
            os.close(alive)
            try:
                return _ended(child, follows_parent="MAKELEVEL" in given)
            except BaseException:
                print("\nThe run was broken off. " + _KEPT, file=sys.stderr)
                raise
            finally:
                os.close(held)
                child.kill()
                child.wait()


def new(
    home: Home, given: Mapping[str, str], migration_id: str, source: str, target: str, key: str = "", owned: str = ""
) -> int:
    """Write the files of a new migration, from the catalogues of its tables, each `connection:table`; the exit status. `key`: the
    columns that tell the rows of a view apart, `owned`: those that change where both tables are one; with blanks between them.
    Raises `OptionsError` for what names no table, and as `_asked`."""
    try:
        check_id("migration", migration_id)
    except DeclarationError as error:
        raise OptionsError(f"ID={migration_id}: {error}") from None
    from ..console.new import Place  # with what reads PostgreSQL, which no other command has to wait for

    came_from = Place.of(source)
    goes_to = Place.of(target, came_from.connection)
    places = [f"{place.connection}:{place.table}" for place in (came_from, goes_to)]
    conn_ids = {came_from.connection, goes_to.connection}
    return _asked(home, given, conn_ids, "new_migration", migration_id, *places, key, owned, read=came_from.connection)


def check(home: Home, given: Mapping[str, str], migration_id: str) -> int:
    """Say what is wrong with a migration, and with its tables behind the connections that the environment gives; the exit
    status: 0 where nothing is. Raises `OptionsError` where there is no such migration."""
    if migration_id not in migration_ids():
        raise OptionsError(f"there is no migration {migration_id!r}; {one_of(migration_id, migration_ids())}")
    tables = _tables(home, given, migration_id)
    with _uncollected():
        problems = [*map(str, checking.check(migration_id)), *map(str, _connections(given, migration_id))]
    if tables is not None:
        try:
            output, _ = tables.communicate(timeout=TABLES_SECONDS)
            problems += [line for line in output.splitlines() if line not in problems]
        except subprocess.TimeoutExpired:
            tables.kill()
            tables.wait()
            problems.append(
                f"the tables were not looked at: no answer in {TABLES_SECONDS} s; see whether their servers are up"
            )
    for line in problems or [f"Note: {note}" for note in checking.notes(migration_id)]:
        print(line)
    print(f"{migration_id}: {f'{len(problems)} problem' + 's' * (len(problems) != 1) if problems else 'all is well'}")
    return 1 if problems else 0


def _connections(given: Mapping[str, str], migration_id: str) -> Iterator[Problem]:
    """The connections of a declaration that lead nowhere. Where Airflow may have them from elsewhere, nothing is known."""
    if any(name.startswith(_ELSEWHERE) and value for name, value in given.items()):
        return
    try:
        needed = connections.needed(migration_id)
    except Exception:  # noqa: BLE001 - whatever an author's module raises; the check says what
        return
    for conn_id in sorted(needed):
        if (fault := connections.unknown(conn_id, given)) is not None:
            yield checking.placed(migration_id, conn_id, fault)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without looking for cycles: of what is imported nothing is garbage, and the search takes a fifth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _tables(home: Home, given: Mapping[str, str], migration_id: str) -> subprocess.Popen[str] | None:
    """A process that looks at the tables, meanwhile; None where no connection is given, or the declaration is wrong."""
    try:
        needed = connections.needed(migration_id) - {connections.LEDGER}
    except Exception:  # noqa: BLE001 - whatever an author's module raises; the check says what
        return None
    if not (known := sorted(needed - connections.not_given(needed, given))):
        return None
    environment = settings.environment(home, given, metadata_url="sqlite://") | _QUIET
    command = [sys.executable, "-m", "trueup_airflow.process.check_tables", migration_id, *known]
    return subprocess.Popen(
        command, env=environment, cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )


def try_rows(home: Home, given: Mapping[str, str], migration_id: str, rows: str, whole: str = "") -> int:
    """Show what a few rows of the sources become; `whole`, if it is anything: with no value cut; the exit status.
    Raises `OptionsError` for another number than 1 … 1000, and for what is no migration."""
    if migration_id not in migration_ids():
        raise OptionsError(f"there is no migration {migration_id!r}; {one_of(migration_id, migration_ids())}")
    if not rows.isdecimal() or not 1 <= int(rows) <= MOST_TRIED:
        raise OptionsError(f"ROWS={rows}: a whole number from 1 to {MOST_TRIED:,}")
    needed = connections.needed(migration_id) - {connections.LEDGER}
    return _asked(home, given, needed, "try_rows", migration_id, rows, whole)


def _asked(
    home: Home, given: Mapping[str, str], conn_ids: Iterable[str], module: str, *arguments: str, read: str = ""
) -> int:
    """Ask stores something, by Airflow's connections, in a process of its own; its exit status. The embedded stores stand in
    for connections that the environment does not give. Raises `OptionsError` for one that has no embedded store, and for `read`,
    whose database must be there, where it is not."""
    needed = connections.not_given(conn_ids, given)
    connections.check_known(needed, given)
    stores = {
        "need_postgres": connections.needs_postgres(needed),
        "need_dynamodb": connections.needs_dynamodb(needed),
    }
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        progress(line)

    with servers.in_use(home, given, say=say, **stores) as running:
        if read in needed:
            connections.check_made(read, running)
        variables = connections.embedded(needed, running)
        environment = settings.environment(home, {**given, **variables}, metadata_url="sqlite://") | _QUIET
        command = [sys.executable, "-m", f"trueup_airflow.process.{module}", *arguments]
        silence = threading.Timer(_SILENT_SECONDS, progress, [f"Reading by {', '.join(sorted(conn_ids))} …"])
        if not lines:
            silence.start()
        try:
            return subprocess.run(
                command, env=environment, cwd=PROJECT, stdin=subprocess.DEVNULL, check=False, umask=_OF_A_PROJECT
            ).returncode
        finally:
            silence.cancel()


def progress(line: str) -> None:
    """Say at once what a person waits for, beside what the command prints."""
    print(line, file=sys.stderr, flush=True)


def data_docs(home: Home, given: Mapping[str, str], run_id: str) -> int:
    """Build the Data Docs of a run, in the workspace that the environment gives, or in the embedded one; the exit status.

    Raises `OptionsError` for what is no run's id."""
    if not re.fullmatch(r"[^/\\\0]+", run_id) or run_id.startswith("."):
        raise OptionsError(
            f"say which run: make data-docs RUN=<run id>; its page and its report say its id, not {run_id!r}"
        )
    environment = settings.environment(home, given, metadata_url="sqlite://")
    command = [sys.executable, "-m", "trueup_airflow.process.data_docs", run_id]
    return subprocess.run(command, env=environment, cwd=PROJECT, stdin=subprocess.DEVNULL, check=False).returncode


def _check(conf: str) -> None:
    try:
        parsed = json.loads(conf)
    except ValueError as error:
        raise OptionsError(f"CONF is not JSON ({error}): {conf}") from None
    if not isinstance(parsed, dict):
        raise OptionsError(f'CONF must be a JSON object, such as {{"mode": "plan"}}, not {conf}')


def _ended(child: subprocess.Popen[bytes], *, follows_parent: bool) -> int:
    parent = os.getppid()
    while True:
        try:
            status = child.wait(_LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            if follows_parent and os.getppid() != parent:
                raise KeyboardInterrupt from None
            continue
        if status < 0:
            name = signal.Signals(-status).name
            print(f"\nThe run was ended by {name}. {_KEPT}", file=sys.stderr)
            return 128 - status
        return status
