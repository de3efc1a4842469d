"""`make simulate`: plays histories, and says which laws they broke."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections import Counter

from .playing import from_seed, judged_once, play
from .world import folder


def main() -> int:
    """Play `--histories` of them, from `--seed` on."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--histories", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log", action="store_true")
    given = parser.parse_args()
    digest, met, broken = hashlib.sha256(), Counter[str](), 0
    began = time.perf_counter()
    with folder() as place, judged_once():
        for seed in range(given.seed, given.seed + given.histories):
            played = play(from_seed(seed), place)
            digest.update(played.digest.encode())
            met.update(played.met)
            if given.log:
                print(*played.log, sep="\n")
            if played.breaches:
                broken += 1
                print(f"seed {seed}, {len(played.history.events)} events, {played.points} points:")
                for breach in played.breaches[:6]:
                    print(f"    law {breach.law}: {breach.why}")
    seconds = time.perf_counter() - began
    print(f"{given.histories} histories, {broken} of them break a law, {given.histories / seconds * 60:.0f} a minute, digest {digest.hexdigest()[:16]}")
    print(json.dumps(dict(sorted(met.items()))))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
