"""Only what changed is run again (law 5), sentence by sentence, by dry-run; more of it in test_rules.py. That changed
code is recorded and told: training/test_record.py and reporting/test_notes.py."""

import os
from pathlib import Path

import pytest
import yaml

from tests.snakemake_call import copy_project
from tests.workflow.test_rules import (  # noqa: F401 (two of them are fixtures)
    FIGURES,
    PROJECT,
    SMALL,
    changed,
    dry_run,
    finish,
    finished_once,
    jobs,
    outputs,
)
from workflow.config.loading import overlay
from workflow.planning.plan import plan

TRANSFERS = {"detection": 2, "features": 1, "captioning": 1}


def test_a_comment_in_the_config_plans_nothing(dry_run, snakemake):  # noqa: F811
    lines = yaml.safe_dump(SMALL).splitlines()
    commented = "\n".join(f"{line}  # words" if number % 3 else f"# more\n{line}" for number, line in enumerate(lines))
    Path("commented.yaml").write_text(commented)
    status, said = snakemake("-n", "--configfile", "commented.yaml")
    assert (status, jobs(said)) == (0, {}), said


@pytest.fixture
def house(dry_run):  # noqa: F811
    """A copy of the project whose code may be edited, and its dry-run."""
    copy_project(Path("house"))
    return lambda: dry_run(SMALL, "-s", "house/Snakefile")


def test_a_comment_in_the_code_plans_nothing(house):
    for path in [*Path("house").rglob("*.smk"), Path("house/Snakefile"), *Path("house").rglob("*.py")]:
        path.write_text(f"# words\n{path.read_text()}\n# words\n")
    assert jobs(house()) == {}


def test_a_shell_line_plans_the_jobs_of_its_rule(house):
    rules = Path("house/captioning/rules.smk")
    assert rules.read_text().count("captioning vocabulary --dataset-info") == 1
    rules.write_text(
        rules.read_text().replace("captioning vocabulary --dataset-info", "captioning vocabulary  --dataset-info")
    )
    assert jobs(house()) == {"vocabulary": 1}


def test_what_another_snakemake_has_made_meanwhile_is_not_removed_under_its_readers(house, snakemake):
    """Two folders of work whose results are one by a link: the job finds what is there, as it would with a lock."""
    assert jobs(house()) == {}
    rules, index = Path("house/captioning/rules.smk"), plan(SMALL).shown("nic_coco")[0].shared["vocabulary"]
    command = "python -m captioning vocabulary"
    assert command in rules.read_text()
    rules.write_text(rules.read_text().replace(command, "cat {output.index:q} && touch {output.index:q} && :"))
    Path(index, "index.json").write_text("of the other")
    call = ["-s", "house/Snakefile", "--configfile", "x.yaml", "--cores", "1", "--forcerun", "vocabulary"]
    status, said = snakemake(*call, "--until", "vocabulary")
    assert status == 0, said
    assert Path(index, "index.json").read_text() == "of the other"


def test_a_regularizer_s_parameter_plans_its_backbone_and_what_hangs_on_it(dry_run):  # noqa: F811
    said = dry_run(changed("backbones/cutmix/regularizers/cutmix/probability", 0.5))
    assert jobs(said) == {"pretrain": 1, **TRANSFERS, "gallery": 1, **FIGURES, "report": 1, "all": 1}
    assert "baseline" not in outputs(said)


@pytest.mark.parametrize("key", ["lr", "weight_decay"])
def test_a_value_of_ssd_plans_exactly_its_runs_and_the_report(key, dry_run):  # noqa: F811
    said = dry_run(changed(f"tasks/ssd_voc/{key}", 0.0123))
    assert jobs(said) == {"detection": 2, "draw_detections": 1, "report": 1, "all": 1}
    assert "faster_rcnn_voc/" not in outputs(said)
    assert "ssd_voc/baseline" in outputs(said)
    assert "ssd_voc/cutmix" in outputs(said)


def test_an_added_pretraining_seed_plans_only_its_runs(dry_run):  # noqa: F811
    said = dry_run(changed("seeds/pretrain", [0, 1]))
    assert jobs(said) == {"pretrain": 2, "detection": 4, "features": 2, "captioning": 2, "report": 1, "all": 1}
    assert "seed0/" not in outputs(said)
    assert "p0s0" not in outputs(said)


def test_touched_drawn_data_train_nothing(dry_run):  # noqa: F811
    for name in ("imagenet", "voc", "coco"):
        root = Path(plan(SMALL).root(name))
        (root / "touched.jpg").touch()
        os.utime(root / ".snakemake_timestamp")
        os.utime(root)
    assert set(jobs(dry_run(SMALL))) <= {"check_data"}, "a look at them again, at most"


@pytest.fixture
def rooted(snakemake, tmp_path, monkeypatch):
    """The finished DAG of a config with data of the user's."""
    monkeypatch.chdir(tmp_path)
    for name in ("imagenet", "VOCdevkit"):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "a.jpg").write_bytes(b"image")
    data = {"imagenet": {"root": "data/imagenet"}, "voc": {"root": "data/VOCdevkit", "classes": "voc"}}
    config = overlay(SMALL, {}) | {"data": data, "tasks": {"ssd_voc": SMALL["tasks"]["ssd_voc"]}}
    finish(config, tmp_path)
    return lambda *more: jobs(snakemake("-n", "--configfile", "x.yaml", *more)[1])


def test_a_touched_data_file_plans_nothing(rooted):
    for path in (*Path("data").rglob("*"), *Path("results/data").glob("*.json")):
        os.utime(path)
    assert rooted() == {}
    assert rooted("--forcerun", "check_data") == {"check_data": 2}, "nor does another look at them"
