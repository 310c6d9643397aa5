"""Learning curves: a line for each run, readable on light and dark, and alone on a page with others."""

import re
from xml.etree import ElementTree

import pytest

from workflow import registry
from workflow.reporting.page.curves import POINTS, curves, evaluations, look, losses
from workflow.reporting.summary import summarize

SVG = "{http://www.w3.org/2000/svg}"
MANY = {f"row{n}": {} for n in range(14)}


def evaluated(small):
    """`small` with values in its evaluations."""
    for run in small.plan.runs:
        each = [{"iteration": step, registry.tasks()[run.task].headline.name: 20.0 + step / 10} for step in (100, 200)]
        small.edit(run, history={"evaluations": each})
    return small


def titles(svg):
    return [title.text for title in ElementTree.fromstring(svg).iter(f"{SVG}title")]


def test_the_measure_is_that_of_the_best_evaluation():
    tasks = ("pretrain", "ssd_voc", "nic_coco")
    assert [registry.tasks()[task].headline.name for task in tasks] == ["top1_error", "mAP", "CIDEr"]


def test_every_run_has_a_line_in_both_panels_that_names_it(experiment):
    svg = curves(summarize(evaluated(experiment(seeds=(3, 5))).plan), "ssd_voc")
    names = [f"{row} p{p}s{s}" for row in ("baseline", "cutmix") for p in range(3) for s in range(5)]
    assert sorted(titles(svg)) == sorted(2 * names)
    assert "training loss and mAP of 30 runs" in ElementTree.fromstring(svg).get("aria-label")


def test_without_evaluations_the_loss_is_drawn_alone(experiment):
    assert sorted(titles(curves(summarize(experiment().plan), "ssd_voc"))) == ["baseline p0s0", "cutmix p0s0"]


def test_where_all_are_evaluated_once_there_is_no_second_panel(experiment):
    small, several = experiment(), evaluated(experiment())
    for outcome in (outcomes := summarize(small.plan)).outcomes:
        outcome.record["history"]["evaluations"] = [{"iteration": 200, "mAP": 30.0}]
    one, two = (ElementTree.fromstring(curves(of, "ssd_voc")) for of in (outcomes, summarize(several.plan)))
    assert sorted(titles(ElementTree.tostring(one))) == ["baseline p0s0", "cutmix p0s0"]
    assert one.get("aria-label") == "Learning curves of ssd_voc: training loss of 2 runs"
    assert float(one.get("height").removesuffix("pt")) < 0.7 * float(two.get("height").removesuffix("pt"))


def test_long_histories_are_thinned_by_means(experiment):
    outcome = summarize(experiment().plan).outcomes[0]
    points = [{"iteration": n, "loss": float(n), "lr": 0.1} for n in range(1, 10 * POINTS + 1)]
    outcome.record["history"] = {
        "points": points,
        "evaluations": [{"iteration": 3, "top1_error": 8.0}, {"iteration": 9}],
    }
    steps, values = losses(outcome)
    assert len(steps) == POINTS
    assert (steps[0], values[0], steps[-1]) == (10, 5.5, 10 * POINTS)
    assert evaluations(outcome) == ([3], [8.0])


@pytest.mark.parametrize(("seeds", "width"), [((1, 1), "1.2"), ((1, 2), "0.7")])
def test_several_lines_of_one_backbone_are_thinner(seeds, width, experiment):
    svg = curves(summarize(experiment(seeds=seeds).plan), "ssd_voc")
    looks = re.findall(r"<title>[^<]+</title>.*?style=\"([^\"]+)\"", svg, re.DOTALL)
    assert len(looks) == 2 * seeds[1]
    assert all(f"stroke-width: {width};" in look for look in looks)


def test_a_line_falls_as_the_loss_does(experiment):
    svg = curves(summarize(experiment().plan), "ssd_voc")
    (path,) = re.findall(r"<title>cutmix p0s0</title>.*?<path d=\"([^\"]+)\"", svg, re.DOTALL)
    heights = [float(y) for y in re.findall(r"[ML] \S+ (\S+)", path)]
    assert len(heights) > 3
    assert heights == sorted(heights), "SVG counts downwards"


def test_no_two_backbones_look_alike(experiment):
    svg = curves(summarize(experiment({"baseline": {}, **MANY}).plan), "ssd_voc")
    looks = re.findall(r"<title>[^<]+</title>.*?style=\"([^\"]+)\"", svg, re.DOTALL)
    assert len(set(looks)) == len(looks) == 15
    for name in MANY:
        assert f">{name}</text>" in svg


def test_many_backbones_look_different_still(experiment):
    names = [f"row{n}" for n in range(128)]
    assert len({str(look(names, name)) for name in names}) == 128
    svg = curves(summarize(experiment({"baseline": {}, **{name: {} for name in names[:32]}}).plan), "ssd_voc")
    groups = re.findall(r"<title>(\S+) p0s0</title>(.*?)</g>\s*<g", svg, re.DOTALL)
    assert {name for name, drawn in groups if "<use" in drawn} == {"row31"}, "the 33rd has marks on its line"


def test_several_drawings_on_one_page_share_no_id_and_the_ink_is_the_page_s(experiment):
    summary = summarize(experiment().plan)
    one, other = (curves(summary, task) for task in ("ssd_voc", "nic_coco"))
    ids = [set(re.findall(r' id="([^"]+)"', svg)) for svg in (one, other)]
    assert ids[0]
    assert not ids[0] & ids[1]
    for svg, own in zip((one, other), ids, strict=True):
        assert set(re.findall(r"(?:url\(|xlink:href=\")#([\w-]+)", svg)) <= own
        assert "currentColor" in svg
        assert "#000000" not in svg
        assert "#123456" not in svg
        assert "DejaVu" not in svg
        assert "Date" not in svg
    assert one == curves(summary, "ssd_voc")


def test_where_nothing_was_trained_it_says_so(experiment):
    small = experiment()
    for row in ("baseline", "cutmix"):
        small.edit(small.run("pretrain", row), history={"points": [], "evaluations": []})
    assert "no run was trained here" in curves(summarize(small.plan), "pretrain")
    small.remove(small.run("ssd_voc", "cutmix"))
    assert titles(curves(summarize(small.plan), "ssd_voc")) == ["baseline p0s0"]


def test_what_waits_for_its_record_was_not_left_untrained(experiment):
    small = experiment()
    for row in ("baseline", "cutmix"):
        small.remove(small.run("ssd_voc", row))
    svg = curves(summarize(small.plan), "ssd_voc")
    assert "no record yet" in svg
    assert "no run was trained here" not in svg


@pytest.mark.parametrize("row", ["$x_1$", "a&b<c>"])
def test_names_are_texts(experiment, row):
    svg = curves(summarize(experiment({"baseline": {}, row: {}}).plan), "ssd_voc")
    texts = [text.text for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]
    assert row in texts
    assert f"{row} p0s0" in titles(svg)


def test_45_runs_are_a_small_part_of_a_page(experiment):
    small = experiment({"baseline": {}, "a": {}, "b": {}}, seeds=(3, 5), tasks=("ssd_voc",))
    for k, run in enumerate(small.plan.runs):
        points = [{"iteration": n, "loss": 1 / n + n % 7 + k / 1e6, "lr": 0.1} for n in range(1, 2000)]
        small.edit(run, history={"points": points})
    svg = curves(summarize(small.plan), "ssd_voc")
    assert len(titles(svg)) == 45
    assert len(svg) < 400_000
