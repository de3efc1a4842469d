"""`make simulate REAL=1`: histories against real servers, each beside the same one over the twins."""

from __future__ import annotations

import time
from collections import Counter
from functools import partial

from ..places import Places
from ..playing import Played, from_seed, play
from ..remembered import remembering
from ..world import World, folder
from .comparing import ends, first_difference
from .servers import servers
from .world import RealWorld


class _Settled(Places):
    """Connections lead where they always did, as those to the real servers do."""

    def lead_elsewhere(self) -> bool:
        """Nobody has."""
        return False


def run(histories: int, seed: int, *, log: bool) -> int:
    """Play them from that seed on; 1 where one breaks a law."""
    broken, alike, began = 0, 0, time.monotonic()
    met, parted = Counter[str](), list[int]()
    with folder() as place, remembering(place) as database, servers() as running:
        real_seconds = 0.0
        for number in range(seed, seed + histories):
            history = from_seed(number)
            twin = play(history, place, database, partial(World, places=_Settled))
            since = time.monotonic()
            real = play(history, place, None, partial(RealWorld, running))
            took = time.monotonic() - since
            real_seconds += took
            met.update(real.met)
            if log:
                print(*real.log, sep="\n")
            broken += bool(real.breaches)
            alike += _tell(number, took, twin, real)
            if real.digest != twin.digest and ends(twin, real):
                parted.append(number)
        faults = running.counted
    print(
        f"{histories} histories, {broken} of them break a law; {alike} are those of the twins effect by effect, "
        f"{len(parted)} end otherwise ({', '.join(map(str, parted)) or 'none'}); {real_seconds / histories:.1f} s each, "
        f"{time.monotonic() - began:.0f} s in all"
    )
    print(
        f"processes: {faults['killed']} killed, {faults['stopped']} stopped; answers: {faults['held']} held by the proxies, "
        f"{faults['lost']} of them lost; {faults['refused']} connections refused, {faults['cut off']} requests cut off"
    )
    print(*(f"{n:>8}  {name}" for name, n in sorted(met.items()) if name.startswith(("event", "error"))), sep="\n")
    return 1 if broken else 0


def _tell(seed: int, took: float, twin: Played, real: Played) -> bool:
    """A line on a history, more where it broke a law or is not as over the twins; whether it is."""
    kind = real.history.setup.kind
    print(f"seed {seed}, {kind}: {len(real.history.events)} events, {real.points} points, {took:.1f} s", flush=True)
    for breach in real.breaches[:6]:
        print(f"    law {breach.law}: {breach.why}")
    found = first_difference(twin, real)
    if found is not None:
        print(f"    after {found.before}\n      twin {found.twin}\n      real {found.real}")
        print(*(f"    ends otherwise: {line}" for line in ends(twin, real)), sep="\n")
    return found is None
