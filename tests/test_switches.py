"""Law 7: a switch of a recipe means the same in one process and in several. One step of every task under every switch
is taken in both, and what it trained is counted."""

import contextlib
import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from backbones.backbone import publish_untrained
from captioning import feature_cache, metric, vocabulary
from tests import switches
from tests.captioning.conftest import NoMeteor
from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import read_json

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[1]
NAMES = [switches.name(*case) for case in switches.CASES]


@pytest.fixture(scope="module")
def inputs(imagenet, voc, coco, tmp_path_factory) -> dict[str, str]:
    """The data of all tasks, a backbone, and what NIC makes of it."""
    folder = tmp_path_factory.mktemp("inputs")
    paths = {key: folder / key for key in ("features", "vocabulary", "backbone.safetensors")}
    run = switches.run_of("nic_coco", {})
    for key in ("features", "vocabulary"):
        paths[key].mkdir()
    publish_untrained(paths["backbone.safetensors"], "resnet50")
    feature_cache.make(run, paths["backbone.safetensors"], coco.check, paths["features"])
    vocabulary.make(DatasetInfo.read(coco.check), run.recipe["min_word_count"], paths["vocabulary"])
    checks = {key: each.check for key, each in (("imagenet", imagenet), ("voc", voc), ("coco", coco))}
    return {key.split(".")[0]: str(path) for key, path in (paths | checks).items()}


@pytest.fixture(scope="module")
def one(inputs, tmp_path_factory) -> dict[str, dict]:
    """Counted in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metric, "meteor", lambda captions: contextlib.nullcontext(NoMeteor()))
        return switches.census(inputs, tmp_path_factory.mktemp("one"))


@pytest.fixture(scope="module")
def two(inputs, tmp_path_factory) -> dict[str, dict]:
    """Counted in two processes."""
    out = tmp_path_factory.mktemp("two")
    run = dataclasses.replace(switches.run_of("ssd_voc", {}), gpus=2).as_dict()
    call = [sys.executable, "-m", "workflow.training.distributed.launch", "tests.switches", "--out", str(out)]
    call += ["--run-spec", json.dumps(run), "--inputs", json.dumps(inputs)]
    done = subprocess.run(call, cwd=PROJECT, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return read_json(out / "found.json")


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_train_what_one_does(one, two, name):
    for what, found in one[name].items():
        assert two[name][what] == found, what


@pytest.mark.parametrize("name", NAMES)
def test_the_switch_does_what_it_says(one, name):
    found, train = one[name], "freeze_bn=False" in name
    floats = {"torch.bfloat16" if "bf16" in name else "torch.float32"}
    if name.startswith("nic_coco"):  # the search of captions is in fp32 in either precision
        encoder = floats if "finetune_encoder=True" in name else set()
        assert (set(found["step"]), set(found["test"])) == (floats, encoder | {"torch.float32"})
        norms = ["image.1"]  # the one behind the image's embedding always learns
    else:
        assert set(found["step"]) == set(found["test"]) == floats
        norms = found["norms"] if train or name.startswith("pretrain") else []
    stages = int(name.split("frozen_stages=")[1].split()[0]) if "frozen_stages" in name else -1
    frozen = [*(["conv1", "bn1"] if stages >= 0 else []), *(f"layer{n}" for n in range(1, stages + 1))]
    free = [key for key in norms if key.removeprefix("backbone.network.").split(".")[0] not in frozen]
    assert found["statistics"] == sorted(f"{key}.running_{what}" for key in free for what in ("mean", "var"))
    assert set(free) == set(found["norms"]) & set(found["training"])
    weights = {key.rpartition(".")[0] for key in found["trainable"]}
    if not name.startswith("nic_coco"):
        assert set(free) == set(found["norms"]) & weights
    for part in frozen:
        assert not [key for key in found["trainable"] + found["weights"] if key.startswith(f"backbone.network.{part}.")]
    assert found["weights"]
    assert set(found["weights"]) <= set(found["trainable"])
