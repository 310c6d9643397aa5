"""`snakemake data`, the whole of it: fetched from a server and a folder, or drawn; checked; and nothing without it."""

import json
import shutil
from pathlib import Path

from tests.snakemake_call import caller
from tests.workflow.data.conftest import hub_files
from workflow.config.loading import load
from workflow.data import voc as voc_set
from workflow.data.fetch.fetch import Source, main


def house(folder: Path, sources: dict[str, list[Source]]) -> Path:
    """A copy of the project whose sources.yaml has other lengths, checksums and counts."""
    project = Path(__file__).parents[4]
    shutil.copytree(project / "workflow", folder / "workflow", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "environment.yml"):
        shutil.copy(project / name, folder / name)
    for name in ("backbones", "pretrain", "detection", "captioning", "config"):  # planning reads what they declare
        (folder / name).symlink_to(project / name)
    text = json.dumps({name: [vars(source) for source in entries] for name, entries in sources.items()})
    (folder / "workflow/data/fetch/sources.yaml").write_text(text)
    return folder


def test_snakemake_data(server, voc, voc_archives, voc_sources, coco_archives, coco_sources, tmp_path, monkeypatch):
    """The real target: VOC from a server that breaks off, COCO from a folder, ImageNet drawn; then the checks. And the
    weights of a row."""
    call = caller(tmp_path, house(tmp_path / "house", {"voc": voc_sources, "coco": coco_sources}))
    server.files |= voc_archives
    server.faults = [{"cut": 5000}]
    (tmp_path / "archives").mkdir()
    for name, data in coco_archives.items():
        (tmp_path / "archives" / name).write_bytes(data)
    config = load(Path(__file__).parents[4] / "config/demo.yaml")
    config["data"]["voc"] = {"root": "data/voc", "classes": voc_set.classes(voc.section), "source": server.url}
    config["data"]["coco"] = {"root": "data/coco", "split": "2014", "source": "archives"}
    config["data"]["imagenet"]["synthetic"] |= {"train": 24, "val": 12}
    config["pretrain"] |= {"batch_size": 8, "warmup_iters": 0}
    for recipe in config["tasks"].values():
        recipe |= {"batch_size": 2} | ({"min_word_count": 1} if "min_word_count" in recipe else {})
    config["backbones"]["published"] = {"checkpoint": "timm:resnet50"}
    (tmp_path / "x.yaml").write_text(json.dumps(config))
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    server.files |= hub_files("timm/resnet50.a1_in1k", b"weights")

    def snakemake(*arguments):
        return call(*arguments, "--configfile", "x.yaml")

    status, said = snakemake("-n")
    assert status == 1
    assert said.startswith(
        "error: backbones.published.checkpoint: timm:resnet50 is not in data/weights/timm/resnet50; "
    )
    status, said = snakemake("data", "--cores", "2")
    assert status == 0, said
    assert len(list(tmp_path.glob("results/data/*-??????????.json"))) == 3
    assert {path.name for path in (tmp_path / "data").iterdir()} == {"voc", "coco", "weights"}
    assert (tmp_path / "data/weights/timm/resnet50/model.safetensors").read_bytes() == b"weights"
    assert [ranges for path, ranges in server.asked if "timm" not in path] == [None, "bytes=5000-", None, None]
    assert "Nothing to be done" in snakemake("data", "--cores", "1")[1]
    status, said = snakemake("-n")
    assert status == 0, said
    assert "fetch_data" not in said
    assert "check_data" not in said, "they were checked"
    assert "data/weights/timm/resnet50/model.safetensors" in said
    shutil.rmtree(tmp_path / "data/weights")
    assert "fetch_weights" in snakemake("data", "--cores", "1")[1]
    assert "Nothing to be done" in snakemake("data", "--cores", "1")[1]
    del config["backbones"]["published"]  # no real weights: they would be refused before the next job
    (tmp_path / "x.yaml").write_text(json.dumps(config))
    for lost in ("voc", "voc/VOC2012", "coco/val2014"):
        server.asked.clear()
        shutil.rmtree(tmp_path / "data" / lost)
        assert "fetch_data" not in snakemake("-n")[1], "nothing is downloaded that was not asked for"
        status, said = snakemake("data", "--cores", "1")
        assert status == 0, said
        assert said.count("checkpoint fetch_data:") == 1, "of this set and no other"
        assert said.count("rule check_data:") == 1, "what was fetched is checked, and nothing else"
        assert any((tmp_path / "data" / lost).rglob("*.jpg"))
        assert len(server.asked) == {"voc": 3, "voc/VOC2012": 1}.get(lost, 0)
        assert "Nothing to be done" in snakemake("data", "--cores", "1")[1], "and not again"


def test_fetch_must_be_given_each_of_its_arguments(required):
    assert required(main) == ["set", "--dataset-config", "--root"]
