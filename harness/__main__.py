"""`python -m harness` is the command `glue-bench`."""

from __future__ import annotations

import sys

INTERRUPTED = 130  # as a shell says of a program that SIGINT ended


def main() -> None:
    """The command; Ctrl-C ends it without a traceback, also while it is being imported."""
    try:
        from harness.cli import main as command

        command()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
