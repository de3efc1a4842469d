"""What of the documents is made from the code: `python -m tests.reference` writes it, a test holds it equal.

Pages of docs/reference, and in docs/how-to each block whose title is the path of a file, which shows that file as it is.

What an author writes with is made from its docstrings by mkdocstrings, when the documents are built.
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from include.trueup.gate.evaluation import BUDGETS
from include.trueup.report.verdict import OF_RULE

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "docs" / "reference"
MADE = "<!-- Made by `python -m tests.reference`; change the code, not this page. -->"
SETTINGS = {
    "TRUEUP_HOME": "The folder that holds all state of a checkout: embedded stores, workspace, logs, passwords. Default `.trueup`.",
    "TRUEUP_WORKSPACE": "Where the files of runs lie: a folder that every worker sees, or `s3://bucket/prefix`.",
    "TRUEUP_ENVIRONMENT": "What the installation is called. It is shown in red where it is `production`, `prod` or `live`.",
    "TRUEUP_UI_PORT": "The port of Airflow's UI in `make up` and `make demo`; unless given, a free one is chosen and kept.",
    "TRUEUP_DYNAMODB_PORT": "The port of the embedded DynamoDB engine, in the same way.",
    "TRUEUP_DAGS_FOLDER": "Another folder than `dags/` for the DAGs of `make up` and `make run`.",
    "TRUEUP_DUCKDB_MEMORY": "How much memory the DuckDB of a step may hold, as DuckDB says it (`2GB`).",
    "TRUEUP_LEASE_SECONDS": "For how long a run's right to write holds unless it is renewed.",
    "TRUEUP_PG_BIN": "The folder with the `pg_dump` for rehearsals of schema changes.",
    "TRUEUP_ADMIN_PASSWORD": "With Docker Compose: the password of Airflow's user `admin`.",
    "TRUEUP_SAMPLE_HOSTS": "With Docker Compose: the hosts into whose databases samples may be filled.",
}
"""What an installation may set in its environment."""
INTERNAL = {"TRUEUP_EMBEDDED", "TRUEUP_HOLDER", "TRUEUP_LEDGER"}
"""What one process of ours sets for another; TRUEUP_LEDGER is the end of AIRFLOW_CONN_TRUEUP_LEDGER."""


def settings() -> str:
    """Environment variables."""
    lines = [f"| `{name}` | {meant} |" for name, meant in sorted(SETTINGS.items())]
    return _page(
        "Settings",
        "Environment variables. Connections are Airflow's: [Connections](../connections.md).",
        ["| variable | meaning |", "|---|---|", *lines],
    )


def read_in_code() -> set[str]:
    """The variables that code, images and scripts name."""
    folders = ("include", "plugins", "dags", "bin", "docker")
    files = [file for folder in folders for file in (ROOT / folder).rglob("*") if file.suffix != ".pyc"]
    files += [ROOT / name for name in ("Makefile", "docker-compose.yaml")]
    texts = (file.read_text(encoding="utf-8", errors="replace") for file in files if file.is_file())
    return {name for text in texts for name in re.findall(r"TRUEUP_[A-Z_]+[A-Z]", text)}


def commands() -> str:
    """What `make help` says."""
    said = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return _page("Commands", "What `make help` prints.", ["```text", *said.splitlines(), "```"])


def codes() -> str:
    """Codes of the engine's own findings, and the budgets."""
    found = [f"| `{code}` | {meant} | `{file}` |" for code, meant, file in sorted(_codes())]
    budgets = [f"| `{param}` | `{rule}` | {OF_RULE.get(rule, '')} |" for param, (_, rule, _) in BUDGETS.items()]
    proofs = [f"| `{rule}` | {said} |" for rule, said in OF_RULE.items() if not rule.startswith("budget.")]
    return _page(
        "Codes",
        "A finding is about a row, and has a code. A migration's own codes are in its README; these are the engine's.",
        [
            "| code | meaning | from |", "|---|---|---|", *found, "",
            "## Budgets", "", "A plan that loses more than its budgets allow fails its gate.", "",
            "| param | rule | what to do |", "|---|---|---|", *budgets, "",
            "## Proof", "", "What fails a proof.", "", "| rule | what to do |", "|---|---|", *proofs,
        ],
    )  # fmt: skip


def _codes() -> Iterator[tuple[str, str, str]]:
    """Constants of the engine that say below them that they are codes: the code, what is said, the file."""
    for file in sorted((ROOT / "include/trueup/plan").glob("*.py")):
        body = ast.parse(file.read_text(encoding="utf-8")).body
        for each, below in pairwise(body):
            if not (isinstance(each, ast.Assign) and isinstance(below, ast.Expr)):
                continue
            said = ast.literal_eval(below.value) if isinstance(below.value, ast.Constant) else ""
            if isinstance(said, str) and re.match(r"Codes? of", said):
                values = ast.literal_eval(each.value)
                for value in values if isinstance(values, tuple) else (values,):
                    yield value, " ".join(said.split()), str(file.relative_to(ROOT))


def _page(title: str, about: str, lines: list[str]) -> str:
    return "\n".join([f"# {title}", "", MADE, "", about, "", *lines, ""])


def _with_files(page: Path) -> str:
    """The page, its blocks that show files as these are."""

    def shown(block: re.Match[str]) -> str:
        if not (ROOT / block[2]).is_file():  # one that the reader is to write
            return block[0]
        content = (ROOT / block[2]).read_text(encoding="utf-8")
        return f'```{block[1]} title="{block[2]}"\n{content}```'

    return _BLOCK.sub(shown, page.read_text(encoding="utf-8"))


_BLOCK = re.compile(r'^```(\w+) title="([^"]+)"\n.*?^```$', re.M | re.S)


def pages() -> dict[Path, str]:
    """Every page that is made from the code, or shows some of it, as it should be."""
    made = {PAGES / f"{make.__name__}.md": make() for make in (settings, commands, codes)}
    return made | {page: _with_files(page) for page in sorted((ROOT / "docs/how-to").glob("*.md"))}


if __name__ == "__main__":
    for page, content in pages().items():
        page.write_text(content, encoding="utf-8")
