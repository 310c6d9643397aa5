"""Are there words to learn, and words to score? Counted as training and its metrics will, but before anything
is trained."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from captioning.jvm import tokenize
from captioning.vocabulary import Vocabulary
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.data import coco


def often(captions: Sequence[str], times: int) -> bool:
    """Is a word said so many times? Plain ones are counted first: the tokenizer leaves them, and its JVM takes long."""
    split = (word for caption in captions for word in caption.lower().split())
    plain = Counter(word for word in split if word.isascii() and word.isalpha())
    if max(plain.values(), default=0) >= times:
        return True
    try:
        Vocabulary.build(tokenize(captions), times)
    except UserError:
        return False
    return True


def check_captions(check: DatasetInfo, key: str, recipe: dict[str, Any]) -> None:
    """UserError if no word of checked data is frequent enough to be learnt, or none can be scored.

    Args:
        check: of the data.
        key: the section of the recipe in the config, for the message.
        recipe: that section.
    """
    train, test = ([text for image in coco.read(check, part) for text in image.captions] for part in ("train", "test"))
    threshold = recipe["min_word_count"]
    if not often(train, threshold):
        what = f"no word of the training captions in {check.root} is said as often"
        raise UserError(f"{key}.min_word_count: {threshold}, but {what}")
    if not often(test, 1):
        raise UserError(f"{check.root}: no test caption has a word, so none can be scored")
