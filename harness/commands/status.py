"""The verb `status`: what the sessions of a folder planned, and how each case ended."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import typer

from harness.commands.common import Results, complain, existing, other_folder
from harness.errors import Exit
from harness.planning.project import RESULTS
from harness.tables.columns import figures, words
from harness.tables.table import WIDTH, Table
from harness.terminal import say
from harness.text.values import shown_path

if TYPE_CHECKING:
    from harness.records.journal import Session
    from harness.records.sessions import Status

INTERRUPTED = 2  # pytest's exit status after Ctrl-C
MOST_SHOWN = 40  # the most open cases that are named
COLUMNS = (
    *words("session"),
    *figures("planned", "ok", "failed", "skipped", "reused", "missing"),
    *words("state"),
)


def status(results: Results = RESULTS) -> None:
    """Say of each session what ran, what did not, and what was cut off.

    Planned `5+10`: the gate ran ten more seeds.
    """
    from harness.records import sessions

    found = sessions.read(existing(results))
    if not found.sessions:
        complain(found.damaged)
        fix = f". Fix: name {shown_path(meant)}" if (meant := other_folder(results)) else ""
        fix = fix or f" (`glue-bench report {shown_path(results)}` shows runs without one)"
        say(f"{shown_path(results)}: holds no journal; expected journal/*.jsonl{fix}", err=True)
        raise typer.Exit(Exit.NOTHING)
    say(text(found))
    complain(found.damaged)


def text(status: Status) -> str:
    """The sessions as the terminal shows them, one line each, and then the open cases."""
    rows = [_row(session) for session in status.sessions]
    lines = [Table("Sessions, oldest first", COLUMNS, tuple(rows)).text()]
    if found := status.open_cases:
        lines.append(f"\nnot finished, or failed: {len(found)}")
        shown = list(found.items())[:MOST_SHOWN]
        lines += [shorten(f"  {case}: {fate}") for case, fate in shown]
        if len(found) > MOST_SHOWN:
            lines.append(f"  ... and {len(found) - MOST_SHOWN:,} more")
        lines.append("To run these, repeat the command of their session with --glue-resume.")
    return "\n".join(lines)


def shorten(line: str) -> str:
    """A line, cut to the width of the terminal."""
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 3]}..."


def _row(session: Session) -> tuple[str, ...]:
    statuses = Counter(session.finished.values())
    ok = statuses.pop("ok", 0)
    state = "running" if session.is_running else "killed"
    if session.ended:
        known = session.exit_status is not None
        state = f"ended, exit {session.exit_status}" if known else "ended"
        if session.exit_status == INTERRUPTED:
            state = "interrupted"
    missing = len(session.cut_off) + len(session.never_began)
    skipped, reused = len(session.skipped), len(session.reused)
    # The gate runs more seeds than were planned: --glue-max-seeds, --glue-recheck.
    added = len({*session.finished} - {*session.planned})
    planned = f"{len(session.planned)}{f'+{added}' if added else ''}"
    counts = (planned, ok, statuses.total(), skipped, reused, missing)
    return (session.name, *map(str, counts), state)
