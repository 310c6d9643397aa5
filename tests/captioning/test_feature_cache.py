"""Features of the frozen encoder: computed once, by the published backbone, and refused where they do not fit."""

import json
import os
import re
import shutil
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torchvision.models import resnet50

from backbones.backbone import IMAGENET, Preprocessing, load_backbone, load_weights, save_backbone
from captioning import feature_cache
from captioning.cli import main
from captioning.encoder import Encoder, centre_view, load, random_view
from workflow import registry
from workflow.core import code_hash
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.core.files import read_json
from workflow.data import coco as coco_set
from workflow.training import shared_artifact
from workflow.training.machine import machine
from workflow.training.resume.checkpointing import lock
from workflow.training.shared_artifact import read_array

RESNET50 = registry.networks()["resnet50"]


def run_of(run, **changes):
    return replace(run, recipe={**run.recipe, **changes})


def make(run, artifacts, out):
    feature_cache.make(run, artifacts.backbone, artifacts.check, out)
    return (
        read_array(out, "train"),
        read_array(out, "test"),
        read_json(out / "index.json"),
    )


def test_shapes_and_rows(artifacts):
    train, test = (
        read_array(artifacts.features, "train"),
        read_array(artifacts.features, "test"),
    )
    check, index = DatasetInfo.read(artifacts.check), read_json(artifacts.features / "index.json")
    assert train.shape == (12, 2, 2048)
    assert test.shape == (6, 1, 2048)
    for split in ("train", "test"):
        assert index[split] == [image.image_id for image in coco_set.read(check, split)]


def test_each_view_is_encoded_once(artifacts, run, tmp_path, monkeypatch):
    seen, forward = [], Encoder.forward
    monkeypatch.setattr(Encoder, "forward", lambda self, x: seen.append(len(x)) or forward(self, x))
    make(run, artifacts, tmp_path)
    assert seen == [feature_cache.BATCH] * 2, "24 and 6 views, filled up: a view's bits depend on the size of its batch"


def test_views_differ_and_their_number_is_a_switch(artifacts, run, tmp_path):
    train, _, _ = make(run_of(run, num_views=3), artifacts, tmp_path)
    assert train.shape[1] == 3
    assert all(len(np.unique(views, axis=0)) == 3 for views in train)
    # The same views come first: their draws follow from image and view alone.
    np.testing.assert_allclose(train[:, :2], read_array(artifacts.features, "train"), rtol=2e-2, atol=1e-3)


def test_a_view_is_cropped_by_its_image_and_number_and_by_nothing_else(artifacts, run, monkeypatch):
    """Of photos whose pixels are their places: crops of several images lie elsewhere, in whatever order they come."""
    places = torch.stack([*torch.meshgrid(torch.arange(40), torch.arange(40), indexing="ij"), torch.zeros(40, 40)])
    monkeypatch.setattr(feature_cache, "load", lambda path, resize: places.to(torch.uint8))
    samples = coco_set.read(DatasetInfo.read(artifacts.check), "train")
    views = feature_cache.Views(samples, "train", run.recipe, 2048)
    found, other = (
        list(map(views.__getitem__, range(12))),
        feature_cache.Views(samples[::-1], "train", run.recipe, 2048),
    )
    assert len({tuple(view.amin((1, 2)).tolist()) for several in found for view in several}) > 12
    assert all(torch.equal(one, other[11 - row]) for row, one in enumerate(found))


def test_views_do_not_depend_on_the_transfer_seed(artifacts, run, tmp_path):
    other = replace(run, seeds={"pretrain": 0, "transfer": 5})
    assert np.array_equal(make(other, artifacts, tmp_path)[0], read_array(artifacts.features, "train"))


@pytest.mark.parametrize(("key", "value"), [("crop_size", 24), ("resize_size", 48)])
def test_size_switches_change_the_features(artifacts, run, tmp_path, key, value):
    assert not np.allclose(
        make(run_of(run, **{key: value}), artifacts, tmp_path)[1],
        read_array(artifacts.features, "test"),
    )


def test_bf16_is_near_fp32(artifacts, run, tmp_path):
    test, full = (
        make(run_of(run, precision="bf16"), artifacts, tmp_path)[1],
        read_array(artifacts.features, "test"),
    )
    assert not np.array_equal(test, full)
    assert np.abs(test - full).max() < 0.1 * np.abs(full).max()


