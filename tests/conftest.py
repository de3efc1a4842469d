"""What every layer of the tests starts from: a real PostgreSQL for ledgers, and real DynamoDB engines over HTTP."""

from __future__ import annotations

import gc
import logging
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from include.embedded import postgres
from include.migrations.knowledge_embeddings import minilm
from include.migrations.platform_schema import sample as platform_schema
from include.migrations.scoring_models import sample as scoring_models
from include.trueup.gate import evaluation
from include.trueup.ledger import Ledger
from include.trueup.prove import verify
from include.trueup.run.workspace import Workspace
from tests import verdicts
from tests.harness import new_database
from tests.lending import lending
from tests.samples import Samples

pytest_plugins = ("include.pytest_plugin", "tests.dropping", "pytester")
MEMORY, ROOM = Path("/dev/shm"), 1 << 30
"""Where Linux has files in memory, and how many bytes must be free there."""
_FIRST = ("e2e", "dags", "api", "pages", "migrations", "faults", "contract", "unit")
"""The folders, those whose tests take longest first. With two workers each begins with one half, and who is done takes
tests from the end of the other's: so Airflow is loaded once, and what is left to share at the end is small."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that take longest first."""
    places = {name: place for place, name in enumerate(_FIRST)}
    items.sort(key=lambda item: places.get(_folder(item.path), len(places)))


def _folder(path: Path) -> str:
    """The folder of a test's file below this one; empty for a file elsewhere."""
    here = Path(__file__).parent
    return path.relative_to(here).parts[0] if path.is_relative_to(here) else ""


@pytest.fixture(autouse=True, scope="session")
def seldom_collected() -> Iterator[None]:
    """Python's search for cycles walks all that was imported, Airflow and Great Expectations too: let it do so seldom,
    and not over what is here before the first test."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    yield
    gc.unfreeze()  # libraries tell of what is never let go of


@pytest.fixture(autouse=True, scope="session")
def judged_once() -> Iterator[None]:
    """A gate that was given the same suite and rows before says what it said then; tests of the gate go without that.
    Great Expectations is patched when it is first needed: its import takes seconds."""
    judge, ready = evaluation._judge, list[bool]()

    def remembering() -> Any:
        if not ready:
            verdicts.remember(patch)
            ready.append(True)
        return judge()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "_judge", remembering)
        yield


@pytest.fixture(autouse=True, scope="session")
def embedded_once() -> Iterator[None]:
    """A text that the model was given before has the vector that it had then: those of the sample take seconds each time. Of a
    text by itself it is computed, so that a test may hold what is made of many against it."""
    real, known = minilm.MiniLM.embed, dict[str, minilm.Array]()

    def embed(model: minilm.MiniLM, texts: list[str]) -> minilm.Array:
        if len(texts) == 1:
            return real(model, texts)
        if new := [text for text in dict.fromkeys(texts) if text not in known]:
            known.update(zip(new, real(model, new), strict=True))
        return np.stack([known[text] for text in texts])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(minilm.MiniLM, "embed", embed)
        yield


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """No test leaves the engine's logger quieter for those after it."""
    logger = logging.getLogger("include.trueup")
    yield
    assert (logger.level, logger.disabled, logging.root.manager.disable) == (logging.NOTSET, False, logging.NOTSET)


@pytest.fixture(autouse=True, scope="module")
def lent_databases(request: pytest.FixtureRequest) -> Iterator[None]:
    """Steps that are taken one at a time share databases; not where Airflow forks its tasks, nor in the simulation, which
    lends its own."""
    if _folder(request.path) not in {"unit", "contract", "migrations", "faults"}:
        yield
        return
    with pytest.MonkeyPatch.context() as patch, lending(patch):
        yield


@pytest.fixture(autouse=True, scope="session")
def soon_again() -> Iterator[None]:
    """Rows that seem wrong are looked at again as often as ever, but at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verify, "REREAD_AFTER", tuple(pause / 100 for pause in verify.REREAD_AFTER))
        yield


@pytest.fixture(autouse=True, scope="session")
def small_samples() -> Iterator[None]:
    """Samples have some of their ordinary rows, and all of their dirt."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring_models, "RESPONSES_PER_BLOCK", 300)
        for name, rows in {"USERS": 20, "PROJECTS": 50, "SPECIFICATIONS": 200}.items():
            patch.setattr(platform_schema, name, rows)
        yield


@pytest.fixture(scope="session")
def samples(
    postgres_server: postgres.Server, ledger_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Samples:
    """Copies of the migrations' samples."""
    return Samples(postgres_server, ledger_template, tmp_path_factory.mktemp("samples"))


@pytest.fixture
def ledger_uri(postgres_server: postgres.Server, ledger_template: str) -> str:
    """The URI of a database with an empty ledger."""
    return new_database(postgres_server, like=ledger_template)


@pytest.fixture
def ledger(ledger_uri: str) -> Iterator[Ledger]:
    """A ledger."""
    made = Ledger(ledger_uri)
    yield made
    made.close()


@pytest.fixture
def workspace_folder(tmp_path: Path) -> Iterator[Path]:
    """An empty folder for a workspace, in memory where there is room: a run makes some hundred files and forty folders for
    scratch in it, and removes most of them, and on a disk that is a tenth of what a run takes."""
    (folder := tmp_path / "workspace").mkdir()
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < ROOM:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="trueup-workspace-", dir=MEMORY, ignore_cleanup_errors=True) as there:
        folder.rmdir()
        folder.symlink_to(there)
        yield folder


@pytest.fixture
def workspace(workspace_folder: Path) -> Workspace:
    """An empty workspace in a folder."""
    return Workspace(str(workspace_folder))
