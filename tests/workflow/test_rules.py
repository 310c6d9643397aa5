"""Which jobs Snakemake plans: the whole matrix at first, then exactly what a change touches (law 5), by dry-run.

A finished DAG is pretended: every planned file is made, and `snakemake --touch` records it as finished.
"""

import contextlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.checks import info
from tests.demo import demo
from tests.snakemake_call import PROJECT, copy_project
from workflow.config.loading import overlay
from workflow.planning.plan import Plan, plan

DEMO = demo()
FIGURES = {"draw_activations": 1, "draw_detections": 2, "draw_captions": 1}  # of all backbones, with DEMO's tasks
SMALL = DEMO | {"backbones": {name: DEMO["backbones"][name] for name in ("baseline", "cutmix")}}


def jobs(said: str) -> dict[str, int]:
    """The `Job stats` of a dry-run: rule to count; {} if there is nothing to do."""
    if "Nothing to be done" in said:
        return {}
    table = re.search(r"^job +count\n[- ]+\n(.*?)^total", said, re.M | re.S)
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table[1], re.M)}


def outputs(said: str) -> str:
    """The output lines of a dry-run."""
    return "\n".join(re.findall(r"^    output: .*$", said, re.M))


def pretend(todo: Plan) -> None:
    """Make every file that the finished DAG leaves."""
    files = ["results/data/all_checks_passed.txt", *todo.report]
    for run in todo.runs:
        files += [run.record, *(str(Path(run.record).with_name(name)) for name in ("config.json", "per_image.npz"))]
        files += [run.weights] if run.task == "pretrain" else [str(Path(run.record).with_name("predictions.json"))]
    files += [f"{root}/.snakemake_timestamp" for name in todo.checks for root in todo.generated_dirs(name)]
    shared = {f"{folder}/index.json": run.check for run in todo.runs for folder in run.shared.values()}
    for file in [*files, *shared]:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).touch()
    for index, check in shared.items():
        Path(index).write_text(json.dumps({"data": f"of {check}"}))
    for check in todo.checks.values():
        info(f"of {check}").write(Path(check))
    for run in todo.runs:
        Path(run.record).write_text(json.dumps({"provenance": {"data": f"of {run.check}"}}))
        Path(run.record).with_name("config.json").write_text(run.json)


@pytest.fixture(scope="module")
def finished_once(tmp_path_factory):
    """A folder with the finished DAG of SMALL."""
    folder = tmp_path_factory.mktemp("finished")
    finish(SMALL, folder)
    return folder


def finish(config: dict, folder: Path) -> None:
    """The finished DAG of a config."""
    (folder / "x.yaml").write_text(yaml.safe_dump(config))
    with contextlib.chdir(folder):
        pretend(plan(config))
    call = [sys.executable, "-m", "snakemake", "-s", str(PROJECT / "Snakefile"), "--configfile", "x.yaml"]
    subprocess.run([*call, "--touch", "--forceall", "--cores", "1", "--quiet", "all"], cwd=folder, check=True)


@pytest.fixture
def dry_run(finished_once, snakemake, tmp_path, monkeypatch):
    """Dry-run a config (changed by keywords) in a copy of the finished DAG; returns what was said."""
    shutil.copytree(finished_once, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)

    def call(config: dict, *arguments: str) -> str:
        (tmp_path / "x.yaml").write_text(yaml.safe_dump(config))
        status, said = snakemake("-n", "--configfile", "x.yaml", *arguments)
        assert status == 0, said
        return said

    return call


def test_a_finished_dag_does_nothing(dry_run):
    assert jobs(dry_run(SMALL)) == {}


def changed(path: str, value: object) -> dict:
    """SMALL with a value set at a path like `tasks/ssd_voc/lr`."""
    for key in reversed(path.split("/")):
        value = {key: value}
    return overlay(SMALL, value)


def test_a_tracker_costs_nothing(dry_run):
    assert jobs(dry_run(overlay(SMALL, {"resources": {"tracking": "tensorboard"}}))) == {}


