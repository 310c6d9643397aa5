"""Start a training on devices of its own: `python -m workflow.training.launch MODULE --run JSON …`.

As many as the run's `gpus` says. A device is held by a mark that lasts as long as the process, however that ends.
Several devices: one process each, by torchrun.
"""

import argparse
import contextlib
import errno
import functools
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workflow.training.errors import UserError, door
from workflow.training.run import Run
from workflow.training.stopping import Stopped, asked, hear

ALLOWED = "CUDA_VISIBLE_DEVICES"
CALL = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]


def devices() -> list[str]:
    """The UUIDs of this node's NVIDIA devices in the order of their slots; UserError if there are some, and they cannot
    be asked for. A number would not do: inside a job of a cluster, each job's first device is number 0."""
    try:
        asked = subprocess.run(CALL, capture_output=True, text=True, check=False, timeout=120)
        said, listed = (asked.stdout + asked.stderr).strip(), asked.returncode == 0
    except (OSError, subprocess.TimeoutExpired) as error:
        said, listed = str(error), False
    if not listed and list(Path("/dev").glob("nvidia[0-9]*")):
        raise UserError(f"this node has NVIDIA devices, but nvidia-smi does not list them: {' '.join(said.split())}")
    return said.split() if listed else []


def visible(here: Sequence[str]) -> list[str]:
    """Those that `CUDA_VISIBLE_DEVICES` allows: all if it is not set. It holds numbers or (beginnings of) UUIDs, and as
    CUDA reads it it ends before the first word that is no device; a part of a device (MIG) is one of its own."""
    if ALLOWED not in os.environ:
        return list(here)
    found = []
    for word in os.environ[ALLOWED].replace(" ", "").split(","):
        if word.isdecimal():
            named = list(here[int(word) : int(word) + 1])
        elif word.startswith("MIG-"):
            named = [word]
        else:
            named = [each for each in here if word and each.startswith(word)]
        if not named:
            break
        found += named
    return list(dict.fromkeys(found))


def hold(device: str) -> socket.socket | None:
    """Take a device; None if another process has it. Programs that this one becomes keep it.

    The mark is a name in the kernel's own list (an abstract socket), which is one for all users of the node and ends
    with its process. A file in a common folder could be another user's, unreadable, a link, or be cleaned away."""
    mark = socket.socket(socket.AF_UNIX)
    try:
        mark.bind(f"\0backbone-transfer {device}")
    except OSError as error:
        mark.close()
        if error.errno != errno.EADDRINUSE:
            raise
        return None
    mark.set_inheritable(True)
    return mark


def take(allowed: Sequence[str], number: int, name: str) -> list[str]:
    """Hold `number` of the allowed devices, and wait until so many are free."""
    told = False
    while True:
        held = {}
        for device in allowed:
            if len(held) < number and (mark := hold(device)) is not None:
                held[device] = mark
        if len(held) == number:
            for mark in held.values():
                mark.detach()  # to the end of the process
            return list(held)
        for mark in held.values():  # all or none, or two jobs could wait for each other
            mark.close()
        if not told:
            what = f"{number} of {len(allowed)} devices" if len(allowed) > 1 else "the device"
            print(f"[{name}] waiting for {what}: other jobs hold them", flush=True)
            told = True
        time.sleep(random.uniform(0.5, 1.5))


def assign(run: Run) -> None:
    """Set `CUDA_VISIBLE_DEVICES` for a run; UserError if the node has fewer devices than it wants."""
    if not run.gpus:
        os.environ[ALLOWED] = ""
        return
    here = devices()
    if not here:
        print(f"[{run.name}] gpus: {run.gpus}, but no NVIDIA device on this node: training on the CPU", flush=True)
        return
    allowed = visible(here)
    if len(allowed) < run.gpus:
        limit = f", {ALLOWED} allows {len(allowed)} of them" if ALLOWED in os.environ else ""
        raise UserError(f"gpus: {run.gpus}, but this node has {len(here)}{limit}")
    os.environ[ALLOWED] = ",".join(take(allowed, run.gpus, run.name))
    print(f"[{run.name}] on {os.environ[ALLOWED]}", flush=True)


def together(run: Run, module: str, arguments: Sequence[str]) -> int:
    """Run a module in one process for each of the run's devices; the exit status. Its processes say why they fail;
    UserError if one cannot, as a signal has ended it."""
    import logging

    from torch.distributed import run as torchrun
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    from workflow.training.processes import LAUNCHER

    logging.disable()  # torch's words on how they end
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(run.threads)))
    os.environ[LAUNCHER] = str(os.getpid())
    options = ["--standalone", "--nproc-per-node", str(run.gpus), "--signals-to-handle", "SIGQUIT"]
    try:
        with asked(functools.partial(end, run.name)), tempfile.TemporaryDirectory() as logs:  # it leaves its own
            args = torchrun.get_args_parser().parse_args([*options, "--log-dir", logs, "--module", module])
            args.training_script_args = list(arguments)  # not parsed: torchrun takes our --run for one of its own
            torchrun.run(args)
    except ChildFailedError as error:
        number, failure = error.get_first_failure()
        if failure.exitcode > 0:
            return 1
        how = f"process {number + 1} of {run.gpus} was ended by {failure.signal_name()}"
        raise UserError(f"{run.name}: {how}; the same command goes on where it was") from None
    except Stopped as stopped:
        return stopped.status
    return 0


def end(name: str, number: int, frame: Any) -> None:
    """A signal handler: torchrun passes the signal on and waits for its processes, half a minute at most. Whoever asks
    again is not heard, or they would be killed while they save."""
    hear(signal.SIG_IGN)
    print(f"[{name}] {signal.Signals(number).name}: its processes are asked to end", flush=True)
    raise Stopped(number)


def offer(workflow: Any, gpus: int) -> None:
    """Let Snakemake begin no more jobs on this machine than it has devices for, unless `--resources gpu=` says how many
    there are. The nodes of a cluster have others."""
    if not gpus or workflow.resource_settings.nodes is not None or "gpu" in workflow.global_resources:
        return
    with contextlib.suppress(UserError):  # the jobs will say it
        if allowed := visible(devices()):
            workflow.register_resource("gpu", len(allowed))


@door
def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("module", help="the training, e.g. pretrain.train")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its arguments, with --run JSON among them")
    args = parser.parse_args()
    inner = argparse.ArgumentParser(prog=f"{parser.prog} {args.module}", allow_abbrev=False)
    inner.add_argument("--run", required=True)
    run = Run.parse(inner.parse_known_args(args.arguments)[0].run)
    assign(run)
    if run.gpus > 1:
        raise SystemExit(together(run, args.module, args.arguments))
    os.execv(sys.executable, [sys.executable, "-m", args.module, *args.arguments])


if __name__ == "__main__":
    main()
