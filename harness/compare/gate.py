"""The verdict on one cell: for each measure, are the new runs worse than the base's?

docs/gate.md says what each verdict means, docs/error-rates.md how often it is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from statistics import fmean, geometric_mean

from harness import metrics
from harness.compare import averaged_runs, machines, pairing, stats
from harness.compare import subject as subjects
from harness.compare.averaged_runs import WrongRuns
from harness.compare.measures import MEASURES, Measure
from harness.compare.stats import Change
from harness.compare.subject import Subject
from harness.compare.thresholds import Threshold
from harness.compare.verdicts import Verdict
from harness.records.cells import Cell
from harness.records.flags import Spoils, that_spoil
from harness.records.schema import Record

SLOWED = that_spoil(Spoils.TIMES)
SHOWN = ("score", "step_time")  # shown even without a threshold


@dataclass(frozen=True)
class Finding:
    """The result for one measure. `change` is in fractions for scores, a log ratio for the rest."""

    measure: Measure
    threshold: Threshold | None  # None: shown, but not gated
    verdict: Verdict | None  # None: comparable, but there is no threshold to judge by
    why: str = ""
    base: float | None = None  # the mean of the base's runs
    new: float | None = None  # the mean of the new runs
    change: Change | None = None  # positive: the new runs are better
    margin: float | None = None
    wrong: WrongRuns | None = None  # of scores: how many runs of each side failed or collapsed

    @property
    def is_gated(self) -> bool:
        """Whether it counts in the cell's verdict; times that cannot be compared do not."""
        if self.threshold is None:
            return False
        return self.measure.is_score or self.verdict is not Verdict.INCOMPARABLE


def judge(
    base: Cell,
    new: Cell,
    thresholds: Mapping[str, Threshold],
    *,
    subject: Subject = subjects.DEFAULT,
    alpha: float = stats.ALPHA,
) -> tuple[Finding, ...]:
    """A finding for each measure that has a threshold, and for those that are always shown.

    `subject` says what may differ between the two. `alpha`: the chance with which each bound may be
    wrong, and Fisher's test too; less than usual where runs are looked at repeatedly.
    """
    measures = [row for name, row in MEASURES.items() if name in thresholds or name in SHOWN]
    obstacle = _why_incomparable(base, new, subject, alpha)
    findings = []
    for measure in measures:
        threshold = thresholds.get(measure.name)
        if obstacle:
            finding = Finding(measure, threshold, Verdict.INCOMPARABLE, obstacle)
        elif measure.is_score:
            finding = _judge_score(base, new, measure, threshold, alpha)
        else:
            finding = judge_cost(base, new, measure, threshold, alpha=alpha)
        if finding.threshold or finding.base is not None or measure.name == "score":
            findings.append(finding)
    return tuple(findings)


def _why_incomparable(base: Cell, new: Cell, subject: Subject, alpha: float) -> str | None:
    """Why no measure of the two cells can be compared; None: some can."""
    shared = {r.id for r in base.records} & {r.id for r in new.records}
    if shared:
        return (
            f"runs that are on both sides: {len(shared)}. Fix: compare other runs, or run it again"
        )
    if difference := subject.obstacle(base, new):
        return difference
    if not base.ok:
        return f"no run of the base ended ok: {_list_endings(base)}"
    base_failed, new_failed = (len(cell.records) - len(cell.ok) for cell in (base, new))
    failures = f"{new_failed} of {len(new.records)} runs did not end ok: {_list_endings(new)}"
    if new.ignores_its_seed and not base.ignores_its_seed:
        return SEEDS_LOST
    is_larger_share = new_failed * len(base.records) > base_failed * len(new.records)
    return failures if is_larger_share and not _goes_wrong_more(base, new, alpha) else None


SEEDS_LOST = (
    "new runs of different seeds had the same losses or the same order of rows, and the base's had "
    "not. Fix: find what no longer depends on the seed"
)


