"""What the transform calls: texts to vectors, in batches, each computed once and remembered on disk.

A run that is killed has lost at most the batch it was at: what was computed is found again by the text's hash.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from include.trueup.errors import DeclarationError

MODEL = "all-MiniLM-L6-v2"
HOME, DEFAULT_HOME = "TRUEUP_HOME", ".trueup"
SAY_SECONDS = 10
PRICE = "price_per_million_tokens"
TOKENS_PER_SECOND = 2_000
"""Of one processor of 2024; what this machine does is measured with the first batch."""
log = logging.getLogger(__name__)


class _Progress:
    """How fast a partition's texts come along, said now and then."""

    began = reported = 0.0
    done = tokens = 0

    def add(self, texts: int, tokens: int, left: int) -> None:
        now = time.monotonic()
        if not self.began:
            self.began = self.reported = now
        self.done, self.tokens = self.done + texts, self.tokens + tokens
        if now - self.reported > SAY_SECONDS or not left:
            self.reported = now
            rate = self.done / max(now - self.began, 0.001)
            log.info(
                "%s texts (%s tokens), %.0f texts/s, %s left, ETA %.0f s",
                f"{self.done:,}",
                f"{self.tokens:,}",
                rate,
                f"{left:,}",
                left / rate,
            )


_progress = _Progress()


def embed_batch(texts: str | None, left: str | None) -> str | None:
    """Of a JSON list of texts, the JSON list of their vectors in pgvector's notation. `left`: the texts that come after
    this batch. Raises `DeclarationError` when the model is not installed or is not the one that it should be."""
    wanted: list[str] = json.loads(texts or "[]")
    keys = [hashlib.sha256(text.encode()).hexdigest() for text in wanted]
    with closing(_remembered()) as memory:
        marks = ", ".join("?" * len(keys))
        known = dict(memory.execute(f"SELECT sha256, vector FROM vectors WHERE sha256 IN ({marks})", keys).fetchall())
        new = {key: text for key, text in zip(keys, wanted, strict=True) if key not in known}
        if new:
            from .minilm import load

            model = load()
            began = time.monotonic()
            made = [notation(row) for row in model.embed(list(new.values()))]
            took, tokens = time.monotonic() - began, sum(len(model.tokenizer.encode(t)) for t in new.values())
            known |= zip(new, made, strict=True)
            memory.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?)", list(zip(new, made, strict=True)))
            memory.execute("INSERT INTO pace VALUES (?, ?)", [tokens, took])
            memory.commit()
            _progress.add(len(new), tokens, int(left or 0))
    return json.dumps([known[key] for key in keys])


def count_tokens(text: str | None) -> str | None:
    """How many tokens the model sees of a text."""
    from .minilm import load

    return None if text is None else str(len(load().tokenizer.encode(text)))


def lost_batch(texts: str | None) -> str | None:
    """Of a JSON list of texts, the JSON list of how many tokens of each the model does not see; remembered, so that a text
    is looked at once and not in each run. Raises `DeclarationError` as `embed_batch` does."""
    wanted: list[str] = json.loads(texts or "[]")
    keys = [hashlib.sha256(text.encode()).hexdigest() for text in wanted]
    with closing(_remembered()) as memory:
        marks = ", ".join("?" * len(keys))
        known = dict(memory.execute(f"SELECT sha256, tokens FROM lost WHERE sha256 IN ({marks})", keys).fetchall())
        new = {key: text for key, text in zip(keys, wanted, strict=True) if key not in known}
        if new:
            from .minilm import load

            tokenizer = load().tokenizer
            counted = {key: tokenizer.lost(text) for key, text in new.items()}
            known |= counted
            memory.executemany("INSERT OR IGNORE INTO lost VALUES (?, ?)", list(counted.items()))
            memory.commit()
    return json.dumps([known[key] for key in keys])


def cost_in_words(figures: Mapping[str, int], params: Mapping[str, JsonValue]) -> dict[str, str]:
    """What it takes to embed so many tokens: as long as it took on this machine before, or else as it took on a common one,
    and the price by the param `price_per_million_tokens`."""
    tokens, price = figures["tokens to embed"], float(str(params.get(PRICE) or 0))
    with closing(_remembered()) as memory:
        seconds, done = memory.execute(
            "SELECT coalesce(sum(seconds), 0), coalesce(sum(tokens), 0) FROM pace"
        ).fetchone()
    rate, measured = (
        (done / seconds, "as measured here before") if seconds else (TOKENS_PER_SECOND, "not measured here yet")
    )
    return {
        "texts": f"{figures['texts to embed']:,}",
        "tokens": f"{tokens:,}",
        "time": f"about {tokens / rate:,.0f} s on one processor, at {rate:,.0f} tokens a second ({measured}); less where a run "
        "before this one was broken off, whose vectors are remembered",
        "price": f"{tokens / 1_000_000 * price:,.4f}, at {price:g} a million tokens",
    }


def notation(vector: Any) -> str:
    """A vector as PostgreSQL writes it: each number the shortest that is read back as the same float4."""
    return "[" + ",".join(map(_number, vector)) + "]"


def _number(number: Any) -> str:
    import numpy as np

    if number == 0:
        return "0"
    scientific = np.format_float_scientific(number, trim="-", exp_digits=2)
    if -4 <= int(scientific.partition("e")[2]) < 6:
        return np.format_float_positional(number, trim="-")
    return scientific


def _remembered() -> sqlite3.Connection:
    folder = Path(os.environ.get(HOME) or DEFAULT_HOME) / "embeddings"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        memory = sqlite3.connect(folder / f"{MODEL}.sqlite", timeout=60)
        memory.execute(
            "CREATE TABLE IF NOT EXISTS vectors (sha256 TEXT PRIMARY KEY, vector TEXT NOT NULL) WITHOUT ROWID"
        )
        memory.execute(
            "CREATE TABLE IF NOT EXISTS lost (sha256 TEXT PRIMARY KEY, tokens INTEGER NOT NULL) WITHOUT ROWID"
        )
        memory.execute("CREATE TABLE IF NOT EXISTS pace (tokens INTEGER NOT NULL, seconds REAL NOT NULL)")
    except (OSError, sqlite3.Error) as error:
        raise DeclarationError(f"vectors cannot be remembered in {folder} ({HOME}): {error}") from error
    return memory
