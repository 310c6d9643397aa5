"""Names from outside clear no terminal and forge no line, in whatever message they stand."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.core.errors import UserError, cli_entry_point
from workflow.core.escaping import printable, say
from workflow.data.validation.errors import DataError, ErrorList

HOSTILE = "a\x1b[2J\x1b[1;1Hb\r\nerror: all is fine\x85\u2028c\u202egpj.\u2066d\u200b\x00\x9b31m\udcffé漢"
ESCAPED = "a\\x1b[2J\\x1b[1;1Hb\\r\\nerror: all is fine\\x85\\u2028c\\u202egpj.\\u2066d\\u200b\\x00\\x9b31m\\udcffé漢"


@given(st.text())
def test_any_text_is_one_line_that_can_be_seen(text):
    shown = printable(text)
    assert shown.isprintable()
    assert printable(shown) == shown
    assert text.isprintable() == (shown == text)


def test_a_message_is_one_line():
    assert str(UserError(f"{HOSTILE}: is missing")) == f"{ESCAPED}: is missing"


def test_the_door_prints_one_line(capsys):
    for error in (UserError(HOSTILE), FileNotFoundError(2, "No such file", HOSTILE.replace("\0", ""))):
        with pytest.raises(SystemExit):
            cli_entry_point(lambda error=error: (_ for _ in ()).throw(error))()
        printed = capsys.readouterr().err
        assert printed.removesuffix("\n").isprintable()
        assert printed.startswith("error: a\\x1b[2J")


def test_each_fault_of_data_is_one_line(capsys):
    faults = ErrorList()
    for number in range(2):
        faults.add("bad names", f"{number}{HOSTILE}")
    with pytest.raises(DataError) as caught:
        faults.raise_if_any()
    assert str(caught.value) == f"2 faults in the data:\n  0{ESCAPED}\n  1{ESCAPED}"
    assert caught.value.listed == [f"0{ESCAPED}", f"1{ESCAPED}"]
    faults.warn()
    assert capsys.readouterr().out == f"warning: 0{ESCAPED}\nwarning: 1{ESCAPED}\n"


def test_what_is_no_error_is_one_line_too(capsys):
    say(HOSTILE)
    assert capsys.readouterr().out == f"{ESCAPED}\n"


@pytest.mark.parametrize("place", ["a class folder", "an image", "the root"])
def test_a_check_of_such_names(tmp_path, place):
    name = HOSTILE.replace("\0", "")
    root = tmp_path / (name if place == "the root" else "root")
    for split in ("train", "val"):
        folder = root / split / ("c" if place != "a class folder" else name)
        folder.mkdir(parents=True)
        (folder / (f"{name}.jpg" if place == "an image" else "a.jpg")).write_bytes(b"no image")
    command = [sys.executable, "-m", "workflow.data.imagenet", "--dataset-config", "{}", "--root", root]
    run = subprocess.run([*command, "--out", tmp_path / "check.json"], capture_output=True, cwd=Path.cwd(),
                         env=os.environ | {"PYTHONIOENCODING": "utf-8:surrogateescape"})  # fmt: skip
    assert run.returncode == 1
    for line in (run.stdout + run.stderr).decode("utf-8", "surrogateescape").split("\n"):
        assert line.rpartition("\r")[2].isprintable() or "|" in line  # progress bars are our own
    assert b"\x1b[2J" not in run.stdout + run.stderr
