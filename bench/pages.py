"""`python -m bench.pages`: how long the page of a run takes until its verdict is there, in Chromium, of a stack that is up.

Each is from the navigation on, in a browser that has nothing yet, and in the same one again; on its own, and as the tab in
Airflow's page of the run, where what is ours begins once Airflow has made its frame. `TRUEUP_HOME` says which stack.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Browser, Page, sync_playwright

from bench.measure import machine
from include.embedded.home import Home
from include.embedded.record import Record

RESULTS = Path(__file__).parent / "RESULTS-pages.md"
ENTRIES = """() => ({
  page: performance.getEntriesByType('navigation')[0].toJSON(),
  files: performance.getEntriesByType('resource').map((each) => each.toJSON()),
  began: performance.timeOrigin,
})"""


@dataclass(frozen=True, kw_only=True)
class Took:
    """Seconds until the verdict was there; of these, until our frame began (0 on its own), and from then on until its page,
    its scripts and styles, and its first data were there. `server`: what the server took for these. `asked`: requests that
    went over the network until then."""

    whole: float
    airflow: float
    page: float
    files: float
    data: float
    server: float
    asked: int


_ABOUT = (
    "`python -m bench.pages <run> --write`: seconds from the navigation until the verdict is there, the median of {repeat}; the other"
    " columns are parts of it: until our page begins (Airflow's own, in which it is a tab), and from then on until its HTML, all its"
    " scripts and styles, and its first data are there, and what the server took for these data."
)


def main(arguments: Sequence[str]) -> int:
    """Measure and print; the exit status."""
    asked = argparse.ArgumentParser(prog="python -m bench.pages", description=__doc__)
    asked.add_argument("run", help="the run's id in Airflow; it must have ended")
    asked.add_argument("--dag", default="kpi_linking")
    asked.add_argument("--repeat", type=int, default=5)
    asked.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    given = asked.parse_args(arguments)
    home = Home.of(os.environ)
    found: dict[str, list[Took]] = {}
    with sync_playwright() as playwright:
        named = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=named, args=["--no-proxy-server", "--no-sandbox"])
        for _ in range(given.repeat):
            for name, took in _measured(browser, home, given.dag, given.run):
                found.setdefault(name, []).append(took)
        browser.close()
    text = _results(found, given.repeat)
    print(text)
    if given.write:
        RESULTS.write_text(text, encoding="utf-8")
    return 0


def _measured(browser: Browser, home: Home, dag_id: str, run_id: str) -> list[tuple[str, Took]]:
    port = Record.load(home).ports.get("api-server")
    if port is None:
        raise SystemExit("no stack is up: `make up`")
    url = f"http://127.0.0.1:{port}"
    run, found = quote(run_id, safe=""), []
    for where, address in (
        ("on its own", f"/trueup/pages/run?dag_id={dag_id}&run_id={run}"),
        ("in Airflow", f"/dags/{dag_id}/runs/{run}/plugin/migration"),
    ):
        context = browser.new_context(base_url=url, viewport={"width": 1440, "height": 900})
        token = context.request.post("/auth/token", data={"username": "admin", "password": home.passwords()["admin"]})
        context.add_cookies([{"name": "_token", "value": token.json()["access_token"], "url": url}])
        page = context.new_page()
        for when in ("first", "again"):
            page.goto("about:blank")
            found.append((f"{where}, {when}", _took(page, address)))
        context.close()
    return found


def _took(page: Page, address: str) -> Took:
    begun = time.monotonic()
    page.goto(address, wait_until="commit")
    alone = address.startswith("/trueup/")
    (page if alone else page.frame_locator("iframe")).get_by_test_id("verdict").wait_for()
    whole = time.monotonic() - begun
    frame = next(each for each in page.frames if "/trueup/pages/" in each.url)
    seen: Any = frame.evaluate(ENTRIES)
    before = 0 if alone else seen["began"] - page.main_frame.evaluate("performance.timeOrigin")
    files = [each for each in seen["files"] if "/static/" in each["name"] and "icon" not in each["name"]]
    data = next(each for each in seen["files"] if "/pages/data/" in each["name"])
    asked = [each for each in (seen["page"], *files, data) if each["transferSize"]]
    return Took(
        whole=whole,
        airflow=before / 1000,
        page=seen["page"]["responseEnd"] / 1000,
        files=max(each["responseEnd"] for each in files) / 1000,
        data=data["responseEnd"] / 1000,
        server=(data["responseStart"] - data["requestStart"]) / 1000,
        asked=len(asked),
    )


def _results(found: dict[str, list[Took]], repeat: int) -> str:
    lines = [
        "# How long a run's page takes",
        "",
        _ABOUT.format(repeat=repeat),
        "",
        *(f"{line}  " for line in machine()),
        f"Load of the machine meanwhile, over a minute: {os.getloadavg()[0]:.1f}",
        "",
        "| | verdict, s | (least) | ours begins | HTML | scripts | data | of them the server | requests |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, each in found.items():
        middle = {field: statistics.median(getattr(one, field) for one in each) for field in Took.__annotations__}
        cells = [middle["whole"], min(one.whole for one in each), *list(middle.values())[1:-1]]
        lines.append(f"| {name} | {' | '.join(f'{cell:.2f}' for cell in cells)} | {middle['asked']:.0f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
