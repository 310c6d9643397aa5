"""The robustness tasks from YAML to table and page through the real Snakemake, of a pretrained, an imported and a
random backbone."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from torchvision.models import resnet18

from tests.demo import demo
from tests.robustness.recipes import OOD_RECIPES, RECIPES, SPECS
from tests.snakemake_call import caller
from tests.test_dag import TINY, cells
from workflow import registry
from workflow.config.loading import overlay
from workflow.planning.plan import plan

pytestmark = pytest.mark.slow
EVERY = RECIPES | OOD_RECIPES

DEMO = demo()
SMALL = overlay(DEMO, {"pretrain": TINY["pretrain"] | {"network": "resnet18", "precision": "fp32"}}) | {
    **{"experiment": "robust", "tasks": EVERY},
    "backbones": {"baseline": {}, "mine": {"checkpoint": "mine.pth"}, "scratch": {"init": "random"}},
    "data": {name: {"synthetic": spec} for name, spec in SPECS.items()}
    | {"imagenet": {"synthetic": {"classes": 4, "train": 32, "val": 12, "size": 48, "seed": 0}}},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a table that Snakemake has made, and its caller."""
    folder = tmp_path_factory.mktemp("robust")
    torch.manual_seed(0)
    torch.save(resnet18(num_classes=2).state_dict(), folder / "mine.pth")  # other classes, and no names
    (folder / "x.yaml").write_text(yaml.safe_dump(SMALL))
    return folder, caller(folder)


def test_a_backbone_of_other_classes_fails_alone_with_a_line(finished, monkeypatch):
    folder, snakemake = finished
    monkeypatch.chdir(folder)  # of the imported file
    status, _ = snakemake("--cores", "2", "--keep-going", "--configfile", "x.yaml", timeout=1500)
    assert status != 0
    what = "its fc has 2 outputs, which the file does not name; the data have"
    for task, classes in (("robustness_imagenet", 4), ("imagenet_r", 3)):
        log = Path(f"results/robust/{task}/mine/p0/log.txt").read_text().splitlines()
        (line,) = [line for line in log if line.startswith("error: ")]
        assert f"{what} {classes} classes" in line
    done = {(run.task, run.backbone) for run in plan(SMALL).runs if Path(run.record).exists()}
    assert {(task, row) for task in EVERY for row in ("baseline", "scratch")} <= done
    assert {task for task, row in done if row == "mine"} == {"pretrain", "imagenet_c", "imagenet_a", *OOD_RECIPES}


def test_all_else_is_in_the_table_and_on_the_page(finished):
    folder, snakemake = finished
    config = SMALL | {"backbones": {name: SMALL["backbones"][name] for name in ("baseline", "scratch")}}
    (folder / "y.yaml").write_text(yaml.safe_dump(config))
    status, said = snakemake("--cores", "2", "--configfile", "y.yaml", timeout=1500)
    assert status == 0, said[-3000:]
    todo = plan(config)
    found = cells(todo, folder)
    for task in EVERY:
        for metric in registry.task_of(config, task).metrics:
            assert ("baseline", task, metric.name) in found
    record = json.loads((folder / "results/robust/robustness_imagenet/baseline/p0/metrics.json").read_text())
    assert record["provenance"]["recipe"]
    page = (folder / "results/robust/report/transfer.html").read_text()
    section = page.partition('<h2 id="robustness_curves">')[2].partition("</section>")[0]
    assert section.count("data:image/") == 2
    assert "eps in pixel space" in page, "the choices of the room"
    assert "Nothing to be done" in snakemake("--cores", "1", "--configfile", "y.yaml")[1]