@pytest.mark.parametrize("gpus", [1, 2])
def test_the_machine_and_a_comment_cost_nothing(gpus, dry_run):
    Path("x.yaml").write_text("# words\n" + Path("x.yaml").read_text())
    assert jobs(dry_run(SMALL | {"resources": dict(zip(SMALL["resources"], (7, 3, gpus, 9, 9), strict=True))})) == {}


def test_a_learning_rate_costs_its_runs(dry_run):
    said = dry_run(changed("tasks/ssd_voc/lr", 0.0123))
    assert jobs(said) == {"detection": 2, "draw_detections": 1, "report": 1, "all": 1}
    assert "faster_rcnn_voc/" not in outputs(said)


def test_an_added_seed_costs_its_runs(dry_run):
    said = dry_run(changed("seeds/transfer", [0, 1]))
    assert jobs(said) == {"detection": 4, "captioning": 2, "report": 1, "all": 1}
    assert "p0s0" not in outputs(said)


def test_a_regularizer_costs_its_backbone_and_what_hangs_on_it(dry_run):
    said = dry_run(changed("backbones/cutmix/regularizers/cutmix/alpha", 0.123))
    transfers = {"detection": 2, "features": 1, "captioning": 1}
    assert jobs(said) == {"pretrain": 1, **transfers, "gallery": 1, **FIGURES, "report": 1, "all": 1}
    assert "baseline" not in outputs(said)


def test_another_experiment_reuses_backbones_and_features(dry_run):
    said = dry_run(SMALL | {"experiment": "other"})
    runs = {"detection": 4, "captioning": 2, "gallery": 1, **FIGURES, "report": 1, "all": 1}
    assert jobs(said) == runs
    other = overlay(
        SMALL,
        {
            "tasks": {"nic_coco": {"lr": 0.0123, "epochs": 3, "hidden_size": 7}},
            "resources": {"cpu_threads": 2, "num_workers": 1},
        },
    )
    said = dry_run(other | {"experiment": "other"}, "--cores", "8")
    assert jobs(said) == runs, "another captioner reads the same features"
    taken = re.findall(r"^rule (?:detection|captioning):\n(?:    .*\n)*?    threads: (\d+)$", said, re.M)
    assert taken == ["3"] * 6, "a job takes its threads and its workers of the cores"


def test_another_data_set_costs_its_tasks(dry_run):
    said = dry_run(changed("data/voc/synthetic/seed", 97))
    assert jobs(said) == {
        **{"make_data": 1, "check_data": 1, "checked": 1},
        **{"detection": 4, "draw_detections": 2, "report": 1, "all": 1},
    }


def test_another_data_set_hides_no_other_change(dry_run):
    both = overlay(changed("data/coco/synthetic/seed", 97), {"tasks": {"ssd_voc": {"lr": 0.0123}}})
    assert jobs(dry_run(both)) == {
        **{"make_data": 1, "check_data": 1, "checked": 1},
        **{"detection": 2, "features": 2, "vocabulary": 1, "captioning": 2},
        **{"draw_detections": 1, "draw_captions": 1, "report": 1, "all": 1},
    }


def test_another_origin_comes_by_its_own_rule(dry_run):
    Path("w.pth").write_bytes(b"weights")
    said = dry_run(changed("backbones", {"mine": {"checkpoint": "w.pth"}, "scratch": {"init": "random"}}))
    assert jobs(said) == {
        **{"import_backbone": 1, "random_backbone": 1},
        **{"detection": 4, "features": 2, "captioning": 2, **FIGURES, "report": 1, "all": 1},
    }


def test_fine_tuning_needs_no_features(dry_run):
    shutil.rmtree("results/features")
    shutil.rmtree("results/vocabularies")
    said = dry_run(changed("tasks/nic_coco/finetune_encoder", True))
    assert jobs(said) == {"vocabulary": 1, "captioning": 2, "draw_captions": 1, "report": 1, "all": 1}


