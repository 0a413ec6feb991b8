"""Thresholds: for each cell and measure, the smallest loss that counts as worse.

    [tool.glue-bench.thresholds]
    "rte-*" = { score = "2pt" }
    "sst2-minilm-cpu-fp32" = { score = "0.5pt", step_time = "10%" }

Keys are patterns of cell names. For each measure, the matching pattern with the most literal
characters wins.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from harness.catalog import targets
from harness.compare.measures import MEASURES, Measure
from harness.errors import UsageError
from harness.planning import project
from harness.text.names import unknown
from harness.text.values import shown

DEFAULT = {"*": {"score": "0.2pt"}}
"""So that a difference too small to matter is not called worse, however certain it is."""
FORM = re.compile(r"([+-]?)(\d+(?:\.\d+)?|\.\d+)\s*(\S*)")


@dataclass(frozen=True)
class Threshold:
    """The smallest loss of a measure that counts as worse: `amount` in `unit`."""

    measure: Measure
    amount: float
    unit: str
    pattern: str = "*"

    def margin(self, base: float) -> float:
        """The loss as `gate` compares it: a fraction for scores, a log ratio for the rest.

        `base` is the mean of the base's runs. It is infinite if nothing would be left.
        """
        size = abs(base) / 100 if self.unit == "%" else self.measure.units[self.unit]
        change = self.amount * size
        if self.measure.is_score:
            return change
        worse = base - change if self.measure.higher_is_better else base + change
        return abs(math.log(worse / base)) if worse > 0 else math.inf

    def __str__(self) -> str:
        sign = "-" if self.measure.higher_is_better else "+"
        return f"{sign}{self.amount:g}{self.unit}"


class Thresholds:
    """The thresholds of a comparison."""

    def __init__(self, rows: Iterable[Threshold]) -> None:
        self.rows = tuple(rows)

    def of(self, cell: str) -> dict[str, Threshold]:
        """A cell's thresholds, by measure. Raises `UsageError` if two patterns fit equally well."""
        by_measure: dict[str, Threshold] = {}
        matching = [row for row in self.rows if fnmatchcase(cell, row.pattern)]
        for name in dict.fromkeys(row.measure.name for row in matching):
            rows = [row for row in matching if row.measure.name == name]
            most = max(_literal_characters(row.pattern) for row in rows)
            best, *rivals = [row for row in rows if _literal_characters(row.pattern) == most]
            if rivals:
                raise UsageError(
                    f"[tool.glue-bench.thresholds]: for {name}, {best.pattern!a} and "
                    f"{rivals[0].pattern!a} fit {cell} equally well; expected one pattern with "
                    "more of its characters"
                )
            by_measure[name] = best
        return by_measure

    def of_no_cell(self, cells: Iterable[str]) -> list[str]:
        """The patterns that fit none of these cells."""
        names, patterns = [*cells], dict.fromkeys(row.pattern for row in self.rows)
        return [p for p in patterns if not any(fnmatchcase(name, p) for name in names)]


def _literal_characters(pattern: str) -> int:
    return len(re.sub(r"\[[^]]*\]|[*?]", "", pattern))


def parse(measure: str, text: str, where: str, pattern: str = "*") -> Threshold:
    """The threshold that `text` gives: `0.2pt`, `-1pt`, `+10%`, `5ms`. A sign has to mean a loss.

    `where` says in a message where `text` was given. Raises `UsageError`.
    """
    row = MEASURES.get(measure)
    if row is None:
        raise UsageError(f"{where}: {unknown('measure', measure, MEASURES)}")
    form = FORM.fullmatch(text.strip())
    example = f"{'-' if row.higher_is_better else '+'}1{row.shown_in}"
    units = ("%", *row.units)
    if form is None or form[3] not in units:
        raise UsageError(
            f"{where}: found {shown(text)}; expected a number and one of {', '.join(units)}, such "
            f"as {example}"
        )
    if form[1] == ("+" if row.higher_is_better else "-"):
        raise UsageError(
            f"{where}: found {shown(text)}, which is a gain: for {measure}, "
            f"{'higher' if row.higher_is_better else 'lower'} is better; expected such as {example}"
        )
    amount = float(form[2])
    is_at_most_100 = row.is_score or (form[3] == "%" and row.higher_is_better)
    if not 0 < amount < (100 if is_at_most_100 else math.inf):
        limit = " and below 100" if is_at_most_100 else ""
        raise UsageError(f"{where}: found {shown(text)}; expected a finite number above 0{limit}")
    return Threshold(row, amount, form[3], pattern)


def from_option(texts: Iterable[str], option: str = "--fail-on") -> Thresholds:
    """Thresholds for all cells from texts such as `accuracy:-1pt`. Raises `UsageError`."""
    rows: dict[str, Threshold] = {}
    for text in texts:
        measure, colon, amount = text.partition(":")
        if not colon:
            raise UsageError(
                f"{option}: found {shown(text)}; expected a measure and a change, such as "
                "accuracy:-1pt or step_time:+10%"
            )
        if measure in rows:
            raise UsageError(f"{option}: {measure} is given twice; expected once")
        rows[measure] = parse(measure, amount, f"{option} {measure}")
    return Thresholds(rows.values())


def from_pyproject(root: Path) -> Thresholds:
    """The thresholds of `root`/pyproject.toml, and the default. Raises `UsageError`."""
    path = root / "pyproject.toml"
    where = f"{path}: [tool.glue-bench.thresholds]"
    table = project.table(path).get("thresholds", {})
    if not isinstance(table, Mapping):
        raise UsageError(f"{where}: expected a table")
    rows = []
    for pattern, limits in _with_default(table).items():
        if not isinstance(limits, Mapping):
            raise UsageError(
                f"{where} {pattern!a}: found {shown(limits)}; expected measures, such as "
                '{ score = "1pt" }'
            )
        if not can_match(pattern):
            raise UsageError(
                f"{where} {pattern!a}: matches no cell; expected a pattern of TASK-MODEL-TARGET "
                "in small letters, such as 'rte-*' or '*-cpu-fp32'"
            )
        for measure, text in limits.items():
            rows.append(parse(measure, str(text), f"{where} {pattern!a} {measure}", pattern))
    return Thresholds(rows)


def literal(cell: str) -> str:
    """The pattern that matches just this cell, whose name may have a pattern's characters."""
    return re.sub(r"([*?[])", r"[\1]", cell)


def can_match(pattern: str) -> bool:
    """Whether a pattern can match a cell's name, which ends in a target and has no capitals."""
    end = re.split(r"[*?\]]", pattern)[-1]
    ends_in_target = any(end.endswith(f"-{t}") or f"-{t}".endswith(end) for t in targets.TARGETS)
    is_literal = end == pattern  # then it has to have a task and a model too
    return pattern == pattern.lower() and ends_in_target and (not is_literal or end.count("-") > 2)


def _with_default(table: Mapping[str, object]) -> dict[str, object]:
    for pattern, limits in DEFAULT.items():
        configured = table.get(pattern, {})
        if isinstance(configured, Mapping):
            table = {**table, pattern: {**limits, **configured}}
    return dict(table)
