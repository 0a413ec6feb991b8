"""From the sessions of two sides to a verdict on each cell.

A session is one process of one side; it ran every selected cell once. What belongs to one cell is
joined by `Key`: the task, model and target, without what the sides differ in on purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from statistics import median

from harness.compare import speed
from harness.compare.speed import Pair, SpeedChange
from harness.compare.speed_measures import ROWS, STEP_TIME, Effects, SpeedMeasure
from harness.compare.stats import ALPHA
from harness.compare.verdicts import Verdict, exit_code, worst
from harness.errors import Exit, UsageError
from harness.records.diff import differences
from harness.records.flags import Spoils, that_spoil
from harness.records.schema import Record
from harness.spec import Policy

AXES = ("task", "model", "target")
SPOILT = frozenset(that_spoil(Spoils.TIMES)) - {"noisy"}
"""Flags of runs whose times mean something else. A noisy machine is what turns are taken for."""


@dataclass(frozen=True)
class Session:
    """What one process ran: of side "a" or "b", in the first stage or the repetition."""

    side: str
    records: Sequence[Record]
    stage: int = 1
    is_lost: bool = False  # its files are gone, which says nothing of its runs


@dataclass(frozen=True)
class SpeedFinding:
    """The result for one measure of a cell. `effect` is None if it is not gated."""

    measure: SpeedMeasure
    effect: float | None
    change: SpeedChange


@dataclass(frozen=True)
class SpeedVerdict:
    """A cell, and what became of each measure; `why` if it could not be compared at all."""

    name: str
    findings: tuple[SpeedFinding, ...] = ()
    why: str = ""
    steal: tuple[float | None, float | None] = (None, None)  # median share, of A and of B
    differences: tuple[str, ...] = ()  # in what decides the score, such as the batch size
    is_new: bool = False  # only B has it
    notes: tuple[str, ...] = ()  # runs that failed on a side although it was compared

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of the gated measures."""
        if self.is_new:
            return Verdict.NEW
        gated = [f.change.verdict for f in self.findings if f.effect is not None]
        return worst(gated) if gated else Verdict.INCOMPARABLE

    @property
    def more_may_tell(self) -> bool:
        """Whether a gated measure has bounds, and they leave it open."""
        gated = [finding.change for finding in self.findings if finding.effect is not None]
        return any(c.verdict is Verdict.CANNOT_TELL and c.change is not None for c in gated)

    @property
    def reasons(self) -> list[str]:
        if self.why:
            return [self.why]
        gated = [finding for finding in self.findings if finding.effect is not None]
        return [f"{f.measure.name}: {f.change.why}" for f in gated if f.change.why]


@dataclass(frozen=True)
class SpeedComparison:
    """The verdicts on all cells."""

    verdicts: tuple[SpeedVerdict, ...]

    def exit_code(self, policy: Policy) -> Exit:
        """The exit code of the worst verdict."""
        return exit_code((cell.verdict for cell in self.verdicts), policy)

    @property
    def red(self) -> tuple[str, ...]:
        """The cells that are worse."""
        return tuple(cell.name for cell in self.verdicts if cell.verdict is Verdict.WORSE)

    @property
    def undecided(self) -> tuple[str, ...]:
        """The cells of which more pairs may tell."""
        return tuple(cell.name for cell in self.verdicts if cell.more_may_tell)

    def of(self, name: str) -> SpeedVerdict | None:
        return next((cell for cell in self.verdicts if cell.name == name), None)


def compare(
    sessions: Sequence[Session],
    effects: Effects,
    differing: Collection[str] = (),
    alpha: float = ALPHA,
) -> SpeedComparison:
    """The verdict on every cell of the sessions, in their order, each bound at the level `alpha`.

    `differing` has the axes in which the sides differ on purpose. Cells that are worse in the first
    stage are worse only if the second says so too; without a second it stays "worse", so that a
    caller knows what to repeat. Raises `UsageError` if a session ran several cells of one name.
    """
    stages = sorted({session.stage for session in sessions})
    made = [of_stage(n, sessions, effects, differing, alpha) for n in stages]
    if len(made) < 2:
        return made[0] if made else SpeedComparison(())
    first, second = made
    return SpeedComparison(tuple(_confirmed(cell, second.of(cell.name)) for cell in first.verdicts))


