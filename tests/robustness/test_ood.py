"""Out-of-distribution detection on drawn data: what a run leaves, how it resumes, and what it refuses."""

import numpy as np
import pytest
import torch

from backbones.backbone import IMAGENET, load_weights, save_backbone
from robustness.evaluate import evaluate
from robustness.ood import Noise, logit_scores
from robustness.preflight import check_sets
from robustness.task import TASKS
from tests.kills import results
from tests.robustness.conftest import run_spec
from tests.robustness.recipes import OOD_RECIPES, SIZES
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.core.files import read_json
from workflow.reporting.statistics.bootstrap import resample
from workflow.reporting.statistics.per_image import read
from workflow.training.resume.parts import FinishedParts

DECLARED = {task.name: task for task in TASKS}
TASK = "ood_imagenet"


@pytest.fixture(scope="module")
def evaluated(published, checks, imagenet, tmp_path_factory):
    """Task to the folder of its finished run."""
    folder = tmp_path_factory.mktemp("runs")
    for task, recipe in OOD_RECIPES.items():
        state = folder / f"{task}-state"
        evaluate(run_spec(task, recipe), published.path, checks[task], state, folder / task, imagenet.check)
    return {task: folder / task for task in OOD_RECIPES}


@pytest.mark.parametrize("name", OOD_RECIPES)
def test_the_report_resamples_what_a_run_leaves(evaluated, name):
    task = DECLARED[name].instance(DECLARED[name], OOD_RECIPES[name])
    record = read_json(evaluated[name] / "metrics.json")
    assert record["metrics"].keys() == {metric.name for metric in task.metrics}
    evidence = read(evaluated[name] / "per_image.npz", task.resampling)
    draws = resample(evidence, 50)
    for metric, value in record["metrics"].items():
        assert draws[metric].point == value
        assert np.isfinite(draws[metric].draws).all()
        assert 0 <= value <= 100
    assert len(read_json(evaluated[name] / "predictions.json")) == len(evidence.images)


def test_a_solved_network_is_surer_of_its_images(evaluated):
    """It is right on all of them by a wide margin."""
    metrics = read_json(evaluated[TASK] / "metrics.json")["metrics"]
    assert metrics["AUROC_uniform"] > 60
    assert metrics["AUROC"] == pytest.approx(np.mean([metrics[f"AUROC_{name}"] for name in ("near", "far", "uniform")]))
    assert metrics["strange_AUROC"] == pytest.approx(np.mean([metrics["AUROC_far"], metrics["AUROC_uniform"]]))


def test_its_own_test_images_are_in_distribution(evaluated, imagenet, published):
    evidence = read(
        evaluated[TASK] / "per_image.npz", DECLARED[TASK].instance(DECLARED[TASK], OOD_RECIPES[TASK]).resampling
    )
    inside = ~np.any([flags for name, flags in evidence.arrays.items() if ":" in name], axis=0)
    assert inside.sum() == DatasetInfo.read(imagenet.check).counts["val"]
    assert all(name.startswith("in distribution/n0000000") for name in evidence.images[inside])
    logits = published.load()(published.images).double()
    np.testing.assert_allclose(evidence.arrays["max_softmax"][inside], logits.softmax(1).amax(1).numpy(), atol=1e-6)
    provenance = read_json(evaluated[TASK] / "metrics.json")["provenance"]
    assert provenance["in_distribution"] == DatasetInfo.read(imagenet.check).fingerprint != provenance["data"]


def test_an_ended_run_goes_on_with_the_same_bits(evaluated, published, checks, imagenet, tmp_path, monkeypatch):
    """Ended inside a set; the sets before it are not passed again."""
    real, computed = FinishedParts.keep, []

    def keep(self, part, arrays):
        computed.append(part)
        if len(computed) == 3:
            raise KeyboardInterrupt
        return real(self, part, arrays)

    monkeypatch.setattr(FinishedParts, "keep", keep)
    arguments = run_spec(TASK, OOD_RECIPES[TASK]), published.path, checks[TASK], tmp_path / "state", tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        evaluate(*arguments, imagenet.check)
    evaluate(*arguments, imagenet.check)
    assert computed == ["set000", "set001", "set002", "set002", "set003"]
    assert results(tmp_path / "out") == results(evaluated[TASK])


def test_noise_is_as_odin_defines_it():
    for kind in ("uniform", "gaussian"):
        noise = torch.stack([Noise(kind, 64, 32)[index]["images"] for index in range(64)]) / 255
        again = Noise(kind, 3, 32)[2]["images"]
        assert torch.equal(noise[2] * 255, again), "an image follows from its number"
        assert 0 <= noise.min() <= noise.max() <= 1
        edges = float(((noise == 0) | (noise == 1)).float().mean())
        assert edges == pytest.approx(0 if kind == "uniform" else 0.617, abs=0.01), "beyond half a deviation: clipped"
        assert float(noise.mean()) == pytest.approx(0.5, abs=0.01)
        assert float(noise.std()) == pytest.approx(0.289 if kind == "uniform" else 0.430, abs=0.01)


def test_a_set_that_the_data_lack_is_named_before_anything_runs(checks):
    recipe = OOD_RECIPES[TASK] | {"sets": {"near": ["near", "ninco"]}}
    with pytest.raises(
        UserError, match=r"tasks.x.sets.near\[1\]: .* has no set ninco \(it has far, near, uniform, gaus"
    ):
        check_sets(DatasetInfo.read(checks[TASK]), "tasks.x", recipe)


def test_logits_that_are_no_numbers_have_no_score(published, tmp_path):
    weights, _ = load_weights(published.path)
    weights["fc.bias"][0] = torch.nan
    save_backbone(tmp_path / "nan.safetensors", weights, IMAGENET, "resnet18", classes=published.check.classes)
    from backbones.classifier import load_classifier

    classifier = load_classifier(tmp_path / "nan.safetensors")
    with pytest.raises(UserError, match="the logits of an image of uniform are not finite"):
        logit_scores(run_spec(TASK, OOD_RECIPES[TASK]), Noise("uniform", 2, SIZES["crop_size"]), classifier, "uniform")
