"""The vocabulary: words of the training captions alone, seen often enough."""

import pytest

from captioning.vocabulary import END, PAD, SPECIAL, START, UNKNOWN, Vocabulary
from workflow.training.errors import UserError

CAPTIONS = ["a cat", "a dog", "a cat on a mat", "the dog", ""]


def test_words_below_the_threshold_are_left_out():
    assert Vocabulary.build(CAPTIONS, threshold=2).words == [*SPECIAL, "a", "cat", "dog"]
    assert Vocabulary.build(CAPTIONS, threshold=4).words == [*SPECIAL, "a"]
    assert len(Vocabulary.build(CAPTIONS, threshold=1)) == len(SPECIAL) + 6


def test_order_does_not_depend_on_the_order_of_the_captions():
    assert Vocabulary.build(CAPTIONS[::-1], 1).words == Vocabulary.build(CAPTIONS, 1).words


def test_no_word_left_is_an_error():
    with pytest.raises(UserError, match="seen 9 times or more"):
        Vocabulary.build(CAPTIONS, threshold=9)


def test_special_tokens_cannot_be_words():
    assert Vocabulary.build(["<end> <end> b"], 1).words == [*SPECIAL, "b"]


def test_encode_and_decode():
    vocabulary = Vocabulary.build(CAPTIONS, 2)
    numbers = vocabulary.encode("a zebra dog")
    assert numbers == [4, UNKNOWN, 6]
    assert vocabulary.decode([START, *numbers, END, 5, PAD]) == "a dog"


def test_saved_and_loaded(tmp_path):
    vocabulary = Vocabulary.build(CAPTIONS, 1)
    vocabulary.save(tmp_path / "vocabulary.json")
    assert Vocabulary.load(tmp_path / "vocabulary.json").words == vocabulary.words
