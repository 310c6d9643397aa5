"""Instances of tasks and data sets: their names become folders and columns, and what they share is made once."""

import pytest

from tests.conftest import PROJECT
from workflow.config.loading import check, load, overlay
from workflow.core.errors import UserError
from workflow.planning.plan import plan

DEMO = load(PROJECT / "config/demo.yaml")


@pytest.mark.parametrize("name", ["../other", "a/b", "x{y}", "", "a\nb"])
@pytest.mark.parametrize(("section", "key", "kind"), [("tasks", "task", "ssd_voc"), ("data", "layout", "voc")])
def test_a_name_that_can_be_no_folder_is_refused(section, key, kind, name):
    config = overlay(DEMO, {section: {name: DEMO[section][kind] | {key: kind}}})
    with pytest.raises(UserError, match=r"must be a name of letters, digits"):
        check(config, "x.yaml")


@pytest.mark.parametrize("name", ["pretrain", "report"])
def test_a_name_that_another_column_or_folder_has_is_refused(name):
    config = overlay(DEMO, {"tasks": {name: DEMO["tasks"]["ssd_voc"] | {"task": "ssd_voc"}}})
    with pytest.raises(UserError, match=rf"^x.yaml: tasks\.{name}: the name is taken"):
        check(config, "x.yaml")


def test_another_instance_leaves_what_it_shares_as_it_is():
    """Else a second captioner would compute the features of COCO again."""
    more = overlay(DEMO, {"tasks": {"slow_nic": DEMO["tasks"]["nic_coco"] | {"task": "nic_coco", "lr": 1e-4}}})
    before, after = (plan(check(config, "x.yaml")).artifacts for config in (DEMO, more))
    assert [(run.artifact, run.compared, run.command) for run in before] == [
        (run.artifact, run.compared, run.command) for run in after
    ]
