"""The demo without network on an empty machine: `python -m benchmarks.offline_demo FOLDER`.

Makes an empty Debian in FOLDER/root (debootstrap), clones this repository there, and runs
`make setup` with network. Everything after that has none, not even a loopback device:

- `make demo`, as the owner of the clone, and once more with a home that cannot be written;
- the demo as another user who can write neither the clone nor a home, without HOME but with
  XDG_CACHE_HOME, with LANG=C and another time zone;
- the demo in what the instructions of `Dockerfile` make, replayed in the same Debian, as a user
  without a name.

Prints seconds, and whether all tables, arrays and figures are those of the first run. The last
commit is what is run. Needs Linux, root, debootstrap, and Debian's mirror and a package index for
the set-up; 6 GB and about ten minutes. An engine for images is not needed, and the base image is
not tested: Debian's own Python takes its place.
"""

import argparse
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.same_results import differences
from benchmarks.workflow import ROOT, measured

DATED = "provenance.json"
SUITE = "trixie"
PACKAGES = "python3,python3-venv,make,git,ca-certificates"  # what the documents ask for
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
OF_THE_NETWORK = ("etc/resolv.conf", "etc/hosts", "etc/pip.conf", CERTIFICATES)
CLONE, IMAGE = "/srv/lammscope", "/opt/lammscope"
OWNER, OTHER, NAMELESS = 1001, 1002, 4321
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SETTINGS = {"PATH": PATH, "SSL_CERT_FILE": f"/{CERTIFICATES}"}


@dataclass(frozen=True)
class Machine:
    """A root folder, and the time of each step that ran in it."""

    root: Path
    steps: list[tuple[str, str, float]] = field(default_factory=list)

    def run(
        self,
        step: str,
        command: str,
        *,
        folder: str = "/",
        user: int = 0,
        network: bool = False,
        environment: Mapping[str, str],
    ) -> None:
        """Run a command as a user, without network unless it is asked for; exit if it fails."""
        inside = f"cd {folder} && {command}"
        call = ["unshare", "--mount", *([] if network else ["--net"]), "sh", "-c"]
        chroot = f"chroot --userspec={user}:{user} --groups= {self.root} /bin/sh -c"
        prepare = f"mount -t proc proc {self.root}/proc && mount --rbind /dev {self.root}/dev"
        settings = " ".join(shlex.quote(f"{name}={value}") for name, value in environment.items())
        call.append(f"{prepare} && exec env -i {settings} {chroot} {shlex.quote(inside)}")
        log = self.root.parent / f"{len(self.steps)}.log"
        with measured() as spent, log.open("w", encoding="utf-8") as file:
            done = subprocess.run(call, stdout=file, stderr=file, check=False)
        self.steps.append((step, "yes" if network else "no", spent.wall))
        print(f"{step}: {spent.wall:.0f} s, exit code {done.returncode}", flush=True)
        if done.returncode:
            sys.exit(log.read_text(encoding="utf-8")[-4000:])


def make_machine(folder: Path) -> Machine:
    """Make an empty Debian with three users, unless the folder has one."""
    root = folder / "root"
    if not (root / "etc" / "debian_version").exists():
        command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(root)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    for name in OF_THE_NETWORK:
        if (Path("/") / name).exists():
            shutil.copy(Path("/") / name, root / name)
    for used in (CLONE, IMAGE, "/home/owner", "/scratch", "/data"):
        shutil.rmtree(root / used.lstrip("/"), ignore_errors=True)
    machine = Machine(root)
    users = f"useradd -o -u {OWNER} -m owner; useradd -o -u {OTHER} -M other"
    work = f"mkdir -p /scratch; chown {OTHER} /scratch"
    machine.run("users", f"{users}; {work}", environment=SETTINGS)
    return machine


def clone(machine: Machine) -> None:
    """Clone the last commit, owned by the first user."""
    target = machine.root / CLONE.lstrip("/")
    subprocess.run(["git", "clone", "-q", "--no-local", str(ROOT), str(target)], check=True)
    machine.run("owner", f"chown -R {OWNER}:{OWNER} {CLONE}", environment=SETTINGS)


