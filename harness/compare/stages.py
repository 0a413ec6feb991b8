"""The verdict of two stages: the second, on fresh runs of both sides, confirms or clears the first.

docs/gate.md says what each combination means.
"""

from __future__ import annotations

from dataclasses import replace

from harness.compare import stats
from harness.compare.gate import Finding, format_change
from harness.compare.verdicts import Verdict


def confirm(first: Finding, second: Finding | None) -> Finding:
    """The finding of both stages: worse if both are, or if the second could not see the loss.

    A second stage that proves something clears the first. One that cannot tell clears it too, but
    only if it was no weaker: runs that were lost, collapsed or cannot be compared prove nothing.
    """
    if first.verdict is not Verdict.WORSE or second is None:
        return first
    if second.verdict is Verdict.WORSE:
        return replace(second, why=f"Worse in both stages. {second.why}".strip())
    if together := _go_wrong_together(first, second):
        return replace(first, why=f"Worse in both stages together: {together}")
    if second.verdict in (Verdict.NOT_WORSE, Verdict.BETTER) or not _is_weaker(second, first):
        return replace(second, why=f"Worse in stage 1, not in stage 2. {second.why}".strip())
    why = f"Worse in stage 1. Stage 2 could not see such a loss: {_why_weaker(first, second)}."
    return replace(first, why=f"{why} {first.why}".strip())


def unconfirmed(first: Finding, why: str) -> Finding:
    """The finding of a first stage whose second proves nothing: it stays as it is."""
    if first.verdict is not Verdict.WORSE:
        return first
    return replace(
        first, why=f"Worse in stage 1. Stage 2 proves nothing: {why} {first.why}".strip()
    )


def _go_wrong_together(first: Finding, second: Finding) -> str | None:
    """How many runs went wrong in both stages, if chance does not explain it; else None.

    Asked where the first stage was worse for that reason. The strength of a second stage is that of
    its means, and runs that collapse now and then are seen less easily.
    """
    if not first.wrong or first.wrong.chance > stats.ALPHA or not second.wrong:
        return None
    both = first.wrong + second.wrong
    return f"{both} (p = {both.chance:.2g})" if both.chance <= stats.ALPHA else None


def _is_weaker(second: Finding, first: Finding) -> bool:
    """Whether the second stage finds only larger losses, by the numbers of runs it compared.

    If only one of them compared the runs seed by seed, the spread that each found counts too.
    """
    if second.verdict is Verdict.INCOMPARABLE or second.change is None:
        return True
    if first.change is None:
        return False
    if bool(first.change.pairs) != bool(second.change.pairs):
        return second.change.smallest > first.change.smallest
    return second.change.in_sd > first.change.in_sd


def _why_weaker(first: Finding, second: Finding) -> str:
    """What made the second stage weaker than the first."""
    if second.change is None or first.change is None:
        return second.why or "it compared no runs"
    then, now = first.change, second.change
    if then.pairs or now.pairs:
        return (
            f"it shows a change of {format_change(second, now.smallest)} or more, stage 1 of "
            f"{format_change(first, then.smallest)}"
        )
    return (
        f"it compared {now.base_runs} and {now.new_runs} runs, which show a change of "
        f"{now.in_sd:.2f} sd or more; the {then.base_runs} and {then.new_runs} runs of stage 1 "
        f"show {then.in_sd:.2f} sd"
    )
