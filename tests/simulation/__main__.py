"""`make simulate`: plays histories, and says which laws they broke."""

from __future__ import annotations

import argparse
import hashlib
import sys
import warnings
from collections import Counter
from pathlib import Path

from . import coverage, many
from .mutants import MUTANTS, NOT_HERE, results
from .mutants.hunting import Hunt, players


def main() -> int:
    """Play `--histories` of them, from `--seed` on."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--histories", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--real", action="store_true", help="against real servers, beside the same over the twins")
    parser.add_argument("--log", action="store_true", help="every effect of each history")
    parser.add_argument("--keep", type=Path, help="a folder for what breaks a law, shrunk")
    parser.add_argument("--mutants", nargs="?", const="", help="faults to be found, all or those whose names begin so")
    parser.add_argument("--results", type=Path, help="a file that keeps what came of each mutant, to go on from")
    parser.add_argument("--processes", type=int, default=1, help="on so many, each with its share of the seeds")
    parser.add_argument("--plain", action="store_true", help="nothing that is computed is remembered")
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # of pydantic, about what is played and not what is tested
    if given.real:
        from .real.running import run

        return run(given.histories, given.seed, log=given.log)
    if given.mutants is not None:
        return _mutants(given)
    digest, met, broken, seconds = hashlib.sha256(), Counter[str](), 0, 0.0
    asked = many.Asked(plain=given.plain, keep=given.keep, log=given.log)
    for came in many.each(range(given.seed, given.seed + given.histories), asked, given.processes):
        digest.update(came.digest.encode())
        met.update(came.met)
        broken += came.broken
        seconds += came.seconds
        if came.said:
            print(*came.said, sep="\n", flush=True)
    rate = given.histories / seconds * 60
    print(
        f"{given.histories} histories, {broken} of them break a law, {rate:.0f} a minute of one core, "
        f"digest {digest.hexdigest()[:16]}"
    )
    print(coverage.table(met))
    return 1 if broken else 0


def _mutants(given: argparse.Namespace) -> int:
    """Each fault is put back; after how many histories it is found."""
    kept = results.Results(given.results, given.seed)
    chosen = {name: mutant for name, mutant in MUTANTS.items() if name.startswith(given.mutants)}
    hunt = Hunt(chosen, kept)
    with players(chosen, plain=given.plain, processes=given.processes) as ask:
        hunt.go_through(range(given.seed, given.seed + given.histories), ask, given.processes)
    if chosen.keys() == MUTANTS.keys():  # a few leave the document's table as it is
        _write_table(kept, given.seed)
    print(coverage.table(kept.met))
    survived = hunt.missing()
    print(
        f"{len(chosen) - len(survived)} of {len(chosen)} found, {hunt.plays} histories played; not in {given.histories}: "
        f"{', '.join(survived) or 'none'}"
    )
    return 1 if survived else 0


def _write_table(kept: results.Results, seed: int) -> None:
    words = {name: (mutant.__doc__ or "").partition("\n")[0].rstrip(".") for name, mutant in MUTANTS.items()}
    of = f" (tree {kept.tree}, a hash of include/trueup and tests/simulation)"
    results.write(results.table(kept.known, words, NOT_HERE, seed, of))


if __name__ == "__main__":
    sys.exit(main())
