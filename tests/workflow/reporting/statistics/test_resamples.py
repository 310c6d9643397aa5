"""What was resampled is kept: used where it fits, made anew where it does not, missed by nobody."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.workflow.reporting import plain
from workflow import registry
from workflow.reporting.statistics import resamples
from workflow.reporting.statistics.bootstrap import RESAMPLES, Resampled
from workflow.reporting.statistics.per_image import read
from workflow.reporting.summary import summarize
from workflow.reporting.tables.text_tables import long_csv
from workflow.training.per_image import write

DECLARED = [one for task in ("ssd_voc", "nic_coco") for one in registry.tasks()[task].resampling]


@pytest.fixture
def path(tmp_path):
    """A run's evidence: detections, the counts of BLEU and METEOR, and one metric that is a mean."""
    path = tmp_path / "per_image.npz"
    counts = np.tile([4, 3, 2, 1, 6, 5, 4, 3, 6, 7], (12, 1)) + np.arange(12)[:, None] % 3
    meteor = np.tile([10, 9, 4, 3, 3, 3, 2, 1, *[0] * 12, 2, 5, 4], (12, 1)) + np.arange(12)[:, None] % 3
    each = {"top1_error": np.linspace(0, 100, 12), "bleu": counts, "meteor": meteor}
    write(path, np.arange(12), **each, **plain.detections(1))
    return path


def call(path: Path) -> tuple[dict, int]:
    """The metrics, and of how many resamples the progress bar was told."""
    told = [0]
    return resamples.resampled(read(path, DECLARED), told.append), sum(told)


def forge(path: Path, **changes: np.ndarray) -> None:
    """Change what is kept beside the evidence, under the key that it has."""
    kept = path.with_name("bootstrap.npz")
    with np.load(kept) as file:
        np.savez(kept, **{**file, **changes})


def rewrite(path: Path, **changes: np.ndarray) -> None:
    """As the report itself would have kept it."""
    kept = path.with_name("bootstrap.npz")
    with np.load(kept) as file:
        arrays = {**file, **changes}
    key, _ = (str(arrays.pop(name)) for name in ("key", "sha256"))
    resamples._keep(kept, key, {name: Resampled(one[0], one[1:]) for name, one in arrays.items()})


def same(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(
        one[key].point == other[key].point and np.array_equal(one[key].draws, other[key].draws) for key in one
    )


def test_what_is_kept_is_what_was_found_and_is_used(path):
    first, told = call(path)
    kept = path.with_name("bootstrap.npz").read_bytes()
    second, again = call(path)
    assert same(first, second)
    assert told == again == RESAMPLES
    assert path.with_name("bootstrap.npz").read_bytes() == kept
    rewrite(path, mAP=np.full(1 + RESAMPLES, 12.5))
    assert set(call(path)[0]["mAP"].draws) == {12.5}, "nothing is resampled where the key fits"


@pytest.mark.parametrize("other", ["evidence", "number", "method"])
def test_what_is_of_another_key_is_made_anew(path, monkeypatch, other):
    call(path)
    rewrite(path, mAP=np.full(1 + RESAMPLES, 12.5))
    if other == "evidence":
        write(path, np.arange(12), top1_error=np.linspace(0, 50, 12), **plain.detections(2))
    elif other == "number":
        monkeypatch.setattr(resamples, "RESAMPLES", RESAMPLES + 1)
    else:
        monkeypatch.setattr(resamples, "METHOD", resamples.METHOD + 1)
    assert set(call(path)[0]["mAP"].draws) != {12.5}


@pytest.mark.parametrize("damage", ["empty", "cut", "a bit", "a shape", "a folder"])
def test_what_cannot_be_read_or_written_is_no_error(path, damage):
    found, _ = call(path)
    kept = path.with_name("bootstrap.npz")
    content = bytearray(kept.read_bytes())
    if damage == "a shape":
        forge(path, mAP=np.full(7, 12.5))
    elif damage == "a folder":  # neither to be read nor to be replaced
        kept.unlink()
        kept.mkdir()
    else:
        content[len(content) // 2] ^= 1
        kept.write_bytes({"empty": b"", "cut": content[:-400], "a bit": content}[damage])
    assert same(call(path)[0], found)
    assert sorted(file.name for file in path.parent.iterdir()) == ["bootstrap.npz", "per_image.npz"]
    assert same(call(path)[0], found)


@pytest.mark.parametrize("value", [np.nan, np.inf, 12.5])
@pytest.mark.parametrize("place", [0, 1, RESAMPLES])
def test_a_draw_that_was_replaced_moves_nothing(path, place, value):
    found, _ = call(path)
    draws = np.array([found["mAP"].point, *found["mAP"].draws])
    draws[place] = value
    forge(path, mAP=draws)
    assert same(call(path)[0], found)
    if not np.isfinite(value):
        rewrite(path, mAP=draws)
        assert same(call(path)[0], found)


@pytest.mark.parametrize("change", ["a metric less", "a metric more", "draws of another"])
def test_what_is_not_as_it_was_written_is_made_anew(path, change):
    found, _ = call(path)
    kept = path.with_name("bootstrap.npz")
    with np.load(kept) as file:
        arrays = {**file}
    if change == "a metric less":
        del arrays["METEOR"]
    elif change == "a metric more":
        arrays["CIDEr"] = arrays["mAP"]
    else:
        arrays["BLEU-1"], arrays["BLEU-2"] = arrays["BLEU-2"], arrays["BLEU-1"]
    np.savez(kept, **arrays)
    assert same(call(path)[0], found)


@given(noise=st.binary(max_size=60), start=st.integers(0, 40_000), length=st.integers(0, 40_000))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_give_the_same_draws(path, noise, start, length):
    found, _ = call(path)
    kept = path.with_name("bootstrap.npz")
    content = kept.read_bytes()
    kept.write_bytes(content[:start] + noise + content[start + length :])
    assert same(call(path)[0], found)


def test_a_pipe_does_not_hang(path):
    found, _ = call(path)
    path.with_name("bootstrap.npz").unlink()
    os.mkfifo(path.with_name("bootstrap.npz"))
    assert same(call(path)[0], found)
    assert path.with_name("bootstrap.npz").is_file()


def test_the_method_s_number_stands_for_its_results(path):
    """Where this fails, the same evidence gives other resamples: raise METHOD, or old ones will be used."""
    found, _ = call(path)
    assert resamples.METHOD == 1
    sums = {key: float(one.draws @ np.arange(RESAMPLES)) / 1e5 for key, one in found.items()}
    bleu = {"BLEU-1": 308.6661665, "BLEU-2": 298.078946463, "BLEU-3": 284.300410501, "BLEU-4": 264.96480544}
    others = {"top1_error": 248.465333333, "mAP": 102.305106199, "mAP_area": 97.490985413, "METEOR": 231.581293234}
    assert sums == pytest.approx(bleu | others, rel=1e-8)


def test_a_second_report_says_the_same_and_resamples_nothing(certain):
    small = certain(3)
    first = long_csv(summarize(small.plan))
    assert long_csv(summarize(small.plan)) == first
    for run in small.plan.runs:
        if (run.task, run.backbone) == ("nic_coco", "cutmix"):
            evidence = Path(run.record).with_name("per_image.npz")
            point = read(evidence).arrays["CIDEr"].mean()
            rewrite(evidence, CIDEr=point + np.linspace(-30, 30, 1 + RESAMPLES) * (np.arange(1 + RESAMPLES) > 0))
    assert long_csv(summarize(small.plan)) != first, "what is kept decides"
