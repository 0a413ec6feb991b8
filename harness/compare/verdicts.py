"""The verdicts of the gate, and what they mean for a session or a command."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum

from harness.errors import Exit
from harness.spec import Policy


class Verdict(StrEnum):
    """The result of a comparison, the worst first."""

    WORSE = "worse"
    GONE = "gone"
    INCOMPARABLE = "incomparable"
    CANNOT_TELL = "cannot tell"
    NEW = "new"
    NOT_WORSE = "not worse"
    BETTER = "better"

    @property
    def is_decided(self) -> bool:
        """Whether the two sides could be compared."""
        return self not in (Verdict.GONE, Verdict.NEW, Verdict.INCOMPARABLE)

    def fails(self, policy: Policy) -> bool:
        """Whether it makes a session fail, and `compare` exit with another code than 0."""
        red = {Verdict.WORSE, Verdict.GONE, Verdict.INCOMPARABLE}
        strict = {*red, Verdict.CANNOT_TELL}
        return self in {Policy.report: set(), Policy.normal: red, Policy.strict: strict}[policy]


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of several verdicts. Raises `ValueError` for none."""
    return min(verdicts, key=list(Verdict).index)


def exit_code(verdicts: Iterable[Verdict], policy: Policy) -> Exit:
    """The exit code of the worst verdict; `NOTHING` also if no cell could be compared."""
    found = {*verdicts}
    if policy is Policy.report:
        return Exit.FINE
    if Verdict.WORSE in found:
        return Exit.WORSE
    if not any(v.is_decided for v in found) or found & {Verdict.GONE, Verdict.INCOMPARABLE}:
        return Exit.NOTHING
    is_undecided = Verdict.CANNOT_TELL in found
    return Exit.UNDECIDED if is_undecided and policy is Policy.strict else Exit.FINE


def spared(verdicts: Iterable[Verdict], policy: Policy) -> str | None:
    """A warning about verdicts that a stricter policy would let fail; None: there is none."""
    counts = Counter(verdicts)
    let_pass = [
        f"{counts[verdict]} {verdict}"
        for verdict in Verdict
        if counts[verdict] and verdict.fails(Policy.strict) and not verdict.fails(policy)
    ]
    if not let_pass:
        return None
    return f"warning: {', '.join(let_pass)}: the policy {policy} lets them pass"
