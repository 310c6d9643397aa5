"""Start a job on devices of its own:
`python -m workflow.training.distributed.launch ROOM SUBCOMMAND --run-spec JSON …`.

As many as the run's `gpus` says. A device is held by a mark that lasts as long as the process, however that ends; jobs
that share one hold a place on it each. Several devices: one process each, by torchrun.
"""

import argparse
import contextlib
import functools
import math
import os
import pwd
import random
import secrets
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from workflow.core.errors import UserError, cli_entry_point
from workflow.core.signals import Interrupted, handling, set_handlers
from workflow.planning.run_spec import RunSpec

ALLOWED = "CUDA_VISIBLE_DEVICES"
HELD = "TRAINING_DEVICES"  # for workflow.training.distributed.usable_gpus, as torch finds these or not
PLACES = "TRAINING_JOBS_PER_GPU"  # in the environment of a workflow's jobs: how many of them share a device
MARK = "backbone-transfer"
LIST = Path("/proc/net/unix")
LISTENING = "00010000"
SECONDS_BETWEEN_LINES = 600.0
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


class Holder(NamedTuple):
    """A mark of a device: its inode, the process and the user that hold it, how many it shares the device with."""

    inode: int
    process: int
    user: int
    places: int


def lock_gpu(device: str, places: int = 1) -> socket.socket | None:
    """Take a place on a device, which has `places` for jobs like this one; None if other processes of this user have
    them all, or one of them shares with fewer. Programs that this one becomes keep it.

    The mark is a name in the kernel's list (an abstract socket), which ends with its process: a file could be
    unreadable, a link, or be cleaned away. As any user may write any name there, whose it is the kernel is asked.
    First the mark, then the look at the others: of two that do so at once, at least one sees the other."""
    mark = socket.socket(socket.AF_UNIX)
    mark.bind(f"\0{MARK} {device} {places} {secrets.token_hex(8)}")
    mark.listen(socket.SOMAXCONN)
    mine = os.fstat(mark.fileno()).st_ino
    others = [one for one in holders(device) if one.user == os.geteuid() and one.inode != mine]
    if len(others) >= min([places, *(one.places for one in others)]):
        mark.close()
        return None
    mark.set_inheritable(True)
    return mark


def holders(device: str) -> list[Holder]:
    """The marks of a device."""
    try:
        lines = LIST.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise UserError(f"{LIST}: {error.strerror}; without it jobs cannot share out the devices") from None
    fields = [line.split(maxsplit=7) for line in lines]
    named = [each for each in fields if len(each) == 8 and each[7].startswith(f"@{MARK} {device} ")]
    marks = [(each[7], int(each[6])) for each in named if each[3] == LISTENING]  # not what has asked it once
    return [Holder(inode, *who, places(name)) for name, inode in marks if (who := holder(name, inode))]


def places(name: str) -> int:
    """What a mark says; 1 of a mark that says nothing."""
    words = name.split()
    return int(words[-2]) if len(words) == 4 and words[-2].isdecimal() else 1


