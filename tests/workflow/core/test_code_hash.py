"""The hash of code is that of what is executed: nothing else changes it, and all of that does."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from workflow.core import code_hash
from workflow.core.code_hash import based_on, edited, executed, hashes

PROJECT = code_hash.PROJECT
SOURCE = '''"""Module."""

import os  # a comment


class A:
    """Class."""

    x: int = 1

    def f(self, *more):
        """Function."""
        return f"{self.x!r:>{len(more)}} of {more}", b"bytes", 1.0, None


async def g():
    """Only this."""
'''


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text + "# words\n",
        lambda text: text.replace("  # a comment", ""),
        lambda text: text.replace("\n\n\n", "\n\n"),
        lambda text: text.replace('"""Function."""', '"""Another\n        sentence."""'),
        lambda text: text.replace('        """Function."""\n', ""),
        lambda text: text.replace('"""Module."""\n', ""),
        lambda text: text.replace("x: int = 1", "x :int=( 1 )"),
        lambda text: text.replace('b"bytes"', "b'bytes'"),
        lambda text: text.replace('"""Only this."""', '"""Only that."""'),
    ],
)
def test_what_is_not_executed_changes_nothing(edit):
    assert edit(SOURCE) != SOURCE
    assert executed(edit(SOURCE).encode()) == executed(SOURCE.encode())


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text + "x = 1\n",
        lambda text: text.replace("import os", "import sys"),
        lambda text: text.replace("= 1", "= 2"),
        lambda text: text.replace("= 1", "= True"),
        lambda text: text.replace("= 1", "= 1.0"),
        lambda text: text.replace("1.0", "-1.0"),
        lambda text: text.replace("None", "False"),
        lambda text: text.replace(", None", ""),
        lambda text: text.replace('b"bytes"', '"bytes"'),
        lambda text: text.replace("!r", ""),
        lambda text: text.replace(" of ", " off "),
        lambda text: text.replace("*more", "more"),
        lambda text: text.replace("async ", ""),
        lambda text: text.replace('return f"', 'f"'),
        lambda text: text.replace('"""Function."""', 'print("""Function.""")'),
        lambda text: text + '"""A string that is no docstring."""\n',
        lambda text: text + "  broken",
    ],
)
def test_all_that_is_executed_changes_it(edit):
    assert edit(SOURCE) != SOURCE
    assert executed(edit(SOURCE).encode()) != executed(SOURCE.encode())


def test_a_config_counts_with_what_it_is_based_on():
    names = [path.name for path in based_on(PROJECT / "detection/configs/faster_rcnn_c4_coco.py")]
    assert names == ["faster_rcnn_c4_coco.py", "faster_rcnn_c4.py", "coco2014.py", "keep_ratio.py", "voc0712.py"]
    cfg = code_hash.config(PROJECT / "captioning/configs/nic_coco_finetune.py")
    assert cfg.model
    assert hashes().keys() >= {f"captioning/configs/nic_coco{part}.py" for part in ("", "_finetune")}


HOUSE = """
import sys
from pathlib import Path
from workflow.core import code_hash as code
from workflow.core.errors import cli_entry_point

def edit(name):
    Path(name).write_text(Path(name).read_text() + "\\nMORE = 1\\n")

@cli_entry_point
def main():
    import captioning.beam_search
    edit("captioning/beam_search.py")  # before anybody asks
    first = code.hashes()
    print(*first)
    edit("workflow/core/compare.py")
    import workflow.core.compare
    later = code.hashes()
    assert {name: later[name] for name in first} == first, "what was loaded counts"
    print(later["workflow/core/compare.py"])
    print(*code.edited(later))

main()
"""


def test_a_process_knows_what_it_imported_and_when(tmp_path):
    """In a copy of the project: the tests' own process has imported everything."""
    for name in ("workflow", "backbones", "captioning", "detection"):
        shutil.copytree(PROJECT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", HOUSE], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    names, compare, changed = done.stdout.splitlines()
    assert "captioning/beam_search.py" in names.split()
    assert not [name for name in names.split() if name.startswith("detection/") or "/cost.py" in name]
    assert compare == code_hash.now(tmp_path / "workflow/core/compare.py"), "as it was when it was imported"
    assert compare != code_hash.now(PROJECT / "workflow/core/compare.py")
    assert changed == "captioning/beam_search.py"


CALLED = """
import sys
from captioning.cli import main
from workflow.core import code_hash

sys.argv = ["captioning", "preflight", "--dataset-info", "gone", "--key", "k", "--recipe", "{}"]
try:
    main()
except SystemExit:
    print(*code_hash.hashes())
"""


def test_a_subcommand_counts_with_what_it_executes_and_no_other():
    done = subprocess.run([sys.executable, "-c", CALLED], cwd=PROJECT, capture_output=True, text=True, check=True)
    counted = {name.removeprefix("captioning/") for name in done.stdout.split() if name.startswith("captioning/")}
    assert counted == {"__init__.py", "cli.py", "preflight.py", "vocabulary.py", "jvm.py"}


def test_a_file_that_is_gone_or_edited_is_named():
    known = hashes()
    assert edited(known) == []
    assert set(edited({**known, "workflow/gone.py": "0", "workflow/core/job_environment.py": "1"})) == {
        *("workflow/gone.py", "workflow/core/job_environment.py")
    }


def test_tests_and_libraries_do_not_count():
    assert all((PROJECT / name).is_file() for name in hashes())
    assert not [name for name in hashes() if name.startswith(("tests/", ".venv")) or Path(name).is_absolute()]
