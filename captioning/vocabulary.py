"""The words a captioner can say: those that the training captions alone use often enough.

Tokens are those of `captioning.jvm.tokenize`: Penn Treebank, lower-case, no punctuation, i.e. exactly the words that
the metrics count (the reference code asks nltk's Treebank tokenizer and keeps the punctuation).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from workflow.training.errors import UserError
from workflow.training.files import read_json, write_json

PAD, START, END, UNKNOWN = range(4)
SPECIAL = ("<pad>", "<start>", "<end>", "<unk>")


class Vocabulary:
    """Words and their numbers; the first four are the special tokens."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = list(words)
        self.numbers = {word: number for number, word in enumerate(self.words)}

    @classmethod
    def build(cls, captions: Iterable[str], threshold: int) -> "Vocabulary":
        """From tokenized training captions: words seen `threshold` times or more, the most frequent first.

        Equally frequent words stand in alphabetical order, so the same captions always give the same numbers.
        UserError if no word is left.
        """
        counts = Counter(word for caption in captions for word in caption.split(" ") if word)
        kept = [word for word, count in counts.items() if count >= threshold and word not in SPECIAL]
        if not kept:
            raise UserError(f"no word of the training captions is seen {threshold} times or more (threshold)")
        return cls([*SPECIAL, *sorted(kept, key=lambda word: (-counts[word], word))])

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, caption: str) -> list[int]:
        """The numbers of a tokenized caption's words, <unk> for words outside; without <start> and <end>."""
        return [self.numbers.get(word, UNKNOWN) for word in caption.split(" ") if word]

    def decode(self, numbers: Iterable[int]) -> str:
        """The sentence up to the first <end>; other special tokens are left out."""
        words = []
        for number in numbers:
            if number == END:
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
