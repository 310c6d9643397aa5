"""A real Slurm for tests: munged, slurmctld and slurmd of this machine, one node with two made-up GPUs, in a folder.

It needs Debian's `slurm-wlm` and `munge` (or their like) and no systemd, no root and nothing of /etc. What it hands out
as GPUs are two other devices: jobs get their CUDA_VISIBLE_DEVICES as with real ones, and torch finds none.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scancel", "squeue", "scontrol")
PATH = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])  # where the daemons are
MISSING = [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]
needs_slurm = pytest.mark.skipif(bool(MISSING), reason=f"no Slurm here: {', '.join(MISSING)} not installed")

# CR_CPU_Memory and DefMemPerCPU: else a job without --mem takes the whole node. MinJobAge: the plugin believes squeue
# only if finished jobs stay in it. config_overrides: the node has the CPUs and the memory written here, whatever it is.
CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
TaskProlog={folder}/prolog
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=100
MinJobAge=3600
KillWait=30
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=6 RealMemory=64000 Gres=gpu:2 State=UNKNOWN
PartitionName=short Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""
GRES = "Name=gpu File=/dev/null\nName=gpu File=/dev/zero\n"  # must be devices, may be any
# What a job finds in its environment, a line a step: the device that it may use.
PROLOG = """\
#!/bin/sh
echo "$SLURM_JOB_ID $CUDA_VISIBLE_DEVICES" >> {folder}/devices
"""


@dataclass(frozen=True)
class Slurm:
    """A running one. `environment`: what its commands, and a Snakemake that submits to it, need."""

    folder: Path
    environment: dict[str, str]

    def call(self, *command: str) -> str:
        """What a Slurm command prints; CalledProcessError if it fails."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout

    def jobs(self, *states: str) -> dict[str, dict[str, str]]:
        """Job id to what Slurm knows of the job, oldest first; finished ones too unless `states` are named."""
        lines = self.call("scontrol", "show", "job", "--oneliner").splitlines()
        found = [dict(pair.split("=", 1) for pair in line.split() if "=" in pair) for line in lines]
        found = [job for job in found if "JobId" in job and (not states or job["JobState"] in states)]
        return {job["JobId"]: job for job in sorted(found, key=lambda job: int(job["JobId"]))}

    def devices(self) -> dict[str, str]:
        """Job id to the CUDA_VISIBLE_DEVICES of its last step."""
        lines = (self.folder / "devices").read_text().splitlines()
        return dict(line.split(" ", 1) for line in lines)


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Slurm]:
    """Within, a Slurm whose files all lie in `folder`; after it none of its processes is left."""
    slurm = Slurm(folder, prepare(folder))
    paths = {"key-file": "key", "pid-file": "pid", "log-file": "log", "seed-file": "seed", "socket": "socket"}
    munged = ["munged", "--foreground", "--force", *(f"--{key}={folder}/munge.{end}" for key, end in paths.items())]
    with contextlib.ExitStack() as stack:
        stack.callback(end_processes, slurm)
        stack.enter_context(daemon(munged, slurm, (folder / "munge.socket").exists))
        stack.enter_context(daemon(["slurmctld", "-D"], slurm, lambda: slurm.call("scontrol", "ping")))
        stack.enter_context(daemon(["slurmd", "-D"], slurm, lambda: slurm.call("sinfo", "-h", "-o%t") == "idle\n"))
        stack.callback(cancel_jobs, slurm)
        yield slurm


def prepare(folder: Path) -> dict[str, str]:
    """Write what the daemons read; returns the environment of everything that talks to them."""
    (folder / "bin").mkdir(parents=True)
    host = socket.gethostname().split(".")[0]
    user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    values = {"folder": folder, "host": host, "user": user, "ports": free_ports(2)}
    (folder / "slurm.conf").write_text(CONF.format(**values))
    (folder / "gres.conf").write_text(GRES)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    (folder / "devices").touch()
    (folder / "munge.key").write_bytes(os.urandom(64))
    (folder / "munge.key").chmod(0o600)
    script(folder / "prolog", PROLOG.format(**values))
    # The plugin's job step drops SLURM_CONF, as other clusters have their configuration in /etc.
    conf, srun = folder / "slurm.conf", shutil.which("srun", path=PATH)
    script(folder / "bin/srun", f'#!/bin/sh\nSLURM_CONF={conf} exec {srun} "$@"\n')
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("SLURM_", "SBATCH_", "SRUN_"))}
    return kept | {"SLURM_CONF": str(conf), "PATH": f"{folder}/bin{os.pathsep}{PATH}"}


def script(path: Path, text: str) -> None:
    """An executable file."""
    path.write_text(text)
    path.chmod(0o755)


def free_ports(number: int) -> list[int]:
    """Ports that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def daemon(command: list[str], slurm: Slurm, ready: Callable[[], object]) -> Iterator[None]:
    """Within, it runs and has said that it is ready."""
    log = slurm.folder / f"{command[0]}.said"
    with log.open("w") as said:
        process = subprocess.Popen(command, env=slurm.environment, stdout=said, stderr=said, start_new_session=True)
    try:
        wait(lambda: answers(ready) or process.poll() is not None, 60, f"{command[0]} does not start")
        assert process.poll() is None, f"{command[0]} ended: {log.read_text()[-2000:]}"
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(ready: Callable[[], object]) -> bool:
    """Whether it is true by now; a command that fails says no."""
    try:
        return bool(ready())
    except subprocess.CalledProcessError:
        return False


def wait(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Until it is true; AssertionError after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} ({seconds:.0f} s)"
        time.sleep(0.1)


def cancel_jobs(slurm: Slurm) -> None:
    """No job is left that waits or runs."""
    live = ("PENDING", "RUNNING", "COMPLETING", "SUSPENDED")
    if jobs := list(slurm.jobs(*live)):
        slurm.call("scancel", *jobs)
        wait(lambda: not slurm.jobs(*live), 60, "jobs that were cancelled go on")


def end_processes(slurm: Slurm) -> None:
    """Whatever else was started in its environment, by a test that failed or by a job."""
    mark = f"SLURM_CONF={slurm.folder}/slurm.conf".encode()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # ended meanwhile, or another user's
            if mark in (process / "environ").read_bytes().split(b"\0"):
                os.kill(int(process.name), signal.SIGKILL)
