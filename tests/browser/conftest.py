"""The whole stack with samples in its stores, and a Chromium before it, signed in as whom a test asks for.

`make browser` runs these; `make test` does not. With `TRUEUP_BROWSER_HOME` set, the stack of that folder is used, started
if need be, and left running: for writing such tests. `CHROMIUM` names the browser where it has another name.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from include import project
from include.embedded import connections, stack
from include.embedded.home import PROJECT, Home
from include.migrations.kpi_linking import sample
from include.trueup.stores.dynamodb import DynamoDBStore
from tests.harness import store_at

from .airflow_pages import ACTION_MS, AirflowPages, Server

ARTIFACTS = Path(os.environ.get("CI_ARTIFACTS") or PROJECT / ".ci" / "artifacts")
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 420, "height": 800}
_CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")

SignIn = Callable[..., AirflowPages]
Shot = Callable[..., Path]


_failed = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember whether the test failed, for what is to be kept of it."""
    report = yield
    if report.when == "call":
        item.stash[_failed] = report.failed
    return report


@contextmanager
def _home() -> Iterator[Home]:
    if kept := os.environ.get("TRUEUP_BROWSER_HOME"):
        yield Home(Path(kept).resolve())
        return
    # not below pytest's own folder: PostgreSQL's server may be another user, to whom that is closed
    with tempfile.TemporaryDirectory(prefix="trueup-browser-", ignore_cleanup_errors=True) as folder:
        home = Home(Path(folder).resolve())
        yield home
        stack.stop(home)


def _given() -> Mapping[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "TRUEUP_"))}


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The stack of a home of its own, every connection of every migration embedded, the sample of kpi_linking filled."""
    every = frozenset().union(*(connections.needed(migration_id) for migration_id in project.migration_ids()))
    with _home() as home:
        running = stack.start(home, _given(), every, print)
        variables = stack.embedded_connections(home, _given(), every)
        made = Server(
            url=running.url,
            api=running.api,
            passwords=home.passwords(),
            workspace=running.workspace,
            connections=variables,
        )
        sample.fill(lambda _: kpi_store_of(made))
        made.wait_for_dag("kpi_linking")
        yield made


def kpi_store_of(server: Server) -> DynamoDBStore:
    """The DynamoDB behind kpi_dynamodb."""
    return store_at(server.connection("kpi_dynamodb")["extra"]["endpoint_url"])


@pytest.fixture(scope="session")
def kpi_store(server: Server) -> DynamoDBStore:
    """The DynamoDB behind kpi_dynamodb, to look into or to write to as an application would."""
    return kpi_store_of(server)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A Chromium without a window."""
    named = os.environ.get("CHROMIUM")
    found = named or next(filter(None, map(shutil.which, _CHROMIUMS)), None)
    if found is None:
        pytest.fail("there is no Chromium: install it (Debian: apt-get install chromium), or name it in CHROMIUM")
    options = ["--no-proxy-server", "--font-render-hinting=none"]
    if os.geteuid() == 0:
        options.append("--no-sandbox")  # Chromium refuses to start as root with one
    expect.set_options(timeout=ACTION_MS)
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=found, args=options)
        yield made
        made.close()


@pytest.fixture
def sign_in(browser: Browser, server: Server, request: pytest.FixtureRequest) -> Iterator[SignIn]:
    """Pages for a user: `sign_in("vera", dark=True, size=NARROW)`; `sign_in(None)` is signed in as nobody. Each is a
    browser of its own. A test in which a script broke fails; what was to be seen when a test fails is kept."""
    opened: list[tuple[BrowserContext, AirflowPages]] = []

    def open_as(
        user: str | None, *, dark: bool = False, size: Mapping[str, int] = WIDE, zoom: float = 1
    ) -> AirflowPages:
        context = browser.new_context(
            base_url=server.url,
            viewport={"width": size["width"], "height": size["height"]},
            device_scale_factor=zoom,
            color_scheme="dark" if dark else "light",
            locale="en-US",
            timezone_id="UTC",
            accept_downloads=True,
        )
        context.set_default_timeout(ACTION_MS)
        if user is not None:
            said = context.request.post("/auth/token", data={"username": user, "password": server.passwords[user]})
            context.add_cookies([{"name": "_token", "value": said.json()["access_token"], "url": server.url}])
        made = AirflowPages(context.new_page(), server)
        opened.append((context, made))
        return made

    yield open_as
    broken = [error for _, pages in opened for error in pages.errors]
    for number, (context, pages) in enumerate(opened):
        if request.node.stash.get(_failed, False):
            _save(pages.page, f"failed-{_plain(request.node.name)}-{number}")
            print(pages.unfinished())
        context.close()
    assert not broken, f"scripts broke in the browser: {broken}"


@pytest.fixture
def a_key(kpi_store: DynamoDBStore) -> str:
    """The key of a legacy row, as the pages write it."""
    row = kpi_store.client.scan(TableName="purposepath-goal-kpi-links", Limit=1)["Items"][0]
    return str(row["id"]["S"])


@pytest.fixture
def admin(sign_in: SignIn) -> AirflowPages:
    """Pages for an administrator."""
    return sign_in("admin")


@pytest.fixture
def viewer(sign_in: SignIn) -> AirflowPages:
    """Pages for one who may look, and nothing else."""
    return sign_in("vera")


@pytest.fixture
def shot() -> Shot:
    """Keep what is to be seen: `shot(page, "plan")`. With `readme=True` it is one of the README's pictures: renewed in
    docs/ where TRUEUP_SHOTS is 1."""

    def take(page: Page, name: str, *, readme: bool = False) -> Path:
        saved = _save(page, name)
        if readme and os.environ.get("TRUEUP_SHOTS") == "1":
            shutil.copyfile(saved, PROJECT / "docs" / f"{name}.png")
        return saved

    return take


def _save(page: Page, name: str) -> Path:
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    file = ARTIFACTS / f"{name}.png"
    page.screenshot(path=file, animations="disabled")
    return file


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
