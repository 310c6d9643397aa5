"""Captioning, whole, on drawn scenes: exact resume, the switches, the record."""

import contextlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from backbones.backbone import IMAGENET, save_backbone
from backbones.backbone import load_weights as read_backbone
from captioning import metric, train, vocabulary
from captioning.cli import main
from captioning.model import NIC
from tests.captioning.conftest import NoMeteor
from tests.checks import info
from tests.kills import survives
from tests.together import losses, trained
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.core.files import digest, read_json
from workflow.data import coco as coco_set
from workflow.training import engine
from workflow.training.resume import checkpointing as saving

pytestmark = pytest.mark.usefixtures("no_meteor")


def go(run, artifacts, folder, check=None):
    """Train through the door's function; returns the record and the predictions."""
    given = (artifacts.backbone, artifacts.features, artifacts.vocabulary, check or artifacts.check)
    train.train(run, *given, folder / "state", folder / "out")
    assert not (folder / "state").exists()
    return read_json(folder / "out/metrics.json"), read_json(folder / "out/predictions.json")


def curve(record):
    return record["history"]["points"], record["history"]["evaluations"], record["metrics"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where `finished` lies."""
    return tmp_path_factory.mktemp("finished")


@pytest.fixture(scope="module")
def finished(artifacts, run, folder):
    """The record and the predictions of an undisturbed run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metric, "meteor", lambda captions: contextlib.nullcontext(NoMeteor()))
        return go(run, artifacts, folder)


