"""What training a captioner costs here, and features where the encoder is frozen (workflow/planning/cost.py)."""

from pathlib import Path

import torch

import captioning.dataset
import captioning.model  # noqa: F401 (registers)
from backbones.backbone import load_backbone, load_weights, network_of, publish_untrained
from captioning import feature_cache, metric, vocabulary
from captioning.encoder import Encoder
from captioning.feature_cache import Views, encoded
from captioning.train import task
from workflow.core.dataset_info import DatasetInfo
from workflow.data import coco
from workflow.planning.run_spec import RunSpec
from workflow.training import timing
from workflow.training.cpu_convs import channels_last

WORDS = 9956  # that train2014 says four times or more: the output layer has one place for each


def cost(run: RunSpec, check_file: Path, out: Path, network: str) -> dict[str, float]:
    """A short training, and before it the features that it needs."""
    check, state, backbone, seconds = DatasetInfo.read(check_file), out / "state", out / "backbone.safetensors", {}
    publish_untrained(backbone, network)
    begun = timing.now()
    seconds["score"], caption = scoring_seconds(check_file)
    if not run.recipe["finetune_encoder"]:
        feature_cache.make(run, backbone, check_file, out / "features")
        seconds["features"] = view_seconds(run, backbone, check)
    before = timing.now() - begun
    _, samples = vocabulary.make(check, 1, state)
    words = vocabulary.Vocabulary.load(state / "vocabulary.json").words
    if "synthetic" not in run.data:  # the drawn sentences have fewer words than COCO's
        more = [f"word {n}" for n in range(len(words), WORDS)]
        vocabulary.Vocabulary(words + more).save(state / "vocabulary.json")
    start = None
    if run.recipe["finetune_encoder"]:
        run = timing.few_images(run, run.recipe["crop_size"])
        start = lambda model: load_backbone(backbone, model.encoder.network)  # noqa: E731
    config = task(run, check_file, backbone, out / "features", state, state)
    measured = timing.measure(run, config, samples, state, start)
    more = {"image": measured["image"] + caption, "timed": measured["timed"] + before}
    return seconds | measured | more


def scoring_seconds(check_file: Path) -> tuple[float, float]:
    """Seconds of an evaluation's scoring, METEOR included: whatever its size, and of each caption, from the test images
    and from three times as many."""
    begun = timing.now()
    references = metric.references(check_file)
    ends, last = [timing.now()], max(references) + 1
    for times in (1, 3):
        several = {image + last * n: captions for n in range(times) for image, captions in references.items()}
        metric.evaluate([{"image_id": image, "caption": captions[0]} for image, captions in several.items()], several)
        ends.append(timing.now())
    tokenizing, once, thrice = ends[0] - begun, ends[1] - ends[0], ends[2] - ends[1]
    caption = max(thrice - once, 0) / (2 * len(references))
    return tokenizing + max(once - caption * len(references), 0), caption


def view_seconds(run: RunSpec, backbone: Path, check: DatasetInfo) -> float:
    """Seconds of a view, decoding included: of the training images, passed a second time. A batch comes when the next
    one is begun, so only all together are timed."""
    network = network_of(backbone)
    encoder = Encoder(load_weights(backbone)[1], network)
    load_backbone(backbone, encoder.network)
    channels_last(encoder.to("cuda" if torch.cuda.is_available() else "cpu"))
    views = Views(coco.read(check, "train"), "train", run.recipe, network.features)
    begun, passed = 0.0, 0
    for _ in range(2):
        begun = timing.now()
        passed = sum(len(batch) for batch in encoded(encoder, views, run)) * run.recipe["num_views"]
    return (timing.now() - begun) / passed
