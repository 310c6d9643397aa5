"""What lies in a folder of states is read by nothing that could run it; what is no state of this run is one line."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.bad.imported import Call
from tests.workflow.training.resume.test_checkpointing import go_on, killed, same, undisturbed  # noqa: F401 (fixtures)
from tests.workflow.training.test_engine import die_after, fit, outcome, run_of, task
from workflow.core.errors import UserError
from workflow.core.files import sha256
from workflow.training.resume import checkpointing, load_state


def replace(folder: Path, write) -> Path:
    """Write another newest state by `write(path)`, under the name that its bytes ask for."""
    old = checkpointing.states(folder)[-1]
    write(part := folder / "other.part")
    old.unlink()
    return part.rename(folder / f"{old.name[:6]}-{sha256(part)}.pth")


def saved(change):
    """A writer of what torch.save makes of the state, changed."""

    def write(path: Path) -> None:
        content = torch.load(checkpointing.states(path.parent)[-1], weights_only=True)
        torch.save(change(content, path.parent), path)

    return write


def pickled(path: Path) -> None:
    path.write_bytes(pickle.dumps(Call(os.system, f"touch '{path.parent / 'ran'}'")))


def without(key):
    return lambda content, folder: {name: value for name, value in content.items() if name != key}


def in_history(**changes):
    return lambda content, folder: content | {"history": content["history"] | changes}


NO_STATE = {
    "pickle": pickled,
    "call": saved(lambda c, folder: c | {"extra": Call(os.system, f"touch '{folder / 'ran'}'")}),
    "eval": saved(
        lambda c, folder: c | {"meta": {**c["meta"], "x": Call(exec, f"open({str(folder / 'ran')!r}, 'w')")}}
    ),
    "numpy": saved(lambda c, folder: c | {"extra": np.float64(1)}),
    "text": lambda path: path.write_text("a state"),
    "empty": lambda path: path.write_bytes(b""),
    "tensor": saved(lambda c, folder: torch.ones(3)),
    "list": saved(lambda c, folder: [c]),
    "weights": saved(lambda c, folder: c["state_dict"]),
    "run": saved(without("run")),
    "no history": saved(without("history")),
    "no optimizer": saved(without("optimizer")),
    "iter": saved(lambda c, folder: c | {"meta": {"iter": "7", "epoch": 0}}),
    "points": saved(in_history(points=None)),
    "seconds": saved(in_history(seconds="x")),
    "no tensor": saved(lambda c, folder: c | {"state_dict": {"layer.0.weight": 1}}),
    "another run": saved(lambda c, folder: c | {"run": "0123456789"}),
}


@pytest.mark.parametrize("kind", NO_STATE)
def test_what_is_no_state_is_said_in_a_line_and_never_run(kind, killed, undisturbed, capsys):  # noqa: F811
    path = replace(killed, NO_STATE[kind])
    assert same(go_on(killed), undisturbed)
    said = [line for line in capsys.readouterr().out.splitlines() if str(path) in line]
    assert len(said) == 1
    assert said[0].endswith("; the one before it is tried")
    assert not (killed / "ran").exists()
    assert path.with_suffix(".broken").exists()


UNFIT = {
    "shape": saved(lambda c, folder: c | {"state_dict": {k: torch.ones(9) for k in c["state_dict"]}}),
    "key": saved(lambda c, folder: c | {"state_dict": {f"x.{k}": v for k, v in c["state_dict"].items()}}),
    "fewer": saved(lambda c, folder: c | {"state_dict": {}}),
    "optimizer": saved(lambda c, folder: c | {"optimizer": {"state": {}, "param_groups": []}}),
    "rate": saved(lambda c, folder: c | {"param_schedulers": [1, 2]}),
    "losses": saved(in_history(losses=["x"])),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_a_state_of_another_network_is_refused_in_a_line(kind, killed):  # noqa: F811
    path = replace(killed, UNFIT[kind])
    with pytest.raises(UserError, match="does not fit this training") as caught:
        go_on(killed)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_config_in_a_state_is_not_run(killed, undisturbed):  # noqa: F811
    code = f"open({str(killed / 'ran')!r}, 'w')"
    replace(killed, saved(lambda c, folder: c | {"meta": c["meta"] | {"config": code, "seed": 9}}))
    assert same(go_on(killed), undisturbed)
    assert not (killed / "ran").exists()


def test_numbers_of_numpy_in_an_evaluation_are_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpointing, "SECONDS_BETWEEN_SAVES", 0)
    real = load_state.ResumableRunner.build_evaluator

    def build(self, evaluator):
        made = real(self, evaluator)
        compute = made.metrics[0].compute_metrics
        made.metrics[0].compute_metrics = lambda results: {k: np.float64(v) for k, v in compute(results).items()}
        return made

    monkeypatch.setattr(load_state.ResumableRunner, "build_evaluator", build)
    run = run_of()
    whole = outcome(fit(run, task(run), 20, tmp_path / "whole"))
    die_after(7, run, tmp_path / "killed")
    assert same(outcome(fit(run, task(run), 20, tmp_path / "killed")), whole)
