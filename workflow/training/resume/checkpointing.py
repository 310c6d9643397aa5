"""The resume state of a run: `.work/<hash>/<number>-<SHA-256 of the file>.pth`, the last two of them.

Written under another name, flushed, then renamed: one rename, so a kill leaves a whole state or none. What the disk or
a copy has done to it since shows in the name; the state before it is used then. state_writer.py writes it, while the
training goes on; load_state.py reads it, and runs nothing. mmengine's own CheckpointHook saves before the evaluation
that follows an iteration: a resumed run would go without.
"""

import contextlib
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.dist import get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from workflow.contracts import INDEX
from workflow.core.errors import UserError
from workflow.core.files import atomic, lock_file, sha256
from workflow.planning import progress
from workflow.training.distributed import processes
from workflow.training.hooks import History
from workflow.training.resume import attempts, publish_backup
from workflow.training.resume.interrupts import diverged
from workflow.training.resume.load_state import read
from workflow.training.resume.state_writer import StateWriter, states

SECONDS_BETWEEN_SAVES = 60.0
# With a process that still holds the state: one that was asked to end takes up to 30, and a server of files (NFS) holds
# the locks of a machine that has died for 90.
SECONDS_OF_PATIENCE = 120.0
NO_REASON = {"recipe", "libraries"}  # of what a run is made of: its state is named by the recipe, and outlives these


def is_intact(path: Path) -> bool:
    """Whether its bytes can be read, and are those that were written."""
    try:
        return sha256(path) == path.stem.partition("-")[2]
    except OSError:
        return False


def fault(path: Path) -> str:
    """Why this is no state to go on with, in one line; empty if it is one."""
    if not is_intact(path):
        return f"{path} is broken, its checksum is another"
    try:
        read(path)
    except UserError as error:
        return str(error)
    return ""


def newest(folder: Path, name: str) -> Path | None:
    """The last state whose bytes are those that were written; what is broken, or no state, is said, and put aside as
    `.broken`."""
    found = states(folder)
    for path in reversed(found):
        if not (reason := fault(path)):
            return path
        path.rename(path.with_suffix(".broken"))
        instead = "the one before it is tried" if path != found[0] else "there is none before it: from the beginning"
        print(f"[{name}] {reason}; {instead}", flush=True)
    return None


class ResumeCheckpointHook(Hook):
    """Write all that the next iteration needs, before an iteration begins, at most once a minute. The next iterations
    do not wait for the disk; an evaluation does, and so does the end."""

    priority = "LOWEST"

    def __init__(self, folder: Path, history: History) -> None:
        self.folder, self.history = folder, history
        self.writer = StateWriter(folder)
        self.saved = time.monotonic()
        self.written = (0, 0)

    def reached(self, runner: Runner) -> tuple[int, int]:
        """Iterations and evaluations."""
        return runner.iter, len(self.history.evaluations)

    def before_train(self, runner: Runner) -> None:
        """A run that was stopped in an evaluation makes that first."""
        self.written = self.reached(runner)
        evaluated = self.history.evaluations[-1]["iteration"] if self.history.evaluations else 0
        due = runner.iter % runner.train_loop.val_interval == 0 or runner.iter == runner.max_iters
        if due and runner.iter > evaluated:
            runner.val_loop.run()

    def before_val(self, runner: Runner) -> None:
        """What ends several processes in an evaluation lets them write nothing. Processes that load its images, which
        are copies of this one, would keep an unfinished file open."""
        if get_world_size() > 1 and self.written != self.reached(runner):
            self.save(runner)
        self.writer.wait()

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Here the evaluation after the last iteration is over, so a resumed run does not lose it. What could not be
        written is noticed at once: the next state would be written a minute later."""
        self.writer.check()
        if runner.iter and time.monotonic() - self.saved >= SECONDS_BETWEEN_SAVES:
            self.save(runner)

    def after_train(self, runner: Runner) -> None:
        """The end is a state too: a run killed between training and its record only writes the record again."""
        if self.written != self.reached(runner):
            self.save(runner)
        self.writer.wait()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Whose it is. Numbers of numpy are plain ones then: nothing but tensors and plain data is read."""
        checkpoint["run"] = self.folder.name
        checkpoint["history"] = json.loads(json.dumps(checkpoint["history"], default=lambda number: number.item()))

    def save(self, runner: Runner) -> None:
        """Begin to write a state of the first process. mmengine's own `save_checkpoint` asks git and prints the config
        each time, copies nothing of a CPU's, and writes before it returns."""
        if not is_main_process():
            return
        checkpoint = {
            "meta": {"iter": runner.iter, "epoch": runner.epoch},
            "state_dict": processes.unwrap_model(runner.model).state_dict(),
            "message_hub": runner.message_hub.state_dict(),
            "optimizer": runner.optim_wrapper.state_dict(),
            "param_schedulers": [schedule.state_dict() for schedule in runner.param_schedulers],
        }
        runner.call_hook("before_save_checkpoint", checkpoint=checkpoint)
        self.writer.write(checkpoint)
        self.saved, self.written = time.monotonic(), self.reached(runner)


