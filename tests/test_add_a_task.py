"""The tutorials show the files that tests/test_opened.py adds to a copy of the project, where it runs what they say."""

import re

import pytest

from tests.opened_files import ADDED, PROJECT, added, of_network

PAGE = (PROJECT / "docs/add_a_task.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("page", "network"), [("add_a_task", False), ("add_a_network", True)])
def test_each_block_is_a_file_that_is_added_and_each_file_is_shown(page, network):
    text = (PROJECT / f"docs/{page}.md").read_text(encoding="utf-8")
    shown = re.findall(r"^`(\S+)`[^\n]*\n\n```\w*\n(.*?)```", text, re.MULTILINE | re.DOTALL)
    files = [file for file in added() if of_network(file) == network]
    assert dict(shown) == {name: (ADDED / name).read_text(encoding="utf-8") for name in files}
    assert len(shown) == len(files)


def test_it_names_the_existing_layouts():
    (named,) = re.findall(r"uses an existing layout \((.+?)\)", PAGE)
    assert set(re.findall(r"`(\w+)`", named)) <= {path.stem for path in (PROJECT / "workflow/data/sets").glob("*.py")}
