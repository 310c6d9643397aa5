"""Which jobs the shipped configs plan at first, by dry-run."""

import re
from collections import Counter

import yaml

from tests.demo import PROJECT
from tests.workflow.test_rules import jobs, outputs
from workflow.config.loading import load, overlay
from workflow.planning.cost import kinds
from workflow.planning.plan import plan
from workflow.registry import task_of


def matrix(config: dict) -> dict[str, int]:
    """The jobs that a config plans at first, with one seed: rule to count."""
    rows, of, figures = config["backbones"].values(), Counter(), Counter()
    for name in config["tasks"]:
        task = task_of(config, name)
        of[f"evaluate_{task.folder}" if task.kind == "evaluate" else task.folder] += 1
        figures.update(f"draw_{figure.name}" for figure in task.figures)
    drawn, captioned = config["data"].values(), of["captioning"] > 0
    counts = {
        **{"make_data": sum("synthetic" in each for each in drawn), "check_data": len(drawn), "checked": 1},
        **{"random_backbone": sum("init" in row for row in rows), "pretrain": sum("init" not in row for row in rows)},
        **{rule: count * len(rows) for rule, count in of.items()},
        "embeddings": len(rows) * bool(of["evaluate_classification"]),
        **{"features": captioned * len(rows), "vocabulary": int(captioned), "gallery": 1, "draw_activations": 1},
        **figures,
        **{"report": 1, "all": 1},
    }
    return {rule: count for rule, count in counts.items() if count}


def test_the_demo_is_run_when_none_is_named(snakemake):
    status, said = snakemake("-n")
    assert status == 0
    assert jobs(said) == matrix(load(PROJECT / "config/demo.yaml"))
    assert "results/demo/report/transfer.csv" in said


def test_the_paper_is_planned_as_a_full_matrix(snakemake):
    status, said = snakemake("-n", "--configfile", str(PROJECT / "config/paper.yaml"))
    assert status == 0
    assert jobs(said) == matrix(load(PROJECT / "config/paper.yaml"))
    asked = dict(re.findall(r"^    output: results/paper/report/([^\s,]+).*?mem_mb=(\d+)", said, re.M | re.S))
    assert asked["detections_ssd_voc.jpg"] == "2000"
    assert asked["detections_faster_rcnn_coco.jpg"] == "6000", "val2014's detections alone are 2.3 GB"
    assert asked["transfer.csv"] == "3000", "of which the bootstrap of val2014 takes 1.1 GB"
    for backbone in ("baseline", "mixup", "dropblock", "label_smoothing"):
        for task in ("ssd_voc", "faster_rcnn_voc", "faster_rcnn_coco", "nic_coco"):
            assert f"results/paper/{task}/{backbone}/p0s0/metrics.json" in outputs(said)


def test_the_paper_s_tables_on_cifar_are_planned_with_three_seeds(snakemake):
    status, said = snakemake("-n", "--configfile", str(PROJECT / "config/cifar.yaml"))
    assert status == 0
    expected = matrix(load(PROJECT / "config/cifar.yaml"))
    assert jobs(said) == expected | {rule: 3 * expected[rule] for rule in ("pretrain", "evaluate_robustness")}
    for row in ("baseline", "cutmix_shakedrop", "pyramidnet110_cutmix", "scheduled_cutmix", "feature_cutmix_4"):
        assert f"results/cifar/ood_cifar/{row}/p2/metrics.json" in outputs(said)


def test_a_missing_root_is_refused_before_any_training(snakemake, tmp_path):
    root = "no such; touch x $(touch y) `touch z`"
    paper = overlay(load(PROJECT / "config/paper.yaml"), {"data": {"voc": {"root": root}}})
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(paper))
    status, said = snakemake("--cores", "1", "--keep-going", "--configfile", "x.yaml")
    assert status != 0
    assert f"error: {root}" in said, "on the terminal, with the folder's name"
    assert "the same command resumes" in said
    assert "rule pretrain:" not in said
    assert any(f"error: {root}" in log.read_text() for log in tmp_path.glob("results/data/voc-*.check.log"))
    assert not {path.name for path in tmp_path.iterdir()} & {"x", "y", "z"}, "nothing of it was run"


def test_the_course_project_is_planned(snakemake):
    """Features are computed once for kNN and the linear probe; six fine-tunings for each pretraining of a row."""
    status, said = snakemake("-n", "--configfile", str(PROJECT / "config/course.yaml"))
    assert status == 0
    planned = jobs(said)
    assert {rule: planned[rule] for rule in ("pretrain", "random_backbone")} == {"pretrain": 6, "random_backbone": 3}
    assert (planned["embeddings"], planned["evaluate_classification"], planned["classification"]) == (9, 18, 54)
    assert "results/course/all_full_b/scratch/p2s0/metrics.json" in outputs(said)


def test_learning_rate_sensitivity_is_planned_on_the_demo_s_backbones(snakemake):
    """Two rows, three tasks at three rates each; rates of captioning share features and vocabulary."""
    config = load(PROJECT / "config/sensitivity.yaml")
    status, said = snakemake("-n", "--configfile", str(PROJECT / "config/sensitivity.yaml"))
    assert status == 0
    planned = jobs(said)
    assert planned == matrix(config)
    counts = {"pretrain": 2, "detection": 12, "captioning": 6, "features": 2, "vocabulary": 1}
    assert {rule: planned[rule] for rule in counts} == counts
    timed = {task: len(runs) for (task, *_), runs in kinds(plan(config)).items()}
    assert timed == dict.fromkeys(("pretrain", *config["tasks"]), 2), "by `make cost`"
    demo = plan(load(PROJECT / "config/demo.yaml"))
    assert {run.weights for run in plan(config).runs} < {run.weights for run in demo.runs}
