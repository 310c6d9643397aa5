"""What training a captioner costs here, and features where the encoder is frozen (workflow/planning/cost.py)."""

from pathlib import Path

import torch

import captioning.dataset
import captioning.metric
import captioning.model  # noqa: F401 (registers)
from backbones.backbone import load_backbone, load_weights, network_of, publish_untrained
from captioning import feature_cache, vocabulary
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
    if not run.recipe["finetune_encoder"]:
        feature_cache.make(run, backbone, check_file, out / "features")
        seconds["features"] = view_seconds(run, backbone, check)
    _, samples = vocabulary.make(check, 1, state)
    words = vocabulary.Vocabulary.load(state / "vocabulary.json").words
    if "synthetic" not in run.data:  # the drawn sentences have fewer words than COCO's
        more = [f"word {n}" for n in range(len(words), WORDS)]
        vocabulary.Vocabulary(words + more).save(state / "vocabulary.json")
    start = (lambda model: load_backbone(backbone, model.encoder.network)) if run.recipe["finetune_encoder"] else None
    config = task(run, check_file, backbone, out / "features", state, state)
    return seconds | timing.measure(run, config, samples, state, start)


def view_seconds(run: RunSpec, backbone: Path, check: DatasetInfo) -> float:
    """Seconds of a view, decoding included: of the training images, the first batch left out."""
    network = network_of(backbone)
    encoder = Encoder(load_weights(backbone)[1], network)
    load_backbone(backbone, encoder.network)
    channels_last(encoder.to("cuda" if torch.cuda.is_available() else "cpu"))
    views = Views(coco.read(check, "train"), "train", run.recipe, network.features)
    ends = [(timing.now(), len(batch)) for batch in encoded(encoder, views, run)]
    return (ends[-1][0] - ends[0][0]) / (sum(images for _, images in ends[1:]) * run.recipe["num_views"])
