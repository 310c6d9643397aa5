"""What runs cost, a line each and together."""

import json
from pathlib import Path

import pytest

from workflow.reporting.records import read
from workflow.reporting.summary import summarize
from workflow.reporting.tables.run_resources import duration, run, total, waiting
from workflow.reporting.tables.text_tables import markdown, terminal


def test_costs_add_up_over_the_runs_that_are_done(experiment):
    small = experiment()
    small.remove(small.run("ssd_voc", "cutmix"))
    for seconds, speed, memory, row in ((100.0, 10.0, 500.0, "baseline"), (300.0, 20.0, 900.4, "cutmix")):
        trail = {"seconds": seconds, "images_per_second": speed, "peak_memory_mb": memory}
        small.edit(small.run("nic_coco", row), provenance=trail)
    summary = summarize(small.plan)
    lines = {t: [run(o) for o in summary.outcomes if o.task == t] for t in summary.tasks}
    numbers = {"done": 2, "time": "0:06:40", "speed": "17.5 captions/s", "waiting": "–", "memory": "900"}
    assert total(lines["nic_coco"]) == numbers
    assert total(lines["ssd_voc"])["done"] == 1
    assert total(lines["ssd_voc"])["speed"] == "61.5 images/s"
    everything = total([line for each in lines.values() for line in each])
    assert (everything["speed"], everything["done"]) == ("", 7), "an image costs another work in each task"
    assert everything["time"]
    assert total([]) == {"done": 0, "time": "", "speed": "", "waiting": "", "memory": ""}


def test_captions_on_features_that_are_there_already_are_no_images(experiment):
    small = experiment()
    tuned = small.run("nic_coco", "cutmix")
    small.edit(tuned, protocol={"encoder": "fine-tuned"})
    found = [run(o) for o in read(small.plan) if o.task == "nic_coco"]
    assert [line["speed"] for line in found] == ["61.5 captions/s", "61.5 images/s"]
    assert total(found)["speed"] == ""


def test_the_share_of_waiting_is_that_of_all_seconds_and_unknown_if_one_run_lacks_it(experiment):
    small = experiment()
    small.edit(small.run("nic_coco", "baseline"), provenance={"seconds": 100.0, "data_wait": 0.30})
    lines = [run(o) for o in read(small.plan) if o.task == "nic_coco"]
    assert [line["waiting"] for line in lines] == ["30 %", "–"]
    assert total(lines)["waiting"] == "–"
    small.edit(small.run("nic_coco", "cutmix"), provenance={"seconds": 300.0, "data_wait": 0.02})
    lines = [run(o) for o in read(small.plan) if o.task == "nic_coco"]
    assert total(lines)["waiting"] == "9 %"


def test_a_long_wait_for_data_is_said_with_the_knob(experiment):
    small = experiment()
    slow = small.run("ssd_voc", "cutmix")
    assert list(waiting(read(small.plan))) == [], "records that do not say it"
    small.edit(slow, provenance={"data_wait": 0.10})
    assert list(waiting(read(small.plan))) == []
    small.edit(slow, provenance={"data_wait": 0.25})
    (said,) = waiting(read(small.plan))
    assert said.startswith("ssd_voc: 1 of 2 runs waited for data for more than 10 % of their training")
    assert "(cutmix p0s0: 25 %)" in said
    assert "set `workers`" in said, "it has none"
    assert said.endswith("Where other runs take them all, nothing is lost.")
    small.edit(slow, provenance={"device": "NVIDIA H200"})
    (said,) = waiting(read(small.plan))
    assert said.endswith("set `workers`, if there are cores that no other run takes."), "a GPU stands still meanwhile"
    config = Path(slow.record).with_name("config.json")
    config.write_text(json.dumps(json.loads(config.read_text()) | {"workers": 2}))
    small.sign(slow)
    summary = summarize(small.plan)
    (said,) = waiting(summary.outcomes)
    assert "Raise `workers` (2 now)" in said
    assert "> **ssd_voc: 1 of 2 runs waited" in markdown(summary)
    assert "ssd_voc: 1 of 2 runs waited" in terminal(summary, Path("page"))
    small.edit(slow, provenance={"seconds": 60.0})
    assert len(list(waiting(read(small.plan)))) == 1
    small.edit(slow, provenance={"seconds": 59.9})
    assert list(waiting(read(small.plan))) == [], "too short to say"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(9.6, "0:00:10"), (59.4, "0:00:59"), (3599.6, "1:00:00"), (3725, "1:02:05"), (90_061, "25:01:01")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("machine", "named"),
    [({"cpu": "A (family 6)", "gpu": None}, "A (family 6)"), ({"cpu": "A", "gpu": "B"}, "B"), ({}, "x86_64 CPU")],
)
def test_a_run_names_what_it_was_computed_on(experiment, machine, named):
    small = experiment()
    planned = small.run("ssd_voc", "cutmix")
    small.edit(planned, provenance={"machine": machine})
    (found,) = [o for o in read(small.plan) if (o.task, o.backbone) == ("ssd_voc", "cutmix")]
    assert run(found)["device"] == named
