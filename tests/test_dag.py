"""The whole workflow, from data to report, through the real Snakemake with tiny budgets: on drawn data with every
regularizer and every layout of an imported file, and on real photos in the official layouts (REALMINI names them)."""

import csv
import hashlib
import json
import math
import os
import pickle
import shutil
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from tests.bad.imported import Call
from tests.demo import CONFIGS, demo
from tests.snakemake_call import caller, copy_project, link
from tests.unpickling import free
from tests.workflow.reporting import chromium
from workflow.config.loading import load, overlay
from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import sha256
from workflow.planning.plan import Plan, plan
from workflow.registry import task_of
from workflow.reporting.page.sections import sections, words
from workflow.reporting.summary import summarize

pytestmark = pytest.mark.slow

DEMO = demo()
RCNN = {
    **{"iterations": 3, "batch_size": 2, "warmup_iters": 1, "milestones": [2], "min_size": 96, "max_size": 96},
    **{"rois_per_image": 8, "rpn_post_nms_top_n": {"train": 32, "test": 16}},
}
ON_COCO = {key: value for key, value in DEMO["tasks"]["faster_rcnn_voc"].items() if key != "difficult"}
TINY = {
    "pretrain": {"epochs": 1, "batch_size": 8, "warmup_iters": 1, "milestones": []},
    "tasks": {
        "ssd_voc": {"iterations": 3, "batch_size": 2, "warmup_iters": 1, "milestones": [2], "size": 96},
        "faster_rcnn_voc": RCNN,
        "faster_rcnn_coco": ON_COCO | RCNN,  # the demo does without it
        "nic_coco": {
            "epochs": 1,
            "resize_size": 64,
            "crop_size": 48,
            "num_views": 1,
            "min_word_count": 2,
            "beam_size": 3,
        },
    },
}
DRAWN = {
    "imagenet": {"synthetic": {"classes": 4, "train": 32, "val": 12, "size": 48, "seed": 0}},
    "voc": {"synthetic": {"classes": 4, "trainval07": 6, "trainval12": 6, "test07": 6, "size": 96, "seed": 0}},
    "coco": {"synthetic": {"classes": 4, "train": 12, "val": 6, "size": 64, "seed": 0}, "split": "2014"},
    "fashion_mnist": {"synthetic": {"classes": 4, "train": 20, "test": 8, "seed": 0}},
}


def only(config: dict, *tasks: str) -> dict:
    """The config with these of its tasks."""
    return config | {"tasks": {name: config["tasks"][name] for name in tasks}}


def cells(todo: Plan, folder: Path) -> dict[tuple[str, str, str], float]:
    """(backbone, task, metric) to the mean of transfer.csv; only what was not pretrained here may lack that score."""
    untrained = {run.backbone for run in todo.runs if run.origin != "pretrained"}
    with (folder / todo.report[0]).open() as file:
        rows = {(row["backbone"], row["task"], row["metric"]): row["mean"] for row in csv.DictReader(file)}
    assert all(mean or (task == "pretrain" and name in untrained) for (name, task, _), mean in rows.items())
    return {cell: float(mean) for cell, mean in rows.items() if mean}


def check_results(todo: Plan, folder: Path) -> None:
    """Every planned run left its record, every cell is a finite number, nothing half-done is left."""
    for run in todo.runs:
        record = json.loads((folder / run.record).read_text())
        assert (record["task"], record["backbone"], record["seeds"]) == (run.task, run.backbone, run.seeds)
        assert record["provenance"]["recipe"]
        assert (folder / run.weights).is_file()
        assert (folder / run.record).with_name("log.txt").is_file()
    found = cells(todo, folder)
    metrics = {
        "ssd_voc": {"mAP"},
        "faster_rcnn_voc": {"mAP"},
        "faster_rcnn_coco": {"AP", "AP50", "AP75"},
        "nic_coco": {"BLEU-1", "BLEU-4", "METEOR", "ROUGE_L", "CIDEr"},
    }
    metrics |= {
        name: {each.name for each in task_of(todo.config, name).metrics} for name in set(todo.tasks) - metrics.keys()
    }
    for backbone in todo.backbones:
        for task, names in ((task, metrics[task]) for task in todo.tasks):
            assert names <= {metric for b, t, metric in found if (b, t) == (backbone, task)}
    assert all(math.isfinite(value) for value in found.values())
    assert all((folder / file).stat().st_size > 0 for file in todo.report)
    assert not list((folder / ".work").glob("*")), "the state of a finished run is removed"


