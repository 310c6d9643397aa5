"""A kept network says of a test image what its run's evaluation said."""

import contextlib
import sys
from dataclasses import replace

import pytest

from backbones.backbone import publish_untrained
from captioning import feature_cache, metric
from captioning.cli import main
from captioning.encoder import Encoder
from captioning.model import NIC, TEST_BATCH
from captioning.train import train
from tests.captioning.conftest import NoMeteor
from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import read_json
from workflow.data import coco as coco_set


@pytest.fixture(scope="module", params=[False, True], ids=["frozen", "fine-tuned"])
def trained(request, coco, artifacts, run, tmp_path_factory):
    """Folder of a short run that kept its network."""
    folder, recipe = tmp_path_factory.mktemp("kept"), run.recipe | {"finetune_encoder": request.param, "epochs": 1}
    publish_untrained(folder / "backbone.safetensors", "resnet18")
    run = replace(run, recipe=recipe | {"precision": "bf16"}, keep_network=True)
    if not request.param:
        feature_cache.make(run, folder / "backbone.safetensors", coco.check, folder / "features")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metric, "meteor", lambda captions: contextlib.nullcontext(NoMeteor()))
        given = folder / "backbone.safetensors", folder / "features", artifacts.vocabulary, coco.check
        train(run, *given, folder / "state", folder / "out")
    return folder / "out"


def watch(monkeypatch, part, sizes):
    """Note the number of images that an encoder gets, or of those that are described."""
    name = "say" if part is NIC else "forward"
    method = getattr(part, name)
    monkeypatch.setattr(part, name, lambda self, images: sizes.append(len(images)) or method(self, images))


def describe(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["captioning", "describe", *map(str, words)])
    main()
    return capsys.readouterr()


def test_a_test_image_has_the_evaluation_s_caption(trained, coco, tmp_path, monkeypatch, capsys):
    sizes = []
    for part in (Encoder, NIC):
        watch(monkeypatch, part, sizes)
    images = coco_set.read(DatasetInfo.read(coco.check), "test")
    expected = {one["image_id"]: one["caption"] for one in read_json(trained / "predictions.json")}
    chosen = [images[3], images[0]]
    paths = [image.path for image in chosen]
    printed = describe(monkeypatch, capsys, "--run", trained, *paths, "--out", tmp_path / "captions.json")
    captions = [expected[image.image_id] for image in chosen]
    assert printed.out.splitlines() == [f"{path}: {text}" for path, text in zip(paths, captions, strict=True)]
    assert "2 photos, " in printed.err
    assert sizes in ([feature_cache.BATCH, TEST_BATCH], [TEST_BATCH] * 2), "batches of the evaluation's size"
    found = read_json(tmp_path / "captions.json")
    assert found == [{"image_id": n, "caption": text, "file_name": str(path)}
                     for n, (path, text) in enumerate(zip(paths, captions, strict=True), start=1)]  # fmt: skip
