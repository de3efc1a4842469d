"""What came of playing mutants: kept in a file, so that it goes on where it stopped, and written into the document."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

TOP = Path(__file__).parents[3]
DOCUMENT = TOP / "docs" / "simulation.md"
_BEGIN, _END = "<!-- made by make simulate MUTANTS=1 -->\n", "<!-- up to here -->\n"


@dataclass(frozen=True, kw_only=True)
class Result:
    """`played` histories of a mutant; the last of them broke `law`, and says why. No law: none did."""

    played: int
    law: int | None = None
    why: str = ""


def tree() -> str:
    """A hash of the engine and the bench: results of another tree count for nothing."""
    digest = hashlib.sha256()
    for folder in ("include/trueup", "tests/simulation"):
        for file in sorted((TOP / folder).rglob("*")):
            if file.suffix in (".py", ".sql"):
                digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


class Results:
    """The results of this tree, from one seed on, in a file of the results of all trees (None: in none)."""

    def __init__(self, file: Path | None, seed: int) -> None:
        self._file, self._key, self.tree = file, f"{tree()}/{seed}", tree()
        every = self._every()
        mine = every.get(self._key, {})
        self.known = {name: Result(**each) for name, each in mine.get("known", {}).items()}
        self.differing: dict[str, list[str]] = mine.get("differing", {})
        self.met = Counter[str](mine.get("met", {}))

    def _every(self) -> Any:
        there = self._file is not None and self._file.exists()
        return json.loads(self._file.read_text(encoding="utf-8")) if self._file is not None and there else {}

    def note(self, name: str, result: Result) -> None:
        """A result."""
        self.known[name] = result

    def note_differing(self, seed: int, names: Iterable[str], met: Mapping[str, int]) -> None:
        """Which mutants do otherwise in the history of a seed, and what was met in it when that was found out."""
        self.differing[str(seed)] = sorted(names)
        self.met.update(met)

    def keep(self) -> None:
        """Write the file."""
        if self._file is not None:
            every = self._every()
            known = {name: asdict(each) for name, each in self.known.items()}
            every[self._key] = {"known": known, "differing": self.differing, "met": dict(self.met)}
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.write_text(json.dumps(every, indent=1), encoding="utf-8")


def table(
    known: Mapping[str, Result], mutants: Mapping[str, str], not_here: Mapping[str, str], seed: int, of: str = ""
) -> str:
    """The table of the document; `mutants` are described by name. Played were histories from that seed on, `of` a tree."""
    played = max((result.played for result in known.values()), default=0)
    found = sum(result.law is not None for name, result in known.items() if name in mutants)
    lines = [f"Found are {found} of {len(mutants)}, in the histories of seeds {seed} to {seed + played - 1}{of}.", ""]
    lines += ["| mutant | what it does | histories | law |", "| --- | --- | --- | --- |"]
    for name, words in mutants.items():
        result = known.get(name)
        if result is None:
            said, law = "not played", ""
        elif result.law is None:
            said, law = f"not found in {result.played}", ""
        else:
            said, law = str(result.played), str(result.law)
        lines.append(f"| `{name}` | {words} | {said} | {law} |")
    lines += [f"| `{name}` | cannot be met: {why} | | |" for name, why in not_here.items()]
    return "\n".join(lines) + "\n"


def write(made: str) -> None:
    """Put the table into the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    DOCUMENT.write_text(f"{before}{_BEGIN}\n{made}\n{_END}{after}", encoding="utf-8")
