"""Law 6: bad input is one line on the terminal."""

import errno
import os
import signal
from pathlib import Path

import pytest

from workflow.core.errors import UserError, cli_entry_point


def test_a_user_error_is_one_line_and_status_1(capsys):
    @cli_entry_point
    def main():
        raise UserError("config/x.yaml: pretrain.epochs: -1 is below 1")

    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 1
    assert capsys.readouterr().err == "error: config/x.yaml: pretrain.epochs: -1 is below 1\n"


def test_other_errors_pass_through():
    @cli_entry_point
    def main():
        raise KeyError("a fault of ours")

    with pytest.raises(KeyError):
        main()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_being_asked_to_end_is_one_line_and_the_shell_s_status(number, capsys):
    @cli_entry_point
    def main():
        os.kill(os.getpid(), number)
        raise AssertionError("not reached")

    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 128 + number
    assert capsys.readouterr().err.startswith(f"stopped by {number.name}: ")
    assert signal.getsignal(number) == before


def wrapped():
    try:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")
    except OSError as error:
        raise RuntimeError("the writer failed") from error


def full_disk():
    raise RuntimeError("Error while serializing: I/O error: Disk quota exceeded (os error 122)")


@pytest.mark.parametrize(
    ("fails", "said"),
    [
        (lambda: Path("/dev/full").write_text("x"), "no space left on the disk"),
        (wrapped, "the disk quota is used up"),
        (full_disk, "the disk quota is used up"),
    ],
)
def test_a_full_disk_is_one_line(fails, said, capsys):
    with pytest.raises(SystemExit) as stop:
        cli_entry_point(lambda: fails())()
    assert stop.value.code == 1
    assert capsys.readouterr().err == f"error: {said}; free some and give the same command again\n"


def test_a_file_that_the_system_refuses_is_one_line(tmp_path, capsys):
    for fails in (lambda: (tmp_path / "absent").read_text(), lambda: Path("/proc/new").mkdir()):
        with pytest.raises(SystemExit) as stop:
            cli_entry_point(fails)()
        assert stop.value.code == 1
    said = f"error: {tmp_path}/absent: No such file or directory\nerror: /proc/new: No such file or directory\n"
    assert capsys.readouterr().err == said


def test_a_fault_of_ours_after_a_refusal_is_not_hidden(tmp_path):
    @cli_entry_point
    def main():
        try:
            (tmp_path / "absent").read_text()
        except OSError as error:
            raise KeyError("a fault of ours") from error

    with pytest.raises(KeyError):
        main()


def test_a_door_remembers_the_code_before_it_runs(monkeypatch):
    order = []
    monkeypatch.setattr("workflow.core.errors.watch", lambda: order.append("watched"))
    cli_entry_point(lambda: order.append("run"))()
    assert order == ["watched", "run"]