@contextlib.contextmanager
def lock(folder: Path) -> Iterator[bool]:
    """The folder for this process alone, by a lock beside it (Snakemake empties the folder). One that was asked to end
    may still be saving while it is started again elsewhere; UserError if it takes too long. Whether it had to wait."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    path, since, waited = lock_file(folder), time.monotonic(), False
    while True:
        file = path.open("a+", encoding="utf-8", errors="replace")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.stat().st_ino == os.fstat(file.fileno()).st_ino:
                break  # else it was another's, who has removed it
        except FileNotFoundError:
            pass  # likewise
        except BlockingIOError:
            waited = True
            if time.monotonic() - since > SECONDS_OF_PATIENCE:
                file.seek(0)
                who = " ".join(file.read(200).split()) or "it does not say which"
                what = f"another process trains this run ({who}); wait for it, or end it"
                raise UserError(f"{folder}: {what}") from None
            time.sleep(0.5)
        except OSError as error:
            raise UserError(f"{path}: this file system gives no locks (flock): {error.strerror}") from None
        file.close()
    with file:
        try:
            file.truncate(0)
            file.write(f"process {os.getpid()} of user {os.geteuid()} on {socket.gethostname()}\n")
            file.flush()
            yield waited
        finally:
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def lock_artifact(folder: Path) -> Iterator[bool]:
    """A shared folder for this process alone: whether there is still something to make in it, which is not so after
    another process, waited for, has made it (its index is written last)."""
    with lock(folder.resolve()) as waited:
        if there := waited and (folder / INDEX).is_file():
            print(f"{folder}: another process has made it meanwhile", flush=True)
        yield not there


@contextlib.contextmanager
def lock_run(state: Path, out: Path) -> Iterator[bool]:
    """State and results: several folders of work may share their results, by a link. Whether another had these."""
    with lock(out.resolve()) as waited, lock(state):
        yield waited


@contextlib.contextmanager
def run_context(state: Path, out: Path, of: dict[str, Any]) -> Iterator[None]:
    """Around a whole run, made `of` recipe, backbone, data, libraries: a failure leaves its reason in `error.txt` for
    the report, success removes the state. What a killed run has half-written into `out` is removed. Ends the process
    where the run was finished before, or by another process meanwhile."""
    processes.init_process_group()
    with lock_run(state, out) if is_main_process() else contextlib.nullcontext(False) as waited:
        if processes.broadcast_from_main(
            lambda: publish_backup.restore(state, out, of) or (waited and publish_backup.is_published(state, out, of))
        ):
            processes.cleanup()
            raise SystemExit(0)
        processes.broadcast_from_main(lambda: prepare(state, out, of))
        attempts.begin(of.get("libraries", {}), state)
        try:
            if diverged(state).exists():
                raise UserError(diverged(state).read_text(encoding="utf-8").splitlines()[0])
            yield
        except Exception as error:
            said = error.args[0] if isinstance(error, UserError) else error  # whose own text escapes what is no blank
            reason = " ".join(f"{type(error).__name__}: {said}".split())[:500]
            # The disk may be full; and of several processes, the first that fails has the reason.
            with contextlib.suppress(OSError), (state / "error.txt").open("x", encoding="utf-8") as file:
                file.write(f"{time.strftime('%Y-%m-%d %H:%M')} {reason}\n")
            raise
        publish_backup.backup(state, out)
        with contextlib.suppress(OSError):  # the run is published: what cannot be removed is no fault of it
            publish_backup.clear(state)
    processes.cleanup()


def prepare(state: Path, out: Path, of: dict[str, Any]) -> None:
    """Without what a run before has left of its end, or all of it if that had other data or another backbone."""
    reasons = {key: value for key, value in of.items() if key not in NO_REASON}
    begun = json.dumps({"backbone": None, "data": None} | reasons, sort_keys=True)
    made_of = state / "of.json"
    if made_of.exists() and made_of.read_text(encoding="utf-8", errors="replace") != begun:
        print(f"{state}: begun with other data or another backbone; from the beginning", flush=True)
        publish_backup.clear(state)
    if not made_of.exists():
        with atomic(made_of) as temporary:
            temporary.write_text(begun, encoding="utf-8")
    for last in ("error.txt", progress.FILE):
        (state / last).unlink(missing_ok=True)
    for part in out.glob(".*.part"):
        part.unlink()
