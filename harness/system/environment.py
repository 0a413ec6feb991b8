"""Facts about this machine and process for records, and the memory of processes.

No fact is a host name, user name, path or environment variable.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import re
import resource
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path

from harness.system import git

HERE = Path(__file__).parents[1]  # the folder of the package
PACKAGES = ("torch", "transformers", "tokenizers", "datasets", "numpy", "scikit-learn", "scipy")
Value = str | int | bool | None


def facts(project: Path | None = None) -> dict[str, Value]:
    """The value of each fact of `FACTS`, and which code runs. Imports none of the packages.

    `commit`, `branch` and `dirty` are those of the repository of `project`, the folder in which
    pytest runs; by default the current folder. `glue-bench_sha256` is of glue-bench's own sources.
    """
    return {**_facts((project or Path.cwd()).absolute())}


@functools.cache
def _facts(project: Path) -> dict[str, Value]:
    code = {"commit": None, "branch": None, "dirty": None, **git.state(project)}
    of_machine = {fact.name: fact.read() for fact in FACTS}
    return of_machine | code | {"glue-bench_sha256": sources_sha256()}


@functools.cache
def sources_sha256() -> str:
    """The sha256 of glue-bench's own Python files: their names, and the sha256 of each."""
    files = sorted(HERE.rglob("*.py"))
    lines = [f"{hashlib.sha256(f.read_bytes()).hexdigest()}  {f.relative_to(HERE)}" for f in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def version(package: str) -> str | None:
    """The installed version of a package, without importing it."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def install_command(extra: str | None = None) -> str:
    """The command that installs what is missing: in a clone, or where glue-bench is a package."""
    if (HERE.parent / "constraints.txt").is_file():
        command, package = "pip install -c constraints.txt -e", "."
    else:
        command, package = "pip install", "glue-bench"
    return f"{command} '{package}[{extra}]'" if extra else f"{command} {package}"


def boot() -> str | None:
    """16 hexadecimal digits that are unique to this machine since its last start.

    They are a hash of the random id that Linux draws at each start. None on other systems.
    """
    try:
        boot_id = Path("/proc/sys/kernel/random/boot_id").read_bytes()
    except OSError:
        return None
    return hashlib.sha256(b"glue-bench" + boot_id.strip()).hexdigest()[:16]


def cpu_name() -> str:
    """The CPU's model name."""
    try:
        match = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    except OSError:  # not Linux
        match = None
    return match[1].strip() if match else platform.processor()


def usable_cpus() -> tuple[int, ...]:
    """The CPUs this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def memory_bytes(field: str, pid: int | str = "self") -> int | None:
    """`VmRSS` (resident memory now) or `VmHWM` (its peak) of a process; None: cannot be read."""
    try:
        match = re.search(rf"^{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M)
    except OSError:
        return None
    return int(match[1]) * 1024 if match else None


def peak_memory_bytes() -> int:
    """The peak of this process's resident memory since `restart_peak_memory` or its start."""
    peak = memory_bytes("VmHWM")
    if peak is not None:
        return peak
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def restart_peak_memory() -> int | None:
    """Forget the peak so far; returns the memory held now, the baseline memory of a run."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:  # not Linux, or not allowed: the peak then includes what came before
        return None
    return memory_bytes("VmRSS")


@dataclass(frozen=True)
class Fact:
    """A fact of a run's environment, and how it is found out."""

    name: str
    read: Callable[[], Value]
    moves_times: bool = True  # times and memory are compared only between runs with equal values
    moves_losses: bool = True  # losses of one seed may differ by rounding where the value differs


FACTS = (
    Fact("python", platform.python_version),
    Fact("glue-bench", partial(version, "glue-bench"), moves_times=False, moves_losses=False),
    *(
        Fact(
            name,
            partial(version, name),
            moves_times=name not in ("datasets", "scikit-learn", "scipy"),
            moves_losses=name not in ("scikit-learn", "scipy"),
        )
        for name in PACKAGES
    ),
    Fact("os", platform.system),
    Fact("machine", platform.machine),
    Fact("cpu", cpu_name),
    Fact("cores", os.cpu_count),
    Fact(
        "memory_bytes",
        lambda: os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        moves_losses=False,
    ),
    # The gate asks for it where times have to be close.
    Fact("boot", boot, moves_times=False, moves_losses=False),
)
MACHINE = tuple(fact.name for fact in FACTS if fact.moves_times)
ROUNDING = tuple(fact.name for fact in FACTS if fact.moves_losses)
