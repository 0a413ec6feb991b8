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
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from harness.errors import shown

HERE = Path(__file__).parent
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
    if not _is_checkout():
        return None, None
    changed = _git("status", "--porcelain", "--untracked-files=no")
    return _git("rev-parse", "HEAD"), None if changed is None else bool(changed)


def why_not_on(branch: str, commit: str) -> str | None:
    """Why `commit` is not known to be in the history of a branch of this checkout; None: it is.

    The branch may be a local one, or that of the remote `origin` as it was last fetched.
    """
    if not _is_checkout():
        return "cannot tell: glue-bench does not run from a git checkout of its own, or git fails"
    refs = (f"refs/heads/{branch}", f"refs/remotes/origin/{branch}")
    found = _git("for-each-ref", "--format=%(refname)", *refs)
    if found is None or not {*found.split()} & {*refs}:  # others: `branch` was a pattern
        return f"cannot tell: this checkout has no branch {shown(branch)}, and none of origin's"
    holding = _git("for-each-ref", "--format=%(refname)", f"--contains={commit}", *refs)
    if holding is None:
        return "cannot tell: this checkout does not have the commit"
    if {*holding.split()} & {*refs}:
        return None
    if _git("rev-parse", "--is-shallow-repository") == "true":
        return "cannot tell: this checkout is shallow (`git fetch --unshallow`)"
    return f"it is not in the history of {shown(branch)}"


def _is_checkout() -> bool:
    """Not so if installed without its repository, or inside somebody else's."""
    return _git("ls-files", "--error-unmatch", Path(__file__).name) is not None


def _git(*args: str) -> str | None:
    """What git says of this checkout; None where it fails."""
    try:
        done = subprocess.run(
            ["git", *args], cwd=HERE, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


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
