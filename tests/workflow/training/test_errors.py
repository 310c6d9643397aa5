"""Law 6: bad input is one line on the terminal."""

import pytest

from workflow.training.errors import UserError, door


def test_a_user_error_is_one_line_and_status_1(capsys):
    @door
    def main():
        raise UserError("config/x.yaml: pretrain.epochs: -1 is below 1")

    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 1
    assert capsys.readouterr().err == "error: config/x.yaml: pretrain.epochs: -1 is below 1\n"


def test_other_errors_pass_through():
    @door
    def main():
        raise KeyError("a fault of ours")

    with pytest.raises(KeyError):
        main()
