"""Counts of a test session, for the lines at its end: row -> what was counted -> how many."""

from __future__ import annotations

from collections import defaultdict

SCORES: defaultdict[str, dict[str, float]] = defaultdict(dict)


def add(row: str, **counts: float) -> None:
    """Add to a row's counts; an underscore stands for a blank."""
    for what, count in counts.items():
        SCORES[row][what] = SCORES[row].get(what, 0) + count


def lines() -> list[str]:
    """`bad inputs: 1,234 tried, 1,230 clear errors`: a line for each row."""
    said = []
    for row, counts in SCORES.items():
        figures = [f"{_figure(count)} {what.replace('_', ' ')}" for what, count in counts.items()]
        said.append(f"{row}: {', '.join(figures)}")
    return said


def _figure(count: float) -> str:
    return f"{count:,}" if isinstance(count, int) else f"{count:,.1f}"
