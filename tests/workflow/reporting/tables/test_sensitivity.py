"""Instances that differ in their learning rate only stand in one table, by their rates."""

from workflow.reporting.page.html_page import html
from workflow.reporting.summary import summarize
from workflow.reporting.tables.sensitivity import sensitivities

RATES = {
    "ssd_voc": {"lr": 0.01, "size": 300},
    "fast": {"task": "ssd_voc", "lr": 0.03, "size": 300},
    "slow": {"task": "ssd_voc", "lr": 0.003, "size": 300},
    "large": {"task": "ssd_voc", "lr": 0.03, "size": 512},
    "nic_coco": {"lr": 0.001},
}


def test_instances_that_differ_in_the_rate_only_are_a_table(experiment):
    small = experiment(tasks=RATES)
    summary = summarize(small.plan)
    (table,) = sensitivities(summary)
    assert (table.task, table.heads) == ("ssd_voc", ("mAP ↑", "lr 0.003", "lr 0.01", "lr 0.03"))
    assert [line[0] for line in table.lines] == ["baseline", "cutmix"]
    cells = [summary.cell("cutmix", (name, summary.tasks[name].headline)) for name in ("slow", "ssd_voc", "fast")]
    for text, cell in zip(table.lines[1][1:], cells, strict=True):
        assert text == f"{cell.mean:.1f} ({cell.change:+.1f})".replace("-", "−")
    page = html(summary, small.folder, {}, {}, [], {})["transfer.html"]
    assert '<h2 id="sensitivity">Learning-rate sensitivity</h2>' in page
    assert "lr 0.003" in page


def test_other_tables_have_no_such_section(experiment):
    small = experiment()
    summary = summarize(small.plan)
    assert sensitivities(summary) == []
    assert "Learning-rate sensitivity" not in html(summary, small.folder, {}, {}, [], {})["transfer.html"]
