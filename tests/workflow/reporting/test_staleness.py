"""A record that is not the plan's is stale: named with what differs in every output, and in no number (law 8)."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.checks import info
from workflow.core.files import record_digest, sha256, write_json
from workflow.reporting.page.html_page import html
from workflow.reporting.summary import summarize
from workflow.reporting.tables.latex import latex
from workflow.reporting.tables.text_tables import long_csv, markdown, terminal


def cell(small, backbone="cutmix", task="ssd_voc", metric="mAP"):
    return summarize(small.plan).cells[backbone, task, metric]


def replanned(small, run, **changes):
    """Plan one run otherwise than it was made."""
    small.plan.runs[small.plan.runs.index(run)] = replace(run, run=run.run | changes)


def checked(run, fingerprint):
    """What the check says of the data now."""
    info(fingerprint).write(Path(run.check))


def test_another_recipe_is_named_by_key(experiment):
    small = experiment()
    small.recipe(small.run("ssd_voc", "cutmix"), lr=0.1, freeze_bn=False)
    found = cell(small)
    assert (found.mean, found.n, found.delta) == (None, 0, None)
    assert found.missing == "stale: recipe.freeze_bn no, now yes; recipe.lr 0.1, now 0.01"
    assert cell(small, "baseline").mean is not None


def test_a_recipe_written_in_two_ways_is_one(experiment):
    small = experiment()
    small.recipe(small.run("ssd_voc", "cutmix"), batch_size=16.0)
    assert cell(small).n == 1


@pytest.mark.parametrize("change", [{"freeze_bn": 1}, {"new": None}])
def test_another_value_or_key_of_the_plan_counts_too(experiment, change):
    small = experiment()
    run = small.run("ssd_voc", "cutmix")
    small.recipe(run, freeze_bn=True)
    replanned(small, run, recipe=run.run["recipe"] | change)
    assert "stale: recipe." in cell(small).missing


def test_other_data_are_named(experiment):
    small = experiment()
    run = small.run("ssd_voc", "cutmix")
    replanned(small, run, data={"root": "elsewhere"})
    assert cell(small).missing == "stale: data.root somewhere, now elsewhere"


def test_data_that_have_changed_make_the_whole_column_stale(experiment):
    small = experiment()
    run = small.run("ssd_voc", "cutmix")
    data = json.loads(Path(run.record).read_text())["provenance"]["data"]
    checked(run, data)
    assert cell(small).n == 1
    checked(run, "f" * 64)
    for row in ("baseline", "cutmix"):
        assert cell(small, row).missing == f"stale: data {data[:10]}, now ffffffffff"
    assert cell(small, task="nic_coco", metric="CIDEr").n == 1


def test_a_half_remade_row_is_no_mean_of_two_backbones(experiment):
    small = experiment(seeds=(3, 1))
    run = small.run("pretrain", "cutmix", pretrain=1)
    before = sha256(run.weights)
    Path(run.weights).write_bytes(b"pretrained anew")
    small.sign(run)
    for task, metric in (("ssd_voc", "mAP"), ("nic_coco", "CIDEr")):
        found = cell(small, task=task, metric=metric)
        assert [one.seeds["pretrain"] for one in found.runs] == [0, 2]
        assert found.missing == f"stale: backbone {before[:10]}, now {sha256(run.weights)[:10]} (p1s0)"
    assert cell(small, task="pretrain", metric="top1_error").n == 3


@pytest.mark.parametrize(("hashed", "n"), [("as it was", 1), ("of another", 0), ("not at all", 0)])
def test_where_weights_are_not_kept_the_record_of_their_run_has_their_hash(experiment, hashed, n):
    small = experiment()
    run = small.run("pretrain", "cutmix")
    before = sha256(run.weights)
    files = {"as it was": {"backbone.safetensors": before}, "of another": {"backbone.safetensors": "0" * 64}}
    record = json.loads(Path(run.record).read_text()) | {"files": files.get(hashed, {})}
    write_json(run.record, record | {"sha256": record_digest(record)})
    Path(run.weights).unlink()
    now = {"as it was": "", "of another": "0" * 10, "not at all": "none"}[hashed]
    assert cell(small).n == n
    assert cell(small).missing == (f"stale: backbone {before[:10]}, now {now}" if now else "")


def test_without_its_backbone_s_own_run_nothing_says_that_a_record_is_of_it(experiment):
    small = experiment()
    small.remove(small.run("pretrain", "cutmix"))
    assert cell(small, task="pretrain", metric="top1_error").missing == "pending"
    assert cell(small).missing.endswith(", now none")


@pytest.mark.parametrize("there", [True, False])
def test_a_record_that_names_no_backbone_is_of_none(experiment, there):
    """Nor is it the one that is not there either."""
    small = experiment()
    small.edit(small.run("ssd_voc", "cutmix"), provenance={"backbone": None})
    if not there:
        small.remove(small.run("pretrain", "cutmix"))
    assert cell(small).n == 0
    assert cell(small).missing.startswith("stale: backbone None, now ")


def test_what_starts_from_a_stale_pretraining_is_stale(experiment):
    small = experiment()
    small.recipe(small.run("pretrain", "cutmix"), lr=0.7)
    assert cell(small, task="pretrain", metric="top1_error").missing == "stale: recipe.lr 0.7, now 0.1"
    assert cell(small).missing == "stale: the pretraining of its backbone: recipe.lr 0.7, now 0.1"


def test_a_random_backbone_of_other_data_is_stale_with_all_that_starts_from_it(experiment):
    small = experiment({"baseline": {}, "scratch": {"init": "random"}})
    run = small.run("pretrain", "scratch")
    data = json.loads(Path(run.record).read_text())["provenance"]["data"]
    checked(run, "of now")
    assert cell(small, "scratch").missing == f"stale: the pretraining of its backbone: data {data[:10]}, now of now"


def test_what_is_imported_is_the_same_whatever_it_is_scored_on(experiment):
    small = experiment({"baseline": {}, "mine": {"checkpoint": "mine.pth"}})
    run = small.run("pretrain", "mine")
    small.edit(run, provenance={"data": "of before"})
    checked(run, "of now")
    assert cell(small, "mine", "pretrain", "top1_error").missing == "stale: data of before, now of now"
    assert cell(small, "mine").n == 1
    Path(run.weights).write_bytes(b"another file")
    small.sign(run)
    assert cell(small, "mine").missing.startswith("stale: backbone ")


def test_every_output_says_what_differs(experiment, tmp_path):
    small = experiment()
    small.recipe(small.run("ssd_voc", "cutmix"), lr=0.1)
    summary = summarize(small.plan)
    reason = "stale: recipe.lr 0.1, now 0.01"
    page = tmp_path / "transfer.html"
    for above in (
        terminal(summary, page),
        markdown(summary),
        latex(summary),
        html(summary, tmp_path, {}, {}, [], {})["transfer.html"],
    ):
        assert "1 of 8 runs are stale: made with another recipe, data or backbone, and in no number" in above
    assert f"\nssd_voc cutmix p0s0: {reason}\n" in terminal(summary, page)
    rows = [row for row in csv.DictReader(long_csv(summary).splitlines()) if row["task"] == "ssd_voc"]
    assert [row["verdict"] for row in rows if row["backbone"] == "cutmix"] == [reason] * 2
    assert "| cutmix | " in (table := markdown(summary))
    assert f" | {reason}<br>*paper 77.6* | " in table
    assert f"- ssd_voc cutmix p0s0: {reason}\n" in table
    text = latex(summary)
    assert r"\emph{stale}" in text
    assert "Stale, and in no number: ssd\\_voc cutmix p0s0 (recipe.lr 0.1, now 0.01)." in text
    found = html(summary, tmp_path, {}, {}, [], {})["transfer.html"]
    assert found.count(reason) == 6, "in both cells, and where these open, in the scorecard and in the list of runs"


def test_a_stale_value_cannot_forge_a_line(experiment):
    small = experiment()
    small.recipe(small.run("ssd_voc", "cutmix"), freeze_bn="a\x1b[2J\nb")
    assert cell(small).missing == "stale: recipe.freeze_bn a [2J b, now yes"
