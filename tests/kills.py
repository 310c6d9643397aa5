"""`train` of a room, or what is named behind it ("ROOM SUBCOMMAND"), killed at chosen moments and started again:
`python -m tests.kills ROOM FOLDER KILLS ARGUMENTS…`.

Each attempt is a process of its own, forked when all that is slow has been imported, and ends itself by SIGKILL:
`["step", n]` inside iteration n, or where the n-th file of a name gets that name: `["half", pattern, n]` as if half of
it had been written, `["before", …]`, `["after", …]`. A last attempt is left alone. FOLDER gets what each attempt said
and loaded. States are saved before every iteration.
"""

import contextlib
import fnmatch
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workflow.core.files import read_json

VOLATILE = ("seconds", "images_per_second", "data_wait", "peak_memory_mb")
PARTS = ("train", "dataset", "metric", "coco_metric", "model", "models", "build_config", "feature_cache", "ssd_crop")


def die() -> None:
    """As a scheduler that has lost its patience."""
    os.kill(os.getpid(), signal.SIGKILL)


def at_step(number: int) -> None:
    """The step is over, and its state not written; that of its beginning is."""
    from workflow.training.hooks import History
    from workflow.training.resume.checkpointing import ResumeCheckpointHook

    after = History.after_train_iter

    def dying(self: Any, runner: Any, *args: Any, **kwargs: Any) -> None:
        after(self, runner, *args, **kwargs)
        if runner.iter == number:
            [saving] = [hook for hook in runner.hooks if isinstance(hook, ResumeCheckpointHook)]
            saving.writer.wait()
            die()

    History.after_train_iter = dying


def at_file(moment: str, pattern: str, number: int) -> None:
    """Every file of ours gets its name by `os.replace`."""
    real, seen = os.replace, []

    def dying(source: Any, target: Any, **kwargs: Any) -> None:
        seen.extend([target] * fnmatch.fnmatch(str(target), pattern))
        if len(seen) != number:
            real(source, target, **kwargs)
        else:
            if moment == "half":
                os.truncate(source, os.path.getsize(source) // 2)  # noqa: PTH202
            if moment == "after":
                real(source, target, **kwargs)
            die()

    os.replace = dying


def note_what_is_loaded(path: Path) -> None:
    """A line for each sample: its index and epoch."""
    from workflow.training.seeding import ResumableSampler

    real, file = ResumableSampler.__iter__, path.open("a", buffering=1)

    def noting(self: Any) -> Any:
        for index, epoch in real(self):
            file.write(f"{index} {epoch}\n")
            yield index, epoch

    ResumableSampler.__iter__ = noting


def attempt(main: Callable[[], None], folder: Path, number: int, kill: list | None) -> int:
    """One process; the signal that ended it, or 0."""
    child = os.fork()
    if child == 0:
        said = os.open(folder / f"{number}.said", os.O_WRONLY | os.O_CREAT)
        os.dup2(said, 1), os.dup2(said, 2)
        from workflow.training.resume import checkpointing

        checkpointing.SECONDS_BETWEEN_SAVES = 0
        note_what_is_loaded(folder / f"{number}.loaded")
        if kill:
            at_step(kill[1]) if kill[0] == "step" else at_file(*kill)
        status: Any = 0
        try:
            main()
        except SystemExit as end:
            status = end.code
        except BaseException:
            status = 1
            traceback.print_exc()
        os._exit(int(status or 0))
    _, status = os.waitpid(child, 0)
    assert not os.WIFEXITED(status) or os.WEXITSTATUS(status) == 0, (folder / f"{number}.said").read_text()
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def main() -> None:
    """The command line."""
    door, folder, kills, *words = sys.argv[1:]
    room, _, subcommand = door.partition(" ")
    sys.argv[1:] = [subcommand or "train", *words]
    for part in ("workflow.training.record", *(f"{room}.{part}" for part in PARTS)):
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(part)
    called = importlib.import_module(f"{room}.cli").main
    ended = [attempt(called, Path(folder), n, kill) for n, kill in enumerate([*json.loads(kills), None])]
    (Path(folder) / "ended.json").write_text(json.dumps(ended))


def killed(room: str, folder: Path, kills: list, *arguments: Any) -> list[tuple[int, int, list[str]]]:
    """Of each attempt: the signal that ended it, the iteration where it went on (0: the beginning), what it loaded."""
    folder.mkdir()
    words = [sys.executable, "-m", "tests.kills", room, folder, json.dumps(kills), *arguments]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = []
    for number, ended in enumerate(read_json(folder / "ended.json")):
        said = (folder / f"{number}.said").read_text()
        resumed = said.partition("resumed at iteration ")[2].split(" ")[0]
        found.append((ended, int(resumed or 0), (folder / f"{number}.loaded").read_text().splitlines()))
    return found


def results(out: Path) -> dict[str, Any]:
    """All files that a run leaves, but for the figures of the machine; the report's cache is no part of them."""
    files = (path for path in out.iterdir() if path.name != "log.txt" and "resamples" not in path.name)
    found: dict[str, Any] = {path.name: path.read_bytes() for path in files}
    found["metrics.json"] = read_json(out / "metrics.json")
    del found["metrics.json"]["sha256"]  # it has the machine's figures in it
    for key in VOLATILE:
        found["metrics.json"]["provenance"].pop(key, None)
    return found


def survives(room: str, tmp_path: Path, kills: list, resumed: list[int], batch: int, *arguments: Any) -> None:
    """Killed at each of `kills`, a run goes on at the iterations `resumed`, loads nothing again that its state has
    seen, and ends with the same bytes."""
    ends = {}
    for name, plan in (("whole", []), ("killed", kills)):
        places = ["--checkpoint-dir", tmp_path / f"{name}-state", "--out", tmp_path / name]
        ends[name] = killed(room, tmp_path / f"{name}-log", plan, *arguments, *places)
    [(_, _, whole)] = ends["whole"]
    assert [end[0] for end in ends["killed"]] == [signal.SIGKILL] * len(kills) + [0]
    assert [end[1] for end in ends["killed"]] == [0, *resumed]
    for _, start, loaded in ends["killed"]:
        assert loaded == whole[start * batch :][: len(loaded)]
    assert ends["killed"][-1][2] == whole[resumed[-1] * batch :], "to the end"
    assert results(tmp_path / "killed") == results(tmp_path / "whole")
    shutil.rmtree(tmp_path / "killed")  # as Snakemake does if it was killed before it had noted the end
    [(_, _, loaded)] = killed(room, tmp_path / "again-log", [], *arguments, *places)
    assert not loaded
    assert results(tmp_path / "killed") == results(tmp_path / "whole")
    assert sorted(path.name for path in tmp_path.glob("*-state*")) == ["killed-state.done", "whole-state.done"]


if __name__ == "__main__":
    main()
