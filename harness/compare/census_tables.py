"""A census of stored cells as the terminal shows it, and the thresholds that follow from it."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from harness.compare import census, thresholds
from harness.compare.census import CellCensus
from harness.tables.columns import CELL, figures
from harness.tables.table import MISSING, WIDTH, Table, percent
from harness.text.escape import foldable

COLUMNS = (CELL, *figures("seeds", "wrong", "mean", "sd", "min..max", "run s"))
SIZES = (3, 5, 10, 20)
"""Numbers of new seeds whose margins are shown."""
SPREAD_NOTE = (
    "wrong: seeds that collapsed, were unstable or did not end ok; they are not averaged. run s: "
    "the median seconds of a run"
)
MARGIN_NOTE = (
    'With this margin, a change that costs nothing is "not worse" four times in five, and one that '
    "costs the margin once in 100 at most. A loss of the margin is called worse half the time, one "
    "of 1.25 times the margin four times in five. sd is taken at the upper end of what these seeds "
    "allow (80%)."
)


def text(counted: Sequence[CellCensus], seeds: int, base: int) -> str:
    """The tables, the unstable cells, the times, and a table of thresholds to copy.

    `seeds` and `base`: how many seeds a session and the baseline are to have.
    """
    sizes = sorted({*SIZES, seeds})
    parts = [_spread(counted).text(), _unstable(counted, seeds, base)]
    if any(cell.is_known for cell in counted):
        parts.append(_margins(counted, sizes, base).text())
    parts.append(_times(counted, sizes))
    parts += [_lacking(counted)] if not all(cell.is_known for cell in counted) else []
    return "\n\n".join([*filter(None, parts), toml(counted, seeds, base)])


def _spread(counted: Iterable[CellCensus]) -> Table:
    rows = tuple(
        (
            cell.name,
            str(cell.seeds),
            f"{100 * cell.share_wrong:.0f}%",
            percent(sum(cell.scores) / len(cell.scores)) if cell.scores else MISSING,
            percent(cell.sd),
            f"{percent(min(cell.scores))}..{percent(max(cell.scores))}" if cell.scores else MISSING,
            MISSING if cell.seconds is None else f"{cell.seconds:.1f}",
        )
        for cell in counted
    )
    return Table("Seeds of each cell, score x 100", COLUMNS, rows, (SPREAD_NOTE,))


def _unstable(counted: Sequence[CellCensus], seeds: int, base: int) -> str:
    reasons = [(cell.name, why) for cell in counted for why in cell.why_unstable(seeds, base)]
    if not reasons:
        return "unstable cells: none"
    lines = [_fill(f"{name}: {why}", "  ") for name, why in reasons]
    cells = {name for name, _ in reasons}
    return "\n".join([f"unstable cells: {len(cells)} of {len(counted)}", *lines])


def _margins(counted: Iterable[CellCensus], sizes: Sequence[int], base: int) -> Table:
    rows = tuple(
        (cell.name, *(_points(cell.margin(size, base)) for size in sizes)) for cell in counted
    )
    title = f"The margin in pt that N new seeds hold beside {base} of the base"
    return Table(title, (CELL, *figures(*map(str, sizes))), rows, (MARGIN_NOTE,))


def _points(margin: float | None) -> str:
    return MISSING if margin is None else f"{100 * margin:.2f}"


def _times(counted: Sequence[CellCensus], sizes: Sequence[int]) -> str:
    taken = [(size, census.seconds_of_matrix(counted, size)) for size in sizes]
    said = [f"{size} seeds {duration(seconds)}" for size, seconds in taken if seconds is not None]
    if not said:
        return ""
    cells = "1 cell" if len(counted) == 1 else f"all {len(counted)} cells"
    return _fill(f"time for {cells}, one run at a time: {', '.join(said)}")


def duration(seconds: float) -> str:
    """Seconds as a reader takes them in: `40 s`, `12 min`, `3.5 h`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _lacking(counted: Sequence[CellCensus]) -> str:
    few = [cell for cell in counted if not cell.is_known and not cell.cell.ignores_its_seed]
    if not few:
        return ""
    names = ", ".join(dict.fromkeys(cell.name for cell in few))
    return _fill(
        f"too few seeds to say how far they differ (expected {census.FEWEST_SEEDS} that can be "
        f"averaged): {names}. Fix: pytest benchmarks --glue-seeds {census.ENOUGH_SEEDS}, with the "
        "options of these runs and --glue-resume, then this census again"
    )


def toml(counted: Sequence[CellCensus], seeds: int, base: int) -> str:
    """A `[tool.glue-bench.thresholds]` table with a margin for each cell whose spread is known."""
    lines = [
        f"# glue-bench census: {seeds} seeds beside {base} of the base",
        "[tool.glue-bench.thresholds]",
    ]
    return "\n".join([*lines, *_rows(counted, seeds, base)])


def _rows(counted: Iterable[CellCensus], seeds: int, base: int) -> Iterator[str]:
    """A row per name; where two cells share one, the wider margin."""
    margins: dict[str, float | None] = {}
    for cell in counted:
        margin = cell.margin(seeds, base)
        before = margins.get(cell.name)
        margins[cell.name] = margin if before is None else max(before, margin or 0.0)
    for name, margin in margins.items():
        points = None if margin is None else census.suggested_margin(margin)
        key = json.dumps(thresholds.literal(name))
        if points is None or not thresholds.can_match(name):
            yield f"# {key}: no margin follows from its runs"
        else:
            yield f'{key} = {{ score = "{points:g}pt" }}'


def _fill(line: str, indent: str = "") -> str:
    return textwrap.fill(
        foldable(line), WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ",
        break_on_hyphens=False,
    )  # fmt: skip
