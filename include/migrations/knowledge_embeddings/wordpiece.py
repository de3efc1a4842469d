"""BERT's uncased WordPiece tokenizer: text to the ids of all-MiniLM-L6-v2's vocabulary."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from pathlib import Path

MOST = 256
"""Tokens of a text that the model sees, the two around it included."""
_START, _END = "[CLS]", "[SEP]"
_CJK = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2FA1F), (0xF900, 0xFAFF))


class WordPiece:
    """The tokenizer with the vocabulary of that file, one token a line."""

    def __init__(self, vocabulary: Path) -> None:
        lines = vocabulary.read_text(encoding="utf-8").split("\n")
        self._ids = {token: number for number, token in enumerate(lines) if token}
        self._pieces = lru_cache(maxsize=200_000)(self._split)

    def encode(self, text: str) -> list[int]:
        """The ids of the text's tokens, between start and end, at most `MOST` of them."""
        return [self._ids[_START], *self._all(text)[: MOST - 2], self._ids[_END]]

    def lost(self, text: str) -> int:
        """How many of the text's tokens the model does not see."""
        return max(len(self._all(text)) - (MOST - 2), 0)

    def _all(self, text: str) -> list[int]:
        return [piece for word in _words(text) for piece in self._pieces(word)]

    def _split(self, word: str) -> tuple[int, ...]:
        """The longest pieces of the vocabulary that the word begins with, one after the other; else unknown."""
        unknown = (self._ids["[UNK]"],)
        if len(word) > 100:
            return unknown
        pieces: list[int] = []
        start = 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = self._ids.get(("##" if start else "") + word[start:end])
                if piece is not None:
                    pieces.append(piece)
                    start = end
                    break
            else:
                return unknown
        return tuple(pieces)


def _words(text: str) -> list[str]:
    """Lower case, without accents and control characters; each mark of punctuation and each CJK character a word."""
    words: list[str] = []
    word = ""
    for character in unicodedata.normalize("NFD", text.lower()):
        category = unicodedata.category(character)
        if character.isspace() or _alone(character, category):
            words += [w for w in (word, character.strip()) if w]
            word = ""
        elif category != "Mn" and not category.startswith("C") and character != "\ufffd":
            word += character
    return [*words, word] if word else words


def _alone(character: str, category: str) -> bool:
    code = ord(character)
    ascii_mark = 33 <= code <= 126 and not character.isalnum()
    return category.startswith("P") or ascii_mark or any(first <= code <= last for first, last in _CJK)
