"""A table of two networks, planned by Snakemake itself."""

from pathlib import Path

import yaml

from tests.workflow.test_rules import SMALL, finish, jobs, outputs
from workflow.config.loading import overlay

R18 = {"network": "resnet18"}
ROWS = {"r18": R18, "r18_cutmix": R18 | SMALL["backbones"]["cutmix"], "scratch18": R18 | {"init": "random"}}
CONFIG = overlay(SMALL, {"backbones": ROWS}) | {"tasks": {"ssd_voc": SMALL["tasks"]["ssd_voc"]}}


def test_another_network_runs_its_row_again_and_no_other(snakemake, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    finish(CONFIG, tmp_path)
    Path("x.yaml").write_text(yaml.safe_dump(overlay(CONFIG, {"backbones": {"r18_cutmix": {"network": "resnet34"}}})))
    status, said = snakemake("-n", "--configfile", "x.yaml")
    assert status == 0, said
    planned = jobs(said)
    assert (planned["pretrain"], planned["detection"]) == (1, 1)
    assert set(planned) <= {"all", "pretrain", "detection", "report", "gallery", "draw_activations", "draw_detections"}
    assert {row for row in CONFIG["backbones"] if f"/{row}/p0s0/metrics.json" in outputs(said)} == {"r18_cutmix"}