def test_features_equal_torchvision(artifacts):
    """One photo through our preprocessing and encoder, and through Pillow and torchvision's network by hand."""
    image = coco_set.read(DatasetInfo.read(artifacts.check), "test")[0]
    network = resnet50(weights=None)
    network.load_state_dict(load_file(artifacts.backbone))
    network.fc = torch.nn.Identity()
    pixels = np.asarray(Image.open(image.path).convert("RGB").resize((40, 40), Image.Resampling.BILINEAR))
    photo = pixels.transpose(2, 0, 1)[:, 4:36, 4:36] / 255
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    photo = (photo - mean[:, None, None]) / std[:, None, None]
    with torch.inference_mode():
        expected = network.eval()(torch.tensor(photo, dtype=torch.float32)[None])
        encoder = Encoder(load_weights(artifacts.backbone)[1], RESNET50)
        load_backbone(artifacts.backbone, encoder.network)
        found = encoder(load(image.path, 40)[None, :, 4:36, 4:36])
    assert torch.allclose(found, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(read_array(artifacts.features, "test")[0], found.numpy(), rtol=1e-3, atol=1e-4)


def test_a_bgr_backbone_sees_bgr(artifacts, run, tmp_path):
    caffe = Preprocessing("BGR", (103.53, 116.28, 123.675), (1.0, 1.0, 1.0))
    photo = torch.randint(0, 256, (1, 3, 8, 8), dtype=torch.uint8)
    mean = torch.tensor(caffe.mean).view(3, 1, 1)
    assert torch.equal(Encoder(caffe, RESNET50).prepare(photo), photo[:, [2, 1, 0]] - mean)
    save_backbone(tmp_path / "bgr.safetensors", load_weights(artifacts.backbone)[0], caffe, "resnet50")
    feature_cache.make(run, tmp_path / "bgr.safetensors", artifacts.check, tmp_path)
    assert not np.allclose(read_array(tmp_path, "test"), read_array(artifacts.features, "test"), rtol=0.1)


def test_the_stride_is_the_backbones(artifacts, run, tmp_path):
    save_backbone(tmp_path / "caffe.safetensors", load_weights(artifacts.backbone)[0], IMAGENET, "resnet50", "1x1")
    feature_cache.make(run, tmp_path / "caffe.safetensors", artifacts.check, tmp_path)
    encoder = Encoder(IMAGENET, RESNET50, "1x1")
    load_backbone(tmp_path / "caffe.safetensors", encoder.network)
    image = coco_set.read(DatasetInfo.read(artifacts.check), "test")[0]
    with torch.inference_mode():
        found = encoder(load(image.path, 40)[None, :, 4:36, 4:36])
    np.testing.assert_allclose(read_array(tmp_path, "test")[0], found.numpy(), rtol=1e-3, atol=1e-4)
    assert not np.allclose(read_array(tmp_path, "test"), read_array(artifacts.features, "test"), rtol=0.1)


def test_features_that_float16_cannot_hold_are_refused(artifacts, run, tmp_path):
    weights = {
        key: 50 * value if "weight" in key else value for key, value in load_weights(artifacts.backbone)[0].items()
    }
    save_backbone(tmp_path / "loud.safetensors", weights, IMAGENET, "resnet50")
    with pytest.raises(UserError, match="leave float16's range"):
        feature_cache.make(run, tmp_path / "loud.safetensors", artifacts.check, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_verify_names_what_differs(artifacts, run, tmp_path):
    check = DatasetInfo.read(artifacts.check)
    feature_cache.verify(artifacts.features, run, check, artifacts.backbone)
    with pytest.raises(UserError, match=r"index.json: made with num_views 2, but this run has 5"):
        feature_cache.verify(artifacts.features, run_of(run, num_views=5), check, artifacts.backbone)
    with pytest.raises(UserError, match=r"index.json: made with data .*, but this run has other"):
        feature_cache.verify(artifacts.features, run, replace(check, fingerprint="other"), artifacts.backbone)
    with pytest.raises(UserError, match=r"index.json is missing"):
        feature_cache.verify(tmp_path, run, check, artifacts.backbone)


@pytest.mark.parametrize("name", ["index.json", "train.npy", "test.npy"])
@pytest.mark.parametrize("harm", ["bit", "zeros", "cut", "gone"])
def test_what_is_damaged_is_refused_in_one_line(harm, name, artifacts, run, tmp_path):
    folder = shutil.copytree(artifacts.features, tmp_path / "features")
    file, content = folder / name, bytearray((folder / name).read_bytes())
    stamps = file.stat()
    middle = len(content) // 2
    if harm == "bit":
        content[middle] ^= 1
    elif harm == "zeros":
        content[middle : middle + 4096] = bytes(4096)
    else:
        del content[middle:]
    file.write_bytes(content)
    os.utime(file, ns=(stamps.st_atime_ns, stamps.st_mtime_ns))
    if harm == "gone":
        file.unlink()
    with pytest.raises(UserError, match=f"^{re.escape(str(file))}[: ].*$"):
        feature_cache.verify(folder, run, DatasetInfo.read(artifacts.check), artifacts.backbone)


def test_by_what_they_were_made_is_recorded_and_what_differs_named(artifacts, run, tmp_path, monkeypatch):
    index = feature_cache.verify(artifacts.features, run, DatasetInfo.read(artifacts.check), artifacts.backbone)
    assert index["made_with"]["code"]["captioning/encoder.py"] == code_hash.now(
        code_hash.PROJECT / "captioning/encoder.py"
    )
    assert index["made_with"]["libraries"] == code_hash.libraries()
    assert shared_artifact.differences(artifacts.features, index) == []
    made_with = json.loads(json.dumps(index["made_with"]))
    made_with["code"]["captioning/encoder.py"] = "another"
    made_with["libraries"]["torch"], made_with["machine"]["cpu"] = "2.0", "another CPU"
    made_with["machine"]["threads"] = 64
    assert shared_artifact.differences(artifacts.features, index | {"made_with": made_with}) == [
        f"{artifacts.features}: made by another captioning/encoder.py",
        f"{artifacts.features}: made with torch 2.0, this run has {code_hash.libraries()['torch']}",
        f"{artifacts.features}: made with cpu another CPU, this run has {machine(1).cpu}",
    ]
    folder = shutil.copytree(artifacts.features, tmp_path / "features")
    (folder / "index.json").unlink()
    assert shared_artifact.differences(folder, index) == [f"{folder} has changed since it was loaded"]


def test_the_door(artifacts, run, tmp_path, monkeypatch):
    arguments = {
        "--run-spec": json.dumps(run.as_dict()),
        "--backbone": artifacts.backbone,
        "--dataset-info": artifacts.check,
    }
    words = [str(word) for pair in {**arguments, "--out": tmp_path}.items() for word in pair]
    monkeypatch.setattr("sys.argv", ["captioning", "features", *words])
    main()
    assert np.array_equal(read_array(tmp_path, "train"), read_array(artifacts.features, "train"))


def test_whoever_waited_for_the_same_features_computes_none(artifacts, run, tmp_path, monkeypatch, capsys):
    """Another process holds the folder, and leaves what `made` has."""
    out, holds = tmp_path / "features", threading.Event()
    pairs = {
        "--run-spec": json.dumps(run.as_dict()),
        "--backbone": artifacts.backbone,
        "--dataset-info": artifacts.check,
        "--out": out,
    }
    monkeypatch.setattr("sys.argv", ["captioning", "features", *(str(word) for pair in pairs.items() for word in pair)])
    monkeypatch.setattr(feature_cache, "make", lambda *args: pytest.fail("computed again"))

    def publish():
        with lock(out.resolve()):
            holds.set()
            time.sleep(1)
            shutil.copytree(artifacts.features, out)

    first = threading.Thread(target=publish)
    first.start()
    holds.wait()
    main()
    first.join()
    assert f"{out}: another process has made it meanwhile" in capsys.readouterr().out


def test_a_random_view_lies_anywhere_and_is_mirrored_half_the_time():
    """Each of the 3 x 3 places of a crop of 6 in 8 pixels comes up, mirrored or not; the centre is the middle one."""
    image = torch.arange(64).view(1, 8, 8).expand(3, 8, 8)
    views = [random_view(image, 6, np.random.default_rng(seed)) for seed in range(600)]
    corners = [(int(view.min()), bool(view[0, 0, 0] > view[0, 0, 1])) for view in views]
    assert {*corners} == {(8 * top + left, mirrored) for top in range(3) for left in range(3) for mirrored in (0, 1)}
    assert np.mean([mirrored for _, mirrored in corners]) == pytest.approx(0.5, abs=0.09)
    assert all(view.shape == (3, 6, 6) for view in views)
    assert torch.equal(centre_view(image, 6), image[:, 1:7, 1:7])
