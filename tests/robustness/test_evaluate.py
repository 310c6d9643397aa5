"""The four evaluations on drawn data: what they leave, how they resume, which networks they refuse."""

import numpy as np
import pytest
import torch

from backbones.backbone import IMAGENET, load_weights, save_backbone
from pretrain.evaluate import evaluate as pretrain_evaluate
from robustness.evaluate import evaluate
from robustness.task import TASKS
from tests.kills import results
from tests.robustness.conftest import run_spec
from tests.robustness.recipes import RECIPES, SIZES
from workflow.core.errors import UserError
from workflow.core.files import read_json
from workflow.reporting.statistics.bootstrap import resample
from workflow.reporting.statistics.per_image import read


@pytest.fixture(scope="module")
def evaluated(published, checks, tmp_path_factory):
    """Task to the folder of its finished run."""
    folder = tmp_path_factory.mktemp("runs")
    for task, recipe in RECIPES.items():
        evaluate(run_spec(task, recipe), published.path, checks[task], folder / f"{task}-state", folder / task)
    return {task: folder / task for task in RECIPES}


@pytest.mark.parametrize("task", [task for task in TASKS if task.name in RECIPES], ids=lambda task: task.name)
def test_the_report_resamples_what_a_run_leaves(evaluated, task):
    folder = evaluated[task.name]
    record = read_json(folder / "metrics.json")
    assert record["metrics"].keys() == {metric.name for metric in task.metrics}
    evidence = read(folder / "per_image.npz", task.resampling)
    draws = resample(evidence, 100)
    for name, value in record["metrics"].items():
        assert draws[name].point == pytest.approx(value)
        assert 0 <= value <= task.metric(name).maximum
    assert len(read_json(folder / "predictions.json")) == len(evidence.images)
    assert not list(folder.parent.glob(f"{task.name}-state")), "the parts are removed"


def test_the_clean_accuracy_is_that_of_pretraining(evaluated, published):
    recipe = {**SIZES, "batch_size": 12, "precision": "fp32"}
    expected = 100 - pretrain_evaluate(published.path, published.check, recipe, 1)["top1_error"]
    assert read_json(evaluated["robustness_imagenet"] / "metrics.json")["metrics"]["accuracy"] == expected == 100


def test_flags_are_in_the_order_of_the_images(evaluated):
    folder = evaluated["robustness_imagenet"]
    with np.load(folder / "per_image.npz") as arrays:
        predictions = read_json(folder / "predictions.json")
        assert [each["image"] for each in predictions] == arrays["images"].tolist()
        assert [100.0 * (each["fgsm"] == each["label"]) for each in predictions] == arrays["fgsm_accuracy"].tolist()
        assert all(name.startswith(f"n0000000{each['label'] + 1}/") for name, each in
                   zip(arrays["images"].tolist(), predictions, strict=True))  # fmt: skip


def test_other_images_are_told_among_their_classes_only(evaluated):
    for task, classes in (("imagenet_r", 3), ("imagenet_a", 2)):
        predictions = read_json(evaluated[task] / "predictions.json")
        assert {each["predicted"] for each in predictions} <= set(range(classes))


@pytest.mark.parametrize("task", ["robustness_imagenet", pytest.param("imagenet_c", marks=pytest.mark.slow)])
def test_an_ended_run_goes_on_with_the_same_bits(task, evaluated, published, checks, tmp_path, monkeypatch):
    """Ended inside a part; the parts before it are not computed again."""
    from robustness import blocks
    from workflow.training.resume.parts import FinishedParts

    monkeypatch.setattr(blocks, "BLOCK", 4)  # three blocks instead of one
    arguments = run_spec(task, RECIPES[task]), published.path, checks[task]
    evaluate(*arguments, tmp_path / "whole-state", tmp_path / "whole")
    real, computed = FinishedParts.keep, []

    def keep(self, part, arrays):
        computed.append(part)
        if len(computed) == 3:
            raise KeyboardInterrupt
        return real(self, part, arrays)

    monkeypatch.setattr(FinishedParts, "keep", keep)
    with pytest.raises(KeyboardInterrupt):
        evaluate(*arguments, tmp_path / "state", tmp_path / "ended")
    assert len(list((tmp_path / "state/parts").glob("*.npz"))) == 2
    evaluate(*arguments, tmp_path / "state", tmp_path / "ended")
    assert computed[2] == computed[3], "the part that it was in"
    assert len(computed) == 1 + len(set(computed))
    assert results(tmp_path / "ended") == results(tmp_path / "whole")
    if task == "imagenet_c":  # its parts are corruptions
        assert results(tmp_path / "ended") == results(evaluated[task])


def test_a_network_without_the_classes_is_refused(published, checks, tmp_path):
    weights, prepare = load_weights(published.path)
    path = tmp_path / "backbone.safetensors"
    save_backbone(path, weights, prepare, "resnet18", classes=["n00000001", "n00000002", "x", "y"])
    with pytest.raises(UserError, match=r"backbone\.safetensors: its 4 classes lack n00000003$"):
        evaluate(
            run_spec("imagenet_r", RECIPES["imagenet_r"]), path, checks["imagenet_r"], tmp_path / "s", tmp_path / "o"
        )
    assert "its 4 classes lack n00000003" in (tmp_path / "s/error.txt").read_text()
    assert not (tmp_path / "o/metrics.json").exists()


def test_a_network_of_other_outputs_maps_its_labels(published, checks, tmp_path, evaluated):
    """The outputs in another order, and one more: every number is the same."""
    weights, _ = load_weights(published.path)
    order = [2, 0, 3, 1]
    weights["fc.weight"] = torch.cat([weights["fc.weight"][order], torch.zeros(1, 512)])
    weights["fc.bias"] = torch.cat([weights["fc.bias"][order], torch.full((1,), 99.0)])  # which the mask hides
    names = [published.check.classes[n] for n in order] + ["more"]
    path = tmp_path / "backbone.safetensors"
    save_backbone(path, weights, IMAGENET, "resnet18", classes=names)
    for task in ("imagenet_r", "imagenet_a"):
        evaluate(run_spec(task, RECIPES[task]), path, checks[task], tmp_path / "state", tmp_path / task)
        found, expected = (
            read_json(folder / "metrics.json")["metrics"] for folder in (tmp_path / task, evaluated[task])
        )
        assert found["accuracy"] == expected["accuracy"]
