"""Runs a command, and ends every process that it started when it ends or its driver is gone.

    python -I -S supervisor.py COMMAND...

A driver runs this file and holds the other end of its standard input. When the driver closes that,
or dies in whatever way, the command and the processes that it started are killed. On Linux these
are all descendants, since orphans become children of this process (prctl(2),
PR_SET_CHILD_SUBREAPER). On other systems they are the command's process group.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
IS_LINUX = sys.platform == "linux"
PAUSE_S = 0.02


def prctl(option: int, value: int) -> None:
    """Set a property of this process on Linux; does nothing on other systems."""
    if IS_LINUX:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def main(command: list[str]) -> int:
    """Run a command until it or the driver ends; returns its exit code, as a shell does."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    prctl(
        PR_SET_PDEATHSIG, signal.SIGCONT
    )  # so that a stopped supervisor reads the end of its input
    # `preexec_fn` is safe here, since this process has no threads yet.
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=_die_with_supervisor
    )
    Thread(target=_watch, args=(child,), daemon=True).start()
    code = child.wait()
    end_all(child.pid)
    return code if code >= 0 else 128 - code


def _die_with_supervisor() -> None:
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _watch(child: subprocess.Popen[bytes]) -> None:
    """Wait for the end of standard input, then kill the command, for which `main` waits."""
    while os.read(0, 4096):
        pass
    child.kill()


def end_all(group: int) -> None:
    """Kill what remains of a command: its process group, and on Linux all descendants."""
    while True:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
        if not IS_LINUX:
            return
        for pid in descendants(os.getpid()):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        except ChildProcessError:  # none is left
            return
        time.sleep(PAUSE_S)


def descendants(pid: int) -> list[int]:
    """The ids of all descendants of a process."""
    children_of: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # pid (name) state parent ...; a name may contain brackets too
                fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
                children_of.setdefault(int(fields[1]), []).append(int(entry.name))
    pids, todo = [], [pid]
    while todo:
        children = children_of.get(todo.pop(), [])
        pids += children
        todo += children
    return pids


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
