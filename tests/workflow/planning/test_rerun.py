"""What is no reason to train again, and what an input that is made anew must not hide: by dry-run, of the vocabulary
that captioning runs share."""

import hashlib
import json
import os
import re
import shutil
from pathlib import Path

import pytest

from tests.checks import info
from tests.robustness.recipes import OOD_RECIPES, RECIPE
from tests.workflow.test_rules import (  # noqa: F401 (two of them are fixtures)
    SMALL,
    changed,
    dry_run,
    finish,
    finished_once,
    jobs,
    outputs,
)
from workflow.config.loading import overlay
from workflow.core.dataset_info import DatasetInfo
from workflow.planning.plan import plan
from workflow.planning.rerun import fingerprint, is_outdated

SCORED = {"robustness_imagenet": RECIPE}
ALL = {"detection": 2, "captioning": 1, "evaluate_robustness": 1}
WORDS = plan(SMALL).shown("nic_coco")[0].shared["vocabulary"]


def test_a_touched_or_lost_vocabulary_trains_nothing(dry_run):  # noqa: F811
    os.utime(Path(WORDS) / "index.json")
    assert jobs(dry_run(SMALL)) == {}
    assert jobs(dry_run(SMALL, "--forcerun", "vocabulary")) == {"vocabulary": 1}
    shutil.rmtree(WORDS)
    assert jobs(dry_run(SMALL)) == {}


def test_another_threshold_costs_a_vocabulary_and_its_runs(dry_run):  # noqa: F811
    said = dry_run(changed("tasks/nic_coco/min_word_count", 3))
    assert jobs(said) == {"vocabulary": 1, "captioning": 2, "draw_captions": 1, "report": 1, "all": 1}
    assert re.search(r"output: results/vocabularies/coco-[0-9a-f]{10}/3/index.json \(update\)$", outputs(said), re.M)


def test_changed_data_of_a_fine_tuning_are_trained_on_anew(snakemake, tmp_path, monkeypatch):
    """Its one other input is made anew and ancient: Snakemake alone would plan the vocabulary, and nothing after it."""
    monkeypatch.chdir(tmp_path)
    config = changed("tasks/nic_coco/finetune_encoder", True)
    finish(config, tmp_path)
    info("new").write(Path(plan(config).checks["coco"]))
    status, said = snakemake("-n", "--configfile", "x.yaml")
    assert status == 0, said
    assert jobs(said) == {"vocabulary": 1, "captioning": 2, "draw_captions": 1, "report": 1, "all": 1}


def test_changed_data_are_counted_and_trained_on_anew(dry_run):  # noqa: F811
    info("new").write(Path(plan(SMALL).checks["coco"]))
    again = {"features": 2, "vocabulary": 1, "captioning": 2, "draw_captions": 1, "report": 1, "all": 1}
    assert jobs(dry_run(SMALL)) == again


def test_a_repeated_check_counts_no_words_again(dry_run):  # noqa: F811
    assert jobs(dry_run(SMALL, "--forcerun", "check_data")) == {"check_data": 3}
    assert jobs(dry_run(SMALL, "--forcerun", "checked")) == {"checked": 1}


def test_without_its_check_what_experiments_share_says_itself_of_which_data_it_is(dry_run):  # noqa: F811
    """Else Snakemake notes that it is of none, and makes it anew when the check is there again."""
    run = plan(SMALL | {"experiment": "other"}).artifacts[0]
    before, check = run.tracked, Path(run.check)
    data = DatasetInfo.read(check).fingerprint
    for folder in (run.artifact, WORDS):
        (Path(folder) / "index.json").write_text(json.dumps({"data": data}))
    check.unlink()
    assert run.tracked == before
    assert fingerprint(run, WORDS) == data
    assert fingerprint(run) is None


def test_a_changed_recipe_is_trained_though_an_ancient_input_is_made_again(dry_run):  # noqa: F811
    """One call plans all of it, and not what is to be made again alone."""
    runs = {"captioning": 2, "draw_captions": 1, "report": 1, "all": 1}
    other = changed("tasks/nic_coco/lr", 0.0123)
    assert jobs(dry_run(other, "--forcerun", "vocabulary")) == {"vocabulary": 1, **runs}
    found = jobs(dry_run(other, "--forcerun", "check_data"))
    assert {rule: found.get(rule) for rule in runs} == runs


@pytest.mark.parametrize(("content", "again"), [(b"weights", False), (b"others", True)])
def test_an_imported_backbone_that_came_out_otherwise_is_transferred_anew(
    snakemake, tmp_path, monkeypatch, content, again
):
    """The report calls the runs of the old one stale, so the next call of Snakemake must train them."""
    monkeypatch.chdir(tmp_path)
    Path("w.pth").write_bytes(b"imported")
    config = SMALL | {"backbones": {"baseline": {"checkpoint": "w.pth"}}, "tasks": SMALL["tasks"] | SCORED}
    finish(config, tmp_path)
    for run in plan(config).runs:
        provenance = {"data": f"of {run.check}", "backbone": hashlib.sha256(b"weights").hexdigest()}
        Path(run.record).write_text(json.dumps({"provenance": provenance}))
    Path(run.weights).write_bytes(content)
    later = Path(run.record).stat().st_mtime + 10
    os.utime(run.weights, (later, later))
    status, said = snakemake("-n", "--configfile", "x.yaml")
    assert status == 0, said
    trained = {rule: count for rule, count in jobs(said).items() if rule in ALL}
    assert trained == (ALL if again else {})


def test_changed_images_in_distribution_are_scored_anew(snakemake, tmp_path, monkeypatch):
    """Also of an imported backbone, which nothing trains again."""
    monkeypatch.chdir(tmp_path)
    Path("w.pth").write_bytes(b"imported")
    drawn = {"synthetic": {"classes": 4, "test": 2, "size": 48, "seed": 0}}
    task = {"tasks": {"ood_imagenet": OOD_RECIPES["ood_imagenet"]}, "backbones": {"baseline": {"checkpoint": "w.pth"}}}
    config = SMALL | task | {"data": SMALL["data"] | {"ood_images": drawn}}
    finish(config, tmp_path)
    (run,) = plan(config).shown("ood_imagenet")
    provenance = {"data": f"of {run.check}", "in_distribution": f"of {run.in_distribution}"}
    Path(run.record).write_text(json.dumps({"provenance": provenance}))
    assert run.in_distribution == plan(config).pretraining_check
    assert not is_outdated(run)
    info("new").write(Path(run.in_distribution))
    assert is_outdated(run)
    status, said = snakemake("-n", "--configfile", "x.yaml")
    assert status == 0, said
    assert jobs(said)["evaluate_robustness"] == 1


def test_a_run_is_due_where_its_record_is_missing_or_broken_or_of_another_recipe_or_data(dry_run):  # noqa: F811
    run = plan(SMALL).shown("nic_coco")[0]
    record, check = Path(run.record), Path(run.check)
    assert not is_outdated(run)
    info("new").write(check)
    assert is_outdated(run)
    check.unlink()
    assert not is_outdated(run)
    assert is_outdated(plan(changed("tasks/nic_coco/lr", 0.0123)).shown("nic_coco")[0])
    assert not is_outdated(plan(overlay(SMALL, {"resources": {"cpu_threads": 3, "gpus": 2}})).shown("nic_coco")[0])
    record.with_name("config.json").rename("config.json")
    assert is_outdated(run)
    Path("config.json").rename(record.with_name("config.json"))
    for broken in ("", "[1]", "{}", '{"provenance": 1}'):
        record.write_text(broken)
        assert is_outdated(run)
    record.unlink()
    assert is_outdated(run)
