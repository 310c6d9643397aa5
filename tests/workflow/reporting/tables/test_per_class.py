"""AP of each class: means over the runs, changes against the baseline, and colours by their size."""

import pytest

from workflow.reporting.page.html_page import html
from workflow.reporting.summary import summarize
from workflow.reporting.tables.per_class import STRONGEST, class_tables


def with_classes(small, **values):
    """`small` with AP by class in the records of ssd_voc: row to a list of mappings, one a run."""
    for row, each in values.items():
        runs = [run for run in small.plan.runs if (run.task, run.backbone) == ("ssd_voc", row)]
        for run, classes in zip(runs, each, strict=True):
            small.sign(run, per_class=classes)
    return summarize(small.plan)


def test_means_changes_and_colours(experiment):
    base = [{"cat": 50.0, "dog": 40.0, "cow": None}] * 2
    other = [{"cat": 60.0, "dog": 30.0, "cow": None}, {"cat": 50.0, "dog": 20.0, "cow": None}]
    (table,) = class_tables(with_classes(experiment(seeds=(2, 1)), baseline=base, cutmix=other))
    assert (table.task, table.metric.name, table.runs) == ("ssd_voc", "mAP", {"baseline": 2, "cutmix": 2})
    cat, dog, cow = (table.rows[name]["cutmix"] for name in ("cat", "dog", "cow"))
    assert (cat.ap, cat.change, dog.ap, dog.change) == (55, 5, 25, -15)
    assert dog.tint == -STRONGEST
    assert cat.tint == pytest.approx(STRONGEST / 3)
    assert (cow.ap, cow.change, cow.tint) == (None, None, 0)
    assert all(row["baseline"].change is None for row in table.rows.values())


def test_a_pretraining_with_fewer_transfers_counts_as_much(experiment):
    small = experiment(seeds=(2, 2))
    small.plan.runs.remove(small.run("ssd_voc", "cutmix", pretrain=1, transfer=1))
    (table,) = class_tables(with_classes(small, cutmix=[{"cat": 60.0}, {"cat": 62.0}, {"cat": 67.0}]))
    assert table.rows["cat"]["cutmix"].ap == 64


def test_without_a_baseline_there_is_no_change(experiment):
    small = experiment()
    small.remove(small.run("ssd_voc", "baseline"))
    (table,) = class_tables(with_classes(small, cutmix=[{"cat": 60.0}]))
    assert table.runs == {"cutmix": 1}
    assert (table.rows["cat"]["cutmix"].ap, table.rows["cat"]["cutmix"].change) == (60, None)


def test_a_class_is_compared_with_the_baseline_of_its_network(experiment):
    own = {"network": "resnet18"}
    small = experiment({"baseline": {}, "cutmix": {}, "r18": own, "r18_mixup": own | {"regularizers": {"mixup": {}}}})
    values = {"baseline": 50.0, "cutmix": 60.0, "r18": 20.0, "r18_mixup": 25.0}
    (table,) = class_tables(with_classes(small, **{row: [{"cat": ap}] for row, ap in values.items()}))
    changes = {row: cell.change for row, cell in table.rows["cat"].items()}
    assert changes == {"baseline": None, "cutmix": 10.0, "r18": None, "r18_mixup": 5.0}


def test_each_column_says_how_many_runs_it_has(experiment):
    small = experiment(seeds=(2, 1))
    small.remove(small.run("ssd_voc", "cutmix", pretrain=1))
    for row in ("baseline", "cutmix"):
        small.sign(small.run("ssd_voc", row, pretrain=0), per_class={"cat": 50.0})
    small.sign(small.run("ssd_voc", "baseline", pretrain=1), per_class={"cat": 60.0})
    text = html(summarize(small.plan), small.folder, {}, {}, [], {})["per_class.html"]
    assert ">baseline<small>n = 2</small>" in text
    assert ">cutmix<small>n = 1</small>" in text


def test_equal_numbers_have_no_colour(experiment):
    (table,) = class_tables(with_classes(experiment(), baseline=[{"cat": 5.0}], cutmix=[{"cat": 5.0}]))
    assert table.rows["cat"]["cutmix"].tint == 0


ROWS = {"baseline": {}, "cutmix": {"regularizers": {"cutmix": {"alpha": 1.0}}}, "scratch": {"init": "random"}}


def test_a_negative_control_does_not_set_the_scale_of_the_colours(experiment):
    base, scratch = [{"cat": 50.0, "dog": 40.0, "cow": 30.0}], [{"cat": 2.0, "dog": 39.0, "cow": 80.0}]
    for cutmix, tints in (({"cat": 52.0, "dog": 36.0}, (0.5, -1)), ({"cat": 50.0, "dog": 40.0}, (0, 0))):
        summary = with_classes(experiment(ROWS), baseline=base, cutmix=[cutmix], scratch=scratch)
        (table,) = class_tables(summary)
        cat, dog = table.rows["cat"], table.rows["dog"]
        assert (cat["cutmix"].tint, dog["cutmix"].tint) == pytest.approx([STRONGEST * tint for tint in tints])
        assert (cat["scratch"].tint, table.rows["cow"]["scratch"].tint) == (-STRONGEST, STRONGEST)
        assert (cat["scratch"].change, table.rows["cow"]["scratch"].change) == (-48, 50)


def test_a_negative_control_alone_has_a_scale(experiment):
    rows = {"baseline": {}, "scratch": {"init": "random"}}
    base, scratch = [{"cat": 50.0, "dog": 40.0}], [{"cat": 10.0, "dog": 30.0}]
    (table,) = class_tables(with_classes(experiment(rows), baseline=base, scratch=scratch))
    assert [table.rows[name]["scratch"].tint for name in ("cat", "dog")] == pytest.approx([-STRONGEST, -STRONGEST / 4])


def test_it_stands_on_the_page_and_in_a_file_of_its_own(experiment):
    small = experiment()
    summary = with_classes(small, baseline=[{"<cat>": 50.0}], cutmix=[{"<cat>": 41.26}])
    pages = html(summary, small.folder, {}, {}, [], {})
    for name in ("transfer.html", "per_class.html"):
        cells = pages[name].partition('scope="row">&lt;cat&gt;')[2].partition("</tr>")[0]
        assert ">41.3<small>−8.7</small>" in cells
        assert "rgb(var(--minus) / 0.45)" in cells
    assert "per_class.html" not in html(summarize(experiment(tasks=("nic_coco",)).plan), small.folder, {}, {}, [], {})
    assert "No record yet." in html(summarize(experiment().plan), small.folder, {}, {}, [], {})["per_class.html"]
