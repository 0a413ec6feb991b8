"""Runs a command, and ends all that it started when it is over or nobody waits for it any more.

    python -I -S supervisor.py COMMAND...

Run as a file, by a driver that holds the other end of standard input: when the driver ends that, or
dies, however it died, the command and every process that came of it are killed. On Linux these are
all descendants, for an orphan among them becomes this process's child (prctl(2),
PR_SET_CHILD_SUBREAPER); elsewhere the command's process group.
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
    """Set a property of this process, on Linux; elsewhere nothing."""
    if IS_LINUX:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def main(command: list[str]) -> int:
    """Run a command to its end, or to the driver's; its exit code, as a shell gives it."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    prctl(PR_SET_PDEATHSIG, signal.SIGCONT)  # so that one who was stopped reads the end of input
    # Safe here: this process has no threads yet.
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
    """Wait for the end of standard input; then kill what runs, which ends `main`'s waiting."""
    while os.read(0, 4096):
        pass
    child.kill()


def end_all(group: int) -> None:
    """Kill what is left of a command: its process group, and on Linux all descendants."""
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
    """The ids of all processes below one."""
    below: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # pid (name) state parent ...; a name may hold any sign, brackets too
                fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
                below.setdefault(int(fields[1]), []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        children = below.get(todo.pop(), [])
        found += children
        todo += children
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
