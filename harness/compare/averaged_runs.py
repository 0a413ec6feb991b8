"""Which runs of a cell are averaged, and which are only counted because they went wrong."""

from __future__ import annotations

from dataclasses import dataclass

from harness.compare import stats
from harness.records.cells import Cell
from harness.records.flags import Spoils, that_spoil
from harness.records.revisions import Revision, clean_commit
from harness.records.schema import Record

NOT_AVERAGED = frozenset(that_spoil(Spoils.GATE_MEAN))


def is_sound(run: Record) -> bool:
    """Whether a run ended ok and no flag keeps its score out of the mean."""
    return run.status == "ok" and not NOT_AVERAGED & set(run.flags)


def runs(cell: Cell) -> list[Record]:
    """The runs whose scores are averaged."""
    return [run for run in cell.records if is_sound(run)]


def went_wrong(cell: Cell) -> list[Record]:
    """The runs that are not averaged, at most one of each seed.

    Where the same clean commit ran a seed more than once, its first run decides whether the seed
    went wrong. Runs are repeated mostly after a failure: if the newest run decided, failures would
    be undercounted. Runs of another commit do not count.
    """
    runs_by_seed: dict[int, list[Record]] = {run.case.seed: [run] for run in cell.records}
    for run in cell.replaced:
        current = runs_by_seed[run.case.seed][0]
        if clean_commit(run) and Revision.of(run) == Revision.of(current):
            runs_by_seed[run.case.seed].append(run)
    first_runs = [
        min(same_seed, key=lambda run: (run.created, run.id)) for same_seed in runs_by_seed.values()
    ]
    return [run for run in first_runs if not is_sound(run)]


@dataclass(frozen=True)
class WrongRuns:
    """How many runs of each side there are, and how many of them went wrong."""

    new: int
    new_runs: int
    base: int
    base_runs: int

    @classmethod
    def of(cls, base: Cell, new: Cell) -> WrongRuns:
        """The counts of two cells."""
        counts = [(len(went_wrong(cell)), len(cell.records)) for cell in (new, base)]
        return cls(*counts[0], *counts[1])

    def __add__(self, other: WrongRuns) -> WrongRuns:
        """The counts of two comparisons together."""
        return WrongRuns(
            self.new + other.new,
            self.new_runs + other.new_runs,
            self.base + other.base,
            self.base_runs + other.base_runs,
        )

    @property
    def chance(self) -> float:
        """How likely at least so many new ones are in unchanged code (Fisher's exact test)."""
        return stats.fisher_exact(self.new, self.new_runs, self.base, self.base_runs)

    @property
    def is_larger_share(self) -> bool:
        """Whether a larger share of the new runs went wrong."""
        return self.new * self.base_runs > self.base * self.new_runs

    def __str__(self) -> str:
        return (
            f"{self.new} of {self.new_runs} runs failed or collapsed, and {self.base} of the "
            f"base's {self.base_runs}"
        )
