"""Captioning at COCO's sizes: an epoch of NIC on cached features, the making of the features, the beam search."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS
from PIL import Image
from torch.nn.utils.rnn import pad_sequence

from backbones.backbone import IMAGENET, publish_untrained
from captioning import feature_cache, train
from captioning.dataset import places_of_words
from captioning.encoder import Encoder
from captioning.model import NIC
from captioning.vocabulary import PAD, SPECIAL
from tests.bench import _captions as made
from tests.bench.references import captioning as reference
from tests.bench.row import REPEATS, Measured, Row, in_turn, seconds
from workflow import registry
from workflow.core.dataset_info import DatasetInfo
from workflow.data import coco
from workflow.planning.run_spec import RunSpec
from workflow.training.cpu_convs import channels_last
from workflow.training.engine import fit
from workflow.training.hooks import autocast

WORDS = made.WORDS + len(SPECIAL)
STEPS, THEIR_STEPS = 100, 2  # of 20 captions
IMAGES, EVERY = 100, 25  # of a beam search; the reference's are every 25th of them
THREADS = 2


def a_run(**changes: object) -> RunSpec:
    """The paper's recipe on `THREADS` cores."""
    torch.set_num_threads(THREADS)
    recipe = made.RECIPE | changes
    return RunSpec(
        "nic_coco", "baseline", {"pretrain": 0, "transfer": 0}, recipe, data={}, threads=THREADS, workers=0, gpus=0
    )


@METRICS.register_module()
class Unscored(BaseMetric):
    """The benchmark trains and does not ask how well."""

    def process(self, data_batch: object, data_samples: object) -> None:
        """One batch."""
        self.results.append(None)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """All of them."""
        return {}


def our_epoch(folder: Path, check: Path, run: RunSpec) -> float:
    """Seconds a caption of `STEPS` iterations of a run as `captioning.train` sets it up."""
    publish_untrained(folder / "backbone.safetensors", "resnet50")
    task = train.task(
        run, check, folder / "backbone.safetensors", folder / "features", folder / "words", folder / "state"
    )
    done = fit(run, task | {"val_evaluator": {"type": "Unscored"}}, made.CAPTIONS * 1000, folder / "state")
    for file in (folder / "state").glob("*.pth"):
        file.unlink()
    return done.seconds / (STEPS * run.recipe["batch_size"])


def epoch() -> Measured:
    """Captions a second, in training time alone, in turn."""
    with tempfile.TemporaryDirectory() as name:
        folder, run = Path(name), a_run(iterations=STEPS, beam_size=1)
        check = made.coco(folder / "coco", train=50, test=4)
        made.features(folder / "features", train=1000, test=4, views=run.recipe["num_views"])
        made.language(folder / "words", images=1000)
        (folder / "state").mkdir()
        captions = made.sentences(5000)
        theirs = reference.Training(resized(check, folder), captions, run.recipe, WORDS)
        each = THEIR_STEPS * run.recipe["batch_size"]
        our_epoch(folder, check, run), theirs.steps(1)
        pairs = [
            (our_epoch(folder, check, run), seconds(partial(theirs.steps, THEIR_STEPS)) / each) for _ in range(REPEATS)
        ]
    return Measured.of(pairs, 1)


def resized(check: Path, folder: Path) -> list[Path]:
    """The training photos squashed to 256 × 256 on disk, once, as the tutorial begins."""
    images = coco.read(DatasetInfo.read(check), "train")
    for image in images:
        Image.open(image.path).convert("RGB").resize((256, 256)).save(folder / f"{image.image_id}.jpg", quality=95)
    return [folder / f"{image.image_id}.jpg" for image in images]


def features() -> Measured:
    """Views a second of a slice of COCO 2014: twice as many training photos, of ten views, as test photos, of one."""
    run, encoder = a_run(), channels_last(Encoder(IMAGENET, registry.networks()["resnet50"]))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        check = DatasetInfo.read(made.coco(folder / "coco", train=12, test=6))
        splits = {
            split: feature_cache.Views(coco.read(check, split), split, run.recipe, 2048) for split in ("train", "test")
        }
        batches = [batch for views in splits.values() for batch in torch.cat([*views]).split(feature_cache.BATCH)]

        def ours() -> None:
            for split, views in splits.items():
                feature_cache.fill(folder / f"{split}.npy", encoder, views, run)

        def bare() -> None:
            with torch.inference_mode(), autocast(run.recipe["precision"]):
                for batch in batches:
                    encoder(batch)

        return in_turn(ours, bare, units=sum(map(len, batches)))


def speaker(folder: Path) -> NIC:
    """A captioner that has learned made captions for 100 iterations."""
    made.language(folder, images=1)
    sizes = {key: made.RECIPE[key] for key in ("embed_size", "hidden_size", "dropout", "beam", "max_length")}
    torch.manual_seed(0)
    model = NIC(str(folder / "vocabulary.json"), "resnet50", **sizes)
    model.init_weights()
    optimizer = torch.optim.Adam(model.train().parameters(), lr=5e-3, fused=True)
    for batch in np.array_split(np.array(made.sentences(4000), dtype=object), 100):
        tokens = pad_sequence([torch.from_numpy(one.astype(np.int64)) for one in batch], True, PAD)
        with autocast("bf16"):
            loss = model(torch.randn(len(batch), 2048).abs(), tokens, places_of_words(tokens), mode="loss")["loss"]
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model.eval()


def beam() -> Measured:
    """Images a second; both sides say the same wherever the textbook's beam does not lose the better sentence."""
    run = a_run()
    with tempfile.TemporaryDirectory() as name:
        model = speaker(Path(name))
    with torch.no_grad():
        images = model(torch.randn(IMAGES, 2048).abs())
    width, longest = run.recipe["beam"], run.recipe["max_length"]
    said: dict[str, list] = {}

    def ours() -> None:
        with torch.no_grad():
            said["ours"] = [model.say(batch) for batch in images.split(50)]

    def theirs() -> None:
        said["theirs"] = [reference.beam_search(model, image, width, longest) for image in images[::EVERY]]

    measured = of_different_sizes(ours, theirs)
    tokens, scores = (torch.cat(part) for part in zip(*said["ours"], strict=True))
    for row, hypothesis in zip(range(0, IMAGES, EVERY), said["theirs"], strict=True):
        assert scores[row] > hypothesis.score - 1e-3
        words = hypothesis.words[1:]
        assert tokens[row, : len(words)].tolist() == words or scores[row] > hypothesis.score
    return measured


def of_different_sizes(ours: Callable[[], None], theirs: Callable[[], None]) -> Measured:
    """Images a second of two searches in turn: theirs gets fewer images."""
    ours(), theirs()
    return Measured.of([(seconds(ours), seconds(theirs) * EVERY) for _ in range(REPEATS)], IMAGES)


ROWS = [
    Row(
        name="nic_epoch",
        what="NIC, an epoch after the first, frozen encoder",
        reference="the encoder run again for each caption, fp32",
        unit="captions/s",
        target=50,
        measure=epoch,
        loads=True,
    ),
    Row(
        name="features",
        what="features of COCO photos, decoding included",
        reference="the bare encoder on batches in memory",
        unit="views/s",
        target=0.9,
        measure=features,
        loads=True,
    ),
    Row(
        name="beam",
        what="beam search, 100 images, width 20, 10,000 words",
        reference="one LSTM step per hypothesis, on 4 of the 100",
        unit="images/s",
        target=10,
        measure=beam,
    ),
]
