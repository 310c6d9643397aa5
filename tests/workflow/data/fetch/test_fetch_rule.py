"""`snakemake data`, the whole of it: fetched from a server and a folder, or drawn; checked; and nothing without it."""

import json
import shutil
from pathlib import Path

from tests.snakemake_call import caller
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


def test_snakemake_data(server, voc, voc_archives, voc_sources, coco_archives, coco_sources, tmp_path):
    """The real target: VOC from a server that breaks off, COCO from a folder, ImageNet drawn; then the checks."""
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
    (tmp_path / "x.yaml").write_text(json.dumps(config))

    def snakemake(*arguments):
        return call(*arguments, "--configfile", "x.yaml")

    status, said = snakemake("data", "--cores", "2")
    assert status == 0, said
    assert len(list(tmp_path.glob("results/data/*-??????????.json"))) == 3
    assert {path.name for path in (tmp_path / "data").iterdir()} == {"voc", "coco"}
    assert [ranges for _, ranges in server.asked] == [None, "bytes=5000-", None, None]
    assert "Nothing to be done" in snakemake("data", "--cores", "1")[1]
    status, said = snakemake("-n")
    assert status == 0, said
    assert "fetch_data" not in said
    assert "check_data" not in said, "they were checked"
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