def trained(todo: Plan) -> dict[str, list[str]]:
    """Task to the names of the runs that its learning curves show."""
    learning = [name for name in todo.tasks if task_of(todo.config, name).kind == "train"]
    found = {task: [] for task in ("pretrain", *learning)}
    for run in (run for run in todo.runs if run.task in found):
        if run.task != "pretrain" or run.origin == "pretrained":
            transfer = f"s{run.seeds['transfer']}" if "transfer" in run.seeds else ""
            found[run.task].append(f"{run.backbone} p{run.seeds['pretrain']}{transfer}")
    return found


def run_dag(config: dict, snakemake, folder: Path) -> None:
    """Run it, check what it leaves, and see that a second call does nothing."""
    (folder / "tiny.yaml").write_text(yaml.safe_dump(config))
    status, said = snakemake("--cores", "2", "--configfile", "tiny.yaml", timeout=2400)
    assert status == 0, said[-5000:]
    check_results(plan(config), folder)
    status, said = snakemake("--cores", "2", "--configfile", "tiny.yaml")
    assert status == 0
    assert "Nothing to be done" in said


def check_snakemake_report(todo: Plan, snakemake, folder: Path) -> None:
    """`snakemake --report` holds the page and each of its figures, with the words that the page has for it."""
    status, said = snakemake("--configfile", "tiny.yaml", "--report", "report.zip")
    assert status == 0, said
    with zipfile.ZipFile(folder / "report.zip") as archive:
        held = {Path(name).name: name for name in archive.namelist()}
        text = archive.read(held["report.html"]).decode()
        files = [folder / file for file in todo.report if file.endswith((".html", ".svg", ".png", ".jpg"))]
        pictures = sum(figure.suffix in (".jpg", ".png") for figure, _ in todo.task_figures.values())
        assert len(files) == 3 + 2 + len(todo.answer) + len(trained(todo)) + pictures, (
            "tables, pictures, answer, curves"
        )
        for file in files:
            assert archive.read(held[file.name]) == file.read_bytes()
    shown = [("detections", "detection"), ("captions", "captioning")]
    for name in [*((name,) for name in ("curves", "per_class", "activations", "gallery")), *shown]:
        assert words(*name).split(".")[0].split("\n")[0][:40] in text


@pytest.fixture
def moved(tmp_path):
    """A checkout with its environment in a folder with a blank and an umlaut, and Snakemake there."""
    house = copy_project(tmp_path / "Bäck bone")
    shutil.copytree(sys.prefix, house / ".venv", symlinks=True, copy_function=link)
    yield house, caller(house, house, str(house / ".venv/bin/python"))
    shutil.rmtree(house / ".venv")  # tens of thousands of names


def put_traps(todo: Plan, folder: Path) -> None:
    """A pickle that runs a command, in the place of each run's resume state and named as these are."""
    for run in (run for run in todo.runs if (run.origin, run.task) != ("random", "pretrain")):  # which has no state
        state = folder / run.state
        state.mkdir(parents=True)
        trap = pickle.dumps(Call(os.system, f"touch '{folder / 'ran'}'"))
        (state / f"000001-{hashlib.sha256(trap).hexdigest()}.pth").write_bytes(trap)


def test_every_regularizer_and_scratch(moved, watched, monkeypatch, capsys):
    """In a folder with a blank and an umlaut, and with traps that no process steps into."""
    tmp_path, snakemake = moved
    monkeypatch.chdir(tmp_path)
    everything = overlay(load(CONFIGS / "demo.yaml", CONFIGS / "demo-all.yaml"), TINY) | {"data": DRAWN}
    everything = only(everything, "ssd_voc", "nic_coco", "cam_imagenet")  # other DAGs have the others, with fewer rows
    assert len(everything["backbones"]) == 11
    put_traps(plan(everything | {"experiment": "tiny"}), tmp_path)
    run_dag(everything | {"experiment": "tiny"}, snakemake, tmp_path)
    assert not (tmp_path / "ran").exists()
    assert free(watched.read_text()) == []
    report = tmp_path / "results/tiny/report"
    page = (report / "transfer.html").read_text()
    assert (report / "gallery.png").stat().st_size > 50_000
    assert "ImageNet classification" in page
    suffixes = [figure.suffix for figure, _ in plan(everything).task_figures.values()]
    lossless = page.count("data:image/png;base64,") + page.count("data:image/webp;base64,")  # large ones are WebP
    assert lossless == 2 + suffixes.count(".png"), "gallery, activation maps, curves"
    assert page.count("data:image/jpeg;base64,") == suffixes.count(".jpg") + 6, "of each task, and with captions"
    if chromium.executable():
        with capsys.disabled():
            todo = plan(everything | {"experiment": "tiny"})
            ids = {section.id for section in sections(summarize(todo), todo.figures.keys())}
            chromium.check(report / "transfer.html", tmp_path / "profile", "dag", ids, trained(todo))
    check_snakemake_report(plan(everything | {"experiment": "tiny"}), snakemake, tmp_path)
    hashes = [sha256(file) for file in tmp_path.glob("results/backbones/*/seed0/backbone.safetensors")]
    assert len(set(hashes)) == 11, "each regularizer makes another backbone"
    assert len(list(tmp_path.glob("results/backbones/*/seed0/README.md"))) == 11


