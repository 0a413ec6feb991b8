"""The door: every text of glue-bench that goes to a terminal or a log goes through here."""

from __future__ import annotations

import sys

from harness.errors import printable


def say(text: str = "", *, err: bool = False, end: str = "\n") -> None:
    """Print `text` on standard output, or on standard error, at once."""
    stream = sys.stderr if err else sys.stdout
    if stream is not None:  # a process may have been started without it
        stream.write(printable(text) + end)
        stream.flush()


def say_document(text: str) -> None:
    """Print a file's content, which its format made harmless, byte for byte."""
    if sys.stdout is not None:
        sys.stdout.write(text)
        sys.stdout.flush()
