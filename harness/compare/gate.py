"""The verdict on one cell: are its new runs worse than the base's, measure by measure?

docs/gate.md says what each verdict means and at which error rates.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from itertools import chain
from statistics import fmean

from harness import metrics
from harness.compare import averaged_runs, stats
from harness.compare.measures import MEASURES, Measure, Needs
from harness.compare.stats import Change
from harness.compare.thresholds import Threshold
from harness.records.cells import Cell, used_digests
from harness.records.diff import brief, differences
from harness.records.flags import Spoils, that_spoil
from harness.records.schema import Record
from harness.system.environment import MACHINE

SLOWED = that_spoil(Spoils.TIMES)
DAY = timedelta(days=1)
SHOWN = ("score", "step_time")  # also where nothing is asked of them


class Verdict(StrEnum):
    """What a comparison came to, the worst first."""

    WORSE = "worse"
    GONE = "gone"
    INCOMPARABLE = "incomparable"
    CANNOT_TELL = "cannot tell"
    NEW = "new"
    NOT_WORSE = "not worse"
    BETTER = "better"

    @property
    def is_decided(self) -> bool:
        """Whether two sides were compared at all."""
        return self not in (Verdict.GONE, Verdict.NEW, Verdict.INCOMPARABLE)


@dataclass(frozen=True)
class Finding:
    """What was found of one measure. Of scores `change` is in fractions, else a log ratio."""

    measure: Measure
    threshold: Threshold | None  # None: shown, and not gated
    verdict: Verdict | None  # None: comparable, and nothing was asked
    why: str = ""
    base: float | None = None  # means
    new: float | None = None
    change: Change | None = None  # a positive one is for the better
    margin: float | None = None

    @property
    def is_gated(self) -> bool:
        """Whether it has a part in the cell's verdict; times that cannot be compared have none."""
        if self.threshold is None:
            return False
        return self.measure.is_score or self.verdict is not Verdict.INCOMPARABLE


def judge(
    base: Cell, new: Cell, thresholds: Mapping[str, Threshold], *, is_ok_alone: bool = False
) -> tuple[Finding, ...]:
    """A finding for each measure that has a threshold, and for those that are always shown.

    `is_ok_alone`: the base's runs that failed were left out of it.
    """
    asked = [name for name in MEASURES if name in thresholds or name in SHOWN]
    obstacle = _not_alike(base, new, is_ok_alone)
    found = []
    for measure in map(MEASURES.__getitem__, asked):
        threshold = thresholds.get(measure.name)
        if obstacle:
            finding = Finding(measure, threshold, Verdict.INCOMPARABLE, obstacle)
        elif measure.is_score:
            finding = _scores(base, new, measure, threshold)
        else:
            finding = judge_cost(base, new, measure, threshold)
        if finding.threshold or finding.base is not None or measure.name == "score":
            found.append(finding)
    return tuple(found)


def _not_alike(base: Cell, new: Cell, is_ok_alone: bool) -> str | None:
    """Why no figure of the two can be compared: inputs that differ, by name, or the same runs."""
    shared = {r.id for r in base.records} & {r.id for r in new.records}
    if shared:
        return f"the base's own runs stand on both sides: {len(shared)}. Mend: run the cell again"
    if base.key and new.key and base.key != new.key:
        then, now = (next(r.identity for r in c.records if r.cell_key) for c in (base, new))
        return "; ".join(differences(then, now)) or "cell_key differs"
    if other := _other_rows(base, new):
        return f"{'; '.join(other)}, under one key: a commit's files or how they are read changed"
    if not base.ok:
        return f"no run of the base ended ok: {_endings(base)}"
    failed = [len(cell.records) - len(cell.ok) for cell in (base, new)]
    said = f"{failed[1]} of {len(new.records)} runs did not end ok: {_endings(new)}"
    if is_ok_alone and failed[1]:
        return f"{said}. {NOT_KEPT}"
    if failed[1] * len(base.records) > failed[0] * len(new.records) and not _fails_more(base, new):
        return said
    return None


def _other_rows(base: Cell, new: Cell) -> list[str]:
    """The splits of which the sides' runs used different rows, whatever their keys say."""
    sides: list[dict[str, set[str]]] = []
    for cell in (base, new):
        hashes: dict[str, set[str]] = {}
        for name, sha256, _ in chain.from_iterable(map(used_digests, cell.ok)):
            hashes.setdefault(name, set()).add(sha256)
        sides.append(hashes)
    then, now = sides
    return [
        f"rows of {name}: was {_briefly(then[name])}, is {_briefly(now[name])}"
        for name in then
        if name in now and then[name] != now[name]
    ]


def _briefly(hashes: Iterable[str]) -> str:
    return " or ".join(sorted(map(brief, hashes)))


