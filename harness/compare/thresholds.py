"""How much worse is too much: a margin per cell and measure, from the user or the default.

    [tool.glue-bench.thresholds]
    "rte-*" = { score = "2pt" }
    "sst2-minilm-cpu-fp32" = { score = "0.5pt", step_time = "10%" }

Keys are patterns of cell names; of several that fit, the one with the most letters that stand for
themselves wins, measure by measure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from harness.catalog import targets
from harness.compare.measures import MEASURES, Measure
from harness.errors import UsageError
from harness.planning import project
from harness.text.names import unknown
from harness.text.values import shown

DEFAULT = {"*": {"score": "0.2pt"}}
"""So that a difference nobody would care for does not count, however certain it is."""
FORM = re.compile(r"([+-]?)(\d+(?:\.\d+)?|\.\d+)\s*(\S*)")


@dataclass(frozen=True)
class Threshold:
    """A change for the worse that counts; `amount` in `unit`."""

    measure: Measure
    amount: float
    unit: str
    pattern: str = "*"

    def margin(self, base: float) -> float:
        """The change as `gate` compares it: of scores, in fractions; of the rest, as a log ratio.

        `base` is the mean of the base's runs.
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
        """A cell's own, by measure. Raises `UsageError` where two patterns have an equal claim."""
        found: dict[str, Threshold] = {}
        fitting = [row for row in self.rows if fnmatchcase(cell, row.pattern)]
        for name in dict.fromkeys(row.measure.name for row in fitting):
            rows = [row for row in fitting if row.measure.name == name]
            most = max(_literal(row.pattern) for row in rows)
            best, *rivals = [row for row in rows if _literal(row.pattern) == most]
            if rivals:
                raise UsageError(
                    f"[tool.glue-bench.thresholds]: of {name}, {best.pattern!a} and "
                    f"{rivals[0].pattern!a} fit {cell} equally well; expected one that says more "
                    "of its name"
                )
            found[name] = best
        return found


def _literal(pattern: str) -> int:
    return len(re.sub(r"\[[^]]*\]|[*?]", "", pattern))


def parse(measure: str, text: str, where: str, pattern: str = "*") -> Threshold:
    """`0.2pt`, `-1pt`, `+10%`, `5ms`; a sign, if any, is that of a change for the worse.

    Raises `UsageError`.
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
            f"{where}: found {shown(text)}, a change for the better: of {measure}, "
            f"{'higher' if row.higher_is_better else 'lower'} is better; expected such as {example}"
        )
    amount = float(form[2])
    can_be_all = row.is_score or (form[3] == "%" and row.higher_is_better)
    if not 0 < amount < (100 if can_be_all else math.inf):
        raise UsageError(f"{where}: found {shown(text)}; expected more than 0, and less than all")
    return Threshold(row, amount, form[3], pattern)


def typed(texts: Iterable[str], option: str = "--fail-on") -> Thresholds:
    """From `accuracy:-1pt` and the like, for every cell. Raises `UsageError`."""
    rows: dict[str, Threshold] = {}
    for text in texts:
        measure, colon, amount = text.partition(":")
        if not colon:
            raise UsageError(
                f"{option}: found {shown(text)}; expected a measure and a change, such as "
                "accuracy:-1pt or step_time:+10%"
            )
        if measure in rows:
            raise UsageError(f"{option}: {measure} was said twice; expected once")
        rows[measure] = parse(measure, amount, f"{option} {measure}")
    return Thresholds(rows.values())


def configured(root: Path) -> Thresholds:
    """Those of `root`/pyproject.toml, over the default's. Raises `UsageError`."""
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
        if not _may_fit(pattern):
            raise UsageError(
                f"{where} {pattern!a}: fits no cell; expected a pattern of TASK-MODEL-TARGET, in "
                "small letters, such as 'rte-*' or '*-cpu-fp32'"
            )
        for measure, text in limits.items():
            rows.append(parse(measure, str(text), f"{where} {pattern!a} {measure}", pattern))
    return Thresholds(rows)


def _may_fit(pattern: str) -> bool:
    """Whether a pattern can be of a cell's name, which ends in a target and has no capitals."""
    end = re.split(r"[*?\]]", pattern)[-1]
    targets_fit = any(end.endswith(f"-{t}") or f"-{t}".endswith(end) for t in targets.TARGETS)
    is_whole = end == pattern  # without wildcards: then the task and the model are there too
    return pattern == pattern.lower() and targets_fit and (not is_whole or end.count("-") > 2)


def _with_default(table: Mapping[str, Any]) -> dict[str, Any]:
    for pattern, limits in DEFAULT.items():
        own = table.get(pattern, {})
        if isinstance(own, Mapping):
            table = {**table, pattern: {**limits, **own}}
    return dict(table)
