"""Verdicts as a reader sees them: a table per measure, then the reason for each verdict."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence

from harness.compare.comparison import CellVerdict, Comparison
from harness.compare.gate import Finding, format_change
from harness.compare.measures import MEASURES, Measure
from harness.compare.stats import Change
from harness.compare.subject import shortened
from harness.compare.verdicts import Verdict, spared
from harness.spec import Policy
from harness.tables import formats, markup
from harness.tables.columns import CELL, figures, words
from harness.tables.table import MISSING, WIDTH, Table

OPTIONAL = figures("margin", "bits")  # columns that are left out if all lines have one value
COLUMNS = (
    CELL,
    *figures("runs", "base", "new", "change", "between"),
    *OPTIONAL,
    *words("verdict"),
)
NOT_GATED = "not gated"


def table_of(comparison: Comparison, measure: Measure) -> Table:
    """One line per cell that has the measure."""
    rows = []
    for cell in comparison.verdicts:
        finding = _finding(cell, measure)
        if finding is not None:
            rows.append(_row(cell, finding))
        elif measure.name == "score" and cell.why:
            rows.append((cell.name, *[MISSING] * 7, str(cell.verdict)))
    better = "higher" if measure.higher_is_better else "lower"
    title = f"{measure.name} {'x 100' if measure.is_score else f'in {measure.shown_in}'}"
    return _without_repeats(Table(f"{title}, {better} is better", COLUMNS, tuple(rows)))


def _without_repeats(table: Table) -> Table:
    """The table without the optional columns that have one value, which its title then gives."""
    places, title = [], table.title
    for place, column in enumerate(table.columns):
        values = {row[place] for row in table.rows} - {MISSING}
        if column in OPTIONAL and len(values) < 2:
            title += "".join(f", {column.heading} {value}" for value in values)
        else:
            places.append(place)
    rows = tuple(tuple(row[place] for place in places) for row in table.rows)
    return Table(title, tuple(table.columns[place] for place in places), rows)


def _finding(cell: CellVerdict, measure: Measure) -> Finding | None:
    return next((f for f in cell.findings if f.measure is measure), None)


def _row(cell: CellVerdict, finding: Finding) -> tuple[str, ...]:
    change, measure = finding.change, finding.measure
    runs, mean_change, bounds = [MISSING] * 3
    if change is not None:
        runs = f"{change.base_runs}+{change.new_runs}"
        mean_change, bounds = _brief(finding, change.change), _bounds(finding, change)
    means = [MISSING if v is None else measure.shown(v) for v in (finding.base, finding.new)]
    margin = str(finding.threshold or MISSING)
    is_judged = finding.threshold is not None or finding.verdict is Verdict.INCOMPARABLE
    verdict = str(finding.verdict) if is_judged else NOT_GATED
    return (cell.name, runs, *means, mean_change, bounds, margin, cell.bits, verdict)


def _bounds(finding: Finding, change: Change) -> str:
    """The bounds of a change, the lower figure first."""
    ends = sorted((change.low, change.high), key=lambda end: _signed(finding, end))
    return "..".join(_brief(finding, end) for end in ends)


def _signed(finding: Finding, change: float) -> float:
    return change if finding.measure.higher_is_better else -change


def _brief(finding: Finding, change: float) -> str:
    return format_change(finding, change, "+").removesuffix(" pt")


def line(cell: CellVerdict) -> str:
    """The changes and reasons behind a verdict, on one line."""
    parts = []
    for finding in cell.findings:
        if finding.is_gated and finding.change and finding.base is not None:
            means = [finding.measure.shown(v) for v in (finding.base, finding.new or 0.0)]
            parts.append(
                f"{finding.measure.name} {means[0]} -> {means[1]}, change "
                f"{_brief(finding, finding.change.change)} in {_bounds(finding, finding.change)}, "
                f"margin {finding.threshold}"
            )
    return "; ".join([*parts, *cell.reasons])


def text(comparison: Comparison, policy: Policy = Policy.normal, *, markdown: bool = False) -> str:
    """The tables, the reasons, the change of all cells together, and a count of the verdicts."""
    shown = [m for m in MEASURES.values() if any(_finding(c, m) for c in comparison.verdicts)]
    tables = [
        table
        for measure in shown or [MEASURES["score"]]
        if (table := table_of(comparison, measure)).rows and not _is_empty(comparison, measure)
    ]
    parts = [formats.markdown(table) if markdown else table.text() for table in tables]
    lines = [*_reasons(comparison), *_summary(comparison, policy)]
    if markdown:
        return "\n\n".join([*parts, *map(markup.paragraph, lines)])
    filled = [textwrap.fill(line, WIDTH, subsequent_indent="  ") for line in lines]
    return "\n\n".join([*parts, "\n".join(filled)])


def _is_empty(comparison: Comparison, measure: Measure) -> bool:
    """Whether a measure has no threshold and cannot be compared in any cell."""
    if measure.name == "score":
        return False
    findings = [f for c in comparison.verdicts if (f := _finding(c, measure))]
    return all(f.threshold is None and f.verdict is Verdict.INCOMPARABLE for f in findings)


def _reasons(comparison: Comparison) -> list[str]:
    """Each reason once, with the cells that have it."""
    by_reason: dict[str, list[str]] = {}
    for cell in comparison.verdicts:
        lines = [*cell.reasons]
        if cell.was:
            lines.append(f"was {cell.was} in the base")
        if cell.compared:
            lines.append(f"what is compared: {shortened([*cell.compared])}")
        if cell.note:
            lines.append(cell.note)
        for line in lines:
            by_reason.setdefault(line, []).append(cell.name)
    return [f"{_list_cells(names, comparison)}: {reason}" for reason, names in by_reason.items()]


def _list_cells(names: Sequence[str], comparison: Comparison) -> str:
    if len(names) > 2 and len(names) == len(comparison.verdicts):
        return "every cell"
    return ", ".join(names)


def _summary(comparison: Comparison, policy: Policy) -> list[str]:
    lines = []
    if change := comparison.pooled:
        verdict = "worse" if change.high < 0 else "better" if change.low > 0 else "nothing certain"
        lines.append(
            f"all cells together: {change.change:+.2f} sd of a cell's runs "
            f"({change.low:+.2f}..{change.high:+.2f}): {verdict}"
        )
    counts = Counter(cell.verdict for cell in comparison.verdicts)
    counted = [f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict]]
    lines.append(f"verdicts: {', '.join(counted) or 'none'}")
    if warning := spared((cell.verdict for cell in comparison.verdicts), policy):
        lines.append(warning)
    return lines
