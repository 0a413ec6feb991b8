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
from harness.text.values import shown

HERE = Path(__file__).parents[1]  # the folder of the package
PACKAGES = ("torch", "transformers", "tokenizers", "datasets", "numpy", "scikit-learn", "scipy")
Value = str | int | bool | None


@functools.cache
def facts() -> dict[str, Value]:
    """The value of each fact of `FACTS`, and the commit. Imports none of the packages."""
    commit, dirty = revision()
    return {fact.name: fact.read() for fact in FACTS} | {"commit": commit, "dirty": dirty}


def version(package: str) -> str | None:
    """The installed version of a package, without importing it."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


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


def revision() -> tuple[str | None, bool | None]:
    """The commit of this checkout of glue-bench, and whether files were changed since."""
    if place_in_checkout() is None:
        return None, None
    return git.head(HERE), git.is_changed(HERE)


def place_in_checkout() -> Path | None:
    """The path of this package within its checkout, such as `harness`.

    None if it was installed without its repository or inside another one, or if git fails.
    """
    return git.place_of(HERE, "__init__.py")


def why_not_on(branch: str, commit: str) -> str | None:
    """Why `commit` is not known to be in the history of a branch of this checkout; None: it is.

    The branch may be local, or a branch of the remote `origin` as last fetched.
    """
    if place_in_checkout() is None:
        return "cannot tell: glue-bench does not run from a git checkout of its own, or git fails"
    refs = (f"refs/heads/{branch}", f"refs/remotes/origin/{branch}")
    if not _refs(*refs) & {*refs}:  # git takes `branch` for a pattern, which may match others
        return f"cannot tell: this checkout has no branch {shown(branch)}, and none of origin's"
    if not git.is_full_id(commit) or git.ask(HERE, "cat-file", "-e", f"{commit}^{{commit}}").code:
        return "cannot tell: this checkout does not have the commit"
    if _refs(f"--contains={commit}", *refs) & {*refs}:
        return None
    if git.ask(HERE, "rev-parse", "--is-shallow-repository").text == "true":
        return "cannot tell: this checkout is shallow (`git fetch --unshallow`)"
    return f"it is not in the history of {shown(branch)}"


def _refs(*arguments: str) -> set[str]:
    names = git.ask(HERE, "for-each-ref", "--format=%(refname)", *arguments).text or ""
    return {*names.split()}


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
