"""Runs pytest in the checkout of another commit, without this process's secrets."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.execution.checkout import Checkout
from harness.system import git, inherited, supervisor
from harness.text.escape import harmless

LAST_LINES = 15
LAST_BYTES = 16 * 1024
WITHOUT_TOKEN = {"HF_HUB_DISABLE_IMPLICIT_TOKEN": "1", "HF_TOKEN_PATH": os.devnull}
"""So that the Hub's library sends no token that the user has stored."""


def run_pytest(checkout: Checkout, arguments: Sequence[str | Path]) -> str:
    """Run pytest in a checkout with this interpreter; returns the end of its output.

    Packages are imported from the checkout's folder, from its `src` and from those of the whole
    checkout, before installed ones: an editable installation would bring in the files of today. The
    processes inherit no secret of this one, and end when it ends, in whatever way.
    """
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    roots = dict.fromkeys((checkout.folder, checkout.top))
    folders = [folder for root in roots for folder in (root, root / "src") if folder.is_dir()]
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", supervisor.__file__, *command, *map(str, arguments)],
        cwd=checkout.folder,
        env={
            **inherited.environment(),
            **git.WITHOUT_CONFIGURATION,
            **WITHOUT_TOKEN,
            "PYTHONPATH": os.pathsep.join(map(str, folders)),
            "TMPDIR": str(checkout.temporary),
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # a Ctrl-C reaches only this process, which then ends that one
    )
    assert process.stdin is not None  # both are pipes
    assert process.stdout is not None
    with process:
        try:
            printed = _end_of(process.stdout.fileno())
        finally:
            process.stdin.close()  # then the supervisor ends every process that it started
    return printed


def _end_of(pipe: int) -> str:
    """The last lines that a process prints, without control characters."""
    end = b""
    while block := os.read(pipe, LAST_BYTES):
        end = (end + block)[-LAST_BYTES:]
    return harmless("\n".join(end.decode(errors="replace").splitlines()[-LAST_LINES:]))