def _list_endings(cell: Cell) -> str:
    endings = [f"{run.status} ({run.reason})" for run in cell.records if run.status != "ok"]
    return ", ".join(dict.fromkeys(endings))


def _goes_wrong_more(base: Cell, new: Cell, alpha: float) -> str | None:
    """How many runs went wrong, if chance does not explain it; else None."""
    wrong = WrongRuns.of(base, new)
    return f"{wrong} (p = {wrong.chance:.2g})" if wrong.chance <= alpha else None


def _judge_score(
    base: Cell, new: Cell, measure: Measure, threshold: Threshold | None, alpha: float
) -> Finding:
    then, now = (
        {
            run.case.seed: value
            for run in averaged_runs.runs(cell)
            if (value := measure.of(run)) is not None
        }
        for cell in (base, new)
    )
    if (not then or not now) and measure.name not in {"score", *_metric_names(base)}:
        why = f"has no {measure.name}, but {', '.join(sorted(_metric_names(base)))}"
        return Finding(measure, threshold, Verdict.INCOMPARABLE, why)
    change = pairing.change(then, now, row_resolution(measure, base, new), alpha)
    if change and change.pairs:  # the means that the change is between
        then, now = ({s: side[s] for s in side if s in then and s in now} for side in (then, now))
    wrong = WrongRuns.of(base, new)
    finding = _compare_values(measure, threshold, [*then.values()], [*now.values()], change)
    finding = replace(finding, wrong=wrong)
    if why := _goes_wrong_more(base, new, alpha):
        return replace(finding, verdict=Verdict.WORSE, why=why)
    if not wrong.is_larger_share and (proof := _why_the_same(base, new)):
        verdict = finding.verdict and Verdict.NOT_WORSE
        return replace(finding, verdict=verdict, why=proof)
    if base.ignores_its_seed:
        why = "seeds of the base had the same losses or order of rows, so they count as one"
        return replace(finding, verdict=Verdict.CANNOT_TELL, why=why, change=None)
    if finding.verdict in (Verdict.NOT_WORSE, Verdict.BETTER) and wrong.is_larger_share:
        # The means are those of the other runs. They do not show how often a run goes wrong.
        why = f"{wrong}: too few to tell from chance. Fix: more runs"
        return replace(finding, verdict=Verdict.CANNOT_TELL, why=why)
    return finding


def _why_the_same(base: Cell, new: Cell) -> str | None:
    """Why the scores are proven to be the base's without statistics; None: they are not.

    Each averaged new run has to have the losses, metrics and predictions of the base's run of the
    same seed. The machines may be of different kinds.
    """
    before = {run.case.seed: run for run in averaged_runs.runs(base)}
    after = averaged_runs.runs(new)
    is_proven = all(
        (then := before.get(run.case.seed)) and machines.is_bit_identical(then, run)
        for run in after
    )
    if not after or not is_proven:
        return None
    seeds = "1 seed is" if len(after) == 1 else f"all {len(after)} seeds are"
    return f"{seeds} bit-identical to the base's"


def _metric_names(cell: Cell) -> set[str]:
    return {name for run in cell.ok for split in run.metrics.values() for name in split}