def test_other_photos_draw_another_gallery_and_another_rate_does_not(dry_run):
    assert jobs(dry_run(changed("pretrain/lr", 0.0123), "--", "gallery")) == {}
    said = dry_run(changed("data/imagenet/synthetic/seed", 97), "--", "gallery")
    assert jobs(said) == {"make_data": 1, "check_data": 1, "gallery": 1}


def test_without_pretraining_there_is_no_gallery(dry_run):
    Path("w.pth").write_bytes(b"weights")
    assert "gallery" not in jobs(dry_run(SMALL | {"backbones": {"baseline": {"checkpoint": "w.pth"}}}))


@pytest.mark.slow
def test_a_gallery_of_nothing_is_refused_before_any_photo_is_looked_at(snakemake, tmp_path):
    alone = SMALL | {"backbones": {"scratch": {"init": "random"}}}
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(alone))
    status, said = snakemake("gallery", "--cores", "1", "--configfile", "x.yaml")
    assert status != 0
    assert "error: backbones: none is pretrained here, so there is no regularizer to show" in said
    assert jobs(said) == {"gallery": 1}


def test_a_repeated_check_trains_nothing(dry_run):
    assert jobs(dry_run(SMALL, "--forcerun", "check_data")) == {"check_data": 3}


def test_a_check_takes_all_cores_that_snakemake_was_given(dry_run):
    said = dry_run(SMALL, "--forcerun", "check_data", "--cores", "7")
    assert len(re.findall(r"^rule check_data:\n(?:    .*\n)*?    threads: 7$", said, re.M)) == 3


def test_a_touched_or_lost_check_trains_nothing(dry_run):
    for name, check in plan(SMALL).checks.items():
        Path(check).touch() if name == "imagenet" else Path(check).unlink()
    assert jobs(dry_run(SMALL)) == {}


def test_data_that_changed_under_the_same_name_are_trained_on_anew(dry_run):
    info("new").write(Path(plan(SMALL).checks["voc"]))
    assert jobs(dry_run(SMALL)) == {"detection": 4, "draw_detections": 2, "report": 1, "all": 1}


def test_evidence_made_anew_makes_the_report_and_what_is_drawn_by_it(dry_run):
    Path("results/demo/ssd_voc/cutmix/p0s0/per_image.npz").write_bytes(b"new")
    assert jobs(dry_run(SMALL)) == {"draw_detections": 1, "report": 1, "all": 1}


def test_another_config_of_the_paper_makes_the_report_alone(dry_run):
    copy_project(Path("house"))
    assert jobs(dry_run(SMALL, "-s", "house/Snakefile")) == {}
    paper = Path("house/config/paper.yaml")
    paper.write_text("# words\n" + paper.read_text())
    assert jobs(dry_run(SMALL, "-s", "house/Snakefile")) == {}, "a comment costs nothing"
    paper.write_text(paper.read_text().replace("lr: ", "lr: 7"))
    assert jobs(dry_run(SMALL, "-s", "house/Snakefile")) == {"report": 1, "all": 1}


def test_an_imported_backbone_that_is_scored_anew_draws_its_maps_anew(snakemake, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("w.pth").write_bytes(b"weights")
    config = SMALL | {"backbones": {"baseline": {"checkpoint": "w.pth"}}}
    finish(config, tmp_path)
    info("new").write(Path(plan(config).checks["imagenet"]))
    status, said = snakemake("-n", "--configfile", "x.yaml")
    assert status == 0, said
    assert jobs(said) == {"import_backbone": 1, "draw_activations": 1, "report": 1, "all": 1}


def test_a_named_config_replaces_the_demo(dry_run):
    alone = SMALL | {"backbones": {"baseline": {}}, "tasks": {"ssd_voc": SMALL["tasks"]["ssd_voc"]}}
    said = dry_run(alone | {"experiment": "alone"})
    assert jobs(said) == {
        "detection": 1,
        **{"gallery": 1, "draw_activations": 1, "draw_detections": 1, "report": 1, "all": 1},
    }
