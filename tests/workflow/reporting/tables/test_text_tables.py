"""transfer.csv, transfer.md and the terminal's table."""

import csv
import io
import random
import re
from pathlib import Path

import pytest

from workflow import registry
from workflow.reporting.page.html_page import html
from workflow.reporting.publish import table
from workflow.reporting.summary import summarize
from workflow.reporting.tables.latex import latex
from workflow.reporting.tables.text_tables import TERMINAL_WIDTH, long_csv, markdown, terminal

SYNTHETIC = {"imagenet": {"synthetic": {"classes": 8}}, "voc": {"root": "somewhere"}}
PAGE = Path("results/small/report/transfer.html")


def rows(small):
    return list(csv.DictReader(io.StringIO(long_csv(summarize(small.plan)))))


def test_the_columns_of_the_csv_are_the_contract_s(experiment):
    header = long_csv(summarize(experiment().plan)).splitlines()[0]
    assert header == "backbone,task,metric,mean,std,n,delta,delta_low,delta_high,verdict,paper"


def test_the_csv_has_one_line_per_backbone_task_and_metric(experiment):
    small = experiment()
    found = [(row["backbone"], row["task"], row["metric"]) for row in rows(small)]
    tasks = ("pretrain", *small.plan.tasks)
    names = {name: [metric.name for metric in task.metrics] for name, task in registry.tasks().items()}
    assert found == [(b, t, m) for b in ("baseline", "cutmix") for t in tasks for m in names[t]]


def test_the_csv_says_what_is_missing(experiment):
    small = experiment(seeds=(2, 1))
    small.fail(small.run("ssd_voc", "cutmix", pretrain=0), 'ValueError: a, "b"')
    small.fail(small.run("ssd_voc", "cutmix", pretrain=1), 'ValueError: a, "b"')
    by_name = {(row["backbone"], row["task"], row["metric"]): row for row in rows(small)}
    empty, full = by_name["cutmix", "ssd_voc", "mAP"], by_name["baseline", "ssd_voc", "mAP"]
    assert (empty["mean"], empty["n"], empty["delta"]) == ("", "0", "")
    assert empty["verdict"] == 'failed: ValueError: a, "b"'
    assert empty["paper"] == "77.6"
    assert float(full["std"]) > 0
    assert (full["n"], float(full["delta"]), full["delta_low"], full["delta_high"]) == ("2", 0, "", "")


def test_the_baseline_has_no_change_against_itself_in_any_output(certain):
    small = certain(3)
    summary = summarize(small.plan)
    pages = html(summary, small.folder, {}, {}, [], {})["transfer.html"]
    for shown in (markdown(summary), terminal(summary, PAGE), latex(summary), table(summary), pages):
        assert "10.0" in shown
        assert not re.search(r"[+−]0\.0+\b", shown)


def test_the_csv_has_interval_and_verdict(certain):
    (found,) = [row for row in rows(certain(3)) if (row["backbone"], row["metric"]) == ("cutmix", "CIDEr")]
    assert float(found["delta_low"]) < float(found["delta"]) == 10 < float(found["delta_high"])
    assert found["verdict"] == "better"


def test_one_pretraining_is_said_everywhere(certain):
    small = certain(1, 3)
    summary = summarize(small.plan)
    (found,) = [row for row in rows(small) if (row["backbone"], row["metric"]) == ("cutmix", "CIDEr")]
    assert found["verdict"] == "one pretraining"
    assert re.search(r"\] one pretraining, interval of its transfers only<br>n = 3: ", markdown(summary))
    assert re.search(r"\ncutmix .* \(\+10\.0\)  \[\+\d\.\d, \+1\d\.\d\] t +\d", terminal(summary, PAGE))


def test_the_markdown_shows_interval_verdict_and_the_single_values(certain):
    small = certain(3)
    cell = summarize(small.plan).cells["cutmix", "nic_coco", "CIDEr"]
    text = markdown(summarize(small.plan))
    assert f"(+10.0)<br>[+{cell.low:.1f}, +{cell.high:.1f}] better<br>n = 3: 59.0, 60.0, 61.0<br>" in text


@pytest.mark.parametrize(("seeds", "verdict"), [(1, "single seed"), (2, "few seeds")])
def test_no_bracket_of_one_or_two_seeds_looks_like_a_claim(certain, seeds, verdict):
    small = certain(seeds)
    summary = summarize(small.plan)
    text = markdown(summary)
    assert f"(+10.0)<br>{verdict}, no interval<br>" in text
    assert f"+10.0, {verdict}, no interval |" in table(summary)
    for shown in (text, table(summary), terminal(summary, PAGE), latex(summary), html_of(small)):
        assert not re.search(r"\[\$?[+−-]?\d", shown), "an interval"
    (row,) = [row for row in rows(small) if (row["backbone"], row["metric"]) == ("cutmix", "CIDEr")]
    assert (row["delta_low"], row["delta_high"], row["verdict"]) == ("", "", verdict)
    assert "With fewer than 3 seeds a change has no interval and no verdict" in terminal(summary, PAGE)


def html_of(small):
    """The page, without its styles and its script."""
    return (
        html(summarize(small.plan), small.folder, {}, {}, [], {})["transfer.html"]
        .partition("</style>")[2]
        .partition("<script>")[0]
    )


