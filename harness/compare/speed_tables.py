"""An A/B comparison as a reader sees it: a table per measure, then the machine and the reasons."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator

from harness.compare.speed import LogRatio, percent
from harness.compare.speed_cells import SpeedComparison, SpeedFinding, SpeedVerdict
from harness.compare.speed_measures import MEASURES, STEP_TIME, SpeedMeasure
from harness.compare.verdicts import Verdict, spared
from harness.spec import Policy
from harness.tables import formats, markup
from harness.tables.columns import CELL, figures, words
from harness.tables.table import MISSING, WIDTH, Table

COLUMNS = (CELL, *figures("A", "B", "change", "between"), *words("verdict"))
NOT_GATED = "not gated"
TO_DECIDE = (
    "To decide: end other programs, or keep a core free for them (`taskset -c 0 glue-bench ab "
    "...`), or allow more pairs (--max-pairs, and a longer --budget)"
)


def text(
    comparison: SpeedComparison, policy: Policy = Policy.normal, *, markdown: bool = False
) -> str:
    """The tables of all measures, the lines below them, and the cells' verdicts."""
    tables = [table for row in MEASURES.values() if (table := table_of(comparison, row)).rows]
    lines = [*_machine_lines(comparison), *_reasons(comparison), *_summary(comparison)]
    if warning := spared((cell.verdict for cell in comparison.verdicts), policy):
        lines.append(warning)
    if markdown:
        return "\n\n".join([*map(formats.markdown, tables), *map(markup.paragraph, lines)])
    filled = [textwrap.fill(line, WIDTH, subsequent_indent="  ") for line in lines]
    return "\n\n".join([*(table.text() for table in tables), "\n".join(filled)])


def table_of(comparison: SpeedComparison, measure: SpeedMeasure) -> Table:
    """A line per cell that has the measure: the median of each side, and the change."""
    rows = [
        (cell.name, *_figures(finding), _verdict(finding))
        for cell in comparison.verdicts
        for finding in cell.findings
        if finding.measure is measure
    ]
    effects = {f.effect for c in comparison.verdicts for f in c.findings if f.measure is measure}
    counts = [f"from {100 * effect:+g}% on" for effect in effects if effect]
    title = f"{measure.heading}, lower is better{', an increase counts ' if counts else ''}"
    return Table(title + " or ".join(counts), COLUMNS, tuple(rows))


def line(cell: SpeedVerdict) -> str:
    """What was found of a cell's gated measures, on one line."""
    parts = []
    for finding in cell.findings:
        if finding.effect is not None:
            a, b, change, between = _figures(finding)
            parts.append(f"{finding.measure.heading}: {a} -> {b}, change {change} in {between}")
    return "; ".join([*parts, *cell.reasons, *cell.notes])


def _figures(finding: SpeedFinding) -> tuple[str, str, str, str]:
    change, measure = finding.change, finding.measure
    mean, between = MISSING, MISSING
    if change.change:
        mean, between = percent(change.change.mean), _between(change.change)
    return measure.shown(change.a), measure.shown(change.b), mean, between


def _between(change: LogRatio) -> str:
    return f"{percent(change.low)}..{percent(change.high)}"


def _verdict(finding: SpeedFinding) -> str:
    return NOT_GATED if finding.effect is None else str(finding.change.verdict)


def _machine_lines(comparison: SpeedComparison) -> Iterator[str]:
    """What the neighbours of one side and the machine's counters say."""
    for cell in comparison.verdicts:
        step = next((f.change for f in cell.findings if f.measure is STEP_TIME), None)
        if step and step.same_side and step.change:
            yield (
                f"{cell.name}: same code from process to process: {percent(step.same_side.mean)} "
                f"({_between(step.same_side)}), pairs: {step.change.count}, sd of a pair: "
                f"{100 * step.change.sd:.1f}%"
            )
        shares = [f"{100 * share:.1f}%" for share in cell.steal if share is not None]
        if len(shares) == 2 and {*shares} != {"0.0%"}:
            yield f"{cell.name}: CPU time that other machines got (steal): {' and '.join(shares)}"


def _reasons(comparison: SpeedComparison) -> Iterator[str]:
    for cell in comparison.verdicts:
        for reason in cell.reasons:
            yield f"{cell.name}: {cell.verdict}: {reason}"
        for note in cell.notes:
            yield f"{cell.name}: {note}"
        if cell.differences:
            yield f"{cell.name}: the sides differ: {'; '.join(cell.differences)}"


def _summary(comparison: SpeedComparison) -> Iterator[str]:
    counts = Counter(cell.verdict for cell in comparison.verdicts)
    counted = [f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict]]
    if counts[Verdict.CANNOT_TELL]:
        yield TO_DECIDE
    yield f"verdicts: {', '.join(counted) or 'none'}"