def test_a_file_of_each_layout_is_the_same_backbone(snakemake, tmp_path, monkeypatch):
    from tests.backbones import layouts
    from tests.pretrain.solved import solve

    monkeypatch.chdir(tmp_path)
    slow = {task: {"lr": 1.0e-5} for task in TINY["tasks"]}  # untrained features are large, and losses would overflow
    # The weights are solved for in fp32, at 48 px.
    solved = {"precision": "fp32", "crop_size": 48, "val_resize_size": 48}
    config = overlay(overlay(DEMO, TINY), {"pretrain": solved, "tasks": slow})
    config = only(config, "ssd_voc", "nic_coco")  # detection and captioning read a backbone alike whatever the detector
    config |= {"experiment": "imported", "data": DRAWN, "backbones": {"baseline": {}}}
    check = plan(config).checks["imagenet"]
    (tmp_path / "data.yaml").write_text(yaml.safe_dump(config))
    assert snakemake("--cores", "2", "--configfile", "data.yaml", "--", check)[0] == 0
    weights = solve(DatasetInfo.read(check))
    other = {key: value.roll(1, 0) if key.startswith("fc.") else value for key, value in weights.items()}
    for make in (layouts.torchvision_file, layouts.timm_file, layouts.timm_safetensors, layouts.mmpretrain):
        make(weights, Path(f"{make.__name__}.pth"))
    layouts.cutmix(weights, Path("reference.pth"))
    layouts.mmpretrain_ema(other, weights, Path("mmpretrain_ema.pth"))
    layouts.torchvision_ema(weights, other, Path("raw.pth"))
    files = sorted([*tmp_path.glob("*.pth"), *tmp_path.glob("*.safetensors")])
    rows = {
        file.stem: {"checkpoint": file.name} | ({"checkpoint_key": "raw"} if file.stem == "raw" else {})
        for file in files
    }
    assert len(rows) == 7
    run_dag(config | {"backbones": {"baseline": {}, **rows}}, snakemake, tmp_path)
    todo = plan(config | {"backbones": {"baseline": {}, **rows}})
    found = {name: [values for (row, *_), values in cells(todo, tmp_path).items() if row == name] for name in rows}
    assert len(set(map(tuple, found.values()))) == 1, "the same weights, so the same numbers"
    assert cells(todo, tmp_path)["reference", "pretrain", "top1_error"] == 0, "scored before it is transferred"
    guessing = config | {"backbones": {"baseline": {}, "guess": {"checkpoint": "raw.pth"}}}
    (tmp_path / "guess.yaml").write_text(yaml.safe_dump(guessing))
    status, said = snakemake("--cores", "2", "--configfile", "guess.yaml", timeout=300)
    assert status != 0
    assert "which is near chance; nothing is published" in said
    assert not list(tmp_path.glob("results/backbones/guess-*/seed0/backbone.safetensors"))


@pytest.mark.skipif("REALMINI" not in os.environ, reason="REALMINI does not name a folder of real photos")
def test_real_photos(snakemake, tmp_path, monkeypatch):
    root = Path(os.environ["REALMINI"])
    monkeypatch.chdir(tmp_path)
    data = {
        "imagenet": {"root": f"{root}/imagenet"},
        "voc": {"root": f"{root}/VOCdevkit", "classes": "voc"},
        "coco": {"root": f"{root}/coco", "split": "2014"},
    }
    rows = {name: DEMO["backbones"][name] for name in ("baseline", "cutmix")}
    tiny = overlay(overlay(DEMO, TINY), {"pretrain": {"batch_size": 50}})  # 2,000 photos
    run_dag(tiny | {"experiment": "real", "data": data, "backbones": rows}, snakemake, tmp_path)