def instructions(text: str) -> list[tuple[str, str]]:
    """Parse a Dockerfile into instructions and their arguments; no continued lines are used."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines)]


def build_image(machine: Machine, parsed: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Replay the instructions of the Dockerfile in the machine, and return their environment."""
    values, environment, folder = {"PATH": PATH}, dict(SETTINGS), "/"
    for name, rest in parsed:
        if name == "WORKDIR":
            folder = rest
            (machine.root / folder.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif name == "ARG":
            key, value = rest.split("=", 1)
            values[key] = value
        elif name == "ENV":
            key, value = rest.split("=", 1)
            environment[key] = value.replace("${PATH}", environment["PATH"])
        elif name == "COPY" and not rest.startswith("--from"):
            *sources, target = rest.split()
            place = machine.root / folder.lstrip("/") / target
            for source in sources:
                copy_from_clone(machine, source, place)
        elif name == "RUN":
            for key, value in values.items():
                rest = rest.replace(f"${{{key}}}", value)
            machine.run(
                f"Dockerfile: {rest[:40]}",
                rest,
                folder=folder,
                network=True,
                environment=environment,
            )
    return environment


def copy_from_clone(machine: Machine, source: str, place: Path) -> None:
    """Copy a file or folder of the clone, as COPY does."""
    path = machine.root / CLONE.lstrip("/") / source
    if path.is_dir():
        shutil.copytree(
            path, place, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
        )
    else:
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)


def run_demos(machine: Machine, cores: int) -> list[tuple[str, str]]:
    """Run the demo in three ways; return each name and the path of its results."""
    first = f"{CLONE}/results"
    home = {"PATH": PATH, "HOME": "/home/owner", "LANG": "C.UTF-8"}
    machine.run(
        "make demo",
        f"make demo CORES={cores}",
        folder=CLONE,
        user=OWNER,
        environment=home,
    )
    demo = (
        "cp -r {0}/config . && python -m lammscope.simulate demo && "
        "snakemake --snakefile {0}/Snakefile --configfile config/config.yaml --cores {1}"
    )
    machine.run(
        "make demo again, home not writable",
        f"make demo CORES={cores}",
        folder=CLONE,
        user=OWNER,
        environment=home | {"HOME": "/nowhere"},
    )
    odd = {"PATH": f"{CLONE}/.venv/bin:{PATH}", "LANG": "C", "TZ": "Pacific/Kiritimati"}
    odd |= {"XDG_CACHE_HOME": "/scratch/.cache", "PYTHONPATH": CLONE}
    machine.run(
        "another user, no home",
        demo.format(CLONE, cores),
        folder="/scratch",
        user=OTHER,
        environment=odd,
    )
    parsed = instructions((ROOT / "Dockerfile").read_text(encoding="utf-8"))
    environment = build_image(machine, parsed)
    machine.run("data", f"chown {NAMELESS} /data", environment=SETTINGS)
    machine.run(
        "Dockerfile, no name",
        demo.format(IMAGE, cores),
        folder="/data",
        user=NAMELESS,
        environment=environment,
    )
    return [
        ("make demo", first),
        ("another user, no home", "/scratch/results"),
        ("Dockerfile, no name", "/data/results"),
    ]


def main() -> int:
    """Print the table, and return 1 if results differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cores", type=int, default=2)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    machine = make_machine(given.folder.resolve())
    clone(machine)
    machine.run(
        "make setup",
        "make setup",
        folder=CLONE,
        user=OWNER,
        network=True,
        environment={**SETTINGS, "HOME": "/home/owner"},
    )
    (_, first), *others = run_demos(machine, given.cores)
    print("\n| step | network | seconds |\n|---|---|---|")
    for step, network, seconds in machine.steps:
        print(f"| {step} | {network} | {seconds:.0f} |")
    n_different = 0
    for name, path in others:
        old, new = (machine.root / one.lstrip("/") for one in (first, path))
        lines = [line for line in differences(old, new, {}) if not line.endswith(DATED)]
        n_different += len(lines)
        print(f"\n{name}: {len(lines)} files differ from those of `make demo`", *lines, sep="\n  ")
    return int(n_different > 0)


if __name__ == "__main__":
    raise SystemExit(main())