def row_resolution(measure: Measure, *sides: Cell) -> float:
    """The most that one dev row can change a score, as a fraction; 0.0 for a correlation.

    Seeds that agree exactly are certain only to this resolution. Newer runs recorded it; for older
    ones it is estimated from the number of rows.
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
    names = {metric for values in run.metrics.values() for metric in values}
    return metrics.estimate_step(name, names, min(rows, default=0), len(rows))


def judge_cost(
    base: Cell,
    new: Cell,
    measure: Measure,
    threshold: Threshold | None = None,
    but_for: Collection[str] = (),
    alpha: float = stats.ALPHA,
) -> Finding:
    """The finding for times or memory; incomparable if the machines differ.

    `but_for` names facts of the machine that may differ, because they are what is compared.
    """
    sides = [[r for r in cell.ok if not set(SLOWED) & set(r.flags)] for cell in (base, new)]
    then, now = ([value for r in side if (value := measure.of(r))] for side in sides)
    sign = 1 if measure.higher_is_better else -1
    logs = [[sign * math.log(value) for value in side] for side in (then, now)]
    change = stats.change(logs[0], logs[1], alpha=alpha)
    finding = _compare_values(measure, threshold, then, now, change)
    differing = machines.differences(*sides, measure.needs, but_for)
    if differing or not then or not now:
        why = (
            "; ".join(differing) or f"one side has no ok run free of the flags {', '.join(SLOWED)}"
        )
        return replace(finding, verdict=Verdict.INCOMPARABLE, why=why, change=None)
    return finding


def _compare_values(
    measure: Measure,
    threshold: Threshold | None,
    base: list[float],
    new: list[float],
    change: Change | None,
) -> Finding:
    """The finding that follows from the values alone, and the change of their mean."""
    finding = Finding(measure, threshold, None)
    if base and new:
        mean = fmean if measure.is_score else geometric_mean  # the change is of logarithms
        finding = replace(finding, base=mean(base), new=mean(new))
    if threshold is None:
        return replace(finding, change=change)
    margin = threshold.margin(finding.base) if finding.base is not None else None
    finding = replace(finding, change=change, margin=margin)
    if change is None or margin is None:
        why = TOO_FEW if base and new else "every run of a side collapsed, or was unstable"
        return replace(finding, verdict=Verdict.CANNOT_TELL, why=why)
    verdict = decide(change, margin)
    reasons = []
    if change.pairs:
        reasons.append(
            f"paired by seed: correlation {change.correlation:.2f}, {change.pairs} pairs"
        )
    if verdict is Verdict.CANNOT_TELL:
        reasons.append(_runs_it_takes(finding, change, margin))
    return replace(finding, verdict=verdict, why="; ".join(reasons))


TOO_FEW = "one run on each side cannot show what chance does. Fix: --glue-seeds 5 or more"


def decide(change: Change, margin: float) -> Verdict:
    """The rule of the gate. `change` is positive where the new runs are better.

    Worse: the upper bound is below 0, and the mean fell by at least the margin. Better: the lower
    bound is above 0, and the mean rose by at least the margin. Not worse: the lower bound rules out
    a loss of the margin.
    """
    if change.high < 0 and -change.change >= margin:
        return Verdict.WORSE
    if change.low > 0 and change.change >= margin:
        return Verdict.BETTER
    return Verdict.NOT_WORSE if change.low > -margin else Verdict.CANNOT_TELL


def _runs_it_takes(finding: Finding, change: Change, margin: float) -> str:
    """The smallest change that these runs can show, and how many runs the margin needs."""
    needed = change.runs_needed(margin)
    runs, fewest = f"{change.pairs} pairs", change.pairs
    if not change.pairs:
        runs = f"{change.base_runs} and {change.new_runs} runs"
        fewest = min(change.base_runs, change.new_runs)
    smallest = format_change(finding, max(change.smallest, margin))
    shown = f"{runs} show a change of {smallest} or more"
    if needed and needed <= fewest:
        return f"{shown} four times in five, and not this time. Fix: run more seeds"
    return (
        f"{shown}; to decide about {finding.threshold}, run "
        f"{needed or f'more than {stats.MOST_RUNS:,}'} "
        f"{'of the same seeds' if change.pairs else 'seeds'} on each side"
    )


def format_change(finding: Finding, change: float, sign: str = "") -> str:
    """A change as a reader sees it: of scores in pt, of times and memory in %.

    `sign` is that of a format, `+` or nothing.
    """
    if finding.measure.is_score:
        return f"{finding.measure.shown(change, sign)} pt"
    if not sign:  # without a sign, the size of a loss
        change = -abs(change)
    percent = 100 * (math.exp(change if finding.measure.higher_is_better else -change) - 1)
    return f"{percent if sign else abs(percent):{sign}.1f}%"
