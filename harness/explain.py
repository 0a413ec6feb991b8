"""Whether a session that resumes would run a case, or keep a stored run of it, and why."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path

from harness.driver import configuration
from harness.errors import StorageError, UsageError
from harness.names import case_of, unknown
from harness.options import RESULTS, Settings
from harness.plan import make
from harness.resume import Resume, Reuse
from harness.store import Store
from harness.tables import WIDTH

LABEL = 10  # width of the words at the left


@dataclass(frozen=True)
class Explanation:
    """A case, and the stored run that stands for it or what keeps the newest from it."""

    case: str
    cell_key: str
    reuse: Reuse
    damaged: list[StorageError]  # records that could not be read


def explain(name: str, settings: Settings) -> Explanation:
    """What `--glue-resume` would do with the case of this id. Raises `GlueBenchError`."""
    name = case_of(name)
    plan = make(settings)
    cases = {case.id: case for case in plan.cases}
    if name not in cases:
        raise UsageError(
            f"{unknown('case', name, cases)} Mend: name it as `pytest benchmarks --collect-only "
            "-q` does, with the same options"
        )
    config = configuration(cases[name], plan)
    resume = Resume(Store(Path(settings.results or RESULTS)))
    return Explanation(name, config.cell_key, resume.find(config), resume.damaged)


def text(explanation: Explanation) -> str:
    """As the terminal shows it."""
    run = explanation.reuse.record
    if run:
        when = f"{run.created:%Y-%m-%d %H:%M} UTC"
        reasons = [f"run {run.id[:8]} of {when}, score {100 * (run.score or 0):.2f}"]
    else:
        reasons = list(explanation.reuse.reasons)
    lines = [("case", explanation.case), ("cell_key", explanation.cell_key)]
    lines += [
        (("keep" if run else "run") if place == 0 else "", r) for place, r in enumerate(reasons)
    ]
    return "\n".join(
        textwrap.fill(
            words, WIDTH, initial_indent=f"{label:{LABEL}}", subsequent_indent=" " * LABEL
        )
        for label, words in lines
    )
