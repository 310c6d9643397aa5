"""The tutorial shows the files that tests/test_opened.py adds to a copy of the project, where it runs what they say."""

import re

from tests.opened_files import ADDED, PROJECT, added

PAGE = (PROJECT / "docs/add_a_task.md").read_text(encoding="utf-8")


def test_each_block_is_a_file_that_is_added_and_each_file_is_shown():
    shown = re.findall(r"^`(\S+)`[^\n]*\n\n```\w*\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL)
    assert dict(shown) == {name: (ADDED / name).read_text(encoding="utf-8") for name in added()}
    assert len(shown) == len(added())


def test_it_names_the_existing_layouts():
    (named,) = re.findall(r"uses an existing layout \((.+?)\)", PAGE)
    assert set(re.findall(r"`(\w+)`", named)) <= {path.stem for path in (PROJECT / "workflow/data/sets").glob("*.py")}