@functools.cache
def holder(name: str, inode: int) -> tuple[int, int] | None:
    """Process and user, as the kernel knows them; None of a mark that nobody answers for."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.setblocking(False)
        try:
            asking.connect(f"\0{name[1:]}")
        except OSError:
            return None
        return struct.unpack("3i", asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))[:2]


def shown(device: str) -> str:
    """Who holds a device, in words."""
    names = []
    for one in holders(device):
        user: int | str = one.user
        with contextlib.suppress(KeyError):  # of a user whom this machine does not know
            user = pwd.getpwuid(one.user).pw_name
        names.append(f"process {one.process} of {user}")
    return f"{device} by {' and '.join(names)}" if names else f"{device} by nobody any more"


def acquire_gpus(allowed: Sequence[str], number: int, name: str, places: int = 1) -> list[str]:
    """Hold `number` of the allowed devices, and wait until so many have a place. Another user's mark is no reason to
    wait (nobody can tell whether it is one of a training), but those without, or with fewer, are taken first."""
    since, said = time.monotonic(), -math.inf
    while True:
        held = {}
        for device in sorted(allowed, key=lambda device: len(holders(device))):
            if len(held) < number and (mark := lock_gpu(device, places)) is not None:
                held[device] = mark
        if len(held) == number:
            break
        for mark in held.values():  # all or none, or two jobs could wait for each other
            mark.close()
        if time.monotonic() - said > SECONDS_BETWEEN_LINES:
            what = f"{number} of {len(allowed)} devices" if len(allowed) > 1 else "the device"
            minutes, said = (time.monotonic() - since) // 60, time.monotonic()
            print(f"[{name}] waiting for {what}, {minutes:.0f} min so far, until the jobs that hold them end: "
                  f"{', '.join(map(shown, allowed))}", flush=True)  # fmt: skip
        time.sleep(random.uniform(0.5, 1.5))
    for device, mark in held.items():
        if any(one.user != os.geteuid() for one in holders(device)):
            print(f"[{name}] another user has a mark on it, which is no reason to wait: {shown(device)}", flush=True)
        mark.detach()  # to the end of the process
    return [device for device in allowed if device in held]


def select_gpus(run: RunSpec) -> None:
    """Set `CUDA_VISIBLE_DEVICES` for a run; UserError if the node has fewer devices than it wants."""
    os.environ.pop(HELD, None)
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
    slices = [device for device in allowed if device.startswith("MIG-")]
    if run.gpus > 1 and slices:
        raise UserError(
            f"gpus: {run.gpus}, but {slices[0]} is a MIG slice: a training uses one of them at most, gpus: 1"
        )
    share = int(os.environ.get(PLACES, "1"))
    os.environ[ALLOWED] = os.environ[HELD] = ",".join(acquire_gpus(allowed, run.gpus, run.name, share))
    print(f"[{run.name}] on {os.environ[ALLOWED]}", flush=True)


def launch_torchrun(run: RunSpec, module: str, arguments: Sequence[str]) -> int:
    """Run a module in one process for each of the run's devices; the exit status. Its processes say why they fail;
    UserError if one cannot, as a signal has ended it."""
    import logging

    from torch.distributed import run as torchrun
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    from workflow.training.distributed.processes import LAUNCHER

    logging.disable()  # torch's words on how they end
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(run.threads)))
    os.environ[LAUNCHER] = str(os.getpid())
    options = ["--standalone", "--nproc-per-node", str(run.gpus), "--signals-to-handle", "SIGQUIT"]
    try:
        with (
            handling(functools.partial(on_signal, run.name)),
            tempfile.TemporaryDirectory() as logs,
        ):  # it leaves its own
            args = torchrun.get_args_parser().parse_args([*options, "--log-dir", logs, "--module", module])
            args.training_script_args = list(arguments)  # not parsed: torchrun takes our --run-spec for one of its own
            torchrun.run(args)
    except ChildFailedError as error:
        number, failure = error.get_first_failure()
        if failure.exitcode > 0:
            return 1
        how = f"process {number + 1} of {run.gpus} was ended by {failure.signal_name()}"
        raise UserError(f"{run.name}: {how}; the same command goes on where it was") from None
    except Interrupted as stopped:
        return stopped.status
    return 0


def on_signal(name: str, number: int, frame: FrameType | None) -> None:
    """A signal handler: torchrun passes the signal on and waits for its processes, half a minute at most. Whoever asks
    again is not heard, or they would be killed while they save."""
    set_handlers(signal.SIG_IGN)
    print(f"[{name}] {signal.Signals(number).name}: its processes are asked to end", flush=True)
    raise Interrupted(number)


def declare_gpu_resource(workflow: Any, gpus: int, jobs_per_gpu: int = 1) -> None:
    """Let Snakemake begin no more jobs on this machine than its devices have places for, unless `--resources gpu=` says
    how many there are. The nodes of a cluster have others."""
    os.environ[PLACES] = str(jobs_per_gpu)
    if not gpus or workflow.resource_settings.nodes is not None or "gpu" in workflow.global_resources:
        return
    with contextlib.suppress(UserError):  # the jobs will say it
        if allowed := visible(devices()):
            workflow.register_resource("gpu", len(allowed) * jobs_per_gpu)


@cli_entry_point
def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("module", help="a room, e.g. pretrain")
    parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, help="its subcommand and arguments, with --run-spec JSON"
    )
    args = parser.parse_args()
    inner = argparse.ArgumentParser(prog=f"{parser.prog} {args.module}", allow_abbrev=False)
    inner.add_argument("--run-spec", required=True)
    run = RunSpec.parse(inner.parse_known_args(args.arguments)[0].run_spec)
    select_gpus(run)
    if run.gpus > 1:
        raise SystemExit(launch_torchrun(run, args.module, args.arguments))
    os.execv(sys.executable, [sys.executable, "-m", args.module, *args.arguments])


if __name__ == "__main__":
    main()
