"""What stands under the table: protocol, recipe, and where rows were made by different code."""

from workflow.reporting.summary import summarize


def test_the_protocol_is_said_once_where_all_rows_agree(experiment):
    protocol = dict(summarize(experiment().plan).protocols["ssd_voc"])
    assert protocol["metric"] == "VOC07 11-point"
    assert protocol["recipe"] == "iterations 200; batch 16; lr 0.01; bn frozen"


def test_the_protocol_names_the_rows_that_differ(experiment):
    small = experiment()
    small.edit(small.run("ssd_voc", "cutmix"), protocol={"preprocessing": {"mean": [1.0, 2.0]}})
    small.edit(small.run("ssd_voc", "baseline"), protocol={"preprocessing": {"mean": [3.0, 4.0]}})
    protocol = dict(summarize(small.plan).protocols["ssd_voc"])
    assert protocol["preprocessing"] == "mean 3.0 4.0 (baseline) / mean 1.0 2.0 (cutmix)"


def test_regularizers_stand_in_the_pretraining_recipe(experiment):
    recipe = dict(summarize(experiment().plan).protocols["pretrain"])["recipe"]
    assert recipe.endswith("regularizers none (baseline) / cutmix alpha 1.0 (cutmix)")


def test_different_code_is_reported_and_equal_code_is_not(experiment):
    small = experiment()
    assert not [text for text in summarize(small.plan).remarks if "different code" in text]
    small.edit(small.run("ssd_voc", "cutmix"), provenance={"code": "c0ffee" * 4})
    (text,) = [text for text in summarize(small.plan).remarks if "different code" in text]
    assert text.startswith("Rows of ssd_voc were made by different code: baseline by ")
    assert text.endswith("cutmix by c0ffeec0ff.")


def test_single_runs_are_called_so(experiment):
    one, two = (" ".join(summarize(experiment(seeds=(n, 1)).plan).remarks) for n in (1, 2))
    assert "One run a cell" in one
    assert "sample standard deviation" not in one
    assert "sample standard deviation" in two
    assert "One run a cell" not in two
