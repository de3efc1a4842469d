"""Every task of every DAG × what somebody may do to it × the run's states: each ends in a refusal that says why, or as it
should. What is refused at once writes nothing; what is proven holds what it should.

Columns are `state: action`; `before` is the state before the task itself. A word is the run's status in the end, or one of
`cells.REFUSALS`, with the task that is refused where it is not the next one. States are made in `states.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from include.embedded import postgres
from tests.dags import states
from tests.dags.cells import table, tried
from tests.dags.states import States

RUNNING = """
task           | before: mark success | before: mark failed | before: retry | asked: clear        | written: clear
preflight      | absent @ snapshot    | None, named         | goes on       | proven              | proven
partitions     | proven               | failed, named       | goes on       | proven              | begun @ snapshot
snapshot       | no parts             | failed, named       | goes on       | proven              | begun
shared         | proven               | failed, named       | goes on       | proven              | begun
transform      | no parts             | failed, named       | goes on       | proven              | begun
plan           | no parts             | failed, named       | goes on       | proven              | begun
plan_gate      | no plan              | failed, named       | goes on       | proven              | proven
approve        | nobody               | failed, named       | goes on       | proven              | proven
create_tables  | undone               | failed, named       | goes on       | nobody              | proven
copy.apply     | gate @ copy.gate     | failed, named       | goes on       | nobody              | proven
copy.read_back | no parts             | failed, named       | goes on       | no table            | proven
copy.verify    | no parts             | failed, named       | goes on       | no parts            | proven
copy.gate      | undone               | failed, named       | goes on       | no parts            | proven
copy.finish    | failed               | failed, named       | goes on       | nobody              | proven
validate       | failed               | failed, named       | goes on       | no parts            | proven
report         | running              | running             | goes on       | failed              | proven
verdict        | proven               | proven              | goes on       | running             | running
"""
FAILED = """
task           | failed: clear | failed: mark success | broken: clear    | broken: mark success | newer: clear     | held: clear
preflight      | proven        | proven               | proven           | begun @ snapshot     | proven           | held
partitions     | proven        | proven               | begun @ snapshot | begun                | begun @ snapshot | begun @ snapshot
snapshot       | proven        | proven               | begun            | begun                | begun            | begun
shared         | proven        | proven               | begun            | begun                | begun            | begun
transform      | proven        | proven               | begun            | begun                | begun            | begun
plan           | proven        | proven               | begun            | proven               | begun            | begun
plan_gate      | proven        | proven               | proven           | proven               | newer            | held
approve        | proven        | proven               | proven           | proven               | newer            | held
create_tables  | proven        | undone               | proven           | proven               | newer            | held
copy.apply     | undone        | no table             | proven           | gate @ copy.gate     | newer            | held
copy.read_back | no table      | no parts             | gate @ copy.gate | no parts             | newer            | held
copy.verify    | no parts      | no parts             | no parts         | no parts             | newer            | held
copy.gate      | no parts      | undone               | no parts         | undone               | newer            | held
copy.finish    | undone        | no parts             | undone           | no parts             | undone           | undone
validate       | no parts      | failed               | no parts         | failed               | newer            | held
report         | failed        | failed               | failed           | failed               | failed           | failed
verdict        | failed        | failed               | failed           | failed               | failed           | failed
"""
ENDED = """
task           | taken: clear     | planned: clear   | proven: clear    | undone: clear
preflight      | proven           | planned          | ended            | ended
partitions     | taken @ snapshot | ended @ snapshot | ended @ snapshot | ended @ snapshot
snapshot       | taken            | ended            | ended            | ended
shared         | taken            | ended            | ended            | ended
transform      | taken            | ended            | ended            | ended
plan           | taken            | ended            | ended            | ended
plan_gate      | taken            | ended            | ended            | ended
approve        | taken            | planned          | ended            | ended
create_tables  | taken            | planned          | ended            | ended
copy.apply     | taken            | planned          | ended            | ended
copy.read_back | taken            | planned          | ended            | ended
copy.verify    | taken            | planned          | ended            | ended
copy.gate      | taken            | planned          | ended            | ended
copy.finish    | taken            | planned          | ended            | ended
validate       | taken            | planned          | ended            | ended
report         | failed           | planned          | proven           | rolled_back
verdict        | interrupted      | planned          | proven           | rolled_back
"""
BACK_RUNNING = """
task           | before: mark success | before: mark failed | before: retry | asked: clear | written: clear
preflight      | absent               | None, named         | goes on       | proven       | nothing
partitions     | proven               | failed, named       | goes on       | proven       | begun @ snapshot
snapshot       | no parts @ plan      | failed, named       | goes on       | proven       | begun
transform      | no parts             | failed, named       | goes on       | proven       | begun
plan           | no parts             | failed, named       | goes on       | proven       | begun
plan_gate      | no plan              | failed, named       | goes on       | proven       | proven
approve        | nobody               | failed, named       | goes on       | proven       | proven
prepare        | undone               | failed, named       | goes on       | nobody       | proven
copy.apply     | gate @ copy.gate     | failed, named       | goes on       | nobody       | proven
copy.read_back | no parts             | failed, named       | goes on       | gate @ copy.gate | proven
copy.verify    | no parts             | failed, named       | goes on       | no parts     | proven
copy.gate      | undone @ settle      | failed, named       | goes on       | no parts     | proven
validate       | undone               | failed, named       | goes on       | no parts     | proven
settle         | failed               | failed, named       | goes on       | nobody       | proven
report         | running              | running             | goes on       | failed       | proven
verdict        | proven               | proven              | goes on       | running      | running
"""
BACK_FAILED = """
task           | failed: clear | failed: mark success | broken: clear    | broken: mark success | newer: clear     | held: clear
preflight      | proven        | proven               | proven           | begun @ snapshot     | built on         | held
partitions     | proven        | proven               | begun @ snapshot | begun                | begun @ snapshot | begun @ snapshot
snapshot       | proven        | proven               | begun            | begun                | begun            | begun
transform      | proven        | proven               | begun            | begun                | begun            | begun
plan           | proven        | proven               | begun            | proven               | begun            | begun
plan_gate      | proven        | proven               | proven           | proven               | newer            | held
approve        | proven        | proven               | proven           | proven               | newer            | held
prepare        | proven        | undone               | proven           | proven               | newer            | held
copy.apply     | undone        | gate @ copy.gate     | proven           | gate @ copy.gate     | newer            | held
copy.read_back | gate @ copy.gate | no parts          | gate @ copy.gate | no parts             | newer            | held
copy.verify    | no parts      | no parts             | no parts         | no parts             | newer            | held
copy.gate      | no parts      | no parts             | no parts         | no parts             | newer            | held
validate       | no parts      | undone               | no parts         | undone               | newer            | held
settle         | undone        | failed               | undone           | failed               | undone           | undone
report         | failed        | failed               | failed           | failed               | failed           | failed
verdict        | failed        | failed               | failed           | failed               | failed           | failed
"""
BACK_ENDED = """
task           | taken: clear     | planned: clear   | proven: clear
preflight      | proven           | planned          | ended
partitions     | taken @ snapshot | ended @ snapshot | ended @ snapshot
snapshot       | taken            | ended            | ended
transform      | taken            | ended            | ended
plan           | taken            | ended            | ended
plan_gate      | taken            | ended            | ended
approve        | taken            | planned          | ended
prepare        | taken            | planned          | ended
copy.apply     | taken            | planned          | ended
copy.read_back | taken            | planned          | ended
copy.verify    | taken            | planned          | ended
copy.gate      | taken            | planned          | ended
validate       | taken            | planned          | ended
settle         | taken            | planned          | ended
report         | failed           | planned          | proven
verdict        | interrupted      | planned          | proven
"""
SCHEMA_RUNNING = """
task      | before: mark success | before: mark failed | before: retry | asked: clear | written: clear
preflight | absent               | None, named         | goes on       | proven       | begun
lint      | undone @ approve     | failed, named       | goes on       | proven       | begun
rehearse  | undone               | failed, named       | goes on       | proven       | begun
approve   | nobody               | failed, named       | goes on       | proven       | begun
backup    | undone               | failed, named       | goes on       | nobody       | begun
apply     | undone               | failed, named       | goes on       | nobody       | proven
gate      | failed               | failed, named       | goes on       | undone       | proven
report    | running              | running             | goes on       | failed       | proven
verdict   | proven               | proven              | goes on       | running      | running
"""
SCHEMA_FAILED = """
task      | failed: clear | failed: mark success | broken: clear | broken: mark success | newer: clear | held: clear
preflight | proven        | proven               | begun         | begun                | begun        | begun
lint      | proven        | proven               | begun         | begun                | begun        | begun
rehearse  | proven        | proven               | begun         | begun                | begun        | begun
approve   | proven        | proven               | begun         | begun                | begun        | begun
backup    | proven        | undone               | begun         | proven               | begun        | begun
apply     | undone        | undone               | proven        | undone               | newer        | held
gate      | undone        | failed               | undone        | failed               | newer        | held
report    | failed        | failed               | failed        | failed               | failed       | failed
verdict   | failed        | failed               | failed        | failed               | failed       | failed
"""
SCHEMA_ENDED = """
task      | taken: clear | planned: clear | proven: clear
preflight | proven       | planned        | begun
lint      | taken        | ended          | ended
rehearse  | taken        | ended          | ended
approve   | taken        | ended          | ended
backup    | taken        | planned        | ended
apply     | taken        | planned        | ended
gate      | taken        | planned        | ended
report    | failed       | planned        | proven
verdict   | interrupted  | planned        | proven
"""
SWITCH = """
task      | before: mark success | before: mark failed | before: retry | turned: clear
preflight | undone               | legacy              | goes on       | turned once
approve   | undone               | legacy              | goes on       | turned once
turn      | legacy               | legacy              | goes on       | dual
"""
SWITCHED = """
task      | turned by another: clear | turned beyond: clear | no proof any more: clear
preflight | new                      | turned               | no proof
approve   | turned @ turn            | moved @ turn         | no proof @ turn
turn      | turned                   | moved                | no proof
"""
pytestmark = pytest.mark.slow  # six hundred cells; `tests/faults/test_marked_tasks.py` has one of each kind


def cells(*texts: str) -> list[Any]:
    """The cells, as parameters."""
    return [
        pytest.param(state, action, task, word, id=f"{state}: {action} {task}")
        for text in texts
        for (state, action, task), word in table(text).items()
    ]


ARGUMENTS = ("state", "action", "task", "word")
Given = pytest.TempPathFactory


@pytest.fixture(scope="module")
def forward(postgres_server: postgres.Server, ledger_template: str, tmp_path_factory: Given) -> Iterator[States]:
    with states.rows(postgres_server, tmp_path_factory.mktemp("forward"), ledger_template, back=False) as made:
        yield made


@pytest.fixture(scope="module")
def back(postgres_server: postgres.Server, ledger_template: str, tmp_path_factory: Given) -> Iterator[States]:
    with states.rows(postgres_server, tmp_path_factory.mktemp("back"), ledger_template, back=True) as made:
        yield made


@pytest.fixture(scope="module")
def schemas(postgres_server: postgres.Server, ledger_template: str, tmp_path_factory: Given) -> Iterator[States]:
    with states.schemas(postgres_server, tmp_path_factory.mktemp("schemas"), ledger_template) as made:
        yield made


@pytest.fixture(scope="module")
def switch(postgres_server: postgres.Server, ledger_template: str, tmp_path_factory: Given) -> Iterator[States]:
    with states.switch(postgres_server, tmp_path_factory.mktemp("switch"), ledger_template) as made:
        yield made


@pytest.mark.parametrize(ARGUMENTS, cells(RUNNING, FAILED, ENDED))
def test_a_run(forward: States, state: str, action: str, task: str, word: str) -> None:
    assert tried(forward, state, action, task) == word


@pytest.mark.parametrize(ARGUMENTS, cells(BACK_RUNNING, BACK_FAILED, BACK_ENDED))
def test_a_rollback(back: States, state: str, action: str, task: str, word: str) -> None:
    assert tried(back, state, action, task) == word


@pytest.mark.parametrize(ARGUMENTS, cells(SCHEMA_RUNNING, SCHEMA_FAILED, SCHEMA_ENDED))
def test_a_change_of_schemas(schemas: States, state: str, action: str, task: str, word: str) -> None:
    assert tried(schemas, state, action, task) == word


@pytest.mark.parametrize(ARGUMENTS, cells(SWITCH, SWITCHED))
def test_a_turn_of_the_switch(switch: States, state: str, action: str, task: str, word: str) -> None:
    assert tried(switch, state, action, task) == word


def test_the_tables_have_every_task(forward: States, back: States, schemas: States, switch: States) -> None:
    tables = {forward: RUNNING, back: BACK_RUNNING, schemas: SCHEMA_RUNNING, switch: SWITCH}
    for made, text in tables.items():
        assert list(dict.fromkeys(task for _, _, task in table(text))) == made.run().order