def step_times(sessions: Sequence[Session]) -> dict[str, list[float]]:
    """Of each cell, the seconds of a step in the sessions that have them, in their order."""
    by_session = [_by_name(session, ()) for session in sessions]
    times: dict[str, list[float]] = {}
    for cells in by_session:
        for name, runs in cells.items():
            if value := _value(runs, STEP_TIME.of):
                times.setdefault(name, []).append(value)
    return times


def undecided(comparison: SpeedComparison, why: str) -> SpeedComparison:
    """The comparison with "cannot tell" in place of each "worse" that could not be repeated."""
    cells = []
    for cell in comparison.verdicts:
        findings = tuple(_without_red(f, why) for f in cell.findings)
        cells.append(replace(cell, findings=findings))
    return SpeedComparison(tuple(cells))


def _without_red(finding: SpeedFinding, why: str) -> SpeedFinding:
    change = finding.change
    if finding.effect is None or change.verdict is not Verdict.WORSE:
        return finding
    return replace(finding, change=replace(change, verdict=Verdict.CANNOT_TELL, why=why))


def _confirmed(first: SpeedVerdict, second: SpeedVerdict | None) -> SpeedVerdict:
    if first.verdict is not Verdict.WORSE:
        return first
    if second and second.why:
        return SpeedVerdict(first.name, why=f"worse at first; when repeated, {second.why}")
    repeated = second.findings if second else ()
    again = {finding.measure.name: finding.change for finding in repeated}
    findings = tuple(
        replace(f, change=speed.confirm(f.change, again[f.measure.name]))
        if f.measure.name in again
        else _without_red(f, "worse at first, and the repetition has no run of it")
        for f in first.findings
    )
    if second is None:
        return replace(first, findings=findings)
    notes = (*first.notes, *(f"when repeated, {note}" for note in second.notes))
    return replace(first, findings=findings, steal=second.steal, notes=notes)


def of_stage(
    stage: int,
    sessions: Iterable[Session],
    effects: Effects,
    differing: Collection[str] = (),
    alpha: float = ALPHA,
) -> SpeedComparison:
    """What one stage says alone, as `compare`."""
    sessions = [session for session in sessions if session.stage == stage]
    by_session = [_by_name(session, differing) for session in sessions]
    names = dict.fromkeys(name for cells in by_session for name in cells)
    return SpeedComparison(
        tuple(
            _judge_cell(name, sessions, [runs.get(name, ()) for runs in by_session], effects, alpha)
            for name in names
        )
    )


def _by_name(session: Session, differing: Collection[str]) -> dict[str, list[Record]]:
    """The runs of a session by the name of their cell. Raises `UsageError`."""
    cells: dict[str, list[Record]] = {}
    for run in session.records:
        cells.setdefault(name_of(run, differing), []).append(run)
    for name, runs in cells.items():
        several = sorted({run.combination.name for run in runs})
        if len(several) > 1:
            raise UsageError(
                f"side {session.side}: {name} is {len(several)} cells, {' and '.join(several)}; "
                "expected one, to compare with the other side's. Fix: select one with -k"
            )
    return cells


def name_of(run: Record, differing: Collection[str]) -> str:
    """The name of a run's cell, without the axes in which the sides differ."""
    return "-".join(getattr(run.case, axis) for axis in AXES if axis not in differing)


