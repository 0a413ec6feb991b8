"""Facts about this machine and process: what a record may say of them, and memory.

None is a host name, user name, path or environment variable.
"""

from __future__ import annotations

import functools
import os
import platform
import re
import resource
import subprocess
import sys
from importlib import metadata
from pathlib import Path

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
        "commit": commit,
        "dirty": dirty,
    }


def version(package: str) -> str | None:
    """The installed version of a package, without importing it."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def cpu_name() -> str:
    """The CPU's model name."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    except OSError:  # no Linux: platform knows
        found = None
    return found[1].strip() if found else platform.processor()


def revision() -> tuple[str | None, bool | None]:
    """The commit that this checkout of glue-bench stands at, and whether it was changed since."""
    here = Path(__file__).parent

    def git(*args: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", *args], cwd=here, capture_output=True, text=True, timeout=10, check=True
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    if git("ls-files", "--error-unmatch", Path(__file__).name) is None:
        return None, None  # installed without its repository, or inside somebody else's
    changed = git("status", "--porcelain", "--untracked-files=no")
    return git("rev-parse", "HEAD"), None if changed is None else bool(changed)


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
