"""The vocabulary: words of the training captions alone, seen often enough."""

import os
import re
import shutil
from dataclasses import replace

import pytest

from captioning.cli import main
from captioning.preflight import often
from captioning.vocabulary import BOS, EOS, PAD, SPECIAL, UNK, Vocabulary, captions, verify
from workflow.core.code_hash import PROJECT, libraries, now
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.core.files import read_json

CAPTIONS = ["a cat", "a dog", "a cat on a mat", "the dog", ""]


def test_words_below_the_threshold_are_left_out():
    assert Vocabulary.build(CAPTIONS, min_word_count=2).words == [*SPECIAL, "a", "cat", "dog"]
    assert Vocabulary.build(CAPTIONS, min_word_count=4).words == [*SPECIAL, "a"]
    assert len(Vocabulary.build(CAPTIONS, min_word_count=1)) == len(SPECIAL) + 6


def test_order_does_not_depend_on_the_order_of_the_captions():
    assert Vocabulary.build(CAPTIONS[::-1], 1).words == Vocabulary.build(CAPTIONS, 1).words


def test_no_word_left_is_an_error():
    with pytest.raises(UserError, match="seen 9 times or more"):
        Vocabulary.build(CAPTIONS, min_word_count=9)


def test_special_tokens_cannot_be_words():
    assert Vocabulary.build(["<end> <end> b"], 1).words == [*SPECIAL, "b"]


def test_encode_and_decode():
    vocabulary = Vocabulary.build(CAPTIONS, 2)
    numbers = vocabulary.encode("a zebra dog")
    assert numbers == [4, UNK, 6]
    assert vocabulary.decode([BOS, *numbers, EOS, 5, PAD]) == "a dog"


def test_saved_and_loaded(tmp_path):
    vocabulary = Vocabulary.build(CAPTIONS, 1)
    vocabulary.save(tmp_path / "vocabulary.json")
    assert Vocabulary.load(tmp_path / "vocabulary.json").words == vocabulary.words


def call(monkeypatch, **words):
    """The command line."""
    given = [str(word) for name, value in words.items() for word in (f"--{name.replace('_', '-')}", value)]
    monkeypatch.setattr("sys.argv", ["captioning", "vocabulary", *given])
    main()


def test_the_door_says_what_it_has_counted_and_gives_the_same_bytes_again(artifacts, tmp_path, monkeypatch, capsys):
    for name in "ab":
        call(monkeypatch, dataset_info=artifacts.check, min_word_count=2, out=tmp_path / name)
    words = len(read_json(tmp_path / "a/vocabulary.json")) - len(SPECIAL)
    line = f"vocabulary: {words} words seen 2 times or more in 60 training captions\n"
    assert capsys.readouterr().out == 2 * line
    for name in ("vocabulary.json", "captions.npz"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        assert (tmp_path / "a" / name).read_bytes() == (artifacts.vocabulary / name).read_bytes()
    index = read_json(tmp_path / "a/index.json")
    assert index["made_with"]["code"]["captioning/vocabulary.py"] == now(PROJECT / "captioning/vocabulary.py")
    assert index["made_with"]["libraries"] == libraries()
    assert index["files"].keys() == {"vocabulary.json", "captions.npz"}


def test_a_threshold_that_no_word_reaches_leaves_nothing(artifacts, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        call(monkeypatch, dataset_info=artifacts.check, min_word_count=9999, out=tmp_path / "a")
    assert capsys.readouterr().err == (
        "error: no word of the training captions is seen 9999 times or more (min_word_count)\n"
    )
    assert not (tmp_path / "a").exists()


def test_verify_names_what_differs(artifacts, tmp_path):
    check = DatasetInfo.read(artifacts.check)
    assert verify(artifacts.vocabulary, check, 2)["min_word_count"] == 2
    assert captions(artifacts.vocabulary) == 60
    with pytest.raises(UserError, match=r"index.json: made with min_word_count 2, but this run has 5"):
        verify(artifacts.vocabulary, check, 5)
    with pytest.raises(UserError, match=r"index.json: made with data [0-9a-f]+, but this run has other"):
        verify(artifacts.vocabulary, replace(check, fingerprint="other"), 2)
    with pytest.raises(UserError, match=r"index.json is missing: run `python -m captioning vocabulary` first"):
        verify(tmp_path, check, 2)


@pytest.mark.parametrize("name", ["index.json", "vocabulary.json", "captions.npz"])
@pytest.mark.parametrize("harm", ["bit", "word", "cut", "zeros", "gone"])
def test_what_is_damaged_is_refused_in_one_line(harm, name, artifacts, tmp_path):
    folder = shutil.copytree(artifacts.vocabulary, tmp_path / "words")
    file, content = folder / name, bytearray((folder / name).read_bytes())
    stamps = file.stat()
    middle = len(content) // 2
    if harm == "bit":
        content[middle] ^= 4
    elif harm == "word":  # two bytes change places
        at = next(n for n in range(middle, len(content) - 1) if content[n] != content[n + 1])
        content[at], content[at + 1] = content[at + 1], content[at]
    elif harm == "cut":
        del content[middle:]
    else:
        content[middle : middle + 64] = bytes(64)
    file.write_bytes(content)
    os.utime(file, ns=(stamps.st_atime_ns, stamps.st_mtime_ns))
    if harm == "gone":
        file.unlink()
    with pytest.raises(UserError, match=f"^{re.escape(str(file))}[: ].*$"):
        verify(folder, DatasetInfo.read(artifacts.check), 2)


@pytest.mark.parametrize(
    ("captions", "times", "found"),
    [
        (["A cat", "a dog, a"], 3, True),
        (["A cat", "a dog, a"], 4, False),
        (["cat.", "a cat"], 2, True),  # by the tokenizer alone
        (["..."], 1, False),
    ],
)
def test_a_word_is_said_often_enough_from_its_bound_on(captions, times, found):
    assert often(captions, times) is found
