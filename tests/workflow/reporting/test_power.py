"""The planner of seeds as a command."""

import sys

import pytest

from workflow.reporting import power
from workflow.reporting.power import from_records, lines
from workflow.reporting.summary import summarize


def test_records_give_the_spread_and_the_plan(certain, monkeypatch):
    monkeypatch.setattr(power, "SEEDS", range(2, 4))
    ((title, metric, spread, trained),) = from_records(summarize(certain(3, 2).plan))
    assert (title, metric.name, trained) == ("nic_coco CIDEr (from cutmix)", "CIDEr", True)
    text = "\n".join(lines(title, metric, spread, trained, gap=None))
    assert "standard deviation of a change by pretraining seed 2.0, test images 0.0, transfer seed 1.4" in text
    assert next(line for line in text.splitlines() if "2 transfer seeds" in line).split()[3] == "–"


def test_without_records_the_spread_is_given(monkeypatch, capsys):
    monkeypatch.setattr(power, "SEEDS", range(2, 4))
    monkeypatch.setattr(power, "TRANSFERS", (1, 2))
    monkeypatch.setattr(sys, "argv", ["power", "--seed-sd", "0.5", "--image-sd", "0.2", "--gap", "3"])
    power.main()
    said = capsys.readouterr().out
    assert "a gap of 3 takes 3 (1 transfer), 3 (2 transfer) pretraining seeds" in said
    assert "transfer seed unknown" in said
    assert "further rows of a column (Holm's correction)" in said


def test_neither_records_nor_a_spread_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["power", "--gap", "3"])
    with pytest.raises(SystemExit):
        power.main()
    assert "one of the arguments --config --seed-sd is required" in capsys.readouterr().err


def test_records_of_one_seed_are_refused(experiment, monkeypatch, capsys):
    made = experiment()
    monkeypatch.setattr(power, "load", lambda file: {})
    monkeypatch.setattr(power, "plan", lambda config: made.plan)
    monkeypatch.setattr(sys, "argv", ["power", "--config", "x.yaml"])
    with pytest.raises(SystemExit):
        power.main()
    assert "x.yaml: no row and baseline with two pretraining seeds in common" in capsys.readouterr().err
