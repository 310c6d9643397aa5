"""Are there words to learn, and words to score? Counted as `captioning.train` and its metrics will, but before anything
is trained."""

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from captioning.vocabulary import Vocabulary
from workflow.core.errors import UserError, cli_entry_point


def often(captions: Sequence[str], times: int) -> bool:
    """Is a word said so many times? Plain ones are counted first: the tokenizer leaves them, and its JVM takes long."""
    split = (word for caption in captions for word in caption.lower().split())
    plain = Counter(word for word in split if word.isascii() and word.isalpha())
    if max(plain.values(), default=0) >= times:
        return True
    from captioning.jvm import tokenize

    try:
        Vocabulary.build(tokenize(captions), times)
    except UserError:
        return False
    return True


@cli_entry_point
def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset-info", required=True, type=Path, help="result of the COCO check")
    parser.add_argument("--key", required=True, help="the section of the recipe in the config")
    parser.add_argument("--recipe", required=True, type=json.loads, help="that section: JSON")
    args = parser.parse_args()
    from workflow.core.files import read_check
    from workflow.data import coco

    check = read_check(args.dataset_info)
    train, test = ([text for image in coco.read(check, part) for text in image.captions] for part in ("train", "test"))
    threshold = args.recipe["min_word_count"]
    if not often(train, threshold):
        what = f"no word of the training captions in {check['root']} is said as often"
        raise UserError(f"{args.key}.min_word_count: {threshold}, but {what}")
    if not often(test, 1):
        raise UserError(f"{check['root']}: no test caption has a word, so none can be scored")


if __name__ == "__main__":
    main()
