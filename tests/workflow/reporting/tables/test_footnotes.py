"""What stands under the table: protocol, recipe, and where rows were made by different code."""

from pathlib import Path

import pytest

from workflow.reporting.statistics.bootstrap import RESAMPLES
from workflow.reporting.summary import summarize
from workflow.reporting.tables.footnotes import ONCE, OTHER_BITS


def test_the_protocol_is_said_once_where_all_rows_agree(experiment):
    protocol = dict(summarize(experiment().plan).protocols["ssd_voc"])
    assert protocol["metric"] == "VOC07 11-point"
    assert protocol["recipe"] == "iterations 200; batch_size 16; lr 0.01; freeze_bn yes"


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
    assert text.startswith("Rows of ssd_voc were made by different code: baseline: ")
    assert text.endswith("; cutmix: c0ffeec0ff.")


def test_the_code_that_publishes_a_random_backbone_is_not_compared(experiment):
    small = experiment({"baseline": {}, "scratch": {"init": "random"}})
    small.edit(small.run("pretrain", "scratch"), provenance={"code": "c0ffee" * 4})
    assert not [text for text in summarize(small.plan).remarks if "different code" in text]


MACHINE = {"cpu": "A (family 6)", "simd": "AVX512", "bf16": "emulated", "threads": 1, "torch": "2.14.1", "gpu": None}


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"machine": MACHINE | {"cpu": "B (family 25)"}}, "B (family 25), AVX512, bf16 emulated"),
        ({"machine": MACHINE | {"bf16": "avx512_bf16"}}, "A (family 6), AVX512, bf16 avx512_bf16"),
        ({"machine": MACHINE | {"simd": "AVX2"}}, "A (family 6), AVX2, bf16 emulated"),
        ({"machine": MACHINE | {"gpu": "NVIDIA H200"}}, "NVIDIA H200"),
        ({"machine": {}, "device": "aarch64 CPU"}, "aarch64 CPU"),
    ],
)
def test_rows_of_different_machines_are_remarked(experiment, other, said):
    small = experiment()
    for run in small.plan.runs:
        small.edit(run, provenance={"machine": MACHINE})
    assert not [text for text in summarize(small.plan).remarks if "different" in text]
    small.edit(small.run("ssd_voc", "cutmix"), provenance=other)
    first, last = [text for text in summarize(small.plan).remarks if "different" in text or "rounds" in text]
    rows = f"baseline: A (family 6), AVX512, bf16 emulated; cutmix: {said}."
    assert first == f"Rows of ssd_voc were made on different CPUs or GPUs: {rows}"
    assert last == OTHER_BITS


def test_the_machine_of_all_rows_is_named_once(experiment):
    small = experiment()
    for run in small.plan.runs:
        small.edit(run, provenance={"machine": MACHINE, "libraries": {"torch": "2.14.1"}})
    said = "Made on A (family 6), AVX512, bf16 emulated with torch 2.14.1."
    assert said in summarize(small.plan).remarks
    small.edit(small.run("ssd_voc", "cutmix"), provenance={"libraries": {"torch": "2.15.0"}})
    assert not [text for text in summarize(small.plan).remarks if text.startswith("Made on")]


def test_the_seeds_of_a_row_may_be_of_different_machines_too(experiment):
    small = experiment(seeds=(1, 2))
    small.edit(small.run("ssd_voc", "cutmix", transfer=1), provenance={"machine": MACHINE})
    (text,) = [text for text in summarize(small.plan).remarks if "different CPUs" in text]
    assert text.endswith("baseline, cutmix: x86_64 CPU; cutmix: A (family 6), AVX512, bf16 emulated.")


def test_rows_of_different_versions_of_torch_are_remarked(experiment):
    small = experiment()
    for run in small.plan.runs:
        small.edit(run, provenance={"libraries": {"torch": "2.14.1", "numpy": run.backbone}})
    assert not [text for text in summarize(small.plan).remarks if "different" in text]
    small.edit(small.run("pretrain", "cutmix"), provenance={"libraries": {"torch": "2.15.0"}})
    text, _ = [text for text in summarize(small.plan).remarks if "different" in text]
    assert text == "Rows of pretrain were made with different versions of torch: baseline: 2.14.1; cutmix: 2.15.0."


def test_an_imported_file_hides_no_noise_of_its_pretraining(certain):
    """It is what it is: of baseline alone the table lacks other pretrainings."""
    texts = {}
    for imported in ((), ("cutmix",)):
        small = certain(1, 3)
        for name in imported:
            small.plan.config["backbones"][name] = {"checkpoint": "mine.pth"}
        (texts[imported],) = [text for text in summarize(small.plan).remarks if text.startswith("One pretraining, so")]
    assert texts[()].endswith("nic_coco: cutmix, baseline.")
    assert texts["cutmix",].endswith("nic_coco: baseline.")


def test_single_runs_are_called_so(experiment):
    one, two = (" ".join(summarize(experiment(seeds=(n, 1)).plan).remarks) for n in (1, 2))
    assert "One run per cell" in one
    assert "sample standard deviation" not in one
    assert "sample standard deviation" in two
    assert "One run per cell" not in two


@pytest.mark.parametrize(
    ("seeds", "said", "unsaid"),
    [(1, "no interval and no verdict", "Holm"), (2, "no interval and no verdict", "Holm"), (3, "Holm", "no interval")],
)
def test_it_is_said_whose_chance_an_interval_holds(certain, seeds, said, unsaid):
    text = " ".join(summarize(certain(seeds).plan).remarks)
    assert said in text
    assert unsaid not in text


def test_a_row_of_one_pretraining_is_named(certain):
    (text,) = [text for text in summarize(certain(1, 3).plan).remarks if text.startswith("One pretraining, so")]
    assert text.endswith("hold the noise of its transfers but not of pretraining: nic_coco: cutmix, baseline.")
    assert ONCE in summarize(certain(1, 3).plan).remarks
    few, enough = (" ".join(summarize(certain(*seeds).plan).remarks) for seeds in ((1, 2), (3, 1)))
    assert ONCE not in few
    assert "Of one pretraining" not in enough
    assert ONCE not in enough


@pytest.mark.parametrize("seeds", [(2, 3), (3, 1)])
def test_it_is_said_what_a_seed_is(certain, seeds):
    text = " ".join(summarize(certain(*seeds).plan).remarks)
    assert "Runs that share a pretraining count as one seed" in text
    assert (f"{RESAMPLES:,} paired resamples" in text) == (seeds[0] == 3)


def test_it_is_said_which_rows_the_verdicts_are_corrected_for(certain):
    assert "the finished rows that have one, a random initialisation among them" in " ".join(
        summarize(certain(3).plan).remarks
    )


@pytest.mark.parametrize(("row", "named"), [("baseline", "baseline p1s0"), ("cutmix", "cutmix p1s0")])
def test_a_run_without_evidence_is_named(certain, row, named):
    small = certain(3)
    Path(small.run("nic_coco", row, pretrain=1).record).with_name("per_image.npz").unlink()
    small.sign(small.run("nic_coco", row, pretrain=1))
    (text,) = [text for text in summarize(small.plan).remarks if "no per_image.npz" in text]
    assert text.startswith("No interval where a run has no per_image.npz next to its record: pretrain: baseline p0, ")
    assert text.endswith(f"; nic_coco: {named}.")


def test_without_any_interval_none_is_explained(experiment):
    assert "square brackets" not in " ".join(summarize(experiment().plan).remarks)
