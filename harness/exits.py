"""The exit codes of glue-bench."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What a command came to. A benchmark session has pytest's own codes, and `STORAGE`."""

    FINE = 0  # not worse
    WORSE = 1  # or different, or broken
    USAGE = 2  # or bad input
    UNDECIDED = 3  # cannot tell
    NOTHING = 4  # nothing to compare, or to show
    STORAGE = 5  # something could not be written or read
