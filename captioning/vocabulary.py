"""The words a captioner can say: those that the training captions alone use often enough. For all runs on these data.

Tokens are those of `captioning.jvm.tokenize`: Penn Treebank, lower-case, no punctuation, i.e. exactly the words that
the metrics count (the reference code asks nltk's Treebank tokenizer and keeps the punctuation).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from captioning.jvm import tokenize
from workflow.core import code_hash
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.core.files import atomic, read_json, write_hashed, write_json
from workflow.data import coco
from workflow.data.held_out import part_of
from workflow.training import shared_artifact

PAD, BOS, EOS, UNK = range(4)
SPECIAL = ("<pad>", "<start>", "<end>", "<unk>")


class Vocabulary:
    """Words and their numbers; the first four are the special tokens."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = list(words)
        self.numbers = {word: number for number, word in enumerate(self.words)}

    @classmethod
    def build(cls, captions: Iterable[str], min_word_count: int) -> "Vocabulary":
        """From tokenized training captions: words seen `min_word_count` times or more, the most frequent first.

        Equally frequent words stand in alphabetical order, so the same captions always give the same numbers.
        UserError if no word is left.
        """
        counts = Counter(word for caption in captions for word in caption.split(" ") if word)
        kept = [word for word, count in counts.items() if count >= min_word_count and word not in SPECIAL]
        if not kept:
            raise UserError(f"no word of the training captions is seen {min_word_count} times or more (min_word_count)")
        return cls([*SPECIAL, *sorted(kept, key=lambda word: (-counts[word], word))])

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, caption: str) -> list[int]:
        """The numbers of a tokenized caption's words, <unk> for words outside; without <start> and <end>."""
        return [self.numbers.get(word, UNK) for word in caption.split(" ") if word]

    def decode(self, numbers: Iterable[int]) -> str:
        """The sentence up to the first <end>; other special tokens are left out."""
        words = []
        for number in numbers:
            if number == EOS:
                break
            if number >= len(SPECIAL):
                words.append(self.words[number])
        return " ".join(words)

    def save(self, path: str | Path) -> None:
        """As a JSON list of words, atomically."""
        write_json(path, self.words)

    @classmethod
    def load(cls, path: str | Path) -> "Vocabulary":
        """What `save` wrote."""
        return cls(read_json(path))


def make(check: DatasetInfo, min_word_count: int, out: Path) -> tuple[int, int]:
    """Write `vocabulary.json` and `captions.npz` of the training images into `out` and, last, what they are made of:
    `index.json`. Returns the numbers of words and of captions.

    `captions.npz` holds all captions end to end: `words`, `ends` (where each caption ends) and `rows` (its image).
    """
    captions = [(row, caption) for row, image in enumerate(coco.read(check, "train")) for caption in image.captions]
    tokens = tokenize([caption for _, caption in captions])
    vocabulary = Vocabulary.build(tokens, min_word_count)
    encoded = [[BOS, *vocabulary.encode(caption), EOS] for caption in tokens]
    vocabulary.save(out / "vocabulary.json")
    with atomic(out / "captions.npz") as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            words=np.fromiter((word for caption in encoded for word in caption), dtype=np.int32),
            ends=np.cumsum([len(caption) for caption in encoded]),
            rows=np.asarray([row for row, _ in captions], dtype=np.int32),
        )
    made_with = {"code": code_hash.hashes(), "libraries": code_hash.libraries()}
    index = {"data": check.fingerprint, "min_word_count": min_word_count, "made_with": made_with}
    write_hashed(out / "index.json", index, [out / "vocabulary.json", out / "captions.npz"])
    return len(vocabulary) - len(SPECIAL), len(captions)


def verify(folder: Path, check: DatasetInfo, min_word_count: int) -> dict[str, Any]:
    """The index of the vocabulary; UserError unless it is of these data and this count."""
    of = {"data": check.fingerprint, "min_word_count": min_word_count}
    return shared_artifact.verify(folder, of, "captioning vocabulary")


def captions_of(rows: np.ndarray, held_out: bool | None) -> np.ndarray:
    """Places of the captions of all images, or of a part of them (`part_of`), (K,).

    Args:
        rows: of each caption, the place of its image among the training images, (N,). Each image has a caption.
    """
    images = part_of(np.unique(rows).tolist(), held_out)
    return np.flatnonzero(np.isin(rows, list(images)))


def captions(folder: Path, held_out: bool | None = None) -> int:
    """How many there are of all images, or of a part of them."""
    with np.load(folder / "captions.npz") as arrays:
        return len(captions_of(arrays["rows"], held_out))
