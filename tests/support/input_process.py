"""A process that tries one bad input after another.

The command is `python -m tests.support.input_process PLACE FOLDER`.

It says what it tries before it does, and afterwards what came of it, a JSON line each. A hang ends
by an alarm; one that no alarm ends is its parent's to see.
"""

from __future__ import annotations

import json
import resource
import shutil
import signal
import socket
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

from harness.errors import GlueBenchError
from tests.support import input_readers

HANG_S = 20
MEMORY = 12 << 30  # address space; torch alone takes some of it
asked: list[str] = []


class Hang(BaseException):
    """What the alarm raises, past every handler of an `Exception`."""


def ring(*_: object) -> None:
    raise Hang


def listen(event: str, arguments: tuple[Any, ...]) -> None:
    """Note what would leave this machine, and refuse it."""
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        if event == "socket.connect" and arguments[0].family == socket.AF_UNIX:
            return
        asked.append(f"{event} {arguments[1:]}"[:200])
        raise OSError("no network here")
    if event in ("pickle.find_class", "os.system", "subprocess.Popen", "os.exec"):
        asked.append(f"{event} {arguments}"[:200])


def tried(act: Any) -> tuple[str, str]:
    """`clear error`, `read`, `hang` or `traceback`, and what was said."""
    signal.alarm(HANG_S)
    try:
        act()
    except GlueBenchError as error:
        is_clear = "\n" not in str(error) and 20 < len(str(error)) < 1_500
        return ("clear error" if is_clear else "unclear error"), str(error)
    except Hang:
        return "hang", "".join(traceback.format_stack()[-3:])
    except BaseException as error:  # noqa: BLE001  (of any type: that is what is counted)
        return "traceback", "".join(traceback.format_exception(error))[-1_500:]
    finally:
        signal.alarm(0)
    return "read", ""


def main() -> None:
    place, home = sys.argv[1], Path(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGALRM, ring)
    base = home / "base"
    inputs = input_readers.PLACES[place](base)
    sys.addaudithook(listen)
    for name, make, act in inputs:
        print(json.dumps({"trying": name}), flush=True)
        folder = Path(tempfile.mkdtemp(dir=home))
        shutil.copytree(base, folder / "x")
        asked.clear()
        make(folder / "x")
        outcome, said = tried(lambda act=act, folder=folder: act(folder / "x"))
        told = {"name": name, "outcome": outcome, "said": said, "asked": list(asked)}
        print(json.dumps(told), flush=True)
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
