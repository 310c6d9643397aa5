"""What runs cost, a line each and together."""

import pytest

from workflow.reporting.costs import duration, run, total
from workflow.reporting.records import read
from workflow.reporting.summary import summarize


def test_costs_add_up_over_the_runs_that_are_done(experiment):
    small = experiment()
    small.remove(small.run("ssd_voc", "cutmix"))
    for seconds, speed, memory, row in ((100.0, 10.0, 500.0, "baseline"), (300.0, 20.0, 900.4, "cutmix")):
        trail = {"seconds": seconds, "images_per_second": speed, "peak_memory_mb": memory}
        small.edit(small.run("nic_coco", row), provenance=trail)
    summary = summarize(small.plan)
    lines = {t: [run(o) for o in summary.outcomes if o.task == t] for t in summary.tasks}
    assert total(lines["nic_coco"]) == {"done": 2, "time": "0:06:40", "speed": "17.5 captions/s", "memory": "900"}
    assert total(lines["ssd_voc"])["done"] == 1
    assert total(lines["ssd_voc"])["speed"] == "61.5 images/s"
    everything = total([line for each in lines.values() for line in each])
    assert (everything["speed"], everything["done"]) == ("", 7), "an image costs another work in each task"
    assert everything["time"]
    assert total([]) == {"done": 0, "time": "", "speed": "", "memory": ""}


def test_captions_on_features_that_are_there_already_are_no_images(experiment):
    small = experiment()
    tuned = small.run("nic_coco", "cutmix")
    small.edit(tuned, protocol={"encoder": "fine-tuned"})
    found = [run(o) for o in read(small.plan.runs) if o.task == "nic_coco"]
    assert [line["speed"] for line in found] == ["61.5 captions/s", "61.5 images/s"]
    assert total(found)["speed"] == ""


@pytest.mark.parametrize(("seconds", "text"), [(9.6, "0:00:10"), (3725, "1:02:05")])
def test_durations(seconds, text):
    assert duration(seconds) == text