def test_record(finished, artifacts, run):
    record, predictions = finished
    assert set(record["metrics"]) == {"BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "METEOR", "ROUGE_L", "CIDEr"}
    assert record["protocol"]["encoder"] == "frozen"
    assert record["protocol"]["beam_size"] == 3
    assert record["protocol"]["preprocessing"]["channel_order"] == "RGB"
    for name, folder in (("features", artifacts.features), ("vocabulary", artifacts.vocabulary)):
        index = read_json(folder / "index.json")
        assert record["artifacts"][name] == {key: index[key] for key in ("files", "made_with")}
        assert record["provenance"][name] == digest(index["files"])
    assert record["provenance"]["changed"] == []
    assert record["best"]["CIDEr"] == max(e["CIDEr"] for e in record["history"]["evaluations"])
    assert [e["iteration"] for e in record["history"]["evaluations"]] == [6, 12]
    assert type(record["best"]["epoch"]) is int
    test = coco_set.read(DatasetInfo.read(artifacts.check), "test")
    assert sorted(p["image_id"] for p in predictions) == [image.image_id for image in test]


@pytest.mark.parametrize("finetune", [False, True])
def test_the_protocol_says_how_the_numbers_were_made(finetune, run):
    check = info(split="karpathy", counts={"train_images": 9, "test_images": 7})
    mean, std = IMAGENET.mean, IMAGENET.std
    views = "a fresh random view each time" if finetune else "2 random views an image"
    assert train.protocol(
        run.recipe | {"finetune_encoder": finetune}, check, IMAGENET, {"network": "resnet18", "stride": "1x1"}, 321
    ) == {
        "split": "karpathy: 7 test images",
        "input": f"squashed to 40, crop 32; {views}, a centre crop in the test",
        "encoder": "fine-tuned" if finetune else "frozen",
        "bn": "statistics frozen",
        "preprocessing": {"channel_order": "RGB", "mean": mean, "std": std},
        "network": "resnet18",
        "stride": "1x1",
        "beam_size": 3,
        "score": "sum of log-probabilities, no length normalisation",
        "vocabulary": "321 words seen 2 times or more in the training captions",
        "epoch": "last of 2",
    }


def test_the_best_epoch_is_the_first_of_the_highest_cider():
    evaluations = [
        {"iteration": 4 * n, "CIDEr": cider, "METEOR": 1.0} for n, cider in enumerate([1.0, 3.0, 3.0, 2.0], 1)
    ]
    assert train.best(evaluations, 4) == {"epoch": 2, "CIDEr": 3.0}


def test_scored_again_it_gives_the_same_numbers_and_evidence(
    finished, folder, artifacts, tmp_path, monkeypatch, capsys
):
    record, _ = finished
    words = ["--predictions", folder / "out/predictions.json", "--dataset-info", artifacts.check]
    monkeypatch.setattr("sys.argv", ["captioning", "evaluate", *map(str, [*words, "--evidence", tmp_path / "e.npz"])])
    main()
    assert json.loads(capsys.readouterr().out) == record["metrics"]
    assert (tmp_path / "e.npz").read_bytes() == (folder / "out/per_image.npz").read_bytes()
    assert sorted(file.name for file in (folder / "out").iterdir()) == [
        *("config.json", "metrics.json", "per_image.npz", "predictions.json", "vocabulary.json")
    ]


@pytest.mark.parametrize("killed_at", [1, 6, 9])
def test_killed_and_started_again_gives_the_same_bits(finished, artifacts, run, tmp_path, monkeypatch, killed_at):
    monkeypatch.setattr(saving, "SECONDS_BETWEEN_SAVES", 0.0)
    loss, calls = NIC.loss, []

    def mortal(self, *inputs):
        calls.append(1)
        if len(calls) == killed_at + 1:
            raise KeyboardInterrupt
        return loss(self, *inputs)

    monkeypatch.setattr(NIC, "loss", mortal)
    with pytest.raises(KeyboardInterrupt):
        go(run, artifacts, tmp_path)
    record, predictions = go(run, artifacts, tmp_path)
    assert len(calls) == 12 + 1  # nothing was trained twice
    assert curve(record) == curve(finished[0])
    assert predictions == finished[1]


def test_transfer_seed_changes_the_run(finished, artifacts, run, tmp_path):
    record, _ = go(replace(run, seeds={"pretrain": 0, "transfer": 1}), artifacts, tmp_path)
    assert curve(record)[0] != curve(finished[0])[0]


def test_vocabulary_is_of_the_training_captions_alone(artifacts, run, tmp_path):
    shutil.copytree(artifacts.root, tmp_path / "coco")
    file = tmp_path / "coco/annotations/captions_val2014.json"
    content = json.loads(file.read_text())
    for annotation in content["annotations"]:
        annotation["caption"] = "zebra zebra zebra"
    file.write_text(json.dumps(content))
    check = replace(DatasetInfo.read(artifacts.check), root=str(tmp_path / "coco"))
    check.write(tmp_path / "check.json")
    vocabulary.make(check, run.recipe["min_word_count"], tmp_path / "words")
    artifacts = replaced(artifacts, vocabulary=tmp_path / "words")
    record, _ = go(replace(run, recipe={**run.recipe, "epochs": 1}), artifacts, tmp_path, tmp_path / "check.json")
    words = read_json(tmp_path / "out/vocabulary.json")
    assert (tmp_path / "out/vocabulary.json").read_bytes() == (tmp_path / "words/vocabulary.json").read_bytes()
    said = {w for image in coco_set.read(check, "train") for c in image.captions for w in c.lower().split()}
    assert "zebra" not in words
    assert len(words) > 10
    assert set(words[4:]) <= {word.strip(".,:") for word in said}
    assert record["metrics"]["CIDEr"] == 0


def test_fine_tuning_trains_the_encoder_from_photos(finished, artifacts, run, tmp_path, monkeypatch):
    kept = {}
    fit = engine.fit
    monkeypatch.setattr("captioning.train.fit", lambda *a, **more: kept.setdefault("fit", fit(*a, **more)))
    tuned = replace(run, recipe={**run.recipe, "finetune_encoder": True, "epochs": 1, "batch_size": 20})
    save_backbone(tmp_path / "caffe.safetensors", read_backbone(artifacts.backbone)[0], IMAGENET, "resnet50", "1x1")
    artifacts = replaced(artifacts, backbone=tmp_path / "caffe.safetensors", features=tmp_path / "nowhere")
    record, _ = go(tuned, artifacts, tmp_path)
    before, _ = read_backbone(artifacts.backbone)
    after = kept["fit"].model.encoder.network.state_dict()
    moved = (after["conv1.weight"] - before["conv1.weight"]).abs().max().item()
    assert 2e-5 < moved <= 3.1e-5  # a hundredth of the rate, three steps of Adam
    assert torch.equal(after["bn1.running_mean"], before["bn1.running_mean"])
    assert (record["protocol"]["encoder"], record["protocol"]["stride"]) == ("fine-tuned", "1x1")
    config = train.task(tuned, artifacts.check, artifacts.backbone, None, tmp_path, tmp_path)
    assert config["model"]["stride"] == "1x1", "as a resumed run has it"
    assert config["val_dataloader"]["sampler"] == {"type": "DefaultSampler", "shuffle": False}


def replaced(artifacts, **changes):
    """The same data with another backbone, other features or another vocabulary."""
    return type(artifacts)(**{**vars(artifacts), **changes})


def test_features_of_another_recipe_are_refused(artifacts, run, tmp_path):
    with pytest.raises(UserError, match="made with num_views 2, but this run has 3"):
        go(replace(run, recipe={**run.recipe, "num_views": 3}), artifacts, tmp_path)
    assert "made with num_views 2" in (tmp_path / "state/error.txt").read_text()


def test_a_vocabulary_of_another_threshold_is_refused(artifacts, run, tmp_path):
    with pytest.raises(UserError, match=r"index.json: made with min_word_count 2, but this run has 3"):
        go(replace(run, recipe={**run.recipe, "min_word_count": 3}), artifacts, tmp_path)
    assert "made with min_word_count 2" in (tmp_path / "state/error.txt").read_text()


@pytest.mark.slow
def test_killed_in_each_of_its_phases(artifacts, run, tmp_path):
    """6 iterations of 10 captions, evaluated once; with METEOR, as this is a process of its own."""
    kills = [
        ["step", 2],  # inside an epoch: the state of before that step
        ["half", "*.pth", 2],  # inside a checkpoint
        ["half", "*-state/predictions.json", 1],  # in the evaluation, after step 5
        ["before", "*/killed/vocabulary.json", 1],
        ["half", "*/killed/predictions.json", 1],
        ["after", "*/killed/per_image.npz", 1],
        ["half", "*/killed/metrics.json", 1],
    ]
    told = json.dumps(replace(run, recipe={**run.recipe, "epochs": 1}).as_dict())
    words = [
        "--run-spec",
        told,
        "--backbone",
        artifacts.backbone,
        "--features",
        artifacts.features,
        "--dataset-info",
        artifacts.check,
    ]
    words += ["--vocabulary", artifacts.vocabulary]
    survives("captioning", tmp_path, kills, [2, 2, 5, 6, 6, 6, 6], 10, *words)


def test_features_on_a_full_disk_are_an_error_and_no_crash(artifacts, run, small_disk, tmp_path):
    words = [
        "--run-spec",
        json.dumps(run.as_dict()),
        "--backbone",
        artifacts.backbone,
        "--dataset-info",
        artifacts.check,
    ]
    call = [sys.executable, "-m", "captioning", "features", *words, "--out", tmp_path / "small/f"]
    done = subprocess.run(list(map(str, call)), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: no space left on the disk")
    assert not list((tmp_path / "small/f").iterdir())


@pytest.mark.slow
def test_two_processes_learn_what_one_does(run, artifacts, tmp_path):
    run = replace(run, recipe=run.recipe | {"dropout": 0.0})  # which each process draws for itself
    one, said = go(run, artifacts, tmp_path / "alone")
    paths = {
        "backbone": artifacts.backbone,
        "features": artifacts.features,
        "vocabulary": artifacts.vocabulary,
        "data": artifacts.check,
    }
    two = trained("captioning", run, tmp_path, **paths)
    assert losses(two) == pytest.approx(losses(one), rel=1e-4)
    assert read_json(tmp_path / "out/predictions.json") == said, "each test image once, in the same order"
    assert two["metrics"]["CIDEr"] == pytest.approx(one["metrics"]["CIDEr"])
