"""`from:` says where data sets are fetched from, and no result depends on it."""

import contextlib
import json
from pathlib import Path

import pytest
import yaml

from workflow.config.loading import check, load
from workflow.core.errors import UserError
from workflow.core.files import write_json
from workflow.planning.plan import plan

CONFIGS = Path(__file__).parents[3] / "config"
PAPER, DEMO = load(CONFIGS / "paper.yaml"), load(CONFIGS / "demo.yaml")
DRAWN = DEMO["data"]["imagenet"]["synthetic"]


def with_origin(origin: str, name: str = "voc", **section: object) -> dict:
    data = PAPER["data"] | {name: PAPER["data"][name] | {"source": origin} | section}
    return PAPER | {"data": data}


@pytest.mark.parametrize("origin", ["archives", "/mnt/archives", "http://127.0.0.1/voc", "https://a.example/b/"])
def test_a_folder_or_an_address_will_do(origin):
    config = with_origin(origin)
    assert check(config, "x.yaml") == config
    assert json.loads(plan(config).fetching("voc"))["source"] == origin
    assert "source" not in json.loads(plan(config).fetching("coco"))


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"root": "x", "source": "ftp://a/b"}, "source: must be a folder or an http(s) address, not 'ftp://a/b'"),
        ({"root": "x", "source": ""}, "source: must not be empty, not ''"),
        ({"root": "x", "source": 3}, "source: must be text, not 3"),
        ({"synthetic": DRAWN, "source": "x"}, "source: only allowed together with 'root'"),
    ],
)
def test_a_bad_origin_is_named(section, message):
    with pytest.raises(UserError) as caught:
        check(PAPER | {"data": PAPER["data"] | {"imagenet": section}}, "x.yaml")
    assert str(caught.value) == f"x.yaml: data.imagenet.{message}"


def test_no_key_recipe_or_report_depends_on_it():
    one, other = plan(PAPER), plan(with_origin("archives"))
    assert one.runs == other.runs
    assert one.artifacts == other.artifacts
    assert one.checks == other.checks
    assert (one.text, one.tracked) == (other.text, other.tracked)


def test_only_sets_with_a_root_are_fetched(tmp_path):
    assert plan(DEMO).fetched == {}
    mixed = plan(DEMO | {"data": DEMO["data"] | {"coco": {"root": "data/coco", "split": "karpathy"}}})
    assert mixed.fetched == {"coco": mixed.checks["coco"].replace(".json", ".fetched.json")}
    with contextlib.chdir(tmp_path):
        assert mixed.fetch_count("coco") == 1
        write_json(mixed.fetched["coco"], {"times": 3})
        assert mixed.fetch_count("coco") == 4, "a reason to fetch it again"
        names = ("annotations/captions_val2014.json", "annotations/dataset_coco.json", "train2014/1.jpg")
        for file in (Path("data/coco", name) for name in (*names, "val2014/2.jpg")):
            assert mixed.fetch_count("coco") == 4
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        assert mixed.fetch_count("coco") == 3, "of each archive something is there"


def test_the_paper_would_be_fetched_on_request_alone(snakemake, tmp_path):
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(with_origin("archives")))
    status, said = snakemake("data", "-n", "--configfile", "x.yaml")
    assert status == 0, said
    assert said.count("checkpoint fetch_data:") == len(PAPER["data"])
    assert "rule pretrain" not in said
    status, said = snakemake("-n", "--configfile", "x.yaml")
    assert status == 0, said
    assert "fetch_data" not in said


def test_a_missing_root_names_the_command(snakemake, tmp_path):
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(PAPER))
    status, said = snakemake("--cores", "1", "--configfile", "x.yaml")
    assert status != 0
    assert "is missing; `snakemake data --cores 2 --configfile CONFIG` fetches the official one" in said
    assert not (tmp_path / "data").exists(), "nothing was downloaded"


def test_imagenet_that_cannot_be_downloaded_is_said_on_the_terminal(snakemake, tmp_path):
    config = DEMO | {"data": DEMO["data"] | {"imagenet": {"root": "data/imagenet"}}}
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(config))
    status, said = snakemake("data", "--cores", "1", "--configfile", "x.yaml")
    assert status != 0
    assert "error: data.imagenet.source: missing: name the folder here" in said
    assert "ILSVRC2012_devkit_t12.tar.gz; they are given to registered users only" in said
