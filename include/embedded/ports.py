"""Ports on loopback for what a home runs: stable from start to start, and not those of another checkout."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Mapping

from ..trueup.errors import OptionsError
from .home import Home

HOST = "127.0.0.1"
_OFFSETS = {"api-server": 0, "ministack": 1}
_VARIABLES = {"api-server": "TRUEUP_UI_PORT", "ministack": "TRUEUP_DYNAMODB_PORT"}
# Below the ports that systems give to outgoing connections (Linux from 32768, macOS from 49152), so that no connection
# takes one between our look and the start.
_FIRST, _BLOCKS, _BLOCK = 20_000, 1_200, 10


def choose(name: str, home: Home, given: Mapping[str, str], recorded: Mapping[str, int]) -> int:
    """The port for that program (`api-server` or `ministack`): the one its variable names (`TRUEUP_UI_PORT`,
    `TRUEUP_DYNAMODB_PORT`), else the one it had last, else the first free one of this home.

    Raises `OptionsError` if the one asked for is no port or is in use.
    """
    if asked := given.get(_VARIABLES[name]):
        if not asked.isdigit() or not 0 < int(asked) < 65_536:
            raise OptionsError(f"{_VARIABLES[name]}={asked!r} is not a port: give a number from 1 to 65535")
        if not is_free(int(asked)):
            raise OptionsError(f"{_VARIABLES[name]}={asked}: that port of {HOST} is in use; give another, or none")
        return int(asked)
    start = int.from_bytes(hashlib.sha256(str(home.root).encode()).digest()[:4]) % _BLOCKS
    usual = [_FIRST + (start + i) % _BLOCKS * _BLOCK + _OFFSETS[name] for i in range(_BLOCKS)]
    for port in ([recorded[name]] if name in recorded else []) + usual:
        if is_free(port):
            return port
    raise OptionsError(f"no port of {HOST} is free for {name}; give one in {_VARIABLES[name]}")


def is_free(port: int) -> bool:
    """Whether a server could listen on that port of loopback now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one that closed a moment ago is free
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
