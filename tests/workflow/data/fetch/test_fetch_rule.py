"""`snakemake data`, the whole of it: fetched from a server and a folder, or drawn; checked; and nothing without it."""

import json
import shutil
from pathlib import Path

import pytest

from tests.snakemake_call import PROJECT, caller, copy_project
from tests.workflow.data.conftest import hub_files
from workflow.config.loading import load
from workflow.data import voc as voc_set
from workflow.data.fetch.fetch import Source, main


def project_with(sources: dict[str, list[Source]], folder: Path) -> Path:
    """A copy of the project whose sources.yaml has other lengths, checksums and counts."""
    copy_project(folder)
    text = json.dumps({name: [vars(source) for source in entries] for name, entries in sources.items()})
    (folder / "workflow/data/fetch/sources.yaml").write_text(text)
    return folder


@pytest.fixture
def snakemake(server, voc, voc_archives, voc_sources, coco_archives, coco_sources, tmp_path, monkeypatch):
    """snakemake(*words) on a config with VOC from a server, COCO from a folder, ImageNet drawn, and weights of a
    library."""
    call = caller(tmp_path, project_with({"voc": voc_sources, "coco": coco_sources}, tmp_path / "house"))
    server.files |= voc_archives | hub_files("timm/resnet50.a1_in1k", b"weights")
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    (tmp_path / "archives").mkdir()
    for name, data in coco_archives.items():
        (tmp_path / "archives" / name).write_bytes(data)
    config = load(PROJECT / "config/demo.yaml")
    config["data"]["voc"] = {"root": "data/voc", "classes": voc_set.classes(voc.section), "source": server.url}
    config["data"]["coco"] = {"root": "data/coco", "split": "2014", "source": "archives"}
    config["data"]["imagenet"]["synthetic"] |= {"train": 24, "val": 12}
    config["pretrain"] |= {"batch_size": 8, "warmup_iters": 0}
    for recipe in config["tasks"].values():
        recipe |= {key: value for key, value in {"batch_size": 2, "min_word_count": 1}.items() if key in recipe}
    config["backbones"]["published"] = {"checkpoint": "timm:resnet50"}
    (tmp_path / "x.yaml").write_text(json.dumps(config))
    return lambda *words: call(*words, "--configfile", "x.yaml")


@pytest.mark.slow
def test_snakemake_data(snakemake, server, tmp_path):
    """The real target: everything is fetched, from a server that breaks off too, and checked; what gets lost is fetched
    again when it is asked for, and nothing else. How the parts of a set are found missing: test_fetch.py."""
    server.faults = [{"cut": 5000}]
    status, output = snakemake("-n")
    missing = "error: backbones.published.checkpoint: timm:resnet50 is not in data/weights/timm/resnet50; "
    assert (status, output[: len(missing)]) == (1, missing)
    status, output = snakemake("data", "--cores", "2")
    assert status == 0, output
    assert len(list(tmp_path.glob("results/data/*-??????????.json"))) == len(load(PROJECT / "config/demo.yaml")["data"])
    assert {path.name for path in (tmp_path / "data").iterdir()} == {"voc", "coco", "weights"}
    weights = tmp_path / "data/weights/timm/resnet50/model.safetensors"
    assert weights.read_bytes() == b"weights"
    assert [ranges for path, ranges in server.asked if "timm" not in path] == [None, "bytes=5000-", None, None]
    assert "Nothing to be done" in snakemake("data", "--cores", "1")[1]
    shutil.rmtree(tmp_path / "data/voc/VOC2012")
    status, output = snakemake("-n")
    assert status == 0, output
    assert "fetch_data" not in output, "nothing is downloaded that was not asked for"
    assert "check_data" not in output, "they were checked"
    assert "data/weights/timm/resnet50/model.safetensors" in output
    shutil.rmtree(tmp_path / "data/weights")
    server.asked.clear()
    status, output = snakemake("data", "--cores", "1")
    assert status == 0, output
    assert output.count("checkpoint fetch_data:") == 1, "of this set and no other"
    assert output.count("rule check_data:") == 1, "what was fetched is checked, and nothing else"
    assert output.count("rule fetch_weights:") == 1
    assert any((tmp_path / "data/voc/VOC2012").rglob("*.jpg"))
    assert [path for path, _ in server.asked if "timm" not in path] == ["/VOCtrainval_11-May-2012.tar"]
    assert "Nothing to be done" in snakemake("data", "--cores", "1")[1], "and not again"


def test_fetch_must_be_given_each_of_its_arguments(required):
    assert required(main) == ["set", "--dataset-config", "--root"]
