"""`--config` on the command line: Snakemake hands nested values over as text, and they have the types of a file's."""

from pathlib import Path

import pytest
import yaml
from snakemake.cli import parse_config

from tests.workflow.config.test_shipped import with_base
from workflow.config import loading
from workflow.core.errors import UserError

PROJECT = Path(__file__).parents[3]
CONFIGS = sorted((PROJECT / "config").glob("*.yaml"))
DEMO = PROJECT / "config/demo.yaml"


def given(*entries: str) -> dict:
    """What Snakemake makes of `--config` entries."""
    return loading.load(DEMO, overrides=parse_config(entries))


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_each_section_of_each_config_comes_through_the_command_line(file):
    expected = loading.load(*with_base(file))
    entries = [f"{key}={yaml.safe_dump(value, default_flow_style=True)}" for key, value in expected.items()]
    text = parse_config(entries)
    assert text["seeds"] != expected["seeds"], "Snakemake has mended its issue 2099: is `typed` needed still?"
    assert loading.typed(text, text) == expected


def test_a_number_of_a_deep_section_a_list_and_a_word_for_true():
    loaded = given(
        "tasks={ssd_voc: {lr: 1e-3, milestones: [200, 250]}, nic_coco: {finetune_encoder: yes}}",
        "seeds={pretrain: [0, 1]}",
    )
    assert loaded["tasks"]["ssd_voc"]["lr"] == 0.001
    assert loaded["tasks"]["ssd_voc"]["milestones"] == [200, 250]
    assert loaded["tasks"]["nic_coco"]["finetune_encoder"] is True
    assert loaded["seeds"] == {"pretrain": [0, 1], "transfer": [0]}


def test_text_stays_text_where_text_is_asked_for():
    assert given("data={coco: {split: 2014}}")["data"]["coco"]["split"] == "2014"


@pytest.mark.parametrize("text", ["many", "[", "'5'"])
def test_what_is_of_no_such_type_is_an_error_with_its_key(text):
    with pytest.raises(UserError, match=r"seeds.pretrain\[0\]: must be a whole number"):
        loading.load(DEMO, overrides={"seeds": {"pretrain": [text]}})


def test_text_of_a_file_stays_text(tmp_path):
    (tmp_path / "x.yaml").write_text("seeds: {pretrain: ['0']}\n")
    with pytest.raises(UserError, match=r"seeds.pretrain\[0\]: must be a whole number, not '0'"):
        loading.load(DEMO, tmp_path / "x.yaml", overrides={"resources": {"cpu_threads": 2}})
