"""What the workers of a pool do in tests; a pool finds it by its name."""

from __future__ import annotations

import contextlib
import multiprocessing
import os

from harness import process_state


def exit_code(is_allowed: bool) -> int | str | None:
    """Of a process started here, which may have none unless it is allowed."""
    held = process_state.may_start_worker() if is_allowed else contextlib.nullcontext()
    process = multiprocessing.get_context("spawn").Process(target=os.getpid, daemon=False)
    try:
        with held:
            process.start()
    except AssertionError as error:
        return str(error)
    process.join(60)
    still_daemonic = multiprocessing.current_process().daemon
    return process.exitcode if still_daemonic else "no longer a daemon"