NOT_KEPT = (
    "How often the base's failed is not known: it was saved without those that did. Mend: promote "
    "it again, from results that hold them"
)


def _endings(cell: Cell) -> str:
    ends = [f"{run.status} ({run.reason})" for run in cell.records if run.status != "ok"]
    return ", ".join(dict.fromkeys(ends))


def _wrong(base: Cell, new: Cell) -> tuple[int, int, int, int]:
    """Runs that failed, collapsed or were unstable: of how many new ones, of how many before."""
    counts = [(len(averaged_runs.went_wrong(cell)), len(cell.records)) for cell in (new, base)]
    return (*counts[0], *counts[1])


def _fails_more(base: Cell, new: Cell) -> str | None:
    """Whether more runs went wrong than chance makes likely; says how many."""
    counts = _wrong(base, new)
    chance = stats.fisher_exact(*counts)
    return f"{WRONG.format(*counts)} (p = {chance:.2g})" if chance <= stats.ALPHA else None


WRONG = "{} of {} runs failed or collapsed, and {} of the base's {}"
FEW_WRONG = f"{WRONG}: too few to tell from chance. Mend: more runs"


def _scores(base: Cell, new: Cell, measure: Measure, threshold: Threshold | None) -> Finding:
    before, after = ([measure.of(run) for run in averaged_runs.runs(cell)] for cell in (base, new))
    then, now = ([value for value in side if value is not None] for side in (before, after))
    if not then or not now:
        without = not _metric_names(base) & {measure.name} and measure.name != "score"
        if without:
            why = f"has no {measure.name}, but {', '.join(sorted(_metric_names(base)))}"
            return Finding(measure, threshold, Verdict.INCOMPARABLE, why)
    finding = _compared(measure, threshold, then, now, row_resolution(measure, base, new))
    if worse := _fails_more(base, new):
        return replace(finding, verdict=Verdict.WORSE, why=worse)
    if base.ignores_its_seed or new.ignores_its_seed:
        why = "its seeds gave the same run: they are one"
        return replace(finding, verdict=Verdict.CANNOT_TELL, why=why)
    bad, among, bad_before, before = counts = _wrong(base, new)
    is_fine = finding.verdict in (Verdict.NOT_WORSE, Verdict.BETTER)
    if is_fine and bad * before > bad_before * among:
        # The means are those of the other runs: they say nothing of how often one goes wrong.
        return replace(finding, verdict=Verdict.CANNOT_TELL, why=FEW_WRONG.format(*counts))
    return finding


def _metric_names(cell: Cell) -> set[str]:
    return {name for run in cell.ok for split in run.metrics.values() for name in split}


def row_resolution(measure: Measure, *sides: Cell) -> float:
    """The most that one dev row can change a score: seeds that agree are no surer than that.

    As the runs recorded it; of older ones, which did not, about as much. 0.0 of a correlation.
    """
    return max(
        (_row_resolution(measure.name, run) for cell in sides for run in averaged_runs.runs(cell)),
        default=0,
    )


def _row_resolution(name: str, run: Record) -> float:
    if run.one_row:
        return run.one_row.get(name, 0.0)
    splits = run.data.splits if run.data else {}
    rows = [split.rows for dev, split in splits.items() if dev in run.metrics]
    names = {metric for found in run.metrics.values() for metric in found}
    return metrics.estimated(name, names, min(rows, default=0), len(rows))


def judge_cost(
    base: Cell,
    new: Cell,
    measure: Measure,
    threshold: Threshold | None = None,
    but_for: Collection[str] = (),
) -> Finding:
    """What is found of times or memory; incomparable where the two ran on different machines.

    `but_for` names facts of the machine that may differ, since they are what is compared.
    """
    sides = [[r for r in cell.ok if not set(SLOWED) & set(r.flags)] for cell in (base, new)]
    then, now = ([value for r in side if (value := measure.of(r))] for side in sides)
    finding = _compared(measure, threshold, then, now)
    differing = machine_differences(*sides, measure.needs, but_for)
    if differing or not then or not now:
        why = "; ".join(differing) or f"one side has no ok run that was not {' or '.join(SLOWED)}"
        return replace(finding, verdict=Verdict.INCOMPARABLE, why=why, change=None)
    return finding


