"""A real Slurm on this machine, from Debian's packages, without systemd: `python tests/slurm/cluster.py start FOLDER`.

One controller and some daemons that pose as nodes, all on the loopback interface, as root; `stop FOLDER` ends them by
their pid files and removes what stands in /etc/slurm. There is one Slurm per machine: a second start is refused.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ETC = Path("/etc/slurm")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo")
PACKAGES = "munge slurmctld slurmd slurm-client"
NODES = ("c1", "c2", "c3", "c4")
"""c1, c2: main; c3, with two GPUs that are none: other; c4: urgent, which displaces low, and closed, where none run."""
GPU_NODE = "c3"
PORT = 17001  # of the first daemon; the controller's is the one before
CONFIGURATIONS = ("slurm.conf", "cgroup.conf", "gres.conf")
SECONDS = 30
"""How long any single step may take."""

SLURM = """
ClusterName=lagbench
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=cred_expire=10,socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmdSpoolDir={folder}/spool-%n
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
SlurmdParameters=config_overrides
ProctrackType={tracking}
TaskPlugin={task}
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=300
GresTypes=gpu
SchedulerParameters=sched_interval=2,bf_interval=2
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobRequeue=1
KillWait=5
MinJobAge=86400
ReturnToService=2
SlurmdTimeout=20
SwitchType=switch/none
MpiDefault=none
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
{nodes}
PartitionName=main Nodes=c1,c2 Default=YES PreemptMode=OFF
PartitionName=other Nodes=c3 PreemptMode=OFF
PartitionName=low Nodes=c4 PriorityTier=1
PartitionName=urgent Nodes=c4 PriorityTier=9
PartitionName=closed Nodes=c4 State=DOWN
"""
CGROUP = """
CgroupPlugin=cgroup/v1
CgroupMountpoint=/sys/fs/cgroup
ConstrainRAMSpace=yes
"""
NODE = "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=4 RealMemory=16000{gres}"


def missing() -> str | None:
    """Return why no Slurm can be started here, or None."""
    lacking = [program for program in PROGRAMS if not _program(program)]
    if lacking:
        return f"no {', '.join(lacking)} on this machine: apt-get install {PACKAGES}"
    if os.geteuid() != 0:
        return "a Slurm of its own needs root"
    if (ETC / "slurm.conf").exists() or (ETC / "slurm.conf").is_symlink():
        return f"{ETC}/slurm.conf is there: this machine has a Slurm, or one was not stopped"
    return None


def limits_memory() -> bool:
    """Return whether a job is killed that takes more memory than requested: it takes control groups (version 1)."""
    return all(os.path.ismount(f"/sys/fs/cgroup/{name}") for name in ("memory", "freezer", "cpuset"))


def start(folder: Path) -> None:
    """Start munge, the controller and the nodes with all their files in a folder; return when the nodes are idle."""
    why = missing()
    if why:
        raise RuntimeError(why)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    _start_munge(folder)
    _configure(folder)
    try:
        _run(_program("slurmctld"), "-c")
        for name in NODES:
            start_node(name)
        _wait(lambda: _idle() == len(NODES), "all nodes to be idle")
    except Exception:
        stop(folder)
        raise


def start_node(name: str) -> None:
    """Start the daemon of one node."""
    _run(_program("slurmd"), "-N", name)


def crash_node(folder: Path, name: str) -> None:
    """Kill the daemon of one node and all that it runs, as a power cut would, and tell the controller."""
    jobs = _run("squeue", "--noheader", "--nodelist", name, "--states=RUNNING", "--format=%i").split()
    _end(folder / f"slurmd-{name}.pid", signal.SIGKILL)
    for number in jobs:
        _kill_processes(number)
    _run("scontrol", "update", f"NodeName={name}", "State=DOWN", "Reason=crash")


def stop(folder: Path) -> None:
    """End the jobs and all daemons that run from a folder, and remove what stands in /etc/slurm."""
    user = ["scancel", "--user", "root", "--quiet"]
    subprocess.run(user, capture_output=True, timeout=SECONDS, check=False)
    try:
        _wait(lambda: not _run("squeue", "--noheader"), "the jobs to end")
    except (RuntimeError, subprocess.SubprocessError):
        print("slurm: some jobs did not end", file=sys.stderr)
    for pid in (*folder.glob("slurmd-*.pid"), folder / "slurmctld.pid", folder / "munged.pid"):
        _end(pid, signal.SIGTERM)
    for name in CONFIGURATIONS:
        if (ETC / name).is_symlink() and (ETC / name).readlink().is_relative_to(folder):
            (ETC / name).unlink()


def _start_munge(folder: Path) -> None:
    """Start a munge of our own, as root: it wants its folders closed to others and its key to itself."""
    closed = folder / "munge"
    closed.mkdir(mode=0o700)
    key = closed / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    words = [f"--key-file={key}", f"--pid-file={folder}/munged.pid", f"--log-file={closed}/munged.log"]
    words += [f"--seed-file={closed}/seed", f"--socket={folder}/munge.socket", "--force"]
    _run(_program("munged"), *words)


def _configure(folder: Path) -> None:
    host = socket.gethostname()
    devices = [folder / "nvidia0", folder / "nvidia1"]
    for device in devices:
        device.symlink_to("/dev/null")
    for name in ("state", *(f"spool-{node}" for node in NODES)):
        (folder / name).mkdir()
    nodes = [
        NODE.format(name=name, host=host, port=PORT + number, gres=" Gres=gpu:2" if name == GPU_NODE else "")
        for number, name in enumerate(NODES)
    ]
    text = SLURM.format(
        host=host,
        folder=folder,
        controller=PORT - 1,
        tracking="proctrack/cgroup" if limits_memory() else "proctrack/linuxproc",
        task="task/cgroup" if limits_memory() else "task/none",
        nodes="\n".join(nodes),
    )
    files = {"slurm.conf": text, "cgroup.conf": CGROUP if limits_memory() else ""}
    files["gres.conf"] = f"AutoDetect=off\nNodeName={GPU_NODE} Name=gpu File={folder}/nvidia[0-1]\n"
    ETC.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(content)
        (ETC / name).symlink_to(folder / name)


def _idle() -> int:
    nodes = set(_run("sinfo", "--noheader", "--Node", "--format=%N %T").splitlines())  # one line per partition
    return sum(node.split()[1] == "idle" for node in nodes)


def _program(name: str) -> str:
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin") or ""


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode:
        raise RuntimeError(f"slurm: {' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def _wait(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"slurm: waited {SECONDS} s for {what}")
        time.sleep(0.2)


def _end(file: Path, number: signal.Signals) -> None:
    """End the process of a pid file and wait until it is gone."""
    try:
        pid = int(file.read_text())
        os.kill(pid, number)
    except (OSError, ValueError):
        return
    try:
        _wait(lambda: not _lives(pid), f"process {pid} of {file.name} to end")
    except RuntimeError:
        os.kill(pid, signal.SIGKILL)


def _kill_processes(job: str) -> None:
    """Kill the processes of a job: those that have its number in their environment, and those that watch over them."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            variables = (folder / "environ").read_bytes().split(b"\0")
            title = (folder / "cmdline").read_bytes()
            if f"SLURM_JOB_ID={job}".encode() in variables or title.startswith(f"slurmstepd: [{job}.".encode()):
                os.kill(int(folder.name), signal.SIGKILL)
        except OSError:
            continue


def _lives(pid: int) -> bool:
    """Return whether a process lives; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("start", "stop"):
        sys.exit("expected: python tests/slurm/cluster.py start|stop FOLDER")
    try:
        (start if sys.argv[1] == "start" else stop)(Path(sys.argv[2]).resolve())
    except RuntimeError as error:
        sys.exit(str(error))