def _judge_cell(
    name: str,
    sessions: Sequence[Session],
    runs: Sequence[Sequence[Record]],
    effects: Effects,
    alpha: float,
) -> SpeedVerdict:
    """The verdict on one cell; `runs` has its runs in each of the sessions."""
    sides = "".join(session.side for session in sessions)
    by_side = {
        side: [run for s, found in zip(sides, runs, strict=True) if s == side for run in found]
        for side in "ab"
    }
    for side, other in (("a", "b"), ("b", "a")):
        if not by_side[side]:
            why = f"only side {other.upper()} has it"
            return SpeedVerdict(name, why=why, is_new=side == "a")
    failures = {side: _failures(side, sessions, runs) for side in "ab"}
    for side in "ab":
        if failures[side].share == 1:
            return SpeedVerdict(name, why=failures[side].text)
    if failures["b"].share > failures["a"].share:  # the rest would hide what B breaks
        return SpeedVerdict(name, why=failures["b"].text)
    findings = []
    for measure in ROWS:
        of = measure.reader(run for found in runs for run in _sound(found))
        pairs = _pairs(sides, [_value(found, of) for found in runs])
        if measure.name in effects or any(pairs):
            effect = effects.get(measure.name)
            judged = speed.judge(pairs, effect or min(effects.values()), sides, alpha)
            findings.append(SpeedFinding(measure, effect, judged))
    steal = _median_steal(by_side["a"]), _median_steal(by_side["b"])
    return SpeedVerdict(
        name,
        tuple(findings),
        steal=steal,
        differences=_differences(by_side["a"], by_side["b"]),
        notes=tuple(found.text for found in failures.values() if found.count),
    )


@dataclass(frozen=True)
class _Failures:
    """How many of a side's runs of a cell did not end ok, and why the last one did not."""

    side: str
    count: int
    runs: int
    reason: str

    @property
    def share(self) -> Fraction:
        return Fraction(self.count, self.runs)

    @property
    def text(self) -> str:
        counted = f"{self.count} of {self.runs} runs did not end ok: {self.reason}"
        return f"side {self.side.upper()}: {counted}"


def _failures(
    side: str, sessions: Iterable[Session], runs: Iterable[Sequence[Record]]
) -> _Failures:
    """The failures of a side that has a run of the cell.

    A run that a session lacks although another session of the side has it is a failure too.
    """
    by_session = [
        found
        for session, found in zip(sessions, runs, strict=True)
        if session.side == side and not session.is_lost
    ]
    expected = max(map(len, by_session)) * len(by_session)
    present = [run for found in by_session for run in found]
    failed = [run for run in present if run.status != "ok"]
    missing = expected - len(present)
    reasons = [f"{run.status}: {run.reason}" for run in failed[-1:]]
    if missing:
        reasons.append(f"{missing} left no record")
    return _Failures(side, len(failed) + missing, expected, "; ".join(reasons))


def _differences(a: Iterable[Record], b: Iterable[Record]) -> tuple[str, ...]:
    """What differs between the inputs of the two sides' runs."""
    then, now = (next(run.identity for run in side if run.status == "ok") for side in (a, b))
    return tuple(differences(then, now))


def _sound(runs: Iterable[Record]) -> list[Record]:
    return [run for run in runs if run.status == "ok" and SPOILT.isdisjoint(run.flags)]


def _value(runs: Iterable[Record], of: Callable[[Record], float | None]) -> float | None:
    """The value of one session: of its only run, or the median over several seeds."""
    values = [value for run in _sound(runs) if (value := of(run))]
    return median(values) if values else None


def _pairs(sides: str, values: Sequence[float | None]) -> list[Pair | None]:
    pairs: list[Pair | None] = []
    for place in range(0, len(values) - 1, 2):
        pair = dict(zip(sides[place : place + 2], values[place : place + 2], strict=True))
        a, b = pair.get("a"), pair.get("b")
        pairs.append((a, b) if a and b else None)
    return pairs


def _median_steal(runs: Iterable[Record]) -> float | None:
    shares = [t.steal_share for run in runs if (t := run.timing) and t.steal_share is not None]
    return median(shares) if shares else None
