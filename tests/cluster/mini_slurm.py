"""A throw-away Slurm: some emulated nodes on this machine, without systemd and cgroups.

It is a real Slurm, in which every node is a daemon of its own on loopback. It polls the memory of
jobs, and kills one that is above its limit. It needs root, and writes `/etc/slurm/slurm.conf` while
it runs: jobs look for it there.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "squeue", "scancel")
CONF = Path("/etc/slurm/slurm.conf")
MUNGE = Path("/run/munge")
CPUS, MEMORY = 2, 6000  # of each node; its MB are only counted
TEXT = """\
ClusterName=mini
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,bf_interval=5,sched_interval=5
SlurmdParameters=config_overrides
ReturnToService=2
MinJobAge=300
KillWait=2
SlurmdTimeout=15
DefMemPerCPU=500
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=2
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/finished.txt
{nodes}
PartitionName=main Nodes=ALL Default=YES MaxTime=600 State=UP
"""


def why_not() -> str:
    """Say why Slurm cannot be started here, or nothing."""
    missing = [name for name in PROGRAMS if shutil.which(name, path=search_path()) is None]
    if missing:
        return f"{', '.join(missing)} missing: tests/cluster/install_slurm installs Slurm"
    if os.getuid():
        return "a Slurm for tests can be started by root only"
    if CONF.exists():
        return f"{CONF} exists: this machine has a Slurm of its own"
    return ""


def search_path() -> str:
    """Return the search path with the folders of system programs."""
    return f"{os.environ['PATH']}:/usr/sbin:/sbin"


class MiniSlurm:
    """A Slurm with nodes `n1`, `n2`, ... whose files lie in a folder."""

    def __init__(self, folder: Path, *, nodes: int, port: int = 16817) -> None:
        self.folder = folder
        self.nodes = [f"n{number}" for number in range(1, nodes + 1)]
        self.port = port
        self.owns_munge = False

    def start(self) -> None:
        """Start all daemons, and wait until the nodes are idle."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "state").mkdir(exist_ok=True)
        host = socket.gethostname().partition(".")[0]
        lines = [
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={self.port + number} "
            f"CPUs={CPUS} RealMemory={MEMORY} State=UNKNOWN"
            for number, node in enumerate(self.nodes, 1)
        ]
        text = TEXT.format(host=host, port=self.port, folder=self.folder, nodes="\n".join(lines))
        CONF.parent.mkdir(exist_ok=True)
        CONF.write_text(text, encoding="utf-8")
        self.start_munge()
        self.call("slurmctld", "-c")
        for node in self.nodes:
            self.start_node(node)
        for _ in range(120):
            if self.states().count("idle") == len(self.nodes):
                return
            time.sleep(0.5)
        raise RuntimeError(f"the nodes did not start: {self.states()}, logs in {self.folder}")

    def start_munge(self) -> None:
        """Start the service by which the daemons know each other, unless it runs."""
        if subprocess.run(["munge", "-n"], capture_output=True, check=False).returncode == 0:
            return
        own = self.folder / "munge"
        for place in (own, MUNGE):
            place.mkdir(exist_ok=True)
            shutil.chown(place, "munge", "munge")
            place.chmod(0o755)
        for parent in own.parents:  # the user `munge` must reach its folder
            if parent.stat().st_uid == os.getuid() and not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)
        files = [f"--{name}-file={own}/{name}" for name in ("pid", "log", "seed")]
        self.call("setpriv", "--reuid=munge", "--regid=munge", "--clear-groups", "munged", *files)
        self.owns_munge = True

    def start_node(self, node: str) -> None:
        """Start the daemon of a node."""
        (self.folder / f"spool.{node}").mkdir(exist_ok=True)
        self.call("slurmd", "-N", node)

    def kill_node(self, node: str) -> None:
        """Kill a node with everything that runs on it, as if its power failed."""
        kill(int((self.folder / f"slurmd.{node}.pid").read_text()), signal.SIGKILL)
        jobs = self.call("squeue", "-h", "-o", "%A", "-w", node).split()
        keepers = tuple(f"slurmstepd: [{job}." for job in jobs)
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it ended
                words = (process / "cmdline").read_bytes().decode(errors="replace")
                variables = (process / "environ").read_bytes().decode(errors="replace").split("\0")
                if words.startswith(keepers) or f"SLURMD_NODENAME={node}" in variables:
                    kill(int(process.name), signal.SIGKILL)

    def states(self) -> list[str]:
        """Return the states of the nodes."""
        return self.call("sinfo", "-h", "-N", "-p", "main", "-o", "%T", check=False).split()

    def running(self, words: str) -> list[str]:
        """Return the numbers of the jobs that run, of those whose description has some words."""
        texts = self.call("scontrol", "-o", "show", "job", check=False).splitlines()
        found = [text for text in texts if words in text and "JobState=RUNNING" in text]
        return [text.partition(" ")[0].removeprefix("JobId=") for text in found]

    def node_of(self, job: str) -> str:
        """Return the node on which a job runs."""
        return self.call("squeue", "-h", "-j", job, "-o", "%N").strip()

    def finished(self, state: str) -> str:
        """Return the records of the jobs that ended in a state, one a line."""
        path = self.folder / "finished.txt"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return "\n".join(line for line in lines if f"JobState={state} " in line)

    def stop(self) -> None:
        """Cancel all jobs and end all daemons."""
        self.call("scancel", "-u", "root", check=False)
        time.sleep(1)
        names = [f"slurmd.{node}.pid" for node in self.nodes] + ["slurmctld.pid"]
        for name in [*names, *(["munge/pid"] if self.owns_munge else [])]:
            path = self.folder / name
            if path.exists():
                kill(int(path.read_text()), signal.SIGTERM)
        CONF.unlink(missing_ok=True)

    def call(self, *command: str, check: bool = True) -> str:
        """Run a program of Slurm and return what it prints."""
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**os.environ, "PATH": search_path()},
        )
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
        return done.stdout


def kill(process: int, number: signal.Signals) -> None:
    """Send a signal to a process, unless it has ended."""
    with suppress(ProcessLookupError):
        os.kill(process, number)
