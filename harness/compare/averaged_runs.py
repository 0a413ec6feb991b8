"""Which runs of a cell are averaged, and which are counted, since they went wrong."""

from __future__ import annotations

from harness.records.cells import Cell
from harness.records.flags import Spoils, that_spoil
from harness.records.schema import Record

NOT_AVERAGED = frozenset(that_spoil(Spoils.MEAN))


def is_sound(run: Record) -> bool:
    """Whether a run ended ok, with a score that says how well its code trains."""
    return run.status == "ok" and not NOT_AVERAGED & set(run.flags)


def runs(cell: Cell) -> list[Record]:
    """The runs whose scores are averaged."""
    return [run for run in cell.records if is_sound(run)]


def went_wrong(cell: Cell) -> list[Record]:
    """The runs that failed, collapsed or were unstable, one of a seed at most.

    Of a seed that the same clean commit ran more than once, its first run says whether it went
    wrong: runs are seldom run again where they ended well, so that a later one hides how often they
    do not. Runs of other code say nothing of this one's.
    """
    of_seed: dict[int, list[Record]] = {run.case.seed: [run] for run in cell.records}
    for run in cell.replaced:
        standing = of_seed[run.case.seed][0]
        if _commit(run) and _commit(run) == _commit(standing):
            of_seed[run.case.seed].append(run)
    firsts = [min(found, key=lambda run: (run.created, run.id)) for found in of_seed.values()]
    return [run for run in firsts if not is_sound(run)]


def _commit(run: Record) -> str | None:
    """The commit that computed a run, if nothing was changed in its tree."""
    is_clean = run.environment.get("dirty") is False
    return str(run.environment.get("commit") or "") if is_clean else None
