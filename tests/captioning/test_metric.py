"""Captions are scored as pycocoevalcap scores them, one caption an image."""

import contextlib
import json
from pathlib import Path

import pytest
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge
from pycocoevalcap.tokenizer import ptbtokenizer

from captioning import evaluate, jvm, metric
from workflow.training.errors import UserError

REFERENCES = {
    7: ["A man rides a horse.", "Someone is riding a brown horse", "a horse and its rider, outside"],
    3: ["Two dogs play in the park", "Dogs running on grass."],
    42: ["A plate of food on a table.", "There is a table with a plate", "food on a white plate", "dinner!"],
}
PREDICTIONS = [
    {"image_id": 42, "caption": "a plate of food on a white table"},
    {"image_id": 7, "caption": "A man's horse is riding"},
    {"image_id": 3, "caption": "two dogs running in the grass"},
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
    with metric.meteor() as scorer:  # one JVM for both: its start reads a table for 6 seconds
        meteor = scorer.compute_score(truth, said)
        monkeypatch.setattr(metric, "meteor", lambda: contextlib.nullcontext(scorer))
        metrics, each = metric.evaluate(PREDICTIONS, metric.tokenized(REFERENCES))
    expected = {f"BLEU-{n}": 100 * value for n, value in enumerate(bleu, 1)}
    expected |= {"METEOR": 100 * meteor[0], "ROUGE_L": 100 * rouge[0], "CIDEr": 100 * cider[0]}
    assert metrics == expected
    assert list(each["CIDEr"].values()) == [100 * value for value in cider[1]]
    assert list(each["METEOR"].values()) == [100 * value for value in meteor[1]]
    assert scorer.meteor_p.poll() is not None


def test_a_caption_is_missing():
    with pytest.raises(UserError, match=r"image 7 has no caption \(2 without one\)"):
        metric.one_each(PREDICTIONS[:1], REFERENCES)


def test_two_captions_for_one_image():
    with pytest.raises(UserError, match="image 42 has more than one caption"):
        metric.one_each([*PREDICTIONS, PREDICTIONS[0]], REFERENCES)


def test_an_unknown_image():
    with pytest.raises(UserError, match="image 8 is not in the test set"):
        metric.one_each([*PREDICTIONS, {"image_id": 8, "caption": "a"}], REFERENCES)


def test_captions_come_in_the_order_of_the_references():
    assert list(metric.one_each(PREDICTIONS, REFERENCES)) == [7, 3, 42]


def test_meteor_is_closed_when_its_jvm_dies():
    with pytest.raises(RuntimeError, match="METEOR's JVM failed"), metric.meteor() as scorer:
        scorer.meteor_p.kill()
        scorer.compute_score({1: ["a"]}, {1: ["a"]})
    assert scorer.meteor_p.poll() is not None


@pytest.mark.usefixtures("no_meteor")
def test_an_empty_caption_scores_nothing():
    tokens = metric.tokenized(REFERENCES)
    metrics, each = metric.evaluate([{**p, "caption": "..."} for p in PREDICTIONS], tokens)
    assert metrics["CIDEr"] == metrics["ROUGE_L"] == each["CIDEr"][7] == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "cannot be read as JSON"),
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
def test_the_door_prints_the_metrics(coco, tmp_path, monkeypatch, capsys):
    references = metric.references(coco.check)
    predictions = [{"image_id": i, "caption": captions[0]} for i, captions in references.items()]
    (tmp_path / "p.json").write_text(json.dumps(predictions))
    arguments = ["evaluate", "--predictions", str(tmp_path / "p.json"), "--data", str(coco.check)]
    monkeypatch.setattr("sys.argv", arguments)
    evaluate.main()
    metrics, _ = metric.evaluate(predictions, references)
    assert json.loads(capsys.readouterr().out) == metrics
    assert metrics["BLEU-4"] == pytest.approx(100)