def test_the_terminal_marks_verdicts_and_explains_the_marks(certain):
    three, one = (terminal(summarize(certain(n).plan), PAGE) for n in (3, 1))
    assert re.search(r"\ncutmix .* 60\.0 ± 1\.0 \(\+10\.0\)  \[\+\d\.\d, \+1\d\.\d\] \+", three)
    assert re.search(r"\ncutmix .* 60\.0 \(\+10\.0\) +77\.6\n", one), "the paper's number follows"
    assert "t no verdict: of one pretraining, the\ninterval holds its transfers only." in three
    assert "standard deviation over n runs, n = 3." in three
    assert "n runs" not in one
    assert "+ better, - worse, ? undecided" in three
    assert max(map(len, three.splitlines())) <= TERMINAL_WIDTH


def test_the_order_in_which_records_are_found_changes_nothing(experiment):
    small = experiment(seeds=(3, 2))
    before = summarize(small.plan)
    texts = long_csv(before), markdown(before), terminal(before, PAGE)
    random.Random(0).shuffle(small.plan.runs)
    after = summarize(small.plan)
    assert texts == (long_csv(after), markdown(after), terminal(after, PAGE))


def test_the_wide_table_has_one_row_per_backbone(experiment):
    text = markdown(summarize(experiment().plan))
    table = [line for line in text.partition("\n## ")[0].splitlines() if line.startswith("|")]
    assert len(table) == 2 + 2
    assert {line.count("|") for line in table} == {12}
    assert "*paper 77.6*" in table[3]
    assert "BLEU-2" not in text


def test_names_and_reasons_cannot_break_the_markdown(experiment):
    small = experiment({"baseline": {}, "a|b<script>": {}})
    small.fail(small.run("ssd_voc", "a|b<script>"), "<img src=x> | *x*")
    text = markdown(summarize(small.plan))
    assert "<script>" not in text
    assert "<img" not in text
    assert "a\\|b&lt;script&gt;" in text


def test_a_demo_is_called_one_above_the_table(experiment):
    for data, expected in ((SYNTHETIC, True), (None, False)):
        summary = summarize(experiment(data=data).plan)
        for text in (markdown(summary), terminal(summary, PAGE)):
            above = " ".join(text.partition("top1_error")[0].split())
            assert ("With one seed and short schedules, its rows cannot be compared" in above) is expected


def test_a_demo_with_several_seeds_is_not_said_to_have_one(experiment):
    (notice,) = summarize(experiment(data=SYNTHETIC, seeds=(1, 2)).plan).notices
    assert "few seeds and short schedules" in notice


def test_scenes_of_photos_are_no_demo(experiment):
    photos = {"imagenet": {"root": "x"}, "voc": {"synthetic": {"photos": "objects"}}}
    (notice,) = summarize(experiment(data=photos).plan).notices
    assert notice.startswith("The transfer tasks are tested on scenes composed of photos")
    (notice,) = summarize(experiment(data=SYNTHETIC | {"coco": photos["voc"]}).plan).notices
    assert notice.startswith("This is a demo")


def test_the_terminal_s_table_fits_a_terminal(experiment):
    small = experiment({"baseline": {}, "cutmix": {}, "stochastic_depth": {}}, seeds=(3, 1))
    small.fail(small.run("ssd_voc", "cutmix", pretrain=0), "ValueError: " + "long " * 100)
    text = terminal(summarize(small.plan), PAGE)
    table = [line for line in text.splitlines() if not line.startswith("ssd_voc cutmix p0s0: failed")]
    assert max(map(len, table)) <= TERMINAL_WIDTH <= 120
    assert text.count("\nstochastic_depth ") == text.count("\nbackbone ") >= 2
    assert text.endswith(f"Page: {PAGE}")


def test_the_terminal_says_what_is_not_done(experiment):
    small = experiment()
    small.fail(small.run("ssd_voc", "cutmix"), "ValueError: bad luck")
    small.remove(small.run("nic_coco", "cutmix"))
    text = terminal(summarize(small.plan), PAGE)
    assert "\nssd_voc cutmix p0s0: failed: ValueError: bad luck\n1 of 8 runs are pending\n" in text


def test_every_run_names_its_record_or_its_reason(experiment):
    small = experiment()
    small.remove(small.run("nic_coco", "cutmix"))
    text = markdown(summarize(small.plan)).replace("\\", "")
    assert "- nic_coco cutmix p0s0: pending\n" in text
    assert f"- ssd_voc cutmix p0s0: {small.run('ssd_voc', 'cutmix').record}\n" in text


def test_the_imagenet_table_stands_under_the_first(experiment):
    small = experiment(
        {"baseline": {}, "cutmix": {"regularizers": {"cutmix": {"alpha": 1.0}}}, "a|b": {"init": "random"}}
    )
    small.edit(small.run("pretrain", "cutmix"), metrics={"top1_error": 30.0}, best={"epoch": 2, "top1_error": 29.0})
    small.edit(small.run("pretrain", "baseline"), metrics={"top1_error": 31.5})
    small.unscored(small.run("pretrain", "a|b"), "not scored: <no> fc")
    text = markdown(summarize(small.plan)).partition("\n## ImageNet classification\n")[2]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 3
    assert {line.replace("\\|", "").count("|") for line in lines} == {10}
    cells = [cell.strip() for cell in lines[3].split("|")[1:-1]]
    assert cells[:4] == ["cutmix", "cutmix: alpha 1.0", "4", "30.00 (-1.50)<br>single seed, no interval"]
    assert cells[5] == "29.00 (epoch 2)"
    assert cells[7:] == ["21.40", "5.92"]
    assert lines[4].startswith("| a\\|b | random initialisation |  | not scored: &lt;no&gt; fc |")


def test_the_terminal_has_both_errors(experiment):
    assert "top5_error" in terminal(summarize(experiment().plan), PAGE)
