"""docs/tutorial.md and the pages of docs/how-to that have commands, done as they say: files are written, commands run, outputs compared.

A block with a title is a file, which is written with what the block holds. A block of kind `console` has commands, each after
`$ `, and below each what it prints. There `…` stands for anything within a line, and a line of `…` alone for any lines; how
many blanks there are between two words does not matter. A command whose output ends with `make: ***` is one that fails.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from include.console.check import problems
from include.trueup.declare import Migration
from include.trueup.testing import check

ROOT = Path(__file__).parent.parent.parent
PAGES = ("tutorial.md", "how-to/index.md", "how-to/across-stores.md")
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.M | re.S)
SECONDS = 300


@dataclass(frozen=True)
class Command:
    """A command, and what it prints, as the page shows it."""

    line: str
    output: str

    @property
    def fails(self) -> bool:
        return "make: ***" in self.output

    def printed(self, said: str) -> bool:
        """Whether that is what the page shows."""
        return re.fullmatch(self.pattern, _plain(said)) is not None

    @property
    def pattern(self) -> str:
        lines = _plain(self.output).splitlines()
        return "".join(
            r"(?:.*\n)*?" if line == "…" else re.escape(line).replace("…", ".*?").replace(r"\ .*?\ ", " .*?") + r"\n"
            for line in lines
        )


def _plain(text: str) -> str:
    """The text, every gap between words one blank, without blanks at the ends of its lines."""
    return "".join(re.sub(r"[ \t]+", " ", line).strip() + "\n" for line in text.splitlines())


def steps(page: str) -> Iterator[tuple[str, str] | Command]:
    """What the page has one do, from top to bottom: files, as path and content, and commands."""
    for kind, title, content in BLOCK.findall(page):
        if title:
            yield title, content
        elif kind == "console":
            for each in re.split(r"^\$ ", content, flags=re.M)[1:]:
                line, _, output = each.partition("\n")
                yield Command(line, output)


STEPS = {page: list(steps((ROOT / "docs" / page).read_text(encoding="utf-8"))) for page in PAGES}
FILES = dict(step for step in STEPS["tutorial.md"] if isinstance(step, tuple))


@pytest.fixture
def copy() -> Iterator[Path]:
    """The project as it is here, in a folder of its own, with this one's `.venv`. Not in pytest's folder: where root runs the
    tests that is root's alone, and the embedded PostgreSQL is another user's."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    tracked = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    with tempfile.TemporaryDirectory(prefix="trueup-tutorial-", ignore_cleanup_errors=True) as folder:
        made = Path(folder).resolve()
        for path in filter(None, tracked):
            if (ROOT / path).is_file():
                (made / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / path, made / path)
        (made / ".venv").symlink_to((ROOT / ".venv").resolve())
        for path in ("requirements.txt", "bin/setup"):
            os.utime(made / path, (0, 0))  # .venv is as it should be: what runs the tests
        yield made


def run(command: Command, folder: Path) -> tuple[int, str]:
    """Run it as somebody in a terminal would; its exit status and what it printed."""
    dropped = ("AIRFLOW", "TRUEUP_", "MAKE", "MFLAGS", "PYTHON", "PYTEST")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    done = subprocess.run(
        ["sh", "-c", command.line], cwd=folder, env={**environment, "COLUMNS": "80"}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


@pytest.mark.slow  # eight runs, each in a process that loads Airflow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("page", PAGES)
def test_the_page_from_top_to_bottom(page: str, copy: Path) -> None:
    for step in STEPS[page]:
        if isinstance(step, tuple):
            (copy / step[0]).write_text(step[1], encoding="utf-8")
            continue
        status, said = run(step, copy)
        assert step.printed(said), f"$ {step.line}\nprinted:\n{said}\nand the page shows:\n{step.output}"
        assert (status != 0) is step.fails, f"$ {step.line}\n{said}"


def test_its_declaration_script_and_tests_hold(tmp_path: Path, there_and_back: Callable[..., None]) -> None:
    """The quick part: what the page has one write is well declared, and passes the test that the page has one write."""
    folder = tmp_path / "people"
    folder.mkdir()
    for name in ("migration.py", "rows.sql"):
        (folder / name).write_text(FILES[f"include/migrations/people/{name}"])
    made: dict[str, object] = {"__name__": "people"}
    exec(compile(FILES["include/migrations/people/migration.py"], str(folder / "migration.py"), "exec"), made)  # noqa: S102
    migration = made["migration"]
    assert isinstance(migration, Migration)
    assert problems(migration, folder) == []
    source = FILES["tests/migrations/test_people.py"].replace(
        "from include.migrations.people.migration import migration", ""
    )
    test: dict[str, Any] = {"migration": migration}
    exec(source, test)  # noqa: S102
    test["test_three_rows"](check)
    test["test_there_and_back"](there_and_back)
    compile(FILES["dags/people.py"], "people.py", "exec")


def test_every_command_is_one_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    commands = [step for page in PAGES for step in STEPS[page] if isinstance(step, Command)]
    assert len(commands) > 12
    for command in commands:
        for target in re.findall(r"\bmake (\w+)", command.line):
            assert re.search(rf"^{target}:", makefile, re.M), command.line


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("a … s\n", "a    7.9 s\n", True),
        ("a … s\n", "a    7.9 s   x\n", False),
        ("a\n…\nz\n", "a\nb\nc\nz\n", True),
        ("a\n…\nz\n", "a\nz\n", True),
        ("a\n…\nz\n", "a\nb\n", False),
        ("", "Traceback\n", False),
    ],
)
def test_what_stands_for_what(shown: str, printed: str, same: bool) -> None:
    assert Command("x", shown).printed(printed) is same
