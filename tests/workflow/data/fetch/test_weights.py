"""Weights that timm and torchvision publish come whole to their folder, with what the library says of them; or one line
says why not."""

import dataclasses
import hashlib
import os
import subprocess
import sys

import pytest
import timm
from torchvision import models

from tests.conftest import PROJECT
from tests.workflow.data.conftest import hub_files
from workflow.config.library_weights import library_weights
from workflow.core.errors import UserError
from workflow.core.files import read_json
from workflow.data.fetch.download import RetryPolicy
from workflow.data.fetch.weights import download_weights, fetch, main, of_timm, of_torchvision

HASTE = RetryPolicy(timeout=1, tries=2, wait=0.01)
BYTES = os.urandom(50_000)
DIGEST = hashlib.sha256(BYTES).hexdigest()
ATTO = "timm/convnext_atto.d2_in1k"


@pytest.fixture
def hub(server, tmp_path, monkeypatch):
    """A server with one of timm's weights, as the hub has it; what is fetched lies below tmp_path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    server.files |= hub_files(ATTO, BYTES)
    return server


def test_timms_weights_come_from_the_hub_and_once(hub, tmp_path):
    weights = library_weights("timm:convnext_atto")
    hub.faults = [{}, {"cut": 20_000}]
    note = fetch(weights, HASTE)
    folder = tmp_path / "data/weights/timm/convnext_atto"
    assert sorted(path.name for path in folder.iterdir()) == ["fetched.json", "model.safetensors"]
    assert (folder / "model.safetensors").read_bytes() == BYTES
    assert note == read_json(weights.note) == weights.fetched()
    assert note == {
        "weights": "timm:convnext_atto.d2_in1k",
        "file": "model.safetensors",
        "url": f"{hub.url}/{ATTO}/resolve/main/model.safetensors",
        "sha256": DIGEST,
        "published_sha256": DIGEST,
        "preprocessing": {"channel_order": "RGB", "mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]},
    }
    assert [ranges for _, ranges in hub.asked] == [None, None, "bytes=20000-"]
    assert fetch(weights, HASTE) == note
    assert len(hub.asked) == 3
    (folder / "model.safetensors").unlink()
    assert not weights.fetched()
    assert fetch(weights, HASTE) == note


def test_another_file_than_the_published_one_is_refused_and_removed(hub, tmp_path):
    hub.files[f"{ATTO}/resolve/main/model.safetensors"] = BYTES[:-1] + bytes([BYTES[-1] ^ 1])
    with pytest.raises(UserError, match=rf"not the published file: its sha256 is \w+, and must begin with {DIGEST}"):
        fetch(library_weights("timm:convnext_atto"), HASTE)
    assert not list((tmp_path / "data/weights/timm/convnext_atto").iterdir())
    hub.files[f"{ATTO}/raw/main/model.safetensors"] = b"<html>"
    with pytest.raises(UserError, match=r"raw/main/model\.safetensors: not a Git LFS pointer"):
        fetch(library_weights("timm:convnext_atto"), HASTE)
    del hub.files[f"{ATTO}/raw/main/model.safetensors"]
    with pytest.raises(UserError, match="the server answers 404 Not Found"):
        fetch(library_weights("timm:convnext_atto"), HASTE)


def test_torchvisions_weights_are_checked_by_the_hash_in_their_name(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    published, weights = of_torchvision("resnet18"), library_weights("torchvision:resnet18")
    assert published == of_torchvision("ResNet18_Weights.IMAGENET1K_V1")
    assert published.url == models.ResNet18_Weights.IMAGENET1K_V1.url
    name = f"resnet18-{DIGEST[:8]}.pth"
    server.files[name] = BYTES
    note = download_weights(weights, dataclasses.replace(published, url=f"{server.url}/{name}"), HASTE)
    assert (note["weights"], note["file"]) == ("torchvision:ResNet18_Weights.IMAGENET1K_V1", name)
    assert (note["sha256"], note["published_sha256"]) == (DIGEST, DIGEST[:8])
    server.files["resnet18-00000000.pth"] = BYTES
    with pytest.raises(UserError, match=r"not the published file: .* must begin with 00000000"):
        download_weights(weights, dataclasses.replace(published, url=f"{server.url}/resnet18-00000000.pth"), HASTE)


def test_mean_and_std_are_the_librarys():
    assert of_timm("mobilenetv3_small_050.lamb_in1k").mean == timm.get_pretrained_cfg("mobilenetv3_small_050").mean
    assert of_timm("vit_tiny_patch16_224.augreg_in21k").preprocessing["std"] == [127.5, 127.5, 127.5]
    assert of_timm("gcvit_tiny.in1k").pointer == "", "it is not on the hub"
    assert of_timm("gcvit_tiny.in1k").url.endswith("-ac783954.pth")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "timm:convnext_atto.d3_in1k",
            r"timm publishes no weights of this name; did you mean .*convnext_atto\.d2_in1k",
        ),
        ("timm:qqqq", r"checkpoint timm:qqqq: timm publishes no weights of this name$"),
        ("torchvision:resnet51", r"torchvision publishes no weights of this name; did you mean .*resnet50"),
        ("torchvision:ResNet50_Weights.IMAGENET1K_V3", "did you mean .*ResNet50_Weights.IMAGENET1K_V2"),
    ],
)
def test_a_name_that_the_library_does_not_have_is_said(name, message):
    with pytest.raises(UserError, match=message):
        fetch(library_weights(name))


def test_the_command_line(hub, tmp_path):
    call = [sys.executable, "-m", main.__module__, "timm:convnext_atto", "--times", "2", "--out", "r/x.json"]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert read_json(tmp_path / "r/x.json")["times"] == 2
    call[3] = "weights.pth"
    done = subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (1, "error: weights.pth: neither timm:NAME nor torchvision:NAME\n")
