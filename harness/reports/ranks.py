"""The ranks that a row of a board can have, whatever its and the other rows' missing figures are.

1 is best; a row's rank is one more than the number of rows that are strictly higher. A missing
figure may be anything within its metric's bounds.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from harness.reports.averages import AVERAGES, Average, ScoreKey, ScoreRow, missing

if TYPE_CHECKING:
    import numpy as np

BORDA = (
    "for each of the nine tasks a row gets a point per row below it and half a point per tie, "
    "metric pairs and MNLI-m/-mm averaged first"
)
"""The Borda count's definition, to be printed beside every number.

mteb's leaderboard counts so (MMTEB, arXiv:2502.13595; `mteb/benchmarks/_create_table.py`).
"""

PLACES = 12
"""Decimals to which values are compared: any further ones are floating point's own."""

CORRELATIONS = ("matthews_correlation", "pearson", "spearmanr")
"""The metrics that lie in [-1, 1]; all others lie in [0, 1]."""

NINE = AVERAGES["GLUE-9"]


class Interval(NamedTuple):
    """The best and the worst rank that a row can have."""

    low: int
    high: int


def ranks(average: Average, sheets: Sequence[ScoreRow]) -> list[Interval]:
    """The ranks of each row under an average; some way of filling the holes reaches each end."""
    lows, highs = _ends(average.terms, sheets)
    by_low, by_high = sorted(lows), sorted(highs)
    return [
        Interval(
            1 + len(lows) - bisect_right(by_low, high),
            # A row that has holes is itself one of those that can be above its own lowest.
            1 + len(highs) - bisect_right(by_high, low) - (high > low),
        )
        for low, high in zip(lows, highs, strict=True)
    ]


def borda(sheets: Sequence[ScoreRow], counted: Sequence[bool] | None = None) -> list[float | None]:
    """The Borda count of each row without holes, among those rows alone; None for the others.

    Only rows that are `counted` give points to others; None: all are.
    """
    import numpy as np

    whole = [place for place, sheet in enumerate(sheets) if not missing(NINE, sheet)]
    among = np.array([counted is None or counted[place] for place in whole], dtype=bool)
    points = np.zeros(len(whole))
    for task in NINE.terms:
        scores = np.array(_ends([task], [sheets[place] for place in whole])[0])
        points += _points(scores, scores[among]) - among / 2  # each of them ties with itself
    found = dict(zip(whole, points.tolist(), strict=True))
    return [found.get(place) for place in range(len(sheets))]


def borda_ranks(sheets: Sequence[ScoreRow]) -> list[Interval]:
    """The ranks of each row under the Borda count; no way of filling the holes leaves them.

    A row that is above another in every task is never below it. Without holes each interval is
    one rank. With holes it can be wider than need be: it rests on the worst filling for each pair
    of rows, and one filling need not be the worst for all pairs at once. Time and memory grow
    with the square of the number of rows.
    """
    import numpy as np

    lead = np.zeros((len(sheets), len(sheets)), dtype=np.float32)
    for task in NINE.terms:
        lead += _least_lead(*map(np.array, _ends([task], sheets)))
    np.fill_diagonal(lead, 0)
    above = (lead > 0).sum(axis=0)
    can_be_above = (lead < 0).sum(axis=1)
    return [Interval(1 + int(a), 1 + int(b)) for a, b in zip(above, can_be_above, strict=True)]


def _least_lead(lows: np.ndarray, highs: np.ndarray) -> np.ndarray:
    """[row, other]: the least by which a row's points in one task can exceed the other row's.

    It is least with the row at its lowest and the other at its highest. If that puts the row
    below, each third row has what it can have against either. If it puts the row above, a third
    row adds to the lead where it must lie between: only those whose score is known are counted.
    """
    import numpy as np

    known = lows == highs
    least = _points(lows, highs) - known / 2  # without its points against itself
    most = _points(highs, lows) - 1 + known / 2
    # The two have a whole point between them; a known score is among the counted, with its half.
    row = _points(lows, lows[known]) + ~known / 2
    other = _points(highs, lows[known]) - ~known / 2
    apart = lows[:, None] - highs[None, :]
    return np.select(
        [apart < 0, apart > 0],
        [least[:, None] - most[None, :], row[:, None] - other[None, :]],
        default=0,
    )


def _points(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Each value's points: one for each of the others that is below it, half for each tie."""
    import numpy as np

    ordered = np.sort(others)
    below, not_above = (np.searchsorted(ordered, values, side) for side in ("left", "right"))
    return (below + not_above) / 2


def _ends(
    terms: Sequence[Sequence[ScoreKey]], sheets: Sequence[ScoreRow]
) -> tuple[list[float], list[float]]:
    """The mean of the terms for each row, with every hole at its least and at its greatest."""
    lows, highs = (
        [
            round(
                fmean(fmean(sheet.get(e, _limits(e)[end]) for e in term) for term in terms), PLACES
            )
            for sheet in sheets
        ]
        for end in (0, 1)
    )
    return lows, highs


def _limits(entry: ScoreKey) -> tuple[float, float]:
    return (-1.0 if entry[1] in CORRELATIONS else 0.0, 1.0)