def machine_differences(
    base: Sequence[Record], new: Sequence[Record], needs: Needs, but_for: Collection[str] = ()
) -> list[str]:
    """Where two sides ran on different machines, or at different times, as one line each."""
    facts = [*MACHINE, "boot"] if needs is Needs.MOMENT else [*MACHINE]
    facts = [name for name in facts if name not in but_for]
    found = []
    for name in facts:
        then, now = ({str(run.environment.get(name)) for run in side} for side in (base, new))
        if len(then | now) > 1:
            found.append(f"{name}: was {' or '.join(sorted(then))}, is {' or '.join(sorted(now))}")
        elif name == "boot" and then | now == {"None"}:
            found.append("boot: unknown, so the machine may be another one")
    threads = [sorted({str(run.threads) for run in side}) for side in (base, new)]
    if len({*threads[0], *threads[1]}) > 1:
        found.append(f"threads: was {' or '.join(threads[0])}, is {' or '.join(threads[1])}")
    times = [run.created for run in (*base, *new)]
    if needs is Needs.MOMENT and times and max(times) - min(times) > DAY:
        found.append(f"day: {min(times):%Y-%m-%d} and {max(times):%Y-%m-%d}")
    return found


def _compared(
    measure: Measure,
    threshold: Threshold | None,
    base: list[float],
    new: list[float],
    least_sd: float = 0.0,
) -> Finding:
    """A finding from the figures alone."""
    found = Finding(measure, threshold, None)
    if base and new:
        found = replace(found, base=fmean(base), new=fmean(new))
    sign = 1 if measure.higher_is_better else -1
    sides = [
        [sign * (value if measure.is_score else math.log(value)) for value in side]
        for side in (base, new)
    ]
    change = stats.change(*sides, least_sd)
    if threshold is None:
        return replace(found, change=change)
    margin = threshold.margin(found.base) if found.base is not None else None
    found = replace(found, change=change, margin=margin)
    if change is None or margin is None:
        why = TOO_FEW if base and new else "every run of one side collapsed, or was unstable"
        return replace(found, verdict=Verdict.CANNOT_TELL, why=why)
    verdict = decide(change, margin)
    why = short_of(found, change, margin) if verdict is Verdict.CANNOT_TELL else ""
    return replace(found, verdict=verdict, why=why)


TOO_FEW = "one run on each side says nothing of chance. Mend: --glue-seeds 5 or more"


def decide(change: Change, margin: float) -> Verdict:
    """The rule. `change` is positive where the new runs are better, `margin` what counts.

    Worse, or better: certainly so, and by the margin or more. Not worse: certainly by less.
    """
    if change.high < 0 and -change.change >= margin:
        return Verdict.WORSE
    if change.low > 0 and change.change >= margin:
        return Verdict.BETTER
    return Verdict.NOT_WORSE if change.low > -margin else Verdict.CANNOT_TELL


def short_of(finding: Finding, change: Change, margin: float) -> str:
    """What these runs could have shown, and how many would settle the question."""
    needed = stats.runs_needed(change.sd, margin)
    return (
        f"{change.base_runs} and {change.new_runs} runs find a change of "
        f"{as_text(finding, max(change.smallest, margin))} or more; {finding.threshold} would take "
        f"{needed or f'more than {stats.MOST_RUNS:,}'} on each side"
    )


def as_text(finding: Finding, change: float, sign: str = "") -> str:
    """A change as a reader sees it: of scores in pt, of costs in %."""
    if finding.measure.is_score:
        return f"{finding.measure.shown(change, sign)} pt"
    if not sign:  # a size is that of a change for the worse
        change = -abs(change)
    percent = 100 * (math.exp(change if finding.measure.higher_is_better else -change) - 1)
    return f"{percent if sign else abs(percent):{sign}.1f}%"


def confirmed(first: Finding, second: Finding | None) -> Finding:
    """What two stages say together: worse only if both do; else what the second, fresh one says."""
    if first.verdict is not Verdict.WORSE or second is None:
        return first
    if second.verdict is Verdict.WORSE:
        return replace(second, why=f"in both stages. {second.why}".strip())
    if not second.is_gated:  # what stage 1 found is not gone because a machine was disturbed
        second = replace(second, verdict=Verdict.CANNOT_TELL)
    return replace(second, why=f"worse in stage 1, not in stage 2. {second.why}".strip())


def same_bits(base: Cell, new: Cell) -> str:
    """How many seeds ended with the same bits, of those that could: `3/5`, or `-`.

    A canary: equal losses and predictions on one kind of machine prove that nothing changed.
    """
    before = {run.case.seed: run for run in base.ok}
    pairs = [(before[run.case.seed], run) for run in new.ok if run.case.seed in before]
    pairs = [pair for pair in pairs if not machine_differences([pair[0]], [pair[1]], Needs.MACHINE)]
    same = sum(_bits(then) == _bits(now) for then, now in pairs)
    return f"{same}/{len(pairs)}" if pairs else "-"


def _bits(run: Record) -> tuple[object, ...]:
    return (run.first_losses, run.metrics, run.predictions and run.predictions.sha256)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Of several verdicts the one that counts. Raises `ValueError` for none."""
    return min(verdicts, key=list(Verdict).index)
