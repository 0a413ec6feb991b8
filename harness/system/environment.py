"""Facts about this machine and process: what a record may say of them, and memory.

None is a host name, user name, path or environment variable.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import re
import resource
import sys
from importlib import metadata
from pathlib import Path

from harness.system import git
from harness.text.values import shown

HERE = Path(__file__).parents[1]  # the package
PACKAGES = ("torch", "transformers", "tokenizers", "datasets", "numpy", "scikit-learn", "scipy")


@functools.cache
def facts() -> dict[str, str | int | bool | None]:
    """Versions and hardware. Imports none of the packages it names."""
    commit, dirty = revision()
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in ("glue-bench", *PACKAGES)},
        "os": platform.system(),
        "machine": platform.machine(),
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "boot": boot(),
        "commit": commit,
        "dirty": dirty,
    }


def version(package: str) -> str | None:
    """The installed version of a package, without importing it."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def boot() -> str | None:
    """What tells this machine, since it was last started, from every other; says nothing else.

    Linux draws a random id at each start; here is a hash of it. None where there is none.
    """
    try:
        drawn = Path("/proc/sys/kernel/random/boot_id").read_bytes()
    except OSError:
        return None
    return hashlib.sha256(b"glue-bench" + drawn.strip()).hexdigest()[:16]


def cpu_name() -> str:
    """The CPU's model name."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    except OSError:  # no Linux: platform knows
        found = None
    return found[1].strip() if found else platform.processor()


def revision() -> tuple[str | None, bool | None]:
    """The commit that this checkout of glue-bench stands at, and whether it was changed since."""
    if place_in_checkout() is None:
        return None, None
    return git.head(HERE), git.is_changed(HERE)


def place_in_checkout() -> Path | None:
    """Where this package is in its checkout, such as `harness`.

    None if it was installed without its repository, or inside somebody else's, or if git fails.
    """
    return git.place_of(HERE, "__init__.py")


def why_not_on(branch: str, commit: str) -> str | None:
    """Why `commit` is not known to be in the history of a branch of this checkout; None: it is.

    The branch may be a local one, or that of the remote `origin` as it was last fetched.
    """
    if place_in_checkout() is None:
        return "cannot tell: glue-bench does not run from a git checkout of its own, or git fails"
    refs = (f"refs/heads/{branch}", f"refs/remotes/origin/{branch}")
    found = _refs(*refs)
    if not found & {*refs}:  # others: `branch` was a pattern
        return f"cannot tell: this checkout has no branch {shown(branch)}, and none of origin's"
    if not git.is_full_id(commit) or git.ask(HERE, "cat-file", "-e", f"{commit}^{{commit}}").code:
        return "cannot tell: this checkout does not have the commit"
    if _refs(f"--contains={commit}", *refs) & {*refs}:
        return None
    if git.ask(HERE, "rev-parse", "--is-shallow-repository").text == "true":
        return "cannot tell: this checkout is shallow (`git fetch --unshallow`)"
    return f"it is not in the history of {shown(branch)}"


def _refs(*which: str) -> set[str]:
    return {*(git.ask(HERE, "for-each-ref", "--format=%(refname)", *which).text or "").split()}


def usable_cpus() -> tuple[int, ...]:
    """The CPUs this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def memory_bytes(field: str, pid: int | str = "self") -> int | None:
    """`VmRSS` (memory now) or `VmHWM` (its peak) of a process; None where it cannot be read."""
    try:
        found = re.search(rf"^{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


def peak_memory_bytes() -> int:
    """The most resident memory this process held since `restart_peak_memory`, or since it began."""
    peak = memory_bytes("VmHWM")
    if peak is not None:
        return peak
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def restart_peak_memory() -> int | None:
    """Forget the peak so far; returns the memory held now: the floor of what follows."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:  # no Linux, or not allowed: the peak then includes what came before
        return None
    return memory_bytes("VmRSS")


MACHINE = ("cpu", "cores", "memory_bytes", "machine", "os", "python", "torch", "transformers",
           "tokenizers", "numpy")  # fmt: skip
